"""Label maps keep their colors when a data set is made of them, and every page of a TIFF is an image."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from viceversa.preparation.config import PrepareConfig
from viceversa.preparation.prepare import prepare

pytest.importorskip("cv2")
pytest.importorskip("imagehash")


def photograph(seed: int, side: int = 80) -> Image.Image:
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 5, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)


def labels(seed: int, side: int = 80) -> Image.Image:
    classes = np.zeros((side, side), np.uint8)
    classes[10:40, 10 + 5 * seed : 60] = 1
    classes[45 : 60 + seed, 5:30] = 2
    image = Image.frombytes("P", (side, side), classes.tobytes())
    image.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0] + [9] * 759)
    return image


def colors(path: Path, part: slice = slice(None)) -> int:
    with Image.open(path) as image:
        return len(np.unique(np.asarray(image.convert("RGB"))[:, part].reshape(-1, 3), axis=0))


def pairs(tmp_path: Path, side_b: int = 80) -> None:
    for side in "ab":
        (tmp_path / side).mkdir()
    for number in range(4):
        photograph(number).save(tmp_path / "a" / f"{number}.png")
        labels(number, side_b).save(tmp_path / "b" / f"{number}.png")


@pytest.mark.parametrize("crop", ["center", "none", "tiles"])
@pytest.mark.parametrize("side_b", [80, 120])
def test_no_new_colors_in_label_maps(tmp_path: Path, crop: str, side_b: int) -> None:
    pairs(tmp_path, side_b)
    config = PrepareConfig(pair_with=tmp_path / "b", size_px=32, crop=crop, tiles=1, test_share=0)
    made = prepare(tmp_path / "a", tmp_path / "set", config, progress=False)
    files = sorted((tmp_path / "set" / "train").glob("*.png"))
    assert files
    assert all(colors(file, slice(32, None)) <= 3 for file in files)
    assert all(colors(file, slice(0, 32)) > 100 for file in files)
    assert "4 images are taken for label maps" in str(made)
    assert "--resample-b bicubic" in str(made)


def test_how_a_side_is_resized_can_be_said(tmp_path: Path) -> None:
    pairs(tmp_path)
    config = PrepareConfig(domain="B", size_px=32, resample_b="bicubic", least_sharpness=0, duplicates=0, test_share=0)
    prepare(tmp_path / "b", tmp_path / "set", config, progress=False)
    assert all(colors(file) > 3 for file in (tmp_path / "set" / "trainB").glob("*.png"))


def test_every_page_is_a_picture_and_pages_of_a_file_stay_together(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for number in range(4):
        pages = [photograph(10 * number + page) for page in range(3)]
        pages[0].save(tmp_path / "a" / f"{number}.tif", save_all=True, append_images=pages[1:])
    config = PrepareConfig(size_px=32, test_share=0.3, least_sharpness=0)
    made = prepare(tmp_path / "a", tmp_path / "set", config, progress=False)
    assert made.pictures == 12
    assert "4 files of several pages, 12 pages in all: each page is an image of its own" in str(made)
    rows = [json.loads(line) for line in (tmp_path / "set" / "manifest-A.jsonl").read_text().splitlines()]
    sides = {(row["picture"].partition("#")[0], row["files"][0].partition("/")[0]) for row in rows}
    assert len(sides) == 4, "no file is on both sides"
    assert {side for _, side in sides} == {"trainA", "testA"}


def test_what_is_laid_on_white_or_left_out_is_said(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        for number in range(3):
            pages = [photograph(10 * number + page) for page in range(2)]
            pages[0].save(tmp_path / "x.tif", save_all=True, append_images=pages[1:])
            archive.write(tmp_path / "x.tif", f"{number}.tif")
            image = photograph(100 + number)
            image.putalpha(128)
            image.save(tmp_path / "x.png")
            archive.write(tmp_path / "x.png", f"{number}.png")
    config = PrepareConfig(size_px=32, test_share=0, least_sharpness=0)
    said = str(prepare(tmp_path / "x.zip", tmp_path / "set", config, progress=False))
    assert "3 images are partly transparent and laid on white" in said
    assert "3 images have several pages, and only the first of each is used" in said
