"""Balanced sampling: both domains become equally dark, and a sample stays a function of its position."""

import numpy as np
import pytest
import torch
from PIL import Image

from viceversa import configure
from viceversa.data import balance
from viceversa.data.sources import UnpairedData
from viceversa.errors import ConfigError

NIGHT, DAY, LIMIT = 40, 150, 90


def light(count: int, dark: float, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return np.where(np.arange(count) < dark * count, random.normal(NIGHT, 10, count), random.normal(DAY, 20, count))


def dark_shares(a: np.ndarray, b: np.ndarray) -> list[float]:
    shown = zip((a, b), balance.weights(a, b), strict=True)
    return [float(np.average(values < LIMIT, weights=weights)) for values, weights in shown]


def test_night_and_day_come_equally_often():
    for counts in ((400, 300), (1000, 100)):
        a, b = dark_shares(light(counts[0], 0.09), light(counts[1], 0.62, seed=1))
        assert abs(a - b) < 0.03
        assert 0.2 < a < 0.45


def test_domains_that_are_alike_stay_nearly_as_they_are():
    for weights in balance.weights(light(400, 0.3), light(400, 0.3, seed=1)):
        assert weights.mean() == pytest.approx(1, abs=1e-5)
        assert weights.std() < 0.15


def test_weights_are_bounded_even_where_nothing_is_in_common():
    for a, b in ((light(200, 0), light(200, 1)), (light(2000, 0.005), light(200, 0.9)), (np.ones(3), np.zeros(2))):
        for weights in balance.weights(a, b):
            assert weights.mean() == pytest.approx(1, abs=1e-5)
            assert weights.max() < 13
            assert weights.min() > 0


def test_an_epoch_repeats_by_weight():
    weights = np.array([2.5, 0.5, 0.0, 1.0, 1.0])
    counts = np.array([np.bincount(balance.repeated(weights, 0, "a", epoch), minlength=5) for epoch in range(400)])
    assert (counts.sum(1) == 5).all()
    assert (np.abs(counts - weights) < 1).all(), "never off by one or more"
    assert counts.mean(0) == pytest.approx(weights, abs=0.1)
    assert np.array_equal(balance.repeated(np.ones(7), 3, "b", 9), np.arange(7)), "alike weights change nothing"


def test_brightness_of_colour_and_grey():
    pictures = np.zeros((3, 8, 8, 3), np.uint8)
    pictures[1], pictures[2, ..., 1] = 255, 255
    rows = np.array([2, 1])
    assert balance.brightness(pictures, rows) == pytest.approx([0.587 * 255, 255])
    assert balance.brightness(pictures[..., :1], rows) == pytest.approx([0, 255])


@pytest.fixture
def folders(tmp_path):
    for name, dark in ("a", 4), ("b", 24):
        (tmp_path / name).mkdir()
        for number in range(40):
            level = (20 if number < dark else 200) + number // 2
            Image.new("RGB", (16, 16), (level, level, level)).save(tmp_path / name / f"{number:02}.png")
    return {"a": tmp_path / "a", "b": tmp_path / "b", "cache": tmp_path / "cache", "size_px": 16, "hold_out": 0}


def dark_of(batch: torch.Tensor) -> float:
    return float((batch.mean(dim=(1, 2, 3)) < -0.2).float().mean())


def test_training_data_balanced(folders):
    positions = torch.arange(400)
    plain = [dark_of(side) for side in UnpairedData(**folders).open(0, "cpu").batch(positions)]
    assert plain == pytest.approx([0.1, 0.6])
    pictures = UnpairedData(**folders, balance="brightness").open(0, "cpu")
    even = [dark_of(side) for side in pictures.batch(positions)]
    assert abs(even[0] - even[1]) < 0.05
    assert 0.15 < even[0] < 0.5
    assert pictures.counts == {"a": 40, "b": 40}
    assert UnpairedData(**folders).open(0, "cpu").a.weights is None


def test_a_balanced_sample_depends_on_its_position_alone(folders):
    pictures = UnpairedData(**folders, balance="brightness").open(5, "cpu")
    positions = torch.arange(30, 110)  # over two ends of an epoch
    whole = pictures.batch(positions)
    fresh = UnpairedData(**folders, balance="brightness").open(5, "cpu")
    for at in (0, 9, 10, 51, 79):
        alone = fresh.batch(positions[at : at + 1])
        assert torch.equal(alone[0][0], whole[0][at])
        assert torch.equal(alone[1][0], whole[1][at])
    other = UnpairedData(**folders, balance="brightness").open(6, "cpu").batch(positions)
    assert not torch.equal(other[0], whole[0])


def test_the_setting(folders, tmp_path):
    config = configure("cyclegan", out=tmp_path / "run", balance="brightness", **folders)
    assert config.method.data.balance == "brightness"
    with pytest.raises(ConfigError, match='--balance must be "none" or "brightness", not "colour"'):
        UnpairedData(balance="colour")
