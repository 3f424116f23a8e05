"""Two processes, started as people start them, compute what one does with the doubled batch."""

import json

import pytest
import torch

from viceversa import train
from viceversa.cli import main
from viceversa.config import to_json
from viceversa.methods import METHODS

KINDS = ("cyclegan wgan-gp", "pix2pix resnet")  # beside every method as it is

# Every process runs this: one run after the other, so that Python and torch are loaded once. A run that is to be
# stopped gets the signal in one process only; the other has to be told.
WORKER = """
import json, os, signal, sys, threading, time
from pathlib import Path
from viceversa import train
from viceversa.config import from_json

def signal_at_line(log, line):
    while not log.exists() or log.read_bytes().count(b"\\n") < line:
        time.sleep(0.001)
    os.kill(os.getpid(), signal.SIGTERM)

for job in json.loads(Path(sys.argv[1]).read_text()):
    out = Path(job["out"])
    if job["stop"] and os.environ["RANK"] == "1":
        threading.Thread(target=signal_at_line, args=(out / "metrics.jsonl", job["stop"]), daemon=True).start()
    run = train(from_json(job["config"], out), quiet=True)
    assert run.finished != bool(job["stop"]), (run, job["stop"])
"""


def job(config, stop: int = 0) -> dict[str, object]:
    return {"config": to_json(config), "out": str(config.out), "stop": stop}


def test_two_processes_are_one_with_the_doubled_batch(
    variants, tiny_variant, tmp_path, torchrun, checkpoint_tensors, assert_same_run
):
    pairs, jobs = {}, []
    for variant in (name for name in variants if name in METHODS or name in KINDS):
        settings = {"exactly_summable": True, "images": 4, "log_every": 2}  # fewer than the pool takes
        one = tiny_variant(variant, tmp_path / f"one {variant}", batch=2, **settings)
        two = tiny_variant(variant, tmp_path / f"two {variant}", batch=1, **settings)
        pairs[variant] = one, two
        jobs.append(job(two))
    whole, parted = (tiny_variant("cyclegan", tmp_path / name, images=20, log_every=4) for name in ("whole", "parted"))
    jobs += [job(whole), job(parted, stop=1), job(parted)]
    (tmp_path / "worker.py").write_text(WORKER)
    (tmp_path / "jobs.json").write_text(json.dumps(jobs))
    torchrun(tmp_path / "worker.py", tmp_path / "jobs.json")

    for variant, (one, two) in pairs.items():
        train(one, quiet=True)
        first, second = checkpoint_tensors(one.out), checkpoint_tensors(two.out)
        assert first["images"] == second["images"] == 4
        shared = [name for name in first if name.startswith(("state: ", "optimizers: "))]
        assert len(shared) > 20
        assert shared == [name for name in second if name.startswith(("state: ", "optimizers: "))]
        for name in shared:
            scale = first[name].abs().max().item()
            torch.testing.assert_close(
                second[name],
                first[name],
                rtol=1e-8,
                atol=1e-8 * scale,
                msg=lambda t, n=name, v=variant: f"{v}, {n}: {t}",
            )
        texts = [(config.out / "metrics.jsonl").read_text().splitlines() for config in (one, two)]
        logs = [[json.loads(line) for line in text if "losses" in line] for text in texts]
        assert [line["images"] for line in logs[0]] == [line["images"] for line in logs[1]] == [2, 4]
        for line, same in zip(*logs, strict=True):
            assert line["losses"] == pytest.approx(same["losses"], rel=1e-8), variant
    assert_same_run(whole.out, parted.out)
    assert len(list((parted.out / "checkpoints" / "00000020").glob("rank-*.safetensors"))) == 2


def test_torchrun_starts_the_command_unchanged(pictures, tmp_path, torchrun, capsys):
    out = tmp_path / "run"
    flags = [
        "--a",
        pictures / "a",
        "--b",
        pictures / "b",
        "--cache",
        pictures.with_name("cache"),
        "--size",
        "16",
        "--width",
        "4",
    ]
    flags += [
        "--blocks",
        "1",
        "--discriminator-width",
        "4",
        "--discriminator-layers",
        "2",
        "--images",
        "4",
        "--device",
        "cpu",
        "--out",
        out,
    ]
    command = ["train", "cyclegan", *map(str, flags), "--precision", "32-true"]
    torchrun("-m", "viceversa", *command)
    said = json.loads((out / "summary.json").read_text())
    assert "2 processes" in said["device"]
    assert (out / "translator" / "model.safetensors").exists()
    assert main(command) == 2, "one process cannot go on with the pools of two"
    assert "was written by 2 processes and this is 1; start the same number" in capsys.readouterr().err


# Keeps what each batch normalisation of the generator is given, and finds by itself what its running mean would be.
NORM_WORKER = """
import sys
from pathlib import Path
import torch
from torch import nn
from viceversa import methods
from viceversa.config import from_json
from viceversa.training import machine
from viceversa.training.trainer import Trainer

config = from_json(Path(sys.argv[1]).read_text(), Path("run"))
fabric = machine.make_fabric("cpu", config.precision)
pictures = config.method.data.open(config.seed, "cpu")
trainer = Trainer(config, methods.make(config.method, pictures, config.seed), pictures, fabric)
norms = [module for module in trainer.method.g.modules() if isinstance(module, nn.BatchNorm2d)]
own = [torch.zeros_like(norm.running_mean) for norm in norms]

def keep(norm, given, _):
    if norm.training:
        own[norms.index(norm)].lerp_(given[0].detach().to(own[0].dtype).mean((0, 2, 3)), norm.momentum)

for norm in norms:
    norm.register_forward_hook(keep)
trainer.run(lambda trainer: True)
assert fabric.world_size == 2 and norms
for norm, mean in zip(norms, own):
    both = fabric.all_gather(mean)
    assert (both[0] - both[1]).abs().max() > 1e-4, "each normalises by its own batch"
    torch.testing.assert_close(norm.running_mean, both.mean(0), msg="the statistics are averaged")
"""


def test_batch_norms_statistics_are_averaged_over_processes(pictures, tiny, tmp_path, torchrun):
    config = tiny("dcgan", tmp_path / "run", root=pictures, norm="batch", batch=4, images=8)
    (tmp_path / "worker.py").write_text(NORM_WORKER)
    (tmp_path / "config.json").write_text(to_json(config))
    torchrun(tmp_path / "worker.py", tmp_path / "config.json")
