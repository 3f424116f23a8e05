"""One side of two is missing, empty, broken or of one image: a sentence that names it, exit code 2, nothing left."""

import os
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from viceversa import train
from viceversa.cli import main

NETWORKS = ["--size", "16", "--width", "4", "--images", "2", "--samples", "1", "--device", "cpu"]
PATCH = [*NETWORKS, "--discriminator-width", "4", "--sample-pictures", "1"]

COMMANDS = {
    "cyclegan": ["train", "cyclegan", *PATCH, "--blocks", "1", "--a", "A", "--b", "B", "--out", "OUT"],
    "pix2pix": ["train", "pix2pix", *PATCH, "--a", "A", "--b", "B", "--out", "OUT"],
    "cartoongan": ["train", "cartoongan", *PATCH, "--vgg", "vgg.safetensors", "--a", "A", "--b", "B", "--out", "OUT"],
    "inspect": ["inspect", "--a", "A", "--b", "B"],
    "inspect pairs": ["inspect", "--a", "A", "--b", "B", "--kind", "paired"],
    "evaluate": ["evaluate", "RUN", "--a", "A", "--b", "B", "--out", "OUT.json"],
    "compare": ["compare", "RUN", "x=RUN", "--a", "A", "--b", "B", "--out", "OUT.html"],
    "prepare": ["prepare", "A", "--pair-with", "B", "--size", "32", "--out", "OUT"],
}  # fmt: skip
"""With A and B for the sides."""

PAIRED = ("pix2pix", "inspect pairs", "prepare")

KINDS = {
    "missing": ["missing does not exist", "folder of images"],
    "empty": ["empty/ holds no images", "it is empty", "folder of images"],
    "videos": ["videos/ holds no images", "found 2 .mp4", "viceversa prepare videos --out SET"],
    "broken": ["broken/0.png: its head is damaged; replace it or remove it"],
    "one": ["one"],
    "onegood": ["11 ", "onegood/1.png: it is no image", "onegood"],
    "list.txt": ["list.txt", "as a list of files it is empty"],
}
"""What is wrong with a side, and what has to be said of it whatever the command."""


def draw(number: int, side: int = 40) -> Image.Image:
    coarse = np.random.default_rng(number).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((side, side), Image.Resampling.BILINEAR)


def fill(folder: Path, count: int, first: int = 0, side: int = 40) -> Path:
    folder.mkdir(parents=True)
    for number in range(count):
        draw(first + number, side).save(folder / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory, tiny: Any, small_vgg: Path) -> Path:
    """Folders of every kind, and a run."""
    place = tmp_path_factory.mktemp("sides")
    fill(place / "good", 12)
    fill(place / "good2", 12, 100)
    fill(place / "one", 1)
    fill(place / "onegood", 1)
    fill(place / "small", 12, side=4)
    for name in ("empty", "videos", "broken"):
        (place / name).mkdir()
    (place / "list.txt").write_text("# nothing\n\n")
    for number in range(2):
        (place / "videos" / f"{number}.mp4").write_bytes(b"x")
    for number in range(12):
        (place / "broken" / f"{number}.png").write_bytes(b"\x89PNG\r\n\x1a\nrubbish")
        if number:
            (place / "onegood" / f"{number}.png").write_bytes(b"no")
    (place / "calibration").mkdir()
    for number in range(16):
        (place / "calibration" / f"{number:02}.png").write_bytes(b"no")
    shutil.copy(small_vgg, place / "vgg.safetensors")
    folders = {"a": place / "good", "b": place / "good2"}
    train(tiny("cyclegan", place / "RUN", images=2, samples=1, cache=place / "cache", **folders), quiet=True)
    return place


@pytest.fixture
def said(sides: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]):
    """Runs a command where the folders lie; returns the exit code and what was said on the standard error stream.

    Nothing is left behind that was not there.
    """

    def run(*arguments: str) -> tuple[int, str]:
        monkeypatch.chdir(sides)
        before = set(os.listdir())
        code = main(list(arguments))
        left = set(os.listdir()) - before
        for name in left:
            shutil.rmtree(name, ignore_errors=True)
        assert not left, "nothing half-written is left"
        return code, capfd.readouterr().err

    return run


def sentence(code: int, text: str) -> str:
    """The sentence of a refusal, above which there may be notes and bars."""
    assert code == 2, text
    assert "Traceback" not in text
    assert text.count("viceversa: ") == 1, text
    return text[text.index("viceversa: ") :].strip()


@pytest.mark.parametrize("which", ["A", "B"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("command", COMMANDS)
def test_the_side_is_named_and_nothing_is_left(command: str, kind: str, which: str, said: Any):
    given = {"A": "good", "B": "good2", which: kind}
    found = sentence(*said(*(given.get(word, word) for word in COMMANDS[command])))
    for words in KINDS[kind]:
        assert words in found
    assert "\n" not in found
    if kind in ("missing", "empty", "videos", "list.txt"):
        flag = (
            {"A": "viceversa prepare ", "B": "--pair-with "}[which] if command == "prepare" else f"--{which.lower()} "
        )
        assert f"Point {flag}at a folder" in found
    if kind in ("one", "onegood"):
        assert "two or more" in found
        assert ("pair" in found) == (command in PAIRED)
    assert not re.search(r"\bgood2?/(0.png: | holds)", found), "the good side is not blamed"


@pytest.mark.parametrize(
    ("folder", "words"),
    [
        ("one", "one/ holds only one image; --calibrate needs at least 16: add some, or take --dtype fp16"),
        ("calibration", "16 of the 16 images of calibration/ .* cannot be used; the first is calibration/00.png: it"),
        ("missing", "missing does not exist. Point --calibrate at"),
        ("list.txt", "as a list of files it is empty. Point --calibrate at"),
    ],
)
def test_calibration(folder: str, words: str, said: Any):
    pytest.importorskip("onnxruntime", reason="needs the extra onnx")
    code, text = said("export", "RUN", "--to", "b", "--out", "x.onnx", "--dtype", "int8", "--calibrate", folder)
    assert re.search(words, sentence(code, text))


@pytest.mark.parametrize(
    ("folder", "words"),
    [
        ("missing", "missing: there is no such file or folder."),
        ("empty", "There is nothing to translate: no image or video .* in empty."),
        ("broken", "0 translated, 12 failed: .*broken/0.png: its head is damaged"),
        ("list.txt", "as a list of files it is empty"),
    ],
)
def test_a_translation_of_nothing_leaves_no_folder(folder: str, words: str, said: Any):
    code, text = said("translate", "RUN", folder, "--to", "b", "--out", "new/deep", "--device", "cpu")
    assert code == 2
    assert re.search(words, text, re.DOTALL)


@pytest.mark.parametrize("which", ["A", "B"])
def test_both_sides_of_pairs_have_one_rule_of_size(which: str, said: Any, sides: Path):
    given = {"A": "good", "B": "good2", which: "small"}
    command = [given.get(word, word) for word in COMMANDS["prepare"]]
    found = sentence(*said(*command))
    assert "of 12 pairs none is left" in found
    assert "the first is small/0.png: it is 4 x 4 px, smaller than --size" in found
    assert "--enlarge" in found
    assert main([*command, "--enlarge"]) == 0
    shutil.rmtree(sides / "OUT")


@pytest.mark.parametrize(
    ("part", "kind", "words"),
    [
        ("trainB", "empty", "trainB/ holds no images .* it is empty. Add images to it, or name the folders"),
        ("testA", "empty", "testA/ holds no images .* Add images to it, or remove the folder"),
        ("trainA", "broken", "trainA/0.png: its head is damaged"),
        ("testB", "broken", "testB/0.png: its head is damaged"),
        ("trainB", "one", "nly one "),
    ],
)
@pytest.mark.parametrize("command", ["cyclegan", "pix2pix", "inspect", "evaluate"])
def test_parts_of_a_data_set(command: str, part: str, kind: str, words: str, said: Any, sides: Path):
    root = sides / "set"
    shutil.rmtree(root, ignore_errors=True)
    for name in ("trainA", "trainB", "testA", "testB"):
        shutil.copytree(sides / (kind if name == part else "good"), root / name)
    given = COMMANDS[command]
    code, text = said(*given[: given.index("--a")], "--data" if command != "inspect" else "set", "set",
                      *given[given.index("--b") + 2 :]) if command != "inspect" else said("inspect", "set")  # fmt: skip
    assert re.search(words, sentence(code, text))
    shutil.rmtree(root)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("broken", "y/: there is no image of this class .* 12 skipped, the first is classes/y/0.png: its head"),
        ("one", "y/: there is only one image of this class"),
    ],
)
def test_a_class(kind: str, words: str, said: Any, sides: Path):
    root = sides / "classes"
    shutil.copytree(sides / "good", root / "x")
    shutil.copytree(sides / kind, root / "y")
    try:
        code, text = said("train", "cgan", *NETWORKS[:2], "--data", "classes", "--device", "cpu", "--out", "OUT")
        assert re.search(words, sentence(code, text))
    finally:
        shutil.rmtree(root)


def test_lists_stand_for_folders_also_where_there_is_one_side(sides: Path, said: Any):
    (sides / "some.txt").write_text("one/0.png\n")
    found = sentence(*said("train", "dcgan", "--size", "16", "--data", "some.txt", "--device", "cpu", "--out", "OUT"))
    assert "some.txt holds only one image" in found
    found = sentence(*said("prepare", "some.txt", "--size", "32", "--out", "OUT"))
    assert "some.txt holds only one image" in found
