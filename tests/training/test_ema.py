"""The moving average: its half-life, its warm-up, and what it leaves alone."""

import copy

import pytest
import torch
from torch import nn

from viceversa.training.ema import AveragedGenerators


def networks(value: float = 0.0) -> dict[str, nn.Module]:
    network = nn.Sequential(nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3), nn.Dropout(0.5)).double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(value)
    return {"a2b": network}


def share(averaged: AveragedGenerators) -> float:
    """Where the average is between weights of 0 and of 1."""
    (value,) = {p.item() for p in averaged.averages["a2b"].parameters() for p in p.detach().flatten()}
    return value


@pytest.mark.parametrize("images", [1, 4, 250])
def test_after_its_half_life_the_average_is_half_way(images):
    """However many images a step has."""
    averaged = AveragedGenerators(networks(0.0), 1000)
    target = networks(1.0)
    for step in range(1000 // images):
        averaged.update(target, images, 10**6 + images * step)
    assert share(averaged) == pytest.approx(0.5, abs=1e-9)
    for step in range(1000 // images):
        averaged.update(target, images, 10**6 + images * step)
    assert share(averaged) == pytest.approx(0.75, abs=1e-9)


def test_the_warm_up():
    """At first the half-life is a twentieth of the images seen, so that the random weights of the start soon go."""
    averaged = AveragedGenerators(networks(0.0), 1000)
    averaged.update(networks(1.0), 1, 1)
    assert share(averaged) == pytest.approx(1 - 0.5 ** (1 / 0.05), abs=1e-12)
    averaged = AveragedGenerators(networks(0.0), 1000)
    averaged.update(networks(1.0), 4, 400)
    assert share(averaged) == pytest.approx(1 - 0.5 ** (4 / 20), abs=1e-12)
    # From 20 half-lives on the half-life is the one asked for.
    for seen, expected in (19_000, 950), (20_000, 1000), (40_000, 1000):
        averaged = AveragedGenerators(networks(0.0), 1000)
        averaged.update(networks(1.0), 10, seen)
        assert share(averaged) == pytest.approx(1 - 0.5 ** (10 / expected), abs=1e-12)


def test_early_weights_are_forgotten():
    averaged = AveragedGenerators(networks(1.0), 1000)
    for seen in range(1, 101):
        averaged.update(networks(0.0), 1, seen)
    assert share(averaged) < 1e-9


def test_without_a_half_life_it_is_the_weights_themselves():
    averaged = AveragedGenerators(networks(0.0), 0)
    averaged.update(networks(0.7), 1, 1)
    assert share(averaged) == 0.7


def test_a_half_life_shorter_than_a_step():
    averaged = AveragedGenerators(networks(0.0), 1)
    averaged.update(networks(1.0), 64, 10**6)
    assert share(averaged) == pytest.approx(1, abs=1e-12)


def test_buffers_are_copied_and_the_generators_left_alone():
    source = networks(1.0)
    norm = source["a2b"][1]
    norm.running_mean.copy_(torch.tensor([1.0, 2.0, 3.0]))
    norm.num_batches_tracked.fill_(9)
    before = copy.deepcopy(source["a2b"].state_dict())
    averaged = AveragedGenerators(networks(0.0), 1000)
    averaged.update(source, 1, 10**6)
    assert torch.equal(averaged.averages["a2b"][1].running_mean, norm.running_mean)
    assert averaged.averages["a2b"][1].num_batches_tracked == 9
    assert all(torch.equal(value, source["a2b"].state_dict()[name]) for name, value in before.items())
    assert source["a2b"].training
    assert all(parameter.requires_grad for parameter in source["a2b"].parameters())


def test_averages_are_for_use_not_for_training():
    averaged = AveragedGenerators(networks(), 1000)
    assert not any(parameter.requires_grad for parameter in averaged.parameters())
    assert not averaged.generators()["a2b"].training
    assert list(averaged.generators()) == ["a2b"]
