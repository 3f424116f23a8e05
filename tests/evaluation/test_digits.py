"""The measures of samples, on samples of which the answer is known."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from scipy import linalg

from viceversa.errors import DataError
from viceversa.evaluation.digits import agreement, best_match, effect, shares, slant_degrees, width_px
from viceversa.evaluation.frechet import frechet_distance


def one_hot(classes: list[int]) -> torch.Tensor:
    return torch.eye(4)[torch.tensor(classes)]


def test_shares_and_agreement():
    probabilities = one_hot([0, 0, 2, 0])
    assert shares(probabilities).tolist() == [0.75, 0, 0.25, 0]
    assert agreement(probabilities, torch.tensor([0, 1, 2, 0])) == 0.75


def test_codes_are_matched_one_to_one():
    codes = torch.tensor([0, 0, 1, 1, 2, 2, 3, 3])
    accuracy, names = best_match(one_hot([3, 3, 1, 1, 0, 0, 2, 0]), codes)
    assert (accuracy, names) == (7 / 8, (3, 1, 0, 2))
    # Two codes that make the same digit cannot both stand for it.
    assert best_match(one_hot([3, 3, 3, 3, 0, 0, 2, 2]), codes)[0] == 6 / 8
    with pytest.raises(DataError, match="0 to 3"):
        best_match(one_hot([0]), torch.tensor([4]))


def bar(degrees: float, width: int, moved: int = 0) -> torch.Tensor:
    """A light bar 20 px high on black, leaning right by ``degrees``: sheared, so that its rows stay as wide."""
    picture = Image.new("L", (32 * 8, 32 * 8))
    top, bottom, lean = 6 * 8, 26 * 8, 10 * 8 * np.tan(np.radians(degrees))
    middle, half = 8 * (16 + moved), 8 * width / 2
    corners = [(middle + lean - half, top), (middle + lean + half, top), (middle - lean + half, bottom)]
    ImageDraw.Draw(picture).polygon([*corners, (middle - lean - half, bottom)], fill=255)
    small = np.asarray(picture.resize((32, 32), Image.Resampling.BOX), np.float32)
    return torch.from_numpy(small / 127.5 - 1)[None, None]


@pytest.mark.parametrize(("degrees", "width"), [(0, 3), (20, 3), (-20, 3), (20, 8), (0, 12), (-35, 5)])
@pytest.mark.parametrize("moved", [0, -3])
def test_slant_and_width_of_bars(degrees, width, moved):
    picture = bar(degrees, width, moved)
    assert slant_degrees(picture).item() == pytest.approx(degrees, abs=0.5)
    assert width_px(picture).item() == pytest.approx(width, abs=0.35)


def test_faint_background_and_empty_pictures():
    picture = bar(20, 3)
    assert slant_degrees((picture + 0.2).clamp(max=1)) == pytest.approx(20, abs=0.5)
    empty = torch.cat([picture, torch.full_like(picture, -1)])
    assert np.isnan(slant_degrees(empty)).tolist() == [False, True]
    assert np.isnan(width_px(empty)).tolist() == [False, True]


def test_the_effect_of_a_code():
    values, people = np.linspace(-1, 1, 5), np.array([3.0, -20.0, 11.0])
    turning = effect(values, 12 * values[:, None] + people)
    assert turning.correlation == pytest.approx(1)
    assert turning.change == pytest.approx(24)
    assert turning.sd == pytest.approx(people.std())
    assert effect(values, -(values[:, None] ** 3) + people).correlation < -0.9
    assert effect(values, values[:, None] ** 2 + people).correlation == pytest.approx(0)
    assert effect(values, np.zeros((5, 3)) + people).correlation == 0
    lost = np.full((5, 1), np.nan)
    assert effect(values, np.hstack([12 * values[:, None] + people, lost])).change == pytest.approx(24)
    with pytest.raises(DataError, match="two samples or more"):
        effect(values, np.hstack([lost, lost]))


def test_the_frechet_distance_is_the_formula():
    numbers = np.random.default_rng(0)
    a = numbers.normal(size=(300, 6)) @ numbers.normal(size=(6, 6))
    b = numbers.normal(size=(200, 6)) * [1, 2, 3, 0.1, 1, 1] + 0.5
    s, t = np.cov(a.T), np.cov(b.T)
    expected = np.square(a.mean(0) - b.mean(0)).sum() + np.trace(s + t - 2 * np.real(linalg.sqrtm(s @ t)))
    assert frechet_distance(torch.from_numpy(a), torch.from_numpy(b)) == pytest.approx(expected, rel=1e-6)
    assert frechet_distance(torch.from_numpy(b), torch.from_numpy(a)) == pytest.approx(expected, rel=1e-6)
    assert frechet_distance(torch.from_numpy(a), torch.from_numpy(a)) == pytest.approx(0, abs=1e-9)
    dead = [torch.nn.functional.pad(torch.from_numpy(side), (0, 2)) for side in (a, b)]
    assert frechet_distance(*dead) == pytest.approx(expected, rel=1e-6), "features that are always 0 change nothing"
    moved = torch.from_numpy(a) + torch.tensor([3.0, 4, 0, 0, 0, 0])
    assert frechet_distance(torch.from_numpy(a), moved) == pytest.approx(25)


def test_features_without_a_distance():
    with pytest.raises(DataError, match="two or more"):
        frechet_distance(torch.zeros(1, 3), torch.zeros(5, 3))
    with pytest.raises(DataError, match="two or more"):
        frechet_distance(torch.zeros(5, 2), torch.zeros(5, 3))
    with pytest.raises(DataError, match="finite"):
        frechet_distance(torch.zeros(5, 3), torch.full((5, 3), torch.nan))
