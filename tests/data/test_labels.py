"""Label maps keep their colors however they are resized; photographs with a palette stay smooth."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from viceversa.data.cartoons import CartoonData
from viceversa.data.images import to_uint8
from viceversa.data.labels import is_label_map, looks_like_labels
from viceversa.data.sources import PairedData, UnpairedData
from viceversa.evaluation.image_sets import image_sets

COLORS = [0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0]


def labels(seed: int, width: int = 80, height: int = 80) -> Image.Image:
    """Four classes, with the palette that PASCAL VOC has: 256 entries, most of them not used."""
    classes = np.zeros((height, width), np.uint8)
    classes[10:40, 10 + seed : 50] = 1
    classes[50:70, 5:30] = 2
    classes[45:75, 45:75] = 3
    image = Image.frombytes("P", (width, height), classes.tobytes())
    image.putpalette(COLORS + [7] * (768 - len(COLORS)))
    return image


def photograph(seed: int, side: int = 80) -> Image.Image:
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)


def colors(image: np.ndarray) -> int:
    return len(np.unique(image.reshape(-1, image.shape[-1]), axis=0))


def data(kind: type, tmp_path: Path, **settings: Any) -> Any:
    known = {"size_px": 32, "cache": tmp_path / "cache", "a": tmp_path / "a", "b": tmp_path / "b", "mirror": False}
    return kind(**known | settings)


@pytest.mark.parametrize("suffix", ["png", "gif", "tif", "bmp"])
def test_maps_of_a_palette_are_told_from_photographs_of_one(tmp_path: Path, suffix: str) -> None:
    labels(1).save(tmp_path / f"labels.{suffix}")
    with Image.open(tmp_path / f"labels.{suffix}") as image:
        image.load()
        assert is_label_map(image)
    for name, drawn in (
        ("256 colors", photograph(1).quantize(256)),
        ("64 colors, dithered", photograph(2).quantize(64).convert("RGB").quantize(32)),
        ("web colors", photograph(3).convert("P")),
        ("no palette", labels(1).convert("RGB")),
    ):
        drawn.save(tmp_path / f"other.{suffix}")
        with Image.open(tmp_path / f"other.{suffix}") as image:
            image.load()
            assert not is_label_map(image) or (name == "no palette" and suffix == "gif"), name


@pytest.mark.parametrize("suffix", ["png", "gif", "tif"])
@pytest.mark.parametrize(("fit", "channels"), [("crop", 3), ("stretch", 3), ("crop", 1)])
def test_no_new_colors_come_into_a_label_map(tmp_path: Path, suffix: str, fit: str, channels: int) -> None:
    for side in "ab":
        (tmp_path / side).mkdir()
    for number in range(4):
        labels(number, width=90).save(tmp_path / "a" / f"{number}.{suffix}")
        photograph(number).resize((90, 80)).save(tmp_path / "b" / f"{number}.png")
    opened = data(PairedData, tmp_path, fit=fit, channels_a=channels).open(0, "cpu")
    store = np.asarray(opened.pairs.store)
    for number in range(4):
        assert colors(store[number, ..., :channels]) <= 4
        assert colors(store[number, ..., channels:]) > 100, "the photograph is resized smoothly"
    a, b = opened.held_out()  # resized a second time, from the size that is loaded
    assert a.shape[2:] == (32, 32)
    assert all(colors(one) <= 4 for one in to_uint8(a))
    assert all(colors(one) > 100 for one in to_uint8(b))
    assert opened.remarks[0].startswith("4 images are taken for label maps (a palette, few colors in plain areas)")
    assert "--resample-a bicubic" in opened.remarks[0]
    assert all(colors(one) <= 4 for one in image_sets(opened).test["a"])


def test_what_is_resized_how_can_be_said(tmp_path: Path) -> None:
    for side in "ab":
        (tmp_path / side).mkdir()
        for number in range(3):
            image = labels(number) if side == "a" else labels(number).convert("RGB")
            image.save(tmp_path / side / f"{number}.png")

    def found(**settings: Any) -> tuple[int, int, tuple[str, ...]]:
        opened = data(UnpairedData, tmp_path, **settings).open(0, "cpu")
        return (*(max(map(colors, np.asarray(dataset.store))) for dataset in (opened.a, opened.b)), opened.remarks)

    a, b, said = found()
    assert a <= 4 < b, "without a palette nothing tells that these are classes"
    assert said[1].startswith("b: 3 images have few colors in plain areas but no palette")
    assert "--resample-b nearest" in said[1]
    a, b, said = found(resample_a="bicubic", resample_b="nearest")
    assert b <= 4 < a
    assert not said


def test_grey_and_colored_maps_without_a_palette_are_noticed() -> None:
    assert looks_like_labels(np.asarray(labels(1).convert("RGB")))
    assert looks_like_labels(np.asarray(labels(1))[:, :, None])
    assert not looks_like_labels(np.asarray(photograph(1)))
    assert not looks_like_labels(np.full((9, 9, 3), 8, np.uint8)), "one color is a blank image"


def test_runs_from_before_go_on_as_they_were(tmp_path: Path, tiny: Any) -> None:
    """Their config does not say how images are resized: bicubically, also where the same command says nothing."""
    import json

    from viceversa import train
    from viceversa.training import guards

    for side in "ab":
        (tmp_path / side).mkdir()
        for number in range(4):
            labels(number).save(tmp_path / side / f"{number}.png")
    config = tiny(
        "pix2pix", tmp_path / "run", a=tmp_path / "a", b=tmp_path / "b", resample_a="bicubic", resample_b="bicubic",
        pages="first",
    )  # fmt: skip
    train(config, quiet=True)
    file = tmp_path / "run" / "config.json"
    tree = json.loads(file.read_text())
    for name in ("pages", "resample_a", "resample_b", "range_a", "range_b", "nodata_a", "nodata_b"):
        del tree["method"]["data"][name]
    file.write_text(json.dumps(tree))
    again = tiny("pix2pix", tmp_path / "run", a=tmp_path / "a", b=tmp_path / "b")
    former = guards.check_folder(again)
    assert former is not None
    assert guards.as_before(former, again).method.data == config.method.data
    assert train(again, quiet=True).finished


def test_cartoons_that_are_label_maps_stay_in_their_colors(tmp_path: Path) -> None:
    pytest.importorskip("cv2", reason="needs the extra prepare")
    for side in "ab":
        (tmp_path / side).mkdir()
        for number in range(20):
            labels(number).save(tmp_path / side / f"{number}.png")
    data = CartoonData(a=tmp_path / "a", b=tmp_path / "b", size_px=16, load_size_px=20, cache=tmp_path / "cache")
    opened = data.open(0, "cpu")
    assert opened.held_out_kind == "held out"
    for held_out in opened.held_out():
        colors = {tuple(color) for color in to_uint8(held_out).reshape(-1, 3).tolist()}
        assert len(colors) <= 4, "those of the maps, and none between them"
