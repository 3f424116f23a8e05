"""Pairs of unequal size: taken where they fit, and told why where they do not."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from viceversa.data.halves import Fitting, fitting
from viceversa.data.images import to_uint8
from viceversa.data.sources import PairedData
from viceversa.errors import DataError


@pytest.mark.parametrize(
    ("a", "b", "fits"),
    [
        ((64, 64), (64, 64), "equal"),
        ((64, 64), (256, 256), "multiple"),
        ((512, 1024), (256, 512), "multiple"),
        ((333, 505), (83, 126), "multiple"),  # as x // 4 leaves it
        ((16, 16), (256, 256), "multiple"),
        ((1, 1), (32, 32), "alike"),  # what stands for an image that is missing
        ((2, 3), (301, 450), "alike"),
        ((90, 120), (91, 120), "alike"),
        ((90, 120), (135, 180), "alike"),
        ((120, 90), (90, 120), "turned"),
        ((240, 180), (90, 120), "turned"),
        ((100, 100), (90, 120), "unlike"),
        ((50, 100), (100, 100), "unlike"),
        ((100, 102), (102, 100), "unlike"),
    ],
)
def test_how_sizes_fit(a: tuple[int, int], b: tuple[int, int], fits: Fitting):
    assert (fitting(a, b), fitting(b, a)) == (fits, fits)


def pairs(folder: Path, size_a: tuple[int, int], size_b: tuple[int, int]) -> dict[str, Path]:
    """A gradient from left to right in both, by which it can be seen where a part lies; sizes are (width, height)."""
    for side, (width, height) in ("a", size_a), ("b", size_b):
        (folder / side).mkdir()
        row = np.linspace(0, 255, width).astype(np.uint8)
        for number in range(3):
            Image.fromarray(np.tile(row, (height, 1))).save(folder / side / f"{number}.png")
    return {"a": folder / "a", "b": folder / "b", "cache": folder / "cache"}


@pytest.mark.parametrize(("size_a", "size_b"), [((20, 16), (80, 64)), ((80, 64), (20, 16))])
def test_super_resolution_pairs_lie_on_one_another(tmp_path: Path, size_a: tuple[int, int], size_b: tuple[int, int]):
    opened = PairedData(**pairs(tmp_path, size_a, size_b), size_px=32, load_size_px=40).open(0, "cpu")
    assert opened.counts == {"a": 3, "b": 3}, "the larger half decides whether a pair is large enough"
    assert opened.remarks[0].startswith("3 images are smaller than their partners and are enlarged to their size")
    a, b = (to_uint8(side).astype(int) for side in opened.held_out())
    assert np.abs(a - b).max() < 12


def test_any_two_sizes_with_stretching(tmp_path: Path):
    given = pairs(tmp_path, (40, 30), (40, 33))
    with pytest.raises(DataError) as caught:
        PairedData(**given, size_px=16).open(0, "cpu")
    for words in (
        "it is 40 x 33 px, but its partner is 40 x 30 px", "must be equally large, or one a multiple of the other",
        "--fit stretch distorts both",
    ):  # fmt: skip
        assert words in str(caught.value)
    assert "prepare" not in str(caught.value), "which would refuse them"
    opened = PairedData(**given, size_px=16, fit="stretch").open(0, "cpu")
    assert opened.remarks[0].startswith("3 images are of another size than their partners, and both are stretched")


def test_nearly_equal_sizes_are_for_prepare(tmp_path: Path):
    words = f"viceversa prepare {tmp_path / 'a'} --pair-with {tmp_path / 'b'} --out SET scales B to A"
    with pytest.raises(DataError, match=words):
        PairedData(**pairs(tmp_path, (120, 90), (120, 91)), size_px=16).open(0, "cpu")


@pytest.mark.parametrize("fit", ["crop", "stretch"])
def test_turned_pairs_are_refused_as_such(tmp_path: Path, fit: str):
    with pytest.raises(DataError, match=r"30 x 40 px, but its partner is 40 x 30 px; one of the two lies on its side"):
        PairedData(**pairs(tmp_path, (40, 30), (30, 40)), size_px=16, fit=fit).open(0, "cpu")
