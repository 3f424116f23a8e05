"""Two processes, started as people start them, compute what one does with the doubled batch."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from viceversa import train
from viceversa.config import TrainConfig, to_json
from viceversa.methods import METHODS

KINDS = ("cyclegan wgan-gp", "pix2pix resnet")  # beside every method as it is

# Every process runs this: one run after the other, so that Python and torch are loaded once. A run that is to be
# stopped gets the signal in one process only; the other has to be told.
WORKER = """
import json, os, signal, sys, threading, time
from pathlib import Path
import torch
from torch import nn
from viceversa import methods, train
from viceversa.config import from_json
from viceversa.training import machine
from viceversa.training.trainer import Trainer

def signal_at_line(log, line):
    while not log.exists() or log.read_bytes().count(b"\\n") < line:
        time.sleep(0.001)
    os.kill(os.getpid(), signal.SIGTERM)

def watch_norms(config):
    "Keeps what each batch normalisation of the generator is given, and finds what its running mean would be."
    fabric = machine.make_fabric("cpu", config.precision)
    images = config.method.data.open(config.seed, "cpu")
    trainer = Trainer(config, methods.make(config.method, images, config.seed), images, fabric)
    norms = [module for module in trainer.method.g.modules() if isinstance(module, nn.BatchNorm2d)]
    own = [torch.zeros_like(norm.running_mean) for norm in norms]

    def keep(norm, given, _):
        if norm.training:
            own[norms.index(norm)].lerp_(given[0].detach().to(own[0].dtype).mean((0, 2, 3)), norm.momentum)

    for norm in norms:
        norm.register_forward_hook(keep)
    trainer.run(lambda trainer: True)
    return [(norm.running_mean.tolist(), fabric.all_gather(mean).tolist()) for norm, mean in zip(norms, own)]

for job in json.loads(Path(sys.argv[1]).read_text()):
    out = Path(job["out"])
    config = from_json(job["config"], out)
    if job["norms"]:
        out.with_suffix(".json").write_text(json.dumps(watch_norms(config)))
        continue
    if job["stop"] and os.environ["RANK"] == "1":
        threading.Thread(target=signal_at_line, args=(out / "metrics.jsonl", job["stop"]), daemon=True).start()
    run = train(config, quiet=True)
    assert run.finished != bool(job["stop"]), (run, job["stop"])
"""
Pairs = dict[str, tuple[TrainConfig[Any], TrainConfig[Any]]]


def job(config: TrainConfig[Any], stop: int = 0, norms: bool = False) -> dict[str, object]:
    return {"config": to_json(config), "out": str(config.out), "stop": stop, "norms": norms}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("processes")


@pytest.fixture(scope="module")
def pairs(folder, variants, tiny, tiny_variant, pictures, torchrun) -> Pairs:
    """By variant the configs of one process, still to be run, and of two, which ran, as all other runs of two did."""
    pairs, jobs = {}, []
    for variant in (name for name in variants if name in METHODS or name in KINDS):
        settings = {"exactly_summable": True, "images": 4, "log_every": 2}  # fewer than the pool takes
        one = tiny_variant(variant, folder / f"one {variant}", batch=2, **settings)
        two = tiny_variant(variant, folder / f"two {variant}", batch=1, **settings)
        pairs[variant] = one, two
        jobs.append(job(two))
    model = tiny_variant("cyclegan", folder / "model", exactly_summable=True, images=1, seed=7)
    train(model, quiet=True)
    settings = {"exactly_summable": True, "images": 4, "log_every": 2, "initial": model.out}
    one, two = (tiny_variant("cyclegan", folder / f"{batch} from", batch=batch, **settings) for batch in (2, 1))
    pairs["cyclegan from a model"] = one, two
    jobs.append(job(two))
    whole, parted = (tiny_variant("cyclegan", folder / name, images=120, log_every=4) for name in ("whole", "parted"))
    jobs += [job(whole), job(parted, stop=1), job(parted)]
    for name in ("trainA", "testA", "trainB", "testB"):
        shutil.copytree(pictures / name[-1].lower(), folder / "data" / name)
    settings = {"root": folder / "data", "a": None, "b": None, "images": 40, "learning_rate": 0.0}
    jobs.append(job(tiny("cyclegan", folder / "tired", evaluate_every=2, patience=1, **settings)))
    jobs.append(job(tiny("dcgan", folder / "norms", norm="batch", batch=4, images=8), norms=True))
    jobs.append(job(tiny("pix2pix", folder / "timed", images=None, minutes=0.01)))
    (folder / "worker.py").write_text(WORKER)
    (folder / "jobs.json").write_text(json.dumps(jobs))
    torchrun(folder / "worker.py", folder / "jobs.json")
    return pairs


def test_two_processes_are_one_with_the_doubled_batch(pairs, checkpoint_tensors):
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
        assert "2 processes" in json.loads((two.out / "summary.json").read_text())["device"]


@pytest.mark.usefixtures("pairs")
def test_two_processes_that_are_stopped_by_one_of_them_go_on_to_the_bit(folder, assert_same_run):
    assert_same_run(folder / "whole", folder / "parted")
    assert len(list((folder / "parted" / "checkpoints" / "00000120").glob("rank-*.safetensors"))) == 2


@pytest.mark.usefixtures("pairs")
def test_patience_ends_all_processes(folder):
    newest = max((folder / "tired" / "checkpoints").iterdir())
    assert newest.name == "00000004"
    assert len(list(newest.glob("rank-*.safetensors"))) == 2
    assert json.loads((folder / "tired" / "summary.json").read_text())["ended_early"]


@pytest.mark.usefixtures("pairs")
def test_batch_norms_statistics_are_averaged_over_processes(folder):
    norms = json.loads((folder / "norms.json").read_text())
    assert norms
    for running, own in norms:
        both = torch.tensor(own)
        assert (both[0] - both[1]).abs().max() > 1e-4, "each normalises by its own batch"
        torch.testing.assert_close(torch.tensor(running), both.mean(0))


@pytest.mark.usefixtures("pairs")
def test_two_processes_train_for_so_many_minutes_by_one_clock(folder):
    """Had each gone by its own, one would have waited for the other for ever."""
    (checkpoint,) = (folder / "timed" / "checkpoints").iterdir()
    progress = json.loads((checkpoint / "progress.json").read_text())
    assert progress["processes"] == 2
    assert progress["trained_seconds"] >= 0.6
    assert json.loads((folder / "timed" / "summary.json").read_text())["state"] == "finished"
