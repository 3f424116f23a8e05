"""The estimate before the first step, and what the machine is said to be."""

import re

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from viceversa import bfloat16, train
from viceversa.errors import ConfigError
from viceversa.inference.memory import available_bytes
from viceversa.training import estimate, guards, machine
from viceversa.training.trainer import Trainer


@pytest.mark.parametrize(
    ("method", "settings"),
    [("cyclegan", {"objective": "wgan-gp", "pool": 2}), ("pix2pix", {"size_px": 64, "norm": "batch", "accumulate": 2})],
)
def test_the_estimate_leaves_everything_as_it_was(method, settings, tiny, make_trainer, tmp_path):
    trainer = make_trainer(tiny(method, tmp_path, **settings))
    before = {name: value.clone() for name, value in trainer.method.state_dict().items()}
    averages = [value.clone() for value in trainer.averaged.state_dict().values()]
    expected = estimate.of(trainer)
    assert expected.seconds_per_step > 0
    assert expected.memory_bytes > 0
    after = trainer.method.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    assert all(map(torch.equal, averages, trainer.averaged.state_dict().values()))
    assert not any(optimizer.state for optimizer in trainer.optimizers.values())
    assert all(parameter.grad is None and parameter.requires_grad for parameter in trainer.method.parameters())
    assert (trainer.images_seen, trainer.sums) == (0, {})


class Work(TorchDispatchMode):
    """A clock that goes on only by what is computed, a second for a billion operations: as fast on every machine."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if count := flop_registry.get(func.overloadpacket):
            self.seconds += count(*args, **(kwargs or {}), out_val=result) / 1e9
        return result


@pytest.mark.parametrize("settings", [{}, {"accumulate": 2, "batch": 3}, {"objective": "wgan-gp"}])
def test_the_estimate_is_what_steps_then_take(settings, tiny, tmp_path, make_trainer):
    """Where every operation takes equally long; that those of a backward pass take longer is allowed for."""
    trainer: Trainer = make_trainer(tiny("cyclegan", tmp_path, size_px=64, width=32, images=40, **settings))
    with Work() as work:
        expected, times = estimate.of(trainer, lambda: work.seconds).seconds_per_step, [work.seconds]

        def after_each(_: Trainer) -> bool:
            times.append(work.seconds)
            return len(times) > 3

        trainer.run(after_each)
    taken = np.diff(times)
    assert taken.min() > 0
    assert taken * 1.1 == pytest.approx(expected, rel=0.15)


def test_the_estimate_grows_with_the_work(tiny, tmp_path, make_trainer):
    def cost(**settings):
        return estimate.trace(make_trainer(tiny("cyclegan", tmp_path, **settings)))

    plain, twice, larger = cost(), cost(accumulate=2), cost(size_px=32)
    assert twice.flops == 2 * plain.flops
    assert larger.flops == pytest.approx(4 * plain.flops, rel=0.15)
    assert 2 < larger.saved_bytes / plain.saved_bytes < 4.1
    assert cost(objective="wgan-gp").flops > plain.flops


def test_a_batch_that_cannot_fit_is_refused_before_it_is_tried(tiny, tmp_path, capsys):
    """Trying it would have the system end the process without a word, and the run's folder would be settled by it."""
    with pytest.raises(ConfigError) as refused:
        train(tiny("cyclegan", tmp_path / "run", batch=10**8))
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith("cyclegan on ")
    assert len(said) == 1
    words = r"--batch 100000000 at --size 16 takes about .* are free\. Take a smaller --batch, --size or --width"
    assert re.match(words, str(refused.value))
    assert not (tmp_path / "run").exists(), "a smaller batch may go there"


def test_memory_that_just_suffices_is_remarked_on(tiny, tmp_path):
    config, free = tiny("cyclegan", tmp_path), available_bytes(torch.device("cpu"))
    expected = estimate.Estimate(1.0, 10**9, round(0.9 * free))
    assert "smaller --batch" in guards.check_memory(config, expected, torch.device("cpu"))
    assert not guards.check_memory(config, estimate.Estimate(1.0, 10**9, 10**6), torch.device("cpu"))


@pytest.mark.parametrize("method", ["cyclegan", "wgan-gp"])
def test_the_cost_of_a_large_batch_is_that_of_each_image(method, tiny, tmp_path, make_trainer, monkeypatch):
    trainer = make_trainer(tiny(method, tmp_path, batch=8))
    whole = estimate.trace(trainer)
    monkeypatch.setattr(estimate, "_TRACED", 4)
    found = estimate._whole(trainer)
    assert found.flops == pytest.approx(whole.flops, rel=0.001)
    assert found.saved_bytes == pytest.approx(whole.saved_bytes, rel=0.01)


def test_the_machine_is_what_it_says(tmp_path):
    assert machine.choose_device("cpu") == "cpu"
    assert machine.choose_precision("64-true", "cpu") == "64-true"
    gain = bfloat16.gain("cpu")
    assert (gain > 0) == bfloat16.instructions("cpu")
    assert machine.choose_precision("auto", "cpu") == ("bf16-mixed" if bfloat16.pays("cpu") else "32-true")
    assert bfloat16.gain("cpu") == gain, "measured once, so that a process never changes its mind"
    assert "32-true" in machine.describe("cpu", "32-true", 1)
    assert "2 processes" in machine.describe("cpu", "32-true", 2)
    if not torch.cuda.is_available():
        with pytest.raises(ConfigError, match=r"--device cuda is not there; this machine has .*cpu"):
            machine.choose_device("cuda")
