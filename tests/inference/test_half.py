"""Images in which input and answer lie side by side: the input's half is translated, and that is said."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from viceversa import load, train
from viceversa.cli import main
from viceversa.errors import CheckpointError, ConfigError
from viceversa.inference.files import translate_files
from viceversa.inference.folder import config_from_json
from viceversa.inference.half import choose


def draw(folder: Path, count: int, size: tuple[int, int] = (48, 24)) -> Path:
    folder.mkdir(parents=True)
    for number in range(count):
        pixels = np.random.default_rng(number).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def run(tiny: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of pix2pix on pairs side by side, of which it makes A from B."""
    root = tmp_path_factory.mktemp("aside")
    draw(root / "set", 4)
    settings = {"a": None, "b": None, "root": root / "set", "direction": "b2a"}
    return train(tiny("pix2pix", root / "run", **settings), quiet=True).folder


def test_the_half_that_is_the_input_is_translated_and_that_is_said(
    run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
):
    draw(tmp_path / "in", 2)
    draw(tmp_path / "in" / "single", 1, (30, 24))
    assert main(["translate", str(run), str(tmp_path / "in"), "--out", str(tmp_path / "out")]) == 0
    said = capfd.readouterr().err
    assert "3 translated\nof 2 images the right half was translated (--half none takes the whole)\n" in said
    with Image.open(tmp_path / "in" / "0.png") as whole:
        right = whole.crop((24, 0, 48, 24))
    with Image.open(tmp_path / "out" / "0.png") as made:
        assert np.array_equal(np.asarray(made), np.asarray(load(run)(right)))
    with Image.open(tmp_path / "out" / "single" / "0.png") as made:
        assert made.size == (30, 24)


@pytest.mark.parametrize(("half", "left", "width"), [("left", 0, 24), ("right", 24, 24), ("none", 0, 48)])
def test_the_half_can_be_named(run: Path, tmp_path: Path, half: Any, left: int, width: int):
    draw(tmp_path / "in", 1)
    translator = load(run)
    summary = translate_files(translator, tmp_path / "in", tmp_path / "out", half=half, progress=False)
    assert dict(summary.halves) == ({} if half == "none" else {half: 1})
    with Image.open(tmp_path / "in" / "0.png") as whole:
        wanted = translator(whole.crop((left, 0, left + width, 24)))
    with Image.open(tmp_path / "out" / "0.png") as made:
        assert np.array_equal(np.asarray(made), np.asarray(wanted))


def test_a_model_that_does_not_know_takes_the_whole_unless_told(run: Path, tmp_path: Path):
    """As those that were trained on two folders, and all that were written before."""
    draw(tmp_path / "in", 1)
    translator = load(run)
    translator.side_by_side = None
    translate_files(translator, tmp_path / "in", tmp_path / "out", progress=False)
    with Image.open(tmp_path / "out" / "0.png") as made:
        assert made.size == (48, 24)
    translate_files(translator, tmp_path / "in", tmp_path / "half", half="left", progress=False)
    with Image.open(tmp_path / "half" / "0.png") as made:
        assert made.size == (24, 24)
    with pytest.raises(ConfigError, match='--half must be auto, left, right or none, not "top"'):
        choose(translator, "a2b", "top")  # pyright: ignore[reportArgumentType]


def test_what_the_folder_says_of_pairs_is_checked(run: Path):
    text = (run / "translator" / "config.json").read_text()
    assert config_from_json(text, "x").side_by_side == (2.0, 2.0)
    tree = json.loads(text)
    del tree["side_by_side"]
    assert config_from_json(json.dumps(tree), "x").side_by_side is None
    for wrong in ([2], [3, 2], [0, 1], ["2", "2"], {"a": 1}, [True, True], 2):
        with pytest.raises(CheckpointError, match="x: side_by_side must be the least and the greatest width of pairs"):
            config_from_json(json.dumps({**tree, "side_by_side": wrong}), "x")


def test_lists_of_files_are_translated(run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    draw(tmp_path / "in" / "x", 2, (24, 24))
    draw(tmp_path / "in" / "y", 1, (24, 24))
    (tmp_path / "some.txt").write_text("# two of three\nin/x/1.png\nin/y/0.png\nin/y/lost.png\n")
    assert main(["translate", str(run), str(tmp_path / "some.txt"), "--out", str(tmp_path / "out")]) == 1
    made = sorted(file.relative_to(tmp_path / "out").as_posix() for file in (tmp_path / "out").rglob("*.png"))
    assert made == ["x/1.png", "y/0.png"]
    assert "there is no such file (line 4 of " in capfd.readouterr().err


def test_a_folder_in_a_list_is_called_one(run: Path, tmp_path: Path):
    draw(tmp_path / "in", 1)
    (tmp_path / "list.txt").write_text("in/0.png\nin\n")
    summary = translate_files(load(run), tmp_path / "list.txt", tmp_path / "out", progress=False)
    assert [reason for _, reason in summary.failed] == [
        "it is a folder and no file (line 2 of " + str(tmp_path / "list.txt") + ")."
    ]
