"""Types a guide's commands one after the other, and looks whether what they should write is there."""

import json
import re
import shlex
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

from PIL import Image

from viceversa.cli import main

from .pages import EXIT_CODES, Step, shortened

Process = subprocess.Popen[str]
PLAIN = re.compile(r"viceversa (?!serve)[\w./:@=, -]+")
"""Nothing that only a shell understands: done in this process, which has torch loaded already."""
ADDS = re.compile(r"viceversa (train|prepare) ")
"""What it names as its output may be there: it goes on with it."""
OUTPUTS = re.compile(r'(?: --out | -o | --html | --json | > |\bout="|\.save\("|Path\("(?=[^"]*"\)\.write))([\w./-]+)')
PICTURES = {".png", ".jpg", ".gif", ".webp", ".tif"}
PATIENCE_SECONDS = 300


class Typist:
    """Types into a terminal that stands in the current folder."""

    def __init__(self) -> None:
        self.names: dict[str, Any] = {"__name__": "guide"}
        self.made: set[str] = set()
        self.ports = {port: free_port() for port in ("8000", "8080")}
        self.servers: dict[int, Process] = {}
        self.page_seen = False
        """Whether a server with its page was started: it takes seconds to load, so the next ones have none."""

    def type(self, step: Step) -> None:
        """Runs a step to its end, or until it serves; Python that begins with the name of a file is put there.

        Raises:
            AssertionError: It ended otherwise than the guide implies, or what it should write is not there.
        """
        text = re.sub(r"\b(8000|8080)\b", lambda port: str(self.ports[port[0]]), step.text)
        outputs = set(OUTPUTS.findall(text))
        for output in outputs if not ADDS.match(text) else outputs - self.made:
            remove(Path(output))
        if file := re.match(r"# (\w+\.py)\n", text):
            Path(file[1]).write_text(text)
        elif step.language == "python":
            exec(compile(text, "the guide's Python", "exec"), self.names)
        else:
            self._command(re.sub(r"\s+#\s.*", "", text), EXIT_CODES.get(step.text, 0))
        for output in outputs:
            assert_whole(Path(output))
        self.made |= outputs

    def _command(self, command: str, code: int) -> None:
        command = shortened(command)
        if "viceversa serve" in command or "http.server" in command:
            self._serve(command)
        elif PLAIN.fullmatch(command):
            assert main(shlex.split(command)[1:]) == code, command
        else:
            command, machines = on_this_machine(command, free_port()), 2 if "--nnodes 2" in command else 1
            for process, said in at_their_end([shell(command) for _ in range(machines)]):
                assert process.returncode == code, f"{command}\n{said}"

    def _serve(self, command: str) -> None:
        named = re.search(r"--port (\d+)", command)
        port = int(named[1] if named else self.ports["8000"])
        if port in self.servers:  # as somebody does who tries the guide's next command
            stop([self.servers.pop(port)])
        if "viceversa" in command and self.page_seen:
            command = f"{command} --no-page"
        self.page_seen |= "viceversa" in command
        flag = "" if named else "--port " if "viceversa" in command else " "
        self.servers[port] = started = shell(command if named else f"{command} {flag}{port}")
        until = time.monotonic() + PATIENCE_SECONDS
        while not listens(port):
            assert started.poll() is None, f"{command}\n{started.communicate()[0]}"
            assert time.monotonic() < until, f"{command} does not serve"
            time.sleep(0.05)

    def stop(self) -> None:
        """Ends all servers."""
        stop(list(self.servers.values()))
        self.servers.clear()


def stop(servers: list[Process]) -> None:
    """As an operator does; ours have to end well."""
    for server in servers:
        server.terminate()
    for server, said in at_their_end(servers):
        well = 0 if "viceversa" in str(server.args) else -signal.SIGTERM
        assert (server.returncode, "Traceback" in said) == (well, False), said


def at_their_end(processes: list[Process]) -> list[tuple[Process, str]]:
    """Each with what it said; none is left behind."""
    try:
        return [(process, process.communicate(timeout=PATIENCE_SECONDS)[0]) for process in processes]
    finally:
        for process in processes:
            if process.poll() is None:
                process.terminate()
                process.communicate()


def shell(command: str) -> Process:
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return subprocess.Popen(["bash", "-c", command], text=True, **pipes)


def on_this_machine(command: str, port: int) -> str:
    """With two processes on the CPU, where the guide has four on each of one or two machines."""
    for guide, here in (
        ("--nnodes 2 --nproc-per-node 4", "--nnodes 2 --nproc-per-node 1"),
        ("--nproc-per-node 4", "--nproc-per-node 2"),
        ("first:29500", f"localhost:{port}"),
    ):
        command = command.replace(guide, here)
    return command


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def remove(path: Path) -> None:
    assert Path.cwd() in path.resolve().parents, f"{path} lies elsewhere"
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)


def assert_whole(path: Path) -> None:
    """It is there, holds something, and is of the kind that its name says."""
    assert path.exists(), f"{path} was not written"
    assert any(path.iterdir()) if path.is_dir() else path.stat().st_size, f"{path} is empty"
    if path.suffix in PICTURES:
        with Image.open(path) as picture:
            picture.load()
    if path.suffix == ".json":
        json.loads(path.read_text())
    if path.suffix == ".html":
        assert not re.search(r"""(src|href)=["']?http""", path.read_text()), f"{path} needs the network"
