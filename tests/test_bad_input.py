"""Images and folders that cannot be trained on: one sentence with name and way out, exit code 2, no traces."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from viceversa.cli import main

SMALL = [
    "--size", "16", "--width", "4", "--discriminator-width", "4", "--discriminator-layers", "2", "--images", "2",
    "--device", "cpu", "--precision", "32-true", "--samples", "1", "--sample-pictures", "1",
]  # fmt: skip
METHODS = {"cyclegan": ["--blocks", "1"], "pix2pix": ["--levels", "2"]}


def draw(path: Path, width: int = 24, height: int = 24) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    seed = sum(path.as_posix().encode())
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)).save(path)
    return path


def folder(path: Path, count: int = 3, **size: int) -> Path:
    for index in range(count):
        draw(path / f"{index}.jpg", **size)
    return path


def truncated(path: Path) -> Path:
    content = draw(path, 200, 200).read_bytes()
    path.write_bytes(content[: len(content) // 3])
    return path


def text_named_jpg(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("no image at all\n")
    return path


def zero_bytes(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


BROKEN = [truncated, text_named_jpg, zero_bytes]


@pytest.fixture
def run(tmp_path, capfd):
    """Trains through the command line; returns the exit code and what was said on stderr."""

    def call(method: str, *arguments: object) -> tuple[int, str]:
        places = ["--out", str(tmp_path / "run"), "--cache", str(tmp_path / "cache")]
        code = main(["train", method, *SMALL, *METHODS[method], *places, *map(str, arguments)])
        return code, capfd.readouterr().err

    return call


@pytest.fixture
def refused(run, tmp_path):
    """Trains, which must be refused in one line that holds all of ``words``, and leave nothing behind."""

    def check(method: str, *arguments: object, words: list[object]) -> str:
        code, said = run(method, *arguments)
        assert code == 2
        assert said.count("\n") == 1, said
        assert said.startswith("viceversa: ")
        assert said.endswith(".\n")
        for word in words:
            assert str(word) in said
        assert not (tmp_path / "run").exists()
        return said

    return check


def summary(tmp_path: Path) -> dict:
    return json.loads((tmp_path / "run" / "summary.json").read_text())


@pytest.mark.parametrize("method", METHODS)
def test_an_empty_folder(refused, tmp_path, method):
    (tmp_path / "b").mkdir()
    words = [tmp_path / "b", "holds no images", "it is empty", "Point --b at a folder of images"]
    refused(method, "--a", folder(tmp_path / "a"), "--b", tmp_path / "b", words=words)


def test_a_folder_of_other_things(refused, tmp_path):
    for name in ("notes.txt", "more.txt", "list.csv"):
        (folder(tmp_path / "a", 0) / name).parent.mkdir(exist_ok=True)
        (tmp_path / "a" / name).write_text("x")
    refused("cyclegan", "--a", tmp_path / "a", "--b", folder(tmp_path / "b"), words=[tmp_path / "a", "2 .txt", "--a"])


def test_a_folder_that_is_not_there(refused, tmp_path):
    words = [tmp_path / "women", "does not exist", "Point --a at a folder of images"]
    refused("cyclegan", "--a", tmp_path / "women", "--b", folder(tmp_path / "b"), words=words)


def test_a_file_for_a_folder(refused, tmp_path):
    picture = draw(tmp_path / "one.jpg")
    refused("cyclegan", "--a", picture, "--b", folder(tmp_path / "b"), words=[picture, "is not a folder", "--a"])


@pytest.mark.parametrize("method", METHODS)
def test_one_picture_only(refused, tmp_path, method):
    a, b = folder(tmp_path / "a", 1), folder(tmp_path / "b", 1)
    found = "only one pair" if method == "pix2pix" else "holds only one image"
    refused(method, "--a", a, "--b", b, words=[a, found, "two or more"])


@pytest.mark.parametrize("broken", BROKEN)
def test_one_good_picture_and_a_broken_one(refused, tmp_path, broken):
    a, bad = folder(tmp_path / "a", 1), broken(tmp_path / "a" / "bad.jpg")
    words = [a, "holds only one image", "1 skipped", bad]
    refused("cyclegan", "--a", a, "--b", folder(tmp_path / "b"), words=words)


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_file_among_good_ones_is_skipped_and_counted(run, tmp_path, broken):
    a, bad = folder(tmp_path / "a"), broken(tmp_path / "a" / "bad.jpg")
    code, said = run("cyclegan", "--a", a, "--b", folder(tmp_path / "b"))
    assert code == 0
    assert str(bad) in said
    (lost,) = summary(tmp_path)["skipped"]
    assert lost["path"] == str(bad)
    assert lost["reason"]
    assert summary(tmp_path)["pictures"] == {"a": 3, "b": 3}


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_file_among_good_ones_is_refused_when_strict(refused, tmp_path, broken):
    a, bad = folder(tmp_path / "a"), broken(tmp_path / "a" / "bad.jpg")
    refused("cyclegan", "--a", a, "--b", folder(tmp_path / "b"), "--strict", words=[bad])


@pytest.mark.parametrize("broken", BROKEN)
@pytest.mark.parametrize("method", METHODS)
def test_a_folder_of_broken_files_alone(refused, tmp_path, broken, method):
    bad = [broken(tmp_path / "a" / f"{index}.jpg") for index in range(3)]
    words = [f"None of 3 {'pairs' if method == 'pix2pix' else 'images'} can be used", bad[0]]
    refused(method, "--a", tmp_path / "a", "--b", folder(tmp_path / "b"), words=words)


def test_a_broken_half_takes_its_pair_with_it(run, tmp_path):
    a, b = folder(tmp_path / "a", 4), folder(tmp_path / "b", 4)
    bad = zero_bytes(tmp_path / "b" / "2.jpg")
    bad.write_bytes(b"")
    code, said = run("pix2pix", "--a", a, "--b", b)
    assert code == 0
    assert str(bad) in said
    assert [lost["path"] for lost in summary(tmp_path)["skipped"]] == [str(bad)]
    assert summary(tmp_path)["pictures"] == {"a": 3, "b": 3}


def test_halves_of_unequal_sizes(refused, run, tmp_path):
    a, b = folder(tmp_path / "a"), folder(tmp_path / "b")
    odd = draw(tmp_path / "b" / "1.jpg", 40, 24)
    refused("pix2pix", "--a", a, "--b", b, "--strict", words=[odd, "40 x 24", "24 x 24", "must be equally large"])
    assert run("pix2pix", "--a", a, "--b", b)[0] == 0
    assert [lost["path"] for lost in summary(tmp_path)["skipped"]] == [str(odd)]


def test_all_halves_of_unequal_sizes(refused, tmp_path):
    a, b = folder(tmp_path / "a"), folder(tmp_path / "b", width=40)
    refused("pix2pix", "--a", a, "--b", b, words=["None of 3", b / "0.jpg", "must be equally large"])


def test_a_pair_side_by_side_of_odd_width(refused, tmp_path):
    refused(
        "pix2pix", "--data", folder(tmp_path / "pairs", width=47), words=[tmp_path / "pairs" / "0.jpg", "even width"]
    )


def test_a_missing_half(refused, tmp_path):
    a, b = folder(tmp_path / "a"), folder(tmp_path / "b")
    (b / "1.jpg").unlink()
    refused("pix2pix", "--a", a, "--b", b, words=[a, "(1)", b, "Rename or remove"])


def test_unequal_names(refused, tmp_path):
    a, b = folder(tmp_path / "a"), folder(tmp_path / "b")
    for path in sorted(b.iterdir()):
        path.rename(b / f"photo{int(path.stem) + 7}.jpg")
    refused("pix2pix", "--a", a, "--b", b, words=["3 of the 3 images of", a, "(0, 1, 2)", "equal file names"])


def test_a_missing_half_of_a_data_set(refused, tmp_path):
    folder(tmp_path / "set" / "trainA")
    for method in METHODS:
        words = [tmp_path / "set", "trainA/ but no trainB/", "--a and --b"]
        refused(method, "--data", tmp_path / "set", words=words)


def test_a_data_set_of_the_other_layout(refused, tmp_path):
    folder(tmp_path / "set" / "train", width=48)
    words = [tmp_path / "set", "neither trainA/ nor trainB/", "for pix2pix"]
    refused("cyclegan", "--data", tmp_path / "set", words=words)


@pytest.mark.parametrize("method", METHODS)
def test_pictures_smaller_than_the_crop(refused, tmp_path, method):
    a, b = folder(tmp_path / "a", width=12, height=30), folder(tmp_path / "b", width=12, height=30)
    words = [a / "0.jpg", "12 x 30 px", "smaller than the 16 px", "--size", "--enlarge"]
    refused(method, "--a", a, "--b", b, words=words)


def test_one_picture_smaller_than_the_crop_is_skipped_or_enlarged(run, tmp_path):
    a, b = folder(tmp_path / "a"), folder(tmp_path / "b")
    small = draw(tmp_path / "a" / "small.jpg", 12, 12)
    assert run("cyclegan", "--a", a, "--b", b)[0] == 0
    assert [lost["path"] for lost in summary(tmp_path)["skipped"]] == [str(small)]
    shutil.rmtree(tmp_path / "run")
    assert run("cyclegan", "--a", a, "--b", b, "--enlarge")[0] == 0
    assert summary(tmp_path)["skipped"] == []
    assert summary(tmp_path)["pictures"]["a"] == 4


def test_no_pictures_given(refused):
    refused("cyclegan", words=["--a and --b", "--data"])


def test_one_folder_given(refused, tmp_path):
    refused("cyclegan", "--a", folder(tmp_path / "a"), words=["--a was given without --b"])


def test_the_same_folder_twice(refused, tmp_path):
    a = folder(tmp_path / "a")
    refused("cyclegan", "--a", a, "--b", a, words=[a, "are the same folder"])


def test_a_folder_of_other_things_is_no_run(run, tmp_path):
    mine = tmp_path / "run" / "letters.txt"
    mine.parent.mkdir()
    mine.write_text("mine")
    code, said = run("cyclegan", "--a", folder(tmp_path / "a"), "--b", folder(tmp_path / "b"))
    assert code == 2
    assert said.count("\n") == 1
    assert str(tmp_path / "run") in said
    assert "another" in said or "new folder" in said
    assert [path.name for path in mine.parent.iterdir()] == ["letters.txt"]


def test_a_run_folder_of_another_config_is_refused_with_the_difference(run, tmp_path):
    a, b = folder(tmp_path / "a"), folder(tmp_path / "b")
    assert run("cyclegan", "--a", a, "--b", b)[0] == 0
    before = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    code, said = run("cyclegan", "--a", a, "--b", b, "--lambda-cycle", "5")
    assert code == 2
    assert said.count("\n") == 1
    assert "(--lambda-cycle 10.0, now 5.0)" in said
    assert str(tmp_path / "run") in said
    assert {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()} == before


def test_a_file_where_the_run_should_be(run, tmp_path):
    (tmp_path / "run").write_text("mine")
    code, said = run("cyclegan", "--a", folder(tmp_path / "a"), "--b", folder(tmp_path / "b"))
    assert (code, said.count("\n")) == (2, 1)
    assert f"{tmp_path / 'run'} is a file" in said
    assert (tmp_path / "run").read_text() == "mine"


@pytest.mark.parametrize("method", METHODS)
def test_a_size_that_the_network_cannot_take(refused, tmp_path, method):
    a, b = folder(tmp_path / "a"), folder(tmp_path / "b")
    refused(method, "--a", a, "--b", b, "--size", "18", words=["multiples of 4 px", "--size 18"])
