"""Pairs by their names: what people call them."""

from pathlib import Path

import pytest

from viceversa.data.partners import Pairing, match
from viceversa.errors import ConfigError


def named(*names: str) -> list[tuple[str, Path]]:
    return [(name, Path("folder", name)) for name in names]


@pytest.mark.parametrize(
    ("a", "b", "rule"),
    [
        (["1.png", "x/2.png"], ["1.jpg", "x/2.tif"], "equal names"),
        (["IMG_1.PNG", "IMG_2.PNG"], ["img_1.png", "img_2.png"], "names without regard to upper and lower case"),
        (["e\u0301.png", "b.png"], ["\u00e9.png", "b.png"], "names without regard to upper and lower case"),
        (["001_A.png", "002_A.png"], ["001_B.png", "002_B.png"], 'equal names without "_A" (A) and "_B" (B)'),
        (["011_A.png", "021_A.png"], ["011_B.png", "021_B.png"], 'equal names without "_A" (A) and "_B" (B)'),
        (["001A.png", "002A.png"], ["001B.png", "002B.png"], 'equal names without "A" (A) and "B" (B)'),
        (["001.png", "002.png"], ["001_mask.png", "002_mask.png"], 'equal names without "_mask" (B)'),
        (["photo-1.jpg", "photo-2.jpg"], ["map-1.jpg", "map-2.jpg"], 'equal names without "photo-" (A) and "map-" (B)'),
        (["1/rgb.png", "2/rgb.png"], ["1/depth.png", "2/depth.png"], 'equal names without "/rgb" (A) and "/depth" (B)'),
        (
            ["ulm/ulm_0_leftImg8bit.png", "bonn/bonn_1_leftImg8bit.png"],
            ["ulm/ulm_0_gtFine_color.png", "bonn/bonn_1_gtFine_color.png"],
            'equal names without "_leftImg8bit" (A) and "_gtFine_color" (B)',
        ),
        (
            ["A/in_1_x.png", "A/in_2_x.png"],
            ["B/out_1_y.png", "B/out_2_y.png"],
            'equal names without "A/in_" and "_x" (A) and "B/out_" and "_y" (B)',
        ),
        (
            ["1_Photo.png", "2_Photo.png"],
            ["1_label.png", "2_LABEL.png"],
            'equal names without "_photo" (A) and "_label" (B), without regard to upper and lower case',
        ),
    ],
)
def test_names_that_pair(a: list[str], b: list[str], rule: str):
    found = match(named(*a), named(*b))
    assert (found.rule, found.is_whole) == (rule, True)
    assert [(one.name, other.name) for _, one, other in found.pairs] == [
        (Path(one).name, Path(other).name) for one, other in zip(a, b, strict=True)
    ]


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (["x1_A.png", "y1_A.png"], ["x2_B.png", "y2_B.png"]),  # the number belongs to the rest of the name
        (["2020-01-01.png", "2020-01-02.png"], ["2021-01-01.png", "2021-01-02.png"]),
        (["img_1_x.png", "img_1_y.png"], ["img_2_x.png", "img_2_y.png"]),
        (["10.png", "11.png"], ["20.png", "21.png"]),
        (["tom_cat.png", "tim_cat.png"], ["rex_dog.png", "max_dog.png"]),
        (["a.png", "A.png"], ["a.png", "x.png"]),
    ],
)
def test_names_that_do_not(a: list[str], b: list[str]):
    assert not match(named(*a), named(*b)).is_whole


def test_endings_that_were_named():
    files = named("1_A.png", "1_B.png", "2_a.png", "2_B.png", "notes.png")
    found = match(files, files, ("_A", "_B"))
    assert [one.name for _, one, _ in found.pairs] == ["1_A.png"]
    assert ([name for name, _ in found.alone_b], found.others) == (["2_B"], 2)
    found = match(named("1_A_x.png", "2_B_x.png"), named("1_a_y.png", "2_b_y.png"), ("_x", "_y"))
    assert found.is_whole


def test_kinds_of_files_as_endings():
    files = named("1.jpg", "1.png", "2.jpg", "2.png")
    found = match(files, files, (".jpg", ".png"))
    assert [(one.name, other.name) for _, one, other in found.pairs] == [("1.jpg", "1.png"), ("2.jpg", "2.png")]


@pytest.mark.parametrize("text", ["_A", "_A,_A", "_A,_B,_C", ""])
def test_endings_that_cannot_be(text: str):
    with pytest.raises(ConfigError, match="--pair-suffix takes two different endings"):
        Pairing(pair_suffix=text)
