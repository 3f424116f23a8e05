"""A training whose terminal is closed: what it has computed is kept. test_session.py has the signal without one."""

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from viceversa.training import guards

# The tests may run under nohup, where SIGHUP is ignored by what they start; a new session takes its stdin as terminal.
BEGIN = """
import fcntl, os, signal, sys, termios
signal.signal(signal.SIGHUP, signal.SIG_DFL)
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "-m", "viceversa", *sys.argv[1:]])
"""
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(pictures: Path, tmp_path: Path) -> Iterator[Start]:
    """Starts a real `viceversa train`, far longer than the test, and waits until it has logged a step."""
    command = [sys.executable, "-c", BEGIN, "train", "pix2pix", "--a", pictures / "a", "--b", pictures / "b"]
    command += ["--cache", tmp_path / "cache", "--out", tmp_path / "run", "--size", 16, "--width", 4, "--device", "cpu"]
    command += ["--discriminator-layers", 2, "--images", 10_000_000, "--log-every", 1, "--samples", 1]
    started: list[subprocess.Popen[str]] = []

    def begin(**settings: Any) -> subprocess.Popen[str]:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        process = subprocess.Popen([str(word) for word in command], text=True, env=environment, **settings)
        started.append(process)
        log, until = tmp_path / "run" / "metrics.jsonl", time.monotonic() + 300
        while not (log.exists() and log.stat().st_size):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < until
            time.sleep(0.02)
        return process

    yield begin
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def _images(run: Path) -> int:
    """How many the only checkpoint has seen; the log ends there too."""
    (folder,) = (run / "checkpoints").iterdir()
    last = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
    assert last["images"] == int(folder.name)
    return int(folder.name)


def test_a_training_outlives_its_terminal_by_a_checkpoint(start: Start, tmp_path: Path) -> None:
    """The terminal is gone when the signal comes: whatever is said then cannot be said, and must not matter."""
    ours, its = pty.openpty()
    process = start(stdin=its, stdout=its, stderr=its)
    os.close(its)
    os.close(ours)
    assert process.wait(timeout=300) == 0
    assert _images(tmp_path / "run") > 0


def test_under_nohup_it_trains_on() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with guards.signals() as event:
            signal.raise_signal(signal.SIGHUP)
            assert not event.is_set()
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
