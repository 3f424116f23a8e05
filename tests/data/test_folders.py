import os
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from viceversa.data import folders
from viceversa.data.avatars import write_dataset
from viceversa.data.folders import find_pictures
from viceversa.data.others import passed_over
from viceversa.data.partners import Pairing
from viceversa.errors import ConfigError, DataError


def names(items: tuple[folders.Item, ...]) -> list[str]:
    return [item.name for item in items]


def fill(root: Path, *files: str) -> Path:
    for name in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def test_pictures_are_found_below_sorted_without_hidden_ones(tmp_path: Path):
    fill(tmp_path, "b.JPG", "a.png", "sub/c.webp", ".hidden.png", ".git/d.png", "notes.txt", "e.png.part")
    (tmp_path / "folder.png").mkdir()
    found = [path.relative_to(tmp_path).as_posix() for path in find_pictures(tmp_path)]
    assert found == ["a.png", "b.JPG", "sub/c.webp"]


def test_circles_of_links_end(tmp_path: Path):
    fill(tmp_path, "in/a.png", "elsewhere/b.png")
    (tmp_path / "in" / "loop").symlink_to(tmp_path / "in", target_is_directory=True)
    (tmp_path / "in" / "more").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (tmp_path / "in" / "dangling.png").symlink_to(tmp_path / "nothing.png")
    assert [path.name for path in find_pictures(tmp_path / "in")] == ["a.png", "b.png"]


def test_folders_without_inodes_are_looked_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Some file systems (FUSE, SMB) give each folder the inode 0."""
    fill(tmp_path, "a.png", "one/b.png", "two/c.png")
    true = os.stat

    def without(path: Any, *more: Any, **named: Any) -> os.stat_result:
        status = list(true(path, *more, **named))
        status[1] = 0
        return os.stat_result(status)

    monkeypatch.setattr(os, "stat", without)
    assert [path.name for path in find_pictures(tmp_path)] == ["a.png", "b.png", "c.png"]


def test_dead_links_and_locked_folders_are_counted(tmp_path: Path):
    fill(tmp_path, "a.png", "locked/b.png")
    (tmp_path / "gone.png").symlink_to(tmp_path / "nothing.png")
    (tmp_path / "locked").chmod(0)
    try:
        (skipped,) = passed_over([tmp_path])
        if os.access(tmp_path / "locked", os.R_OK):  # root may read everything
            assert skipped.reason == "holds 1 dead link (gone.png), passed over"
        else:
            assert skipped.reason == (
                "holds 1 dead link (gone.png) and 1 folder that cannot be read (locked), passed over"
            )
    finally:
        (tmp_path / "locked").chmod(0o755)


def test_a_folder_of_nothing_but_dead_links(tmp_path: Path):
    (tmp_path / "gone.png").symlink_to(tmp_path / "nothing.png")
    with pytest.raises(DataError, match=r"holds no images .*; found 1 dead link \(gone\.png\)\."):
        find_pictures(tmp_path)


def test_a_folder_without_pictures(tmp_path: Path):
    fill(tmp_path, "zebras/1.txt", "zebras/2.txt", "zebras/3.txt", "zebras/x.mov")
    with pytest.raises(DataError, match=r"zebras/ holds no images \(\.jpg .*\); found 3 \.txt, 1 \.mov\. Point --b at"):
        find_pictures(tmp_path / "zebras", "--b")


@pytest.mark.parametrize(
    ("make", "sentence"), [("dir", "it is empty"), ("file", "is not a folder"), ("", "does not exist")]
)
def test_a_folder_that_is_none(tmp_path: Path, make: str, sentence: str):
    folder = tmp_path / "zebras"
    if make == "dir":
        folder.mkdir()
    elif make == "file":
        folder.touch()
    with pytest.raises(DataError, match=f"zebras.*{sentence}.*Point --b at a folder of images"):
        find_pictures(folder, "--b")


def test_unpaired_from_two_folders(tmp_path: Path):
    fill(tmp_path, "women/1.jpg", "women/x/2.png", "men/9.gif")
    a, b = folders.unpaired(None, tmp_path / "women", tmp_path / "men")
    assert (names(a.train), names(b.train), a.test, b.test) == (["1.jpg", "x/2.png"], ["9.gif"], (), ())


def test_unpaired_from_a_root(tmp_path: Path):
    fill(tmp_path, "trainA/1.jpg", "trainB/2.jpg", "testA/3.jpg", "testB/4.jpg")
    a, b = folders.unpaired(tmp_path, None, None)
    assert [names(part) for part in (a.train, a.test, b.train, b.test)] == [["1.jpg"], ["3.jpg"], ["2.jpg"], ["4.jpg"]]


def test_one_domain_alone_may_have_a_test_folder(tmp_path: Path):
    """`prepare` makes none of a domain with only one scene."""
    fill(tmp_path, "trainA/1.jpg", "trainB/2.jpg", "testB/4.jpg")
    a, b = folders.unpaired(tmp_path, None, None)
    assert [names(part) for part in (a.train, a.test, b.train, b.test)] == [["1.jpg"], [], ["2.jpg"], ["4.jpg"]]


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        (["trainA/1.jpg"], r"holds trainA/ but no trainB/\. Add it"),
        (["trainB/1.jpg"], r"holds trainB/ but no trainA/\. Add it"),
        (["train/1.jpg"], r"holds neither trainA/ nor trainB/ \(train/ is the layout of pairs"),
        (["trainA/1.jpg", "trainB/notes.txt"], r"trainB/ holds no images"),
    ],
)
def test_unpaired_roots_that_lack_something(tmp_path: Path, files: list[str], sentence: str):
    with pytest.raises(DataError, match=sentence):
        folders.unpaired(fill(tmp_path, *files), None, None)


@pytest.mark.parametrize("layout", [folders.unpaired, folders.paired])
def test_folders_given_wrongly(tmp_path: Path, layout: type):
    fill(tmp_path, "a/1.jpg", "b/1.jpg", "a/inner/1.jpg")
    a, b = tmp_path / "a", tmp_path / "b"
    with pytest.raises(ConfigError, match=r"No images were given\. Name two folders with --a and --b, or .*--data"):
        layout(None, None, None)
    with pytest.raises(ConfigError, match="--b was given without --a"):
        layout(None, None, b)
    with pytest.raises(ConfigError, match="--a was given without --b"):
        layout(None, a, None)
    with pytest.raises(ConfigError, match=r"--a .*a and --b .* are the same folder\. Give each domain"):
        layout(None, a, a / ".." / "a")
    with pytest.raises(ConfigError, match="lie inside one another"):
        layout(None, a / "inner", a)
    with pytest.raises(DataError, match="lost does not exist"):
        layout(tmp_path / "lost", None, None)


def test_pairs_by_equal_names(tmp_path: Path):
    fill(tmp_path, "photos/1.jpg", "photos/x/2.jpg", "labels/1.png", "labels/x/2.png")
    pairs = folders.paired(None, tmp_path / "photos", tmp_path / "labels")
    assert names(pairs.train) == ["1", "x/2"]
    assert [file.suffix for file in pairs.train[1].files] == [".jpg", ".png"]


def test_unequal_names(tmp_path: Path):
    a = fill(tmp_path / "photos", *(f"{number}.jpg" for number in range(9)))
    b = fill(tmp_path / "labels", *(f"{number}.jpg" for number in range(4)))
    sentence = (
        r"5 of the 9 images of .*photos/ have no partner in .*labels/ \(4, 5, 6 \.\.\.\)\. Rename or remove them, or "
        r"use the 4 pairs that there are, found by equal names, with --skip-unpaired"
    )
    with pytest.raises(DataError, match=sentence):
        folders.paired(None, a, b)
    with pytest.raises(DataError, match=sentence):
        folders.paired(None, b, a)


def test_a_name_that_is_there_twice(tmp_path: Path):
    a = fill(tmp_path / "a", "1.jpg", "1.png")
    with pytest.raises(DataError, match=r"1\.jpg and .*1\.png have the same name"):
        folders.paired(None, a, fill(tmp_path / "b", "1.jpg"))


@pytest.mark.parametrize(
    ("files", "train", "test"),
    [
        (["1.jpg", "2.jpg"], ["1.jpg", "2.jpg"], []),
        (["train/1.jpg", "val/2.jpg"], ["1.jpg"], ["2.jpg"]),
        (["train/1.jpg", "val/2.jpg", "test/3.jpg"], ["1.jpg"], ["3.jpg"]),
        (["trainA/1.jpg", "trainB/1.png"], ["1"], []),
        (["trainA/1.jpg", "trainB/1.png", "testA/2.jpg", "testB/2.jpg"], ["1"], ["2"]),
    ],
)
def test_paired_roots(tmp_path: Path, files: list[str], train: list[str], test: list[str]):
    pairs = folders.paired(fill(tmp_path, *files), None, None)
    assert (names(pairs.train), names(pairs.test)) == (train, test)


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        (["val/1.jpg"], "holds val/ but no train/"),
        (["trainA/1.jpg"], "holds trainA/ but no trainB/"),
        (["train/1.txt"], "train/ holds no images"),
        (["trainA/1.jpg", "trainB/2.jpg"], r"1 of the 1 images of .*trainA/ have no partner"),
        (["trainA/1.jpg", "trainB/1.jpg", "testB/1.jpg"], r"holds no testA/, and .*testB/ is its other side"),
    ],
)
def test_paired_roots_that_lack_something(tmp_path: Path, files: list[str], sentence: str):
    with pytest.raises(DataError, match=sentence):
        folders.paired(fill(tmp_path, *files), None, None)


def draw(root: Path, size: tuple[int, int], *files: str) -> Path:
    for name in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, "teal").save(root / name)
    return root


LAYOUTS = [
    ("trainA", "trainB", "testA", "testB"),
    ("TrainA", "TrainB", "TestA", "TestB"),
    ("train_a", "train_b", "val_a", "val_b"),
    ("A/train", "B/train", "A/val", "B/val"),
    ("train/A", "train/B", "test/A", "test/B"),
    ("facades/trainA", "facades/trainB", "facades/valA", "facades/valB"),
    ("x/y/a/Train", "x/y/b/Train", "x/y/a/Test", "x/y/b/Test"),
]


@pytest.mark.parametrize("places", LAYOUTS)
def test_layouts_with_folders_of_a_and_b(tmp_path: Path, places: tuple[str, str, str, str]):
    """What people have, by pairs (square images, which are not cut in two) and by domains; hidden and macOS's apart."""
    a, b, test_a, test_b = places
    draw(tmp_path, (8, 8), f"{a}/1.png", f"{a}/2.png", f"{b}/1.png", f"{b}/2.png", f"{test_a}/3.png", f"{test_b}/3.png")
    fill(tmp_path, "__MACOSX/x/._1.png", ".cache/A/1.png")
    pairs = folders.paired(tmp_path, None, None)
    assert (names(pairs.train), names(pairs.test), pairs.side_by_side) == (["1", "2"], ["3"], None)
    assert [file.relative_to(tmp_path).as_posix() for file in pairs.train[0].files] == [f"{a}/1.png", f"{b}/1.png"]
    assert pairs.notes[0] == f"2 pairs in {tmp_path / a} and {tmp_path / b}, by equal names"
    one, other = folders.unpaired(tmp_path, None, None)
    assert [names(part) for part in (one.train, one.test, other.train, other.test)] == [
        ["1.png", "2.png"], ["3.png"], ["1.png", "2.png"], ["3.png"]
    ]  # fmt: skip


def test_two_folders_called_a_and_b(tmp_path: Path):
    pairs = folders.paired(draw(tmp_path, (8, 8), "A/1.png", "A/2.png", "b/1.jpg", "b/2.jpg"), None, None)
    assert names(pairs.train) == ["1", "2"]


def test_pairs_side_by_side_in_folders_that_happen_to_be_called_a_and_b(tmp_path: Path):
    pairs = folders.paired(draw(tmp_path, (16, 8), "A/1.png", "A/2.png", "B/3.png", "B/4.png"), None, None)
    assert (names(pairs.train), pairs.side_by_side) == (["A/1.png", "A/2.png", "B/3.png", "B/4.png"], (2, 2))


def test_what_lies_one_folder_deeper_keeps_its_test_part(tmp_path: Path):
    pairs = folders.paired(draw(tmp_path, (16, 8), "facades/train/1.png", "facades/test/2.png"), None, None)
    assert (names(pairs.train), names(pairs.test)) == (["1.png"], ["2.png"])


@pytest.mark.parametrize(
    ("size", "files", "words"),
    [
        (
            (80, 80),
            ["photos/1.png", "maps/1.png"],
            "80 x 80 px.*If maps/ and photos/ are A and B: --a .*maps --b",
        ),
        (
            (32, 18),
            ["1.png", "2.png"],
            r"32 x 18 px, .*\(2 of 2 images .*Name the folders of A and of B with --a and --b, or .*--pair-suffix",
        ),
        ((8, 16), ["x/1.png", "y/1.png", "z/1.png"], r"8 x 16 px.*Found: x/, y/, z/; name"),
        ((8, 8), ["train/1.png", "test/1.png"], "8 x 8 px"),
    ],
)
def test_images_that_are_not_twice_as_wide_as_high_are_not_cut_in_two(
    tmp_path: Path, size: tuple[int, int], files: list[str], words: str
):
    with pytest.raises(DataError, match=f"{words}.*all the same: --side-by-side"):
        folders.paired(draw(tmp_path, size, *files), None, None)
    pairs = folders.paired(tmp_path, None, None, Pairing(side_by_side=True))
    assert pairs.side_by_side == (size[0] / size[1],) * 2


def test_a_few_of_another_shape_are_left_out_and_said(tmp_path: Path):
    draw(tmp_path, (162, 80), *(f"{number}.png" for number in range(12)))
    draw(tmp_path, (80, 80), "cover.png")
    pairs = folders.paired(tmp_path, None, None)
    assert len(pairs.train) == 12
    assert pairs.notes[0].startswith("12 pairs in ")
    assert pairs.notes[1].startswith("1 images that are not about twice as wide as high are not used (cover.png)")


def test_what_prepare_wrote_side_by_side_may_have_any_shape(tmp_path: Path):
    draw(tmp_path, (24, 8), "train/1.png", "train/2.png")
    (tmp_path / "manifest-pairs.jsonl").touch()
    assert len(folders.paired(tmp_path, None, None).train) == 2


def test_images_beside_the_parts_of_a_data_set_are_said(tmp_path: Path):
    draw(tmp_path, (16, 8), "train/1.png", "test/2.png", "val/3.png", "val/4.png", "contact-pairs.jpg")
    (note,) = folders.paired(tmp_path, None, None).notes[1:]
    assert note == f"2 images of {tmp_path} lie beside its parts and are not used (val/3.png, val/4.png)"
    draw(tmp_path / "two", (8, 8), "trainA/1.png", "trainB/1.png", "more/9.png")
    assert "(more/9.png)" in folders.unpaired(tmp_path / "two", None, None)[0].notes[0]


def test_the_truth_of_drawn_portraits_is_not_called_unused(tmp_path):
    write_dataset(tmp_path, count=2, test=1, size_px=16)
    a, b = folders.unpaired(tmp_path, None, None)
    assert a.notes == b.notes == ()
    draw(tmp_path, (16, 16), "truth/mine.png", "truth/yours.png")
    (note,) = folders.unpaired(tmp_path, None, None)[0].notes
    assert note.startswith(f"2 images of {tmp_path} lie beside its parts and are not used (truth/mine.png, ")


def test_two_folders_that_differ_in_case_alone(tmp_path: Path):
    draw(tmp_path, (8, 8), "TRAINA/1.png", "TrainB/1.png")
    if (tmp_path / "traina").exists():
        pytest.skip("this file system knows no case")
    draw(tmp_path, (8, 8), "TrainA/1.png")
    with pytest.raises(DataError, match="holds TRAINA/ and TrainA/, and either may be meant"):
        folders.paired(tmp_path, None, None)


def test_pairs_in_one_folder_by_their_endings(tmp_path: Path):
    draw(tmp_path, (8, 8), "1.png", "1_mask.png", "sub/2.png", "sub/2_mask.png")
    pairs = folders.paired(tmp_path, None, None, Pairing(pair_suffix=",_mask"))
    assert [tuple(file.name for file in item.files) for item in pairs.train] == [
        ("1.png", "1_mask.png"), ("2.png", "2_mask.png")
    ]  # fmt: skip


def test_images_beyond_the_pairs(tmp_path: Path):
    draw(tmp_path, (8, 8), *(f"a/{n}.png" for n in range(5)), *(f"b/{n}.png" for n in range(2, 6)))
    with pytest.raises(DataError, match=r"2 of the 5 images of .* \(0, 1\), and 1 of the 4 .* \(5\).*the 3 pairs"):
        folders.paired(None, tmp_path / "a", tmp_path / "b")
    pairs = folders.paired(None, tmp_path / "a", tmp_path / "b", Pairing(skip_unpaired=True))
    assert names(pairs.train) == ["2", "3", "4"]
    assert "without a partner, and not used: 2 of" in pairs.notes[1]


def test_no_pairs_at_all(tmp_path: Path):
    draw(tmp_path, (8, 8), "cats/tom.png", "dogs/rex.png")
    with pytest.raises(DataError, match=r"--pair-suffix _A,_B.*viceversa train cyclegan --a .*cats --b .*dogs"):
        folders.paired(None, tmp_path / "cats", tmp_path / "dogs", Pairing(skip_unpaired=True))


def test_which_data_sets_are_taken_for_pairs_where_nobody_says(tmp_path: Path):
    draw(tmp_path / "halves", (8, 8), "A/train/1.png", "B/train/1.png")
    draw(tmp_path / "aside", (16, 8), "train/1.png", "train/2.png")
    draw(tmp_path / "named", (16, 8), "A/1.png", "B/2.png")
    assert [folders.are_pairs(tmp_path / name) for name in ("halves", "aside", "named")] == [False, True, True]
    assert not folders.are_pairs(None)
