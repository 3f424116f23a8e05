"""Copies are found whatever was done to them; that images of one kind are no copies, the clean avatars show."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from viceversa.preparation.doctor import duplicates, layout, scan
from viceversa.preparation.doctor.duplicates import Group

from .doctoring import pictures, scene

pytest.importorskip("imagehash", reason="needs the extra prepare")


def groups_in(folder: Path, kind: str | None = None) -> list[Group]:
    return duplicates.groups(scan.scan(layout.find(folder, None, None, kind)))


def names(groups: list[Group]) -> set[frozenset[str]]:
    return {frozenset(picture.name for picture in group.pictures) for group in groups}


def fill(folder: Path, count: int = 12) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for seed in range(count):
        scene(seed).save(folder / f"{seed}.png")


def jpeg(picture: Image.Image, quality: int) -> Image.Image:
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=quality)
    return Image.open(stream)


CHANGES = {
    "encoded anew": lambda picture: jpeg(picture, 60),
    "smaller": lambda picture: picture.resize((60, 60), Image.Resampling.BICUBIC),
    "larger": lambda picture: picture.resize((200, 200), Image.Resampling.BICUBIC),
    "stretched": lambda picture: picture.resize((110, 96), Image.Resampling.BICUBIC),
    "darker": lambda picture: ImageEnhance.Brightness(picture).enhance(0.7),
    "paler": lambda picture: ImageEnhance.Contrast(picture).enhance(0.7),
}


@pytest.mark.parametrize("change", CHANGES)
def test_changed_copies_are_found(tmp_path, change):
    fill(tmp_path)
    CHANGES[change](scene(3)).save(tmp_path / "again.png")
    (found,) = groups_in(tmp_path)
    assert names([found]) == {frozenset({"3.png", "again.png"})}
    assert not found.is_exact


def test_equal_files_are_exact_and_groups_hold_all(tmp_path):
    fill(tmp_path)
    for copy in range(3):
        (tmp_path / f"copy{copy}.png").write_bytes((tmp_path / "5.png").read_bytes())
    for copy in range(2):
        (tmp_path / f"other{copy}.png").write_bytes((tmp_path / "7.png").read_bytes())
    jpeg(scene(7), 80).save(tmp_path / "other.jpg")
    found = groups_in(tmp_path)
    assert names(found) == {
        frozenset({"5.png", "copy0.png", "copy1.png", "copy2.png"}),
        frozenset({"7.png", "other0.png", "other1.png", "other.jpg"}),
    }
    assert {min(picture.name for picture in group.pictures): group.is_exact for group in found} == {
        "5.png": True,
        "7.png": False,
    }


def test_plain_pictures_are_copies_only_where_they_are_equal(tmp_path):
    for level in range(0, 200, 20):
        Image.new("RGB", (64, 64), (level, 60, 60)).save(tmp_path / f"{level}.png")
    Image.new("RGB", (64, 64), (40, 60, 60)).save(tmp_path / "again.png")
    (found,) = groups_in(tmp_path)
    assert names([found]) == {frozenset({"40.png", "again.png"})}


def test_a_pair_is_a_copy_where_both_halves_are(tmp_path):
    def pair(name: str, a: int, b: int) -> None:
        both = Image.new("RGB", (192, 96))
        both.paste(scene(a), (0, 0))
        both.paste(scene(b), (96, 0))
        both.save(tmp_path / name)

    for number in range(10):
        pair(f"{number}.png", number, 100 + number)
    pair("same_a.png", 1, 200)
    pair("same_b.png", 201, 102)
    pair("both.jpg", 3, 103)
    assert names(groups_in(tmp_path)) == {frozenset({"3.png", "both.jpg"})}


def test_the_search_in_blocks_misses_nothing(monkeypatch):
    monkeypatch.setattr(duplicates, "_ROWS", 7)
    monkeypatch.setattr(duplicates, "_CANDIDATES", 3)
    random = np.random.default_rng(0)
    hashes = [int(value) for value in random.integers(0, 2**63, 50)]
    hashes += [
        value ^ (1 << int(bit)) ^ (1 << 63) for value, bit in zip(hashes[:20], random.integers(0, 60, 20), strict=True)
    ]
    hashes += [value ^ 0b1111111 for value in hashes[:5]]
    hashes += [hashes[-1] ^ 0b11, hashes[-1] ^ 0b11]
    found = duplicates._candidates(pictures("A", len(hashes), hash=hashes))
    wanted = {
        (i, j) for j in range(len(hashes)) for i in range(j) if (hashes[i] ^ hashes[j]).bit_count() <= 6
    }  # fmt: skip
    assert {tuple(pair) for block in found for pair in block.tolist()} == wanted
    assert len(wanted) >= 20
