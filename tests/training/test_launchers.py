"""The command starts unchanged under Fabric's own launcher; with torchrun's a guide and tests/contract do it."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

from viceversa.cli import main

BIN = Path(sys.executable).parent
FLAGS = (
    "--size 16 --width 4 --blocks 1 --discriminator-width 4 --discriminator-layers 2 --images 4 --device cpu "
    "--precision 32-true --samples 1 --sample-pictures 1"
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_fabric_run_makes_one_run_of_two_processes(pictures, tmp_path, capsys):
    launcher = [BIN / "fabric", "run", "--accelerator", "cpu", "--devices", "2", "--main-port", free_port()]
    folders = [
        "--a",
        pictures / "a",
        "--b",
        pictures / "b",
        "--cache",
        pictures.with_name("cache"),
        "--out",
        tmp_path / "run",
    ]
    train = ["train", "cyclegan", *map(str, folders), *FLAGS.split()]
    command = [*launcher, BIN / "viceversa", *train]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, env=environment, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "2 processes" in done.stderr
    (checkpoint,) = (tmp_path / "run" / "checkpoints").iterdir()
    assert json.loads((checkpoint / "progress.json").read_text())["processes"] == 2
    assert {path.name for path in checkpoint.glob("rank-*")} == {"rank-0.safetensors", "rank-1.safetensors"}
    log = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    images = [json.loads(line)["images"] for line in log if "losses" in line]
    assert images == [2, 4]  # two images a step: one for each process
    assert main(train) == 2, "one process cannot go on with the pools of two"
    assert "was written by 2 processes and this is 1; start the same number" in capsys.readouterr().err
