"""Text files that name images, where a folder could stand."""

import os
from pathlib import Path

import pytest
from PIL import Image

from viceversa.data import folders
from viceversa.data.folders import find_pictures
from viceversa.data.lists import read_list
from viceversa.data.sources import PairedData, UnpairedData
from viceversa.errors import DataError


@pytest.fixture
def images(tmp_path: Path) -> Path:
    for side in "ab":
        for number in range(4):
            file = tmp_path / "all" / side / f"{side}{number}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (20, 20), (40 * number, 9, 90 if side == "a" else 20)).save(file)
    return tmp_path


def listed(file: Path, *lines: str, encoding: str = "utf-8", end: str = "\n") -> Path:
    file.write_bytes("".join(f"{line}{end}" for line in lines).encode(encoding))
    return file


def test_relative_absolute_comments_and_repetitions(images: Path):
    given = listed(
        images / "a.txt",
        "# mine",
        "",
        "  all/a/a1.png ",
        str(images / "all/a/a0.png"),
        "all/../all/a/a1.png",
        end="\r\n",
    )
    assert [path.name for path in find_pictures(given)] == ["a1.png", "a0.png"]
    a, b = folders.unpaired(None, given, listed(images / "b.list", "all/b/b0.png", "all/b/b1.png"))
    assert [item.name for item in a.train] == ["a1.png", "a0.png"]
    assert a.notes == (f"{given}: 1 of its lines name a file once more, which counts once",)
    assert (b.notes, [item.name for item in b.train]) == ((), ["b0.png", "b1.png"])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings(images: Path, encoding: str):
    (images / "all/a/a0.png").rename(images / "all/a/été ü.png")
    given = listed(images / "a.txt", "all/a/été ü.png", "all/a/a1.png", encoding=encoding)
    assert [path.name for path in find_pictures(given)] == ["été ü.png", "a1.png"]


def test_names_that_are_no_text(images: Path):
    name = os.fsdecode(b"caf\xe9.png")
    try:
        (images / "all/a/a0.png").rename(images / "all/a" / name)
    except OSError:
        pytest.skip("this file system takes text alone")
    (images / "a.txt").write_bytes(b"all/a/caf\xe9.png\nall/a/a1.png\n")
    assert [path.name for path in find_pictures(images / "a.txt")] == [name, "a1.png"]


def test_missing_files_are_counted_and_the_first_is_named(images: Path):
    given = listed(images / "a.txt", "all/a/a0.png", "# x", "all/a/lost.png", "all/b", "y" * 5000)
    with pytest.raises(
        DataError, match=r"3 of the 4 files that .*a\.txt names .* in line 3, is not there: all/a/lost\.png"
    ):
        find_pictures(given, "--a")


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "as a list of files it is empty"), (b"# only this\n", "it is empty"), (b"\x89PNG\0\0", "it is no text")],
)
def test_files_that_are_no_lists(tmp_path: Path, content: bytes, words: str):
    (tmp_path / "a.bin").write_bytes(content)
    with pytest.raises(DataError, match=rf"a\.bin is not a folder.*{words}.*Point --a at a folder .* one path a line"):
        find_pictures(tmp_path / "a.bin", "--a")


def test_a_list_that_is_too_large_is_not_read(tmp_path: Path):
    with (tmp_path / "a.txt").open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(DataError, match="too large for a list"):
        read_list(tmp_path / "a.txt")


def test_an_image_is_no_list(images: Path):
    with pytest.raises(DataError, match=r"a0\.png is not a folder\. Point --a"):
        find_pictures(images / "all/a/a0.png", "--a")


def test_lists_pair_by_names_if_all_do_and_else_by_lines(images: Path):
    a = listed(images / "a.txt", "all/a/a2.png", "all/a/a0.png", "all/a/a2.png")
    b = listed(images / "b.txt", "all/b/b0.png", "all/b/b3.png", "all/b/b1.png")
    pairs = folders.paired(None, a, b)
    assert [tuple(file.name for file in item.files) for item in pairs.train] == [
        ("a2.png", "b0.png"), ("a0.png", "b3.png"), ("a2.png", "b1.png")
    ]  # fmt: skip
    assert len({item.name for item in pairs.train}) == 3
    assert pairs.notes == (f"3 pairs in {a} and {b}, by the order of the lines of both lists",)
    b = listed(images / "b.txt", "all/b/b0.png", "all/b/b1.png")
    with pytest.raises(DataError, match=r"1 of the 2 images of .*a\.txt have no partner"):
        folders.paired(None, a, b)
    for side in "ab":
        (images / "all" / side / f"{side}0.png").rename(images / "all" / side / f"0{side}.png")
        (images / "all" / side / f"{side}2.png").rename(images / "all" / side / f"2{side}.png")
    a = listed(images / "a.txt", "all/a/0a.png", "all/a/2a.png")
    b = listed(images / "b.txt", "all/b/2b.png", "all/b/0b.png")
    pairs = folders.paired(None, a, b)
    assert [tuple(file.name for file in item.files) for item in pairs.train] == [
        ("0a.png", "0b.png"),
        ("2a.png", "2b.png"),
    ]


def test_a_file_in_both_lists(images: Path):
    a = listed(images / "a.txt", "all/a/a0.png", "all/a/a1.png")
    with pytest.raises(DataError, match=r"a1\.png is both in --a .* and in --b .* \(1 such\)"):
        folders.unpaired(None, a, listed(images / "b.txt", "all/a/a1.png", "all/b/b1.png"))


def test_training_on_lists(images: Path):
    a = listed(images / "left.txt", *(f"all/a/a{number}.png" for number in range(4)))
    b = listed(images / "right.txt", *(f"all/b/b{number}.png" for number in range(4)))
    opened = UnpairedData(a=a, b=b, size_px=16, cache=images / "cache").open(0, "cpu")
    assert (opened.counts, opened.domains, opened.skipped) == ({"a": 4, "b": 4}, {"a": "left", "b": "right"}, ())
    pairs = PairedData(a=a, b=b, size_px=16, cache=images / "cache").open(0, "cpu")
    assert (pairs.counts, len(pairs.remarks), pairs.side_by_side) == ({"a": 4, "b": 4}, 1, None)
