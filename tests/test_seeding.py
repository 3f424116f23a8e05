"""Randomness as a function of (seed, stream, position)."""

import math

import pytest
import torch

from viceversa import seeding

MANY = torch.arange(20000)
GOLDEN = [[2835066566033015609, 3418108640222828846], [9033065363411131382, 6677578980974147794]]
GOLDEN_SEED = 4413064331228957714


def test_uniform_numbers_lie_in_their_range():
    drawn = seeding.uniform(0, "crop", MANY, (3,))
    assert drawn.dtype == torch.float32
    assert drawn.shape == (20000, 3)
    assert drawn.min() >= 0
    assert drawn.max() < 1
    assert seeding.uniform(0, "crop", MANY).shape == (20000,)


def test_the_same_arguments_give_the_same_numbers():
    assert torch.equal(seeding.uniform(5, "crop", MANY, (2,)), seeding.uniform(5, "crop", MANY, (2,)))
    assert torch.equal(seeding.normal(5, "z", MANY[:50], (2, 3)), seeding.normal(5, "z", MANY[:50], (2, 3)))


def test_a_sample_does_not_depend_on_the_batch_it_is_in():
    whole = seeding.uniform(0, "mixing", MANY[:64], (4,))
    for order in (torch.tensor([7]), torch.tensor([63, 7, 0]), torch.tensor([7, 7])):
        assert torch.equal(seeding.uniform(0, "mixing", order, (4,)), whole[order])
    assert torch.equal(seeding.normal(0, "z", MANY[10:20], (5,)), seeding.normal(0, "z", MANY[:64], (5,))[10:20])
    assert torch.equal(seeding.bits(0, "x", MANY[3:4], 2), seeding.bits(0, "x", MANY[:9], 9)[3:4, :2])


def test_nothing_is_drawn_from_torchs_own_generator():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    first = seeding.normal(0, "z", MANY[:9])
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(1)
    assert torch.equal(seeding.normal(0, "z", MANY[:9]), first)


def test_numbers_are_the_same_on_every_machine():
    """A run that is taken to another machine goes on with the same samples: these bits must never change."""
    assert seeding.bits(0, "crop a", torch.tensor([0, 1]), 2).tolist() == GOLDEN
    assert seeding.derive(0, "init", "generators", 0) == GOLDEN_SEED


@pytest.mark.parametrize(("seed", "stream"), [(1, "crop"), (0, "pool"), (0, "cro"), (-1, "crop"), (2**63 - 1, "crop")])
def test_other_seeds_and_streams_give_independent_numbers(seed, stream):
    ours, theirs = seeding.uniform(0, "crop", MANY), seeding.uniform(seed, stream, MANY)
    correlation = torch.corrcoef(torch.stack([ours, theirs]))[0, 1]
    assert abs(correlation) < 4 / math.sqrt(len(MANY))
    assert (ours == theirs).float().mean() < 0.001


@pytest.mark.parametrize("shift", [1, 2, 64, 1000])
def test_neighbouring_positions_are_independent(shift):
    drawn = seeding.uniform(3, "crop", MANY, (2,))
    for later in (drawn[shift:, 0], drawn[shift:, 1]):
        correlation = torch.corrcoef(torch.stack([drawn[:-shift, 0], later]))[0, 1]
        assert abs(correlation) < 4 / math.sqrt(len(MANY))


def test_moments_of_the_uniform_numbers():
    drawn = seeding.uniform(1, "crop", MANY, (4,)).double()
    error = 4 / math.sqrt(drawn.numel())
    assert drawn.mean().item() == pytest.approx(1 / 2, abs=error * math.sqrt(1 / 12))
    assert drawn.square().mean().item() == pytest.approx(1 / 3, abs=error * math.sqrt(4 / 45))
    counts = torch.histc(drawn, bins=16, min=0, max=1)
    assert ((counts - drawn.numel() / 16) ** 2 / (drawn.numel() / 16)).sum() < 45  # chi-square, 15 degrees: p > 1e-4


def test_moments_of_the_normal_numbers():
    drawn = seeding.normal(1, "z", MANY, (4,)).double()
    error = 4 / math.sqrt(drawn.numel())
    assert torch.isfinite(drawn).all()
    assert drawn.mean().item() == pytest.approx(0, abs=error)
    assert drawn.square().mean().item() == pytest.approx(1, abs=error * math.sqrt(2))
    assert drawn.pow(4).mean().item() == pytest.approx(3, abs=error * math.sqrt(96))
    assert (drawn.abs() > 2).double().mean().item() == pytest.approx(0.0455, abs=error * 0.21)


def test_normal_numbers_of_one_sample_are_independent():
    drawn = seeding.normal(1, "z", MANY, (2,))
    correlation = torch.corrcoef(drawn.T)[0, 1]
    assert abs(correlation) < 4 / math.sqrt(len(MANY))


@pytest.mark.parametrize("high", [1, 7, 256])
def test_integers_fill_their_range_evenly(high):
    drawn = seeding.integers(0, "code", MANY, high)
    counts = torch.bincount(drawn, minlength=high)
    assert len(counts) == high
    assert (counts - len(MANY) / high).abs().max() <= 5 * math.sqrt(len(MANY) / high) + 1e-9


def test_positions_beyond_32_bits_still_differ():
    far = torch.tensor([0, 2**32, 2**40, 2**62])
    assert len(set(seeding.bits(0, "crop", far, 1).flatten().tolist())) == 4


def test_permutations_are_permutations_and_change_with_the_epoch():
    first, second = (seeding.permutation(0, "a", epoch, 100) for epoch in (0, 1))
    assert sorted(first) == list(range(100))
    assert list(first) != list(second)
    assert list(first) == list(seeding.permutation(0, "a", 0, 100))
    assert list(first) != list(seeding.permutation(0, "b", 0, 100))
    assert list(first) != list(seeding.permutation(1, "a", 0, 100))


def test_derived_seeds_depend_on_every_name():
    seeds = {seeding.derive(*names) for names in [(0,), (1,), (0, "a"), (0, "b"), (0, "a", 1), (0, "a", 2), (0, 1)]}
    assert len(seeds) == 7
    assert all(0 <= seed < 2**63 for seed in seeds)
