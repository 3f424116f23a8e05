"""What inspect says of pages, label maps, and of what training does not use or changes in a file."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from viceversa.preparation.doctor import examine, to_html, to_json, to_text

pytest.importorskip("imagehash")


def labels(seed: int, side: int = 128) -> Image.Image:
    classes = np.zeros((side, side), np.uint8)
    classes[10:60, 10 + 5 * seed : 90] = 1
    classes[70 : 90 + seed, 5:60] = 2
    image = Image.frombytes("P", (side, side), classes.tobytes())
    image.putpalette([0, 0, 0, 200, 30, 0, 0, 128, 220] + [9] * 759)
    return image


def photograph(seed: int, side: int = 128) -> Image.Image:
    coarse = np.random.default_rng(seed).integers(0, 256, (9, 9, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)


def codes(*folders: Path) -> dict[str, str]:
    diagnosis = examine(None, *folders) if len(folders) == 2 else examine(folders[0], None, None)
    assert to_text(diagnosis, columns=100)
    return {finding.code: str(finding) for finding in diagnosis.findings}


def folder(path: Path) -> Path:
    path.mkdir(parents=True)
    return path


def test_pages_are_images_and_no_copies_of_one_another(tmp_path: Path) -> None:
    a = folder(tmp_path / "a")
    for number in range(3):
        pages = [photograph(10 * number + page) for page in range(4)]
        pages[0].save(a / f"{number}.tif", save_all=True, append_images=pages[1:])
    diagnosis = examine(a, None, None)
    assert len(diagnosis.inspected.pictures) == 12
    found = codes(a)
    assert "3 files have several pages, 12 in all: each page is trained on as an image of its own" in found["pages"]
    assert "copies" not in found


def test_pairs_of_different_numbers_of_pages_are_a_problem(tmp_path: Path) -> None:
    for side, count in ("a", 3), ("b", 2):
        place = folder(tmp_path / side)
        for number in range(2):
            pages = [photograph(10 * number + page) for page in range(count)]
            pages[0].save(place / f"{number}.tif", save_all=True, append_images=pages[1:])
    diagnosis = examine(None, tmp_path / "a", tmp_path / "b", kind="paired")
    assert any("--pages first" in str(one) for one in diagnosis.findings if one.code == "uneven-pages")


@pytest.mark.parametrize(("kind", "code"), [("jpg", "jpeg-labels"), ("png", ""), ("palette", "")])
def test_label_maps_that_jpeg_has_spoilt_are_told(tmp_path: Path, kind: str, code: str) -> None:
    a = folder(tmp_path / "a")
    for number in range(4):
        image = labels(number)
        (image if kind == "palette" else image.convert("RGB")).save(
            a / f"{number}.{'png' if kind == 'palette' else kind}", **({"quality": 90} if kind == "jpg" else {})
        )
    found = {name: text for name, text in codes(a).items() if "labels" in name}
    assert set(found) == ({code} if code else set())
    if code:
        assert "fringes of colors that are no class" in found[code]


def test_photographs_are_no_label_maps(tmp_path: Path, shared_data: Path) -> None:
    a = folder(tmp_path / "a")
    for file in sorted((shared_data / "faces_lfw" / "trainA").iterdir())[:8]:
        (a / file.name).write_bytes(file.read_bytes())
    assert not [name for name in codes(a) if "labels" in name]


def test_what_is_changed_on_the_way_is_noted(tmp_path: Path) -> None:
    a = folder(tmp_path / "a")
    for number in range(3):
        image = photograph(number)
        exif = Image.Exif()
        exif[0x0112] = 6
        image.save(a / f"{number}.jpg", exif=exif)
        image.putalpha(90)
        image.save(a / f"{number}.png")
        frames = [photograph(50 + number), photograph(60 + number)]
        frames[0].save(a / f"{number}.gif", save_all=True, append_images=frames[1:])
        photograph(70 + number).convert("CMYK").save(a / f"{number}c.jpg")
    found = codes(a)
    for code in ("file-turned", "file-alpha", "file-frames", "file-converted"):
        assert "3 images" in found[code], code


def test_values_without_a_usual_range_are_measured_and_the_range_of_all_is_told(tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    a = folder(tmp_path / "a")
    for number in range(3):
        values = np.asarray(photograph(number).convert("L")).astype(np.int16) * 5 - 1000
        values[0, :2] = -1000 - number, 400 + number
        values[1] = -9999
        tifffile.imwrite(a / f"{number}.tif", values)
    diagnosis = examine(a, None, None)
    assert all(picture.measured.contrast > 0.05 for picture in diagnosis.inspected.pictures)
    (found,) = (finding for finding in diagnosis.findings if finding.code == "range")
    assert "in all from -1002 to 402: training does not know" in str(found)
    assert "Train with --range-a -1002 402 --nodata-a -9999" in str(found)
    assert to_html(diagnosis).count("data:image") >= 3
    assert '"nodata": -9999' in to_json(diagnosis)
