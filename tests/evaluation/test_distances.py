"""Distances and their intervals: what is known of them from statistics."""

import numpy as np
import pytest
import torch

from viceversa.evaluation import bootstrap, distances
from viceversa.evaluation.frechet import frechet_distance


def images(count: int, seed: int, shift: float = 0.0, features: int = 6) -> torch.Tensor:
    drawn = np.random.default_rng(seed).normal(size=(count, features)) * np.linspace(0.5, 2, features)
    return torch.from_numpy(drawn + shift).float()


@pytest.mark.parametrize("counts", [(50, 40), (5, 40), (4, 3)])
def test_the_quick_frechet_distance_is_the_same_number(counts):
    real, fake = images(counts[0], 0), images(counts[1], 1, shift=0.7)
    assert distances.frechet_by_svd(real, fake) == pytest.approx(frechet_distance(real, fake), rel=1e-4)


def test_a_kernel_distance_does_not_grow_where_pictures_are_few():
    """Unlike Frechet's: of sets of one kind its mean is 0, however small they are."""
    found = [distances.kernel(images(8, seed), images(8, seed + 100), 0, 0).value for seed in range(40)]
    assert abs(np.mean(found)) < 3 * np.std(found) / 40**0.5
    assert distances.kernel(images(60, 0), images(60, 1, shift=3.0), 0, 0).value > 5 * np.std(found)
    few, many = (distances.frechet(images(n, 0), images(n, 1), 0, 0).value for n in (8, 400))
    assert few > 5 * many


@pytest.mark.parametrize("measure", [distances.frechet, distances.kernel])
def test_intervals_hold_the_value_and_narrow_with_more_pictures(measure):
    few, many = (measure(images(n, 0), images(n, 1, shift=0.5), 100, 0) for n in (30, 480))
    for figure in (few, many):
        assert figure.low < figure.value < figure.high
    assert many.high - many.low < (few.high - few.low) / 2
    assert measure(images(30, 0), images(30, 1, shift=0.5), 100, 0) == few, "the same seed, the same interval"
    assert measure(images(30, 0), images(30, 1, shift=0.5), 100, 1) != few
    assert measure(images(30, 0), images(30, 1, shift=0.5), 0, 0).low is None


def test_the_intervals_of_distances_are_not_above_them():
    """Images drawn twice push a resampled Frechet distance up; the interval is laid about the value all the same."""
    real, fake = images(20, 0), images(20, 1)
    figure = distances.frechet(real, fake, 200, 0)
    again = [
        distances.frechet_by_svd(real[rows], fake[rows]) for rows in np.random.default_rng(0).integers(0, 20, (50, 20))
    ]
    assert np.mean(again) > 1.2 * figure.value, "else this shows nothing"
    assert 0 <= figure.low < figure.value < figure.high


def test_19_of_20_intervals_of_a_mean_hold_the_truth():
    hits = 0
    for seed in range(200):
        figure = bootstrap.mean(np.random.default_rng(seed).normal(5, 2, 60), 200, seed)
        hits += figure.low <= 5 <= figure.high
    assert 0.88 <= hits / 200 <= 0.99


def kernel_distance(shift: float, features: int) -> float:
    """The truth for normal sets of variance 1, one shifted by ``shift`` in each feature, from their moments.

    With s = x'y of independent x around a and y around b: E s = a'b, E s^2 = D + |a|^2 + |b|^2 + (a'b)^2 and
    E s^3 = (a'b)^3 + 3 a'b (|a|^2 + |b|^2 + D + 2).
    """

    def mean_kernel(a: float, b: float) -> float:
        both, aa, bb = (features * product for product in (a * b, a * a, b * b))
        first, second = both, features + aa + bb + both**2
        third = both**3 + 3 * both * (aa + bb + features + 2)
        return third / features**3 + 3 * second / features**2 + 3 * first / features + 1

    return mean_kernel(0, 0) + mean_kernel(shift, shift) - 2 * mean_kernel(0, shift)


@pytest.mark.parametrize(("counts", "shift"), [((300, 30), 0.5), ((30, 300), 0.5), ((60, 60), 0.5), ((300, 30), 0.0)])
def test_19_of_20_intervals_of_a_kernel_distance_hold_the_truth_and_are_no_wider_than_need_be(counts, shift):
    """ImageSets of unequal size too: the larger one is not taken for as small as the other."""
    features, truth = 8, kernel_distance(shift, 8)
    found = []
    for seed in range(100):
        random = np.random.default_rng(seed)
        real, fake = (torch.from_numpy(random.normal(size=(count, features))) for count in counts)
        found.append(distances.kernel(real, fake + shift, 100, seed))
    values = np.array([figure.value for figure in found])
    assert abs(values.mean() - truth) < 4 * values.std() / len(values) ** 0.5
    held = np.mean([figure.low <= truth <= figure.high for figure in found])
    wide = np.mean([figure.high - figure.low for figure in found]) / (2 * 1.96 * values.std())
    # Of sets of one kind an interval is wider than need be: all that is in a distance then is of the second order.
    assert 0.88 <= held <= 1
    assert 0.8 < wide < (1.2 if shift else 2)


def test_the_kernel_distance_is_that_of_torchmetrics_without_its_chance():
    module = pytest.importorskip("torchmetrics.image.kid")
    real, fake = images(50, 0).double(), images(50, 1, shift=0.4).double()
    assert distances.kernel(real, fake, 0, 0).value == pytest.approx(float(module.poly_mmd(real, fake)), rel=1e-9)
    many = [float(module.poly_mmd(real[torch.randperm(50)[:20]], fake[:20])) for _ in range(2000)]
    assert distances.kernel(real, fake[:20], 0, 0).value == pytest.approx(
        np.mean(many), abs=5 * np.std(many) / 2000**0.5
    )


def test_two_pictures_are_drawn_as_one_at_times():
    figure = distances.kernel(images(2, 0), images(2, 1, shift=0.5), 50, 0)
    assert figure.low <= figure.value <= figure.high


def test_one_picture_has_no_interval():
    assert bootstrap.mean(np.array([3.0]), 100, 0) == bootstrap.Figure(value=3.0)
    assert bootstrap.share(np.array([1.0]), 100) == bootstrap.Figure(value=1.0)


def test_a_share_of_all_of_a_few_pictures_is_not_certain():
    all_of_8 = bootstrap.share(np.ones(8), 200)
    assert (all_of_8.value, all_of_8.low, all_of_8.high) == (1, pytest.approx(0.676, abs=1e-3), 1)
    some = bootstrap.share(np.repeat([1.0, 0.0], [45, 36]), 200)
    assert (some.low, some.high) == (pytest.approx(0.447, abs=1e-3), pytest.approx(0.659, abs=1e-3))
    assert bootstrap.share(np.ones(8), 0) == bootstrap.Figure(value=1.0)


def test_the_random_numbers_of_others_are_left_alone():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    distances.kernel(images(8, 0), images(8, 1), 5, 0)
    assert torch.equal(torch.get_rng_state(), before)
