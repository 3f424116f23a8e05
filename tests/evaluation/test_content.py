"""What a translation kept: known images have known numbers."""

import numpy as np
import pytest

from viceversa.errors import DataError
from viceversa.evaluation import content

PICTURES = np.random.default_rng(0).integers(0, 256, (3, 24, 24, 3), dtype=np.uint8)
OTHERS = np.random.default_rng(1).integers(0, 256, (3, 24, 24, 3), dtype=np.uint8)
FLAT = np.full_like(PICTURES, 90)


def test_equal_pictures():
    assert content.ssim(PICTURES, PICTURES) == pytest.approx([1, 1, 1])
    assert content.edge_agreement(PICTURES, PICTURES) == pytest.approx([1, 1, 1])
    assert content.distance(PICTURES, PICTURES).tolist() == [0, 0, 0]
    assert content.psnr(PICTURES, PICTURES).tolist() == [100, 100, 100]


def test_pictures_that_have_nothing_to_do_with_each_other():
    assert np.abs(content.ssim(PICTURES, OTHERS)).max() < 0.15
    assert np.abs(content.edge_agreement(PICTURES, OTHERS)).max() < 0.2


def test_edges_do_not_mind_contrast_and_which_side_is_brighter_and_ssim_does():
    paler = (128 - (PICTURES.astype(np.float64) - 128) / 4).round().astype(np.uint8)
    assert content.edge_agreement(PICTURES, paler).min() > 0.99
    assert content.ssim(PICTURES, paler).max() < 0


def test_edges_that_are_moved():
    """The left is light: if it ends one pixel further right, half of the edge is where it was."""
    here, near, far = (np.zeros((1, 24, 24, 1), np.uint8) for _ in range(3))
    here[:, :, :6], near[:, :, :7], far[:, :, :15] = 255, 255, 255
    assert content.edge_agreement(here, far)[0] < 0
    assert content.edge_agreement(here, near)[0] == pytest.approx(0.5, abs=0.06)


def test_many_pictures_are_looked_at_a_few_at_once(monkeypatch):
    whole = content.edge_agreement(PICTURES, OTHERS)
    monkeypatch.setattr(content, "_AT_ONCE", 2)
    assert content.edge_agreement(PICTURES, OTHERS) == pytest.approx(whole)


def test_flat_pictures_have_no_edges():
    assert content.edge_agreement(FLAT, FLAT + 50).tolist() == [1, 1, 1]
    assert content.edge_agreement(FLAT, PICTURES).tolist() == [0, 0, 0]


def test_grey_levels_and_decibels():
    lighter = FLAT + 10
    assert content.distance(FLAT, lighter).tolist() == [10, 10, 10]
    assert content.psnr(FLAT, lighter) == pytest.approx([20 * np.log10(255 / 10)] * 3)


def test_grey_is_compared_with_colour():
    grey = FLAT[..., :1]
    assert content.distance(grey, FLAT + 3).tolist() == [3, 3, 3]
    assert content.ssim(grey, FLAT) == pytest.approx([1, 1, 1])
    green = np.zeros((1, 8, 8, 3), np.uint8)
    green[..., 1] = 100
    assert content.luminance(green).unique().tolist() == pytest.approx([58.7])


@pytest.mark.parametrize("measure", [content.ssim, content.edge_agreement, content.distance, content.psnr])
def test_what_cannot_be_compared_is_refused(measure):
    for other in (PICTURES[:2], PICTURES[:, :12]):
        with pytest.raises(DataError, match="as many of equal size"):
            measure(PICTURES, other)
    with pytest.raises(DataError, match="as many of equal size"):
        measure(PICTURES[:0], PICTURES[:0])
