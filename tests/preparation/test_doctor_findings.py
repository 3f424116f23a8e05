"""Each finding from made-up measurements: found where it is planted, silent where it is not, and in the right words."""

import re

import numpy as np
import pytest

from viceversa.preparation.doctor.contrast import between, differ, more_often
from viceversa.preparation.doctor.findings import Finding, within

from .doctoring import inspected, measured, pictures

DARK, LIGHT = 0.1, 0.6


def spread(middle: float, count: int = 60) -> np.ndarray:
    return np.random.default_rng(int(1000 * middle)).normal(middle, 0.05, count).clip(0, 1)


def comparing(**columns: tuple) -> list[Finding]:
    """The findings between two domains with these columns of A and B."""
    a, b = ({name: pair[side] for name, pair in columns.items()} for side in (0, 1))
    return list(between(inspected(pictures("A", **a), pictures("B", **b))))


def test_night_and_day_in_words():
    a, b = [DARK] * 9 + [LIGHT] * 91, [DARK] * 62 + [LIGHT] * 38
    (found,) = between(inspected(pictures("A", 100, brightness=a), pictures("B", 100, brightness=b)))
    assert (found.code, found.severity) == ("dark", "warning")
    assert found.what == "62 % of the images of men are dark, 9 % of those of women"
    assert found.consequence == "the translator to men will learn to darken, the one to women to brighten"
    assert "viceversa prepare --balance brightness" in found.remedy
    assert str(found).startswith("62 % of the images of men are dark, 9 % of those of women: the translator to men")


@pytest.mark.parametrize(
    ("columns", "code", "words"),
    [
        ({"brightness": (spread(0.45), spread(0.6))}, "brightness", "An image of men is brighter than one of women 9"),
        ({"brightness": (spread(0.6), spread(0.45))}, "brightness", "An image of women is brighter than one of men 9"),
        ({"contrast": (spread(0.1), spread(0.3))}, "contrast", "men is richer in contrast"),
        ({"saturation": (spread(0.5), spread(0.2))}, "saturation", "women is more colourful"),
        ({"sharpness": (spread(0.9), spread(0.45))}, "sharpness", r"sharper in women \(0\.\d+\) than in men \(0\.4"),
        ({"is_grey": ([True] * 40 + [False] * 20, False)}, "colour", "67 % of the images of women have no colour"),
        ({"jpeg_quality": (None, 40.0)}, "jpeg-differs", "men is stored as JPEG of quality 40, women with less loss"),
        ({"width": (128, 300), "height": (128, 300)}, "sizes", "women have 128 px on their short side, .* men 300"),
        ({"width": (128, 192)}, "shapes", "women are square, those of men 1.5 times as wide as high"),
        ({"height": (128, 192)}, "shapes", "women are square, those of men 1.5 times as high as wide"),
        (
            {"hues": ((1.0,) + (0.0,) * 11, (0.0,) * 8 + (1.0,) + (0.0,) * 3)},
            "hue",
            r"women are mostly others \(100 % red\) than those of men \(100 % blue\)",
        ),
    ],
)  # fmt: skip
def test_differences_between_domains(columns, code, words):
    columns = {name: tuple([side] * 60 if isinstance(side, tuple) else side for side in pair)
               for name, pair in columns.items()}  # fmt: skip
    (found,) = comparing(**columns)
    assert found.code == code
    assert re.search(words, found.what), found.what
    assert found.consequence
    assert found.remedy


def test_domains_that_are_alike_give_no_findings():
    alike = {name: spread(0.4, 120) for name in ("brightness", "contrast", "saturation", "sharpness")}
    columns = {name: (values[:60], values[60:]) for name, values in alike.items()}
    assert comparing(**columns) == []


def test_few_pictures_differ_by_chance():
    for seed in range(200):
        values = np.random.default_rng(seed).random((2, 12))
        assert comparing_few(values) == []


def comparing_few(values: np.ndarray) -> list[Finding]:
    a, b = (pictures(letter, len(row), brightness=row) for letter, row in zip("AB", values, strict=True))
    return [found for found in between(inspected(a, b)) if found.code in ("brightness", "dark")]


def test_unequal_numbers():
    (found,) = between(inspected(pictures("A", 400), pictures("B", 60)))
    assert found.code == "counts"
    assert found.what == "There are 400 images of women to train on and 60 of men"
    assert "7 times as often" in found.consequence
    assert list(between(inspected(pictures("A", 200), pictures("B", 60)))) == []


def test_how_often_one_has_more():
    a, b = np.array([1.0, 2, 2, 5]), np.array([2.0, 6])
    brute = np.mean([[(y > x) + 0.5 * (y == x) for y in b] for x in a])
    assert more_often(a, b) == pytest.approx(brute)
    assert more_often(b, a) == pytest.approx(1 - brute)
    assert more_often(a, a) == 0.5
    assert not differ(np.zeros(50), np.zeros(50))
    assert differ(np.zeros(50), np.ones(50))


@pytest.mark.parametrize(
    ("columns", "code", "words"),
    [
        ({"width": [40] * 3 + [128] * 57, "height": 128}, "small", "5 % .* down to 40 px .* where 128 is usual"),
        ({"width": 400}, "elongated", "leaves out 68 % of them"),
        ({"borders": [(0, 0.1, 0, 0.1)] * 3 + [(0, 0, 0, 0)] * 57}, "borders", "5 % .* plain bars"),
        ({"is_grey": [True] * 6 + [False] * 54}, "grey", "10 % .* no colour"),
        ({"jpeg_quality": 30.0}, "jpeg", "quality 30 or less"),
        ({"sharpness": 0.45}, "enlarged", "enlarged to twice their size"),
    ],
)
def test_findings_within_a_domain(columns, code, words):
    (found,) = within(inspected(pictures("A"), pictures("B", **columns)), [])
    assert found.code == code
    assert re.search(words, found.what), found.what
    assert "of men" in found.what
    assert found.examples
    assert set(found.examples) <= {f"trainB/{row}.png" for row in range(60)}
    assert not list(within(inspected(pictures("A"), pictures("B")), []))


def test_advised_size_is_one_that_generators_take():
    soft = pictures("A", sharpness=0.4, width=250, height=300)
    (found,) = within(inspected(soft, kind="single", A="faces"), [])
    assert "--size 128 " in found.remedy


def test_too_few_pictures():
    def said(count: int) -> list[tuple[str, str]]:
        found = within(inspected(pictures("A"), pictures("B", count)), [])
        return [(one.severity, one.what) for one in found if one.code == "few"]

    assert said(50) == []
    assert said(12) == [("warning", "There are 12 images of men to train on")]
    assert said(1) == [("problem", "There is only 1 image of men to train on")]
    assert said(0) == [("problem", "There are only 0 images of men to train on")]


def test_the_measurement_helper_is_silent():
    assert measured().brightness == 0.5
    assert list(between(inspected(pictures("A"), pictures("B")))) == []
