"""Files of other kinds beside images are counted and told."""

import json
from pathlib import Path

import pytest
from PIL import Image

from viceversa import train
from viceversa.data.folders import find_pictures
from viceversa.data.images import read
from viceversa.data.others import passed_over
from viceversa.training.report import write_report


def beside(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")
    return folder


def pictures(folder: Path, count: int = 3) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        Image.new("RGB", (24, 24), (9 * index, 99, 9)).save(folder / f"{index}.png")
    return folder


def test_jfif_is_jpeg(tmp_path):
    Image.new("RGB", (24, 24), "tan").save(tmp_path / "a.jfif", "JPEG")
    assert [path.name for path in find_pictures(tmp_path)] == ["a.jfif"]
    assert read(tmp_path / "a.jfif").shape == (24, 24, 3)


@pytest.mark.parametrize("method", ["cyclegan", "pix2pix", "dcgan", "vgg"])
def test_files_of_other_kinds_are_told_once(method, tiny, tmp_path, capfd):
    a, b = pictures(tmp_path / "set" / "a"), pictures(tmp_path / "set" / "b")
    beside(a, "1.xyz", "2.XYZ", "deep/3.xyz", "notes.txt", ".hidden")
    where = {"a": a, "b": b} if method != "dcgan" else {"root": a}
    train(tiny(method, tmp_path / "run", **where, **({"root": None} if method == "vgg" else {})))
    told = "holds 4 files of other kinds, passed over (.xyz, .txt)"
    skipped = json.loads((tmp_path / "run" / "summary.json").read_text())["skipped"]
    assert skipped == [{"path": str(a), "reason": told}]
    said = capfd.readouterr()
    assert (said.out + said.err).count(told) == 1
    assert "4 files were skipped" in write_report(tmp_path / "run").read_text()


def test_nothing_is_told_of_pictures_alone(tiny, tmp_path):
    a, b = pictures(tmp_path / "a"), pictures(tmp_path / "b")
    train(tiny("cyclegan", tmp_path / "run", a=a, b=b), quiet=True)
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["skipped"] == []


@pytest.mark.parametrize("method", ["cyclegan", "dcgan", "vgg"])
def test_what_lies_above_the_pictures_of_a_data_set_is_not_told(method, tiny, tmp_path):
    root = beside(tmp_path / "set", "manifest-A.jsonl", "avatars.json")
    for part in ("trainA", "trainB"):
        pictures(root / part)
    where = {"root": root, "a": None, "b": None} if method != "dcgan" else {"root": root}
    train(tiny(method, tmp_path / "run", **where), quiet=True)
    assert json.loads((tmp_path / "run" / "summary.json").read_text())["skipped"] == []


def test_what_can_be_read_in_another_way_is_told_with_the_command(tmp_path):
    pictures(tmp_path)
    beside(tmp_path, "a.mp4", "b.MOV", "c.zip", "notes.txt")
    (told,) = passed_over([tmp_path])
    assert told.reason.startswith("holds 4 files of other kinds")
    assert "2 videos and 1 archive among them can be made images by viceversa prepare" in told.reason
    (tmp_path / "a.mp4").unlink()
    (tmp_path / "b.MOV").unlink()
    (tmp_path / "c.zip").unlink()
    assert "prepare" not in passed_over([tmp_path])[0].reason
