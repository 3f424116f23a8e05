"""A run that is killed at any moment, and started again, is equal to the undisturbed run to the last bit."""

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from viceversa.cli import main

KILLS = 5  # of each of the cases: 20 in all
IMAGES = 30
CASES = {
    # Every step is saved, so that most kills hit a checkpoint that is being written; or now and then.
    "cyclegan in float32, saving all the time": ("cyclegan", "32-true", 0.0, ("--blocks", "1", "--pool", "4")),
    "cyclegan in bfloat16, saving now and then": ("cyclegan", "bf16-mixed", 0.0015, ("--blocks", "1", "--pool", "4")),
    "pix2pix in float32, saving now and then": (
        "pix2pix",
        "32-true",
        0.0015,
        ("--generator", "resnet", "--blocks", "1"),
    ),
    "pix2pix in bfloat16, saving all the time": ("pix2pix", "bf16-mixed", 0.0, ()),
}
Start = Callable[..., dict]


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory, pictures: Path) -> Iterator[Start]:
    """Starts a command in a process of its own, to be killed at a moment; see fork_server.py."""
    if not hasattr(os, "fork"):
        pytest.skip("this system has no fork")
    folder = tmp_path_factory.mktemp("server")
    errors = (folder / "errors.txt").open("w")
    warm_up = command("cyclegan", pictures, "--blocks", 1, "--out", folder / "run", "--precision", "bf16-mixed")
    server = subprocess.Popen(
        [sys.executable, Path(__file__).with_name("fork_server.py"), *warm_up],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
    )
    assert server.stdin
    assert server.stdout

    def ask(argv: list[str], run: Path, *, images: int | None = None, delay: float | None = None) -> dict:
        job = {"argv": argv, "log": f"{run}.log", "run": str(run), "images": images, "delay": delay}
        server.stdin.write(json.dumps(job) + "\n")
        server.stdin.flush()
        if not (answer := server.stdout.readline()):
            raise RuntimeError((folder / "errors.txt").read_text())
        return json.loads(answer)

    yield ask
    server.stdin.close()
    assert server.wait() == 0
    server.stdout.close()
    errors.close()


def command(method: str, pictures: Path, *more: object) -> list[str]:
    flags = [
        "--a",
        pictures / "a",
        "--b",
        pictures / "b",
        "--cache",
        pictures.with_name("cache"),
        "--size",
        16,
        "--width",
        4,
    ]
    flags += ["--discriminator-width", 4, "--discriminator-layers", 2, "--images", IMAGES, "--log-every", 2]
    return ["train", method, *map(str, [*flags, "--samples", 4, "--sample-pictures", 1, "--device", "cpu", *more])]


@pytest.mark.parametrize("case", CASES)
def test_killed_runs_are_equal_to_the_bit(case, start, pictures, tmp_path, assert_same_run):
    method, precision, minutes, own = CASES[case]
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    common = [*own, "--precision", precision, "--checkpoint-minutes", minutes, "--out"]
    # In this process, whose hashes of strings have another seed than those of the processes that are killed.
    assert main(command(method, pictures, *common, whole)) == 0
    until_first, *_, in_all = (
        json.loads(line)["seconds"] for line in (whole / "timing.jsonl").read_text().splitlines()
    )

    # Once at the start, where folders are made and checkpoints read, the rest while it trains and saves.
    chance = random.Random(case)
    step = (in_all - until_first) / (IMAGES - 2)
    moments = [{"images": chance.randint(1, 4), "delay": chance.uniform(0, 2 * step)} for _ in range(KILLS - 1)]
    moments.insert(chance.randrange(KILLS), {"images": None, "delay": chance.uniform(0, until_first)})
    argv = command(method, pictures, *common, killed)
    for moment in moments:
        if not start(argv, killed, **moment)["killed"]:  # it was much faster than the undisturbed run
            shutil.rmtree(killed)
            assert start(argv, killed, **moment)["killed"]
    assert start(argv, killed) == {"killed": False, "code": 0}, Path(f"{killed}.log").read_text()[-2000:]

    assert_same_run(whole, killed)
    for kind in ("translator", "samples", "checkpoints"):
        names = sorted(path.name for path in (killed / kind).iterdir())
        if kind == "checkpoints":
            assert len(names) <= 2
            assert all(name.isdigit() for name in names), "nothing half-written is left"
        else:
            assert names == sorted(path.name for path in (whole / kind).iterdir())
            for name in names:
                assert (killed / kind / name).read_bytes() == (whole / kind / name).read_bytes(), f"{kind}/{name}"
    assert not [path.name for path in killed.iterdir() if path.name.startswith(".")]
