"""Commands that are stopped: what is half-written goes, and the exit code says what happened."""

import contextlib
import os
import pty
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from PIL import Image

from viceversa import stopping
from viceversa.cli import main
from viceversa.inference.translator import save_translator
from viceversa.methods import METHODS
from viceversa.methods.pix2pix import Pix2Pix, Pix2PixConfig
from viceversa.networks import ResNetConfig, ResNetGenerator, initialise


@pytest.fixture(scope="module")
def animation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A long one: drawing it takes a second."""
    path = tmp_path_factory.mktemp("animation") / "long.gif"
    frames = [Image.new("RGB", (64, 64), (index % 256, index // 256, 9)) for index in range(3000)]
    frames[0].save(path, save_all=True, append_images=frames[1:])
    return path


@pytest.fixture
def started(animation: Path, tmp_path: Path):
    """A real `viceversa translate` that is half through an animation: its file lies beside the name it will get."""
    network = ResNetGenerator(ResNetConfig(width=4, blocks=1))
    initialise(network, "kaiming", 1.0, torch.Generator().manual_seed(0))
    save_translator(tmp_path / "m", {"a2b": network}, method="m", domains={"a": "a", "b": "b"}, size_px=64, images=1)
    command = [sys.executable, "-m", "viceversa", "translate", "m", str(animation), "--out", "out", "--device", "cpu"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 600
    while time.monotonic() < until and process.poll() is None and not list(tmp_path.glob("out/.long.gif.*")):
        time.sleep(0.01)
    yield process
    process.kill()
    process.communicate()


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_a_translation_that_is_stopped_leaves_nothing_half_written(name: str, started, tmp_path: Path) -> None:
    number = signal.Signals[name]
    assert list(tmp_path.glob("out/.long.gif.*")), "it is being written"
    started.send_signal(number)
    if name != "SIGINT":
        started.send_signal(number)  # as `timeout` does: to the process, and to its group
    _, said = started.communicate(timeout=600)
    assert started.returncode == 128 + number
    assert said.splitlines()[-1] == "viceversa: interrupted"
    assert "Traceback" not in said
    assert not (tmp_path / "out").exists()


def test_the_guide_and_the_command_line_say_what_the_exit_codes_mean() -> None:
    guide = Path(__file__).parents[1] / "docs" / "guides" / "own-pictures.md"
    codes = [128 + signal.Signals[name] for name in ("SIGHUP", "SIGINT", "SIGTERM")]
    assert f"| {', '.join(map(str, codes))} | it was ended by" in guide.read_text(encoding="utf-8")
    assert all(f"{code}: " in str(main.__doc__) for code in codes)


@dataclass(frozen=True, kw_only=True)
class SlowConfig(Pix2PixConfig):
    """A class of its own."""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_training_that_is_stopped_before_its_first_step_ends_well(number, pictures, tmp_path, capsys) -> None:
    class Slow(Pix2Pix):
        name = "slow"
        Config = SlowConfig

        def __init__(self, config):
            super().__init__(config)
            signal.raise_signal(number)

    out = tmp_path / "run"
    words = ["--a", pictures / "a", "--b", pictures / "b", "--cache", tmp_path / "cache", "--out", out]
    words += ["--size", 16, "--width", 4, "--discriminator-layers", 2, "--images", 2, "--device", "cpu"]
    try:
        before = signal.getsignal(number)
        assert main(["train", "slow", *map(str, words)]) == 0
        assert signal.getsignal(number) is before, "handlers are put back"
    finally:
        del METHODS["slow"]
    assert capsys.readouterr().err.splitlines()[-1] == "viceversa: stopped; the same command goes on"
    assert not out.exists()


def test_ctrl_c_twice_in_a_step_of_a_training_ends_it_at_once_with_130(pictures, tmp_path, capsys) -> None:
    class Slow(Pix2Pix):
        name = "slow"
        Config = SlowConfig

        def step(self, batch, iteration):
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
            return super().step(batch, iteration)

    before = signal.getsignal(signal.SIGINT)
    out = tmp_path / "run"
    words = ["--a", pictures / "a", "--b", pictures / "b", "--cache", tmp_path / "cache", "--out", out]
    words += ["--size", 16, "--width", 4, "--discriminator-layers", 2, "--images", 2, "--device", "cpu"]
    try:
        assert main(["train", "slow", *map(str, words)]) == 130
    finally:
        del METHODS["slow"]
    assert signal.getsignal(signal.SIGINT) is before, "handlers are put back"
    assert capsys.readouterr().err.splitlines()[-1] == "viceversa: interrupted"
    assert (out / "config.json").exists(), "it was training"
    assert not (out / "checkpoints").exists(), "at once"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_the_end_is_the_same_when_the_terminal_is_gone(number, monkeypatch) -> None:
    def stopped() -> int:
        raise stopping.Stopped(number)

    ours, its = pty.openpty()
    os.close(ours)
    terminal = os.fdopen(its, "w", buffering=1)
    monkeypatch.setattr(sys, "stderr", terminal)
    assert stopping.resumable(stopped) == 0
    with contextlib.suppress(OSError):  # what could not be said is tried once more
        terminal.close()


def test_ctrl_c_twice_is_no_good_end() -> None:
    def impatient() -> int:
        raise stopping.StoppedAtOnce

    with pytest.raises(stopping.StoppedAtOnce):
        stopping.resumable(impatient)


def test_what_is_ignored_stays_ignored() -> None:
    """As a command that was started with nohup outlives its terminal."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stopping.as_interrupts():
            signal.raise_signal(signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
