from pathlib import Path

import pytest

from viceversa.data import folders
from viceversa.data.folders import find_pictures
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


def test_a_folder_without_pictures(tmp_path: Path):
    fill(tmp_path, "zebras/1.txt", "zebras/2.txt", "zebras/3.txt", "zebras/x.mov")
    with pytest.raises(
        DataError, match=r"zebras/ holds no pictures \(\.jpg .*\); found 3 \.txt, 1 \.mov\. Point --b at"
    ):
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
    with pytest.raises(DataError, match=f"zebras.*{sentence}.*Point --b at a folder of pictures"):
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
        (["trainA/1.jpg", "trainB/notes.txt"], r"trainB/ holds no pictures"),
    ],
)
def test_unpaired_roots_that_lack_something(tmp_path: Path, files: list[str], sentence: str):
    with pytest.raises(DataError, match=sentence):
        folders.unpaired(fill(tmp_path, *files), None, None)


@pytest.mark.parametrize("layout", [folders.unpaired, folders.paired])
def test_folders_given_wrongly(tmp_path: Path, layout: type):
    fill(tmp_path, "a/1.jpg", "b/1.jpg", "a/inner/1.jpg")
    a, b = tmp_path / "a", tmp_path / "b"
    with pytest.raises(ConfigError, match=r"No pictures were given\. Name two folders with --a and --b, or .*--data"):
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
    sentence = r"5 of the pictures of .*photos/ have no partner .* in .*labels/ \(4, 5, 6 \.\.\.\)\. Rename or remove"
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
        (["train/1.txt"], "train/ holds no pictures"),
        (["trainA/1.jpg", "trainB/2.jpg"], r"1 of the pictures of .*trainA/ have no partner"),
        (["trainA/1.jpg", "trainB/1.jpg", "testB/1.jpg"], r"holds testB/ but no testA/"),
    ],
)
def test_paired_roots_that_lack_something(tmp_path: Path, files: list[str], sentence: str):
    with pytest.raises(DataError, match=sentence):
        folders.paired(fill(tmp_path, *files), None, None)
