"""Runs commands of viceversa in processes that can be killed, without loading torch for each of them.

Runs the command given, so that everything is loaded; then forks for every line on stdin: {"argv", "log", "run",
"images", "delay"}. With ``images`` the child gets a SIGKILL ``delay`` seconds after its log has come so many images
further than its newest checkpoint was at the start; without, ``delay`` seconds after the start, if there is a delay.
Answers with a line: {"killed", "code"}.
"""

import json
import os
import signal
import sys
import threading
import time
import traceback
from pathlib import Path

import torch

from viceversa.cli import main


def child(argv: list[str], log: str) -> None:
    code = 99
    try:
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        code = main(argv)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def newest_checkpoint(run: Path) -> int:
    folder = run / "checkpoints"
    return max((int(entry.name) for entry in folder.glob("[0-9]*")), default=0)


def logged(run: Path, since_ns: int) -> int:
    """The images of the log's last line, if it was written since."""
    try:
        if (run / "metrics.jsonl").stat().st_mtime_ns <= since_ns:
            return -1
        return json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])["images"]
    except (OSError, ValueError, IndexError):
        return -1


def serve(job: dict) -> dict:
    run, started = Path(job["run"]), time.time_ns()
    target = newest_checkpoint(run) + (job["images"] or 0)
    pid = os.fork()
    if pid == 0:
        child(job["argv"], job["log"])
    ended = 0
    if job["delay"] is not None:
        while job["images"] and logged(run, started) < target and not ended:
            time.sleep(0.001)
            ended, status = os.waitpid(pid, os.WNOHANG)
        if not ended:
            time.sleep(job["delay"])
            os.kill(pid, signal.SIGKILL)  # a child that has ended is still there, until it is waited for
    if not ended:
        _, status = os.waitpid(pid, 0)
    return {"killed": os.WIFSIGNALED(status), "code": os.waitstatus_to_exitcode(status)}


def threads() -> list[str]:
    tasks = Path("/proc/self/task")
    return sorted((task / "comm").read_text() for task in tasks.iterdir()) if tasks.exists() else ["main"]


torch.set_num_threads(1)
assert main(sys.argv[1:]) == 0
until = time.monotonic() + 10
while len(threads()) > 1 and time.monotonic() < until:  # a thread that has been joined may take a moment to go
    time.sleep(0.01)
assert len(threads()) == 1, f"threads do not survive a fork: {threads()}, {threading.enumerate()}"
for line in sys.stdin:
    print(json.dumps(serve(json.loads(line))), flush=True)
