"""The command line: help, mistakes, exit codes, and the commands themselves on small things."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from viceversa import methods
from viceversa.cli import COMMANDS, main
from viceversa.data.sources import PictureData
from viceversa.networks import DISCRIMINATORS, GENERATORS

HELP = {
    "demo": ["--minutes", "--out", "built-in portraits", "how long to train"],
    "inspect": ["ROOT", "--a", "--html FILE", "--json FILE", "--strict", "what will go wrong"],
    "train": ["METHOD", "--a FOLDER", "--data ROOT", "cyclegan", "pix2pix", "give the same command again"],
    "prepare": ["SOURCE...", "--out ROOT", "--crop", "--pair-with", "--per-scene", "only read", "black bars"],
    "translate": ["MODEL", "INPUT...", "--out", "--to", "--overwrite", "--noise", "names, sub-folders"],
    "sample": ["MODEL", "--out", "--class", "--traverse", "--interpolate", "a row a class", "same command goes on"],
    "evaluate": ["MODEL", "--data ROOT", "--inception FILE", "--resamples", "--out FILE.json", "held-out images"],
    "compare": ["RUN...", "--out FILE.html", "--data ROOT", "--pictures", "measured alike", "NAME=RUN"],
    "export": ["MODEL", "--out FILE.onnx", "--dtype", "--calibrate FOLDER", "images of any size"],
    "serve": ["MODEL...", "--host", "--port", "--queue", "--max-pixels", "--api-key-file", "a web page", "NAME=PATH"],
    "push": ["MODEL", "REPO", "--license", "--sample", "--private", "Images of the training data are never sent"],
    "import": ["FILE", "--back", "latest_net_G_A.pth", "recognised from its keys"],
    "cache": ["--clear", "--unused-days", "--cache FOLDER", "decoded again when it is needed"],
    "methods": ["kind of data"],
}


@pytest.fixture
def say(capfd, monkeypatch):
    """Runs a command; returns exit code, stdout and stderr."""
    monkeypatch.setenv("COLUMNS", "120")

    def call(*arguments: object) -> tuple[int, str, str]:
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as stop:  # tyro's way of saying that help was shown, or that a flag was wrong
            code = stop.code
        out, err = capfd.readouterr()
        assert "Traceback" not in out + err
        return code, out, err

    return call


def text(shown: str) -> str:
    """Help without its frames and line breaks."""
    return " ".join("".join(c for c in shown if c not in "│─╭╮╰╯").split())


def test_help_lists_every_command(say):
    code, out, err = say("--help")
    assert (code, err) == (0, "")
    for name, about in COMMANDS.items():
        assert f"  {name} " in out
        assert about.rstrip(".") in out


def test_nothing_to_do_shows_the_help_and_fails(say):
    assert say()[:2] == (2, say("--help")[1])


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(say, name):
    code, out, err = say(name, "--help")
    assert (code, err) == (0, "")
    for words in HELP[name]:
        assert words.lower() in text(out).lower()
    assert f"viceversa {name}" in out
    assert "None" not in out, "a word of programmers"


@pytest.mark.parametrize("name", methods.METHODS)
def test_every_method_has_help(say, name):
    code, out, _ = say("train", name, "--help")
    assert code == 0
    data = methods.find(name).Config().data
    translates = isinstance(data, PictureData)
    for flag in (
        "--a PATH" if hasattr(data, "a") else "--builtin",
        "--out RUN",
        "--size PX|HxW" if translates else "--size INT",
        "--load-size PX|HxW" if translates else "--load-size INT",
        "--images INT",
        "--learning-rate",
        "--width",
    ):
        assert flag in out
    assert methods.find(name).paper in text(out)
    assert "None" not in out
    assert "``" not in out
    assert "method.data" not in out
    assert "╭─ data options" in out


def test_version(say):
    code, out, _ = say("--version")
    assert code == 0
    assert out.startswith("viceversa 0.")


@pytest.mark.parametrize("columns", [72, 80, 120, 200])
def test_methods_are_listed_with_paper_and_data_as_wide_as_the_terminal(say, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    code, out, _ = say("methods")
    assert code == 0
    assert max(map(len, out.splitlines())) <= max(columns, 80)
    listed = out.split("Defaults:")[0]
    assert max(map(len, listed.splitlines())) <= columns
    entries = {entry.split()[0]: " ".join(entry.split()) for entry in re.split(r"\n  (?=\S)", f"\n{listed}")[1:]}
    assert {name: method.paper in entries[name] for name, method in methods.METHODS.items()} == dict.fromkeys(
        entries, True
    )
    assert "unpaired" in out
    assert ("\n" + 24 * " " in listed) == (columns < 200), "what fits stands in one line"


@pytest.mark.parametrize("command", [["methods"], ["train", "--help"], ["train", "cyclgan"], ["train", "--a", "women"]])
def test_what_most_people_want_is_named_first_then_the_family_as_it_grew(say, command):
    _, out, err = say(*command)
    found = dict.fromkeys(
        re.findall(r"(?<![\w-])(?:wgan-gp|(?:cycle|cartoon|c|dc|info|w)?gan|pix2pix|vgg)(?![\w-])", out + err)
    )
    wanted = ["cyclegan", "pix2pix", "cartoongan", "gan", "cgan", "dcgan", "infogan", "wgan", "wgan-gp", "vgg"]
    assert list(found) == wanted


def test_methods_are_listed_with_the_defaults_that_matter(say):
    _, out, _ = say("methods")
    table = out.split("Defaults:")[1].split("Recipes:")[0].splitlines()
    assert max(map(len, table)) <= 80
    rows = {line.split()[0]: line.split()[1:] for line in table if line.split()}
    assert set(rows) - {"objective"} == set(methods.METHODS)
    assert rows["cyclegan"] == ["lsgan", "resnet", "64", "256", "1", "0.0002", "200"]
    assert rows["wgan"][-2:] == ["5e-05", "25"]


def test_networks_are_listed_with_what_they_are(say):
    _, out, _ = say("methods")
    for registry in GENERATORS, DISCRIMINATORS:
        table = out.split(f"{registry.kind.capitalize()}s (--{registry.kind}):\n\n")[1].split("\n\n")[0]
        assert {name: bool(about) for name, about in re.findall(r"^  (\S+) +(\w*)", table, re.MULTILINE)} == (
            dict.fromkeys(registry, True)
        )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["trian"], ["no command 'trian'", "demo, prepare, inspect, train, translate", "Perhaps you meant train."]),
        (["xyz"], ["no command 'xyz'", "demo, prepare, inspect"]),
        (["--out"], ["no command '--out'"]),
        (["train", "cyclgan"], ["no method 'cyclgan'", "Perhaps you meant cyclegan."]),
        (["train", "stylegan3"], ["no method 'stylegan3'", "there are ", "cyclegan"]),
        (["train", "--a", "x"], ["Name the method first: viceversa train", "cyclegan"]),
        (["train", "cyclegan", "--out", "x", "--batch", "0"], ["--batch must be at least 1; got 0"]),
        (["translate", "nowhere", "x.jpg", "--out", "y"], ["There is no folder nowhere"]),
        (["translate", "nowhere", "--out", "y"], ["Name the images or folders to translate"]),
        (["import", "nowhere.pth", "--out", "y"], ["There is no file nowhere.pth"]),
        (["demo", "--minutes", "0"], ["--minutes must be above 0; got 0"]),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(say, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    code, out, err = say(*arguments)
    assert code == 2
    assert out == ""
    assert err.startswith("viceversa: ")
    assert err.count("\n") == 1
    for word in words:
        assert word in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "cyclegan", "--a", "x", "--b", "y"], ["--out RUN", "(required)"]),
        (["train", "cyclegan", "--out", "x", "--sise", "64"], ["--sise", "Perhaps you meant", "--size PX|HxW"]),
        (["train", "pix2pix", "--out", "x", "--lambda-l2", "1"], ["--lambda-l2", "--lambda-l1 FLOAT"]),
        (["train", "cyclegan", "--out", "x", "--size", "3x"], ["--size", "3x"]),
        (["train", "cyclegan", "--out", "x", "--objective", "wgangp"], ["wgangp", "wgan-gp"]),
        (["translate"], ["MODEL", "--out OUT"]),
        (["translate", "m", "p", "--out", "o", "--overwrit"], ["--overwrit", "--overwrite"]),
        (["import", "f.pth", "--out", "o", "--to", "c"], ["--to", "'a', 'b'"]),
        (["methods", "--all"], ["--all"]),
    ],
)
def test_a_wrong_flag_is_exit_code_2_and_a_hint(say, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    code, out, err = say(*arguments)
    assert (code, out) == (2, "")
    for word in words:
        assert word in text(err)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_one_sentence(say, pictures, tmp_path):
    out = Path("/proc/nowhere/run") if sys.platform == "linux" else tmp_path / "file" / "run"
    (tmp_path / "file").touch()
    flags = ["--size", "16", "--width", "4", "--blocks", "1", "--discriminator-layers", "2", "--device", "cpu"]
    code, _, err = say(
        "train", "cyclegan", "--a", pictures / "a", "--b", pictures / "b", "--cache", tmp_path, "--out", out, *flags
    )
    assert code == 2
    assert err.count("\n") == 1
    assert str(out.parent) in err


@pytest.fixture(scope="module")
def trained(tmp_path_factory, pictures) -> Path:
    """A tiny run, trained through the command line in a process of its own."""
    run = tmp_path_factory.mktemp("cli") / "run"
    flags = (
        "--size 16 --width 4 --blocks 1 --discriminator-width 4 --discriminator-layers 2 --images 6 --device cpu "
        "--precision 32-true --samples 2 --sample-pictures 1"
    )
    folders = ["--a", pictures / "a", "--b", pictures / "b", "--cache", run.parent / "cache", "--out", run]
    command = [sys.executable, "-m", "viceversa", "train", "cyclegan", *folders, *flags.split()]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    first, *_, last = done.stderr.splitlines()
    assert first.startswith("cyclegan on ")
    assert "32-true" in first
    assert last.startswith("finished at 6 images. Report: ")
    return run


def test_train_leaves_a_whole_run(trained):
    names = {path.name for path in trained.iterdir()}
    assert {"config.json", "metrics.jsonl", "timing.jsonl", "summary.json", "report.html", "samples"} <= names
    assert {"checkpoints", "translator"} <= names
    assert json.loads((trained / "config.json").read_text())["method"]["schedule"]["images"] == 6


def test_translate_keeps_names_and_sizes_and_does_not_overwrite(say, trained, tmp_path):
    for name, size in ("x.png", (21, 17)), ("sub/y.jpg", (16, 16)):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, "teal").save(tmp_path / "in" / name)
    command = ["translate", trained, tmp_path / "in", "--out", tmp_path / "out", "--device", "cpu"]
    code, _, err = say(*command)
    assert code == 0
    assert "2 translated" in err
    with Image.open(tmp_path / "out" / "x.png") as picture:
        assert picture.size == (21, 17)
    assert (tmp_path / "out" / "sub" / "y.jpg").exists()
    before = (tmp_path / "out" / "x.png").read_bytes()
    code, _, err = say(*command, "--to", "a")
    assert code == 0
    assert "2 skipped" in err
    assert (tmp_path / "out" / "x.png").read_bytes() == before
    code, _, err = say(*command, "--to", "a", "--overwrite")
    assert "2 translated" in err
    assert (tmp_path / "out" / "x.png").read_bytes() != before


def test_translate_done_in_part_is_exit_code_1(say, trained, tmp_path):
    Image.new("RGB", (16, 16)).save(tmp_path / "good.png")
    (tmp_path / "bad.jpg").write_text("text")
    command = ["translate", trained, tmp_path / "good.png", tmp_path / "bad.jpg", "--out", tmp_path / "out"]
    code, _, err = say(*command, "--device", "cpu")
    assert code == 1
    assert "1 translated" in err
    assert f"1 failed: {tmp_path / 'bad.jpg'}" in err
    code, _, err = say("translate", trained, tmp_path / "bad.jpg", "--out", tmp_path / "out", "--device", "cpu")
    assert code == 2


def test_translate_to_a_domain_that_there_is_not(say, trained, tmp_path):
    Image.new("RGB", (16, 16)).save(tmp_path / "x.png")
    code, _, err = say("translate", trained, tmp_path / "x.png", "--out", tmp_path / "out", "--to", "c")
    assert code == 2
    assert "does not lead to 'c'; it leads to b (b) or a (a)" in err
    assert not (tmp_path / "out").exists()


def test_translate_has_no_noise_without_dropout(say, trained, tmp_path):
    Image.new("RGB", (16, 16)).save(tmp_path / "x.png")
    code, _, err = say("translate", trained, tmp_path / "x.png", "--out", tmp_path / "out", "--noise")
    assert code == 2
    assert "no noise" in err


def test_import_recognises_published_weights_and_translates_as_they_do(say, shared_parity, tmp_path):
    file = shared_parity / "networks" / "unet_128_instance.pth"
    arrays = np.load(file.with_suffix(".npz"))
    model, side = tmp_path / "model", arrays["input"].shape[2]
    code, out, _ = say("import", file, "--out", model, "--a", "horses", "--b", "zebras")
    assert code == 0
    assert "UNetConfig" in out
    assert f"viceversa translate {model}" in out
    given = np.round((arrays["input"][0].transpose(1, 2, 0).clip(-1, 1) + 1) * 127.5).astype(np.uint8)
    Image.fromarray(given).save(tmp_path / "x.png")
    code, _, err = say("translate", model, tmp_path / "x.png", "--out", tmp_path / "y.png", "--to", "zebras")
    assert code == 0, err
    with Image.open(tmp_path / "y.png") as picture:
        assert picture.size == (side, side)
    code, _, err = say("import", file, "--out", model)
    assert (code, err.count("\n")) == (2, 1)
    assert "already holds a translator" in err


def test_import_takes_both_directions(say, shared_parity, tmp_path):
    there, back = (shared_parity / "cyclegan_lsgan" / f"initial_net_G_{side}.pth" for side in "AB")
    code, out, _ = say("import", there, "--back", back, "--out", tmp_path / "model")
    assert code == 0
    assert [line.split(":")[0] for line in out.splitlines()[:2]] == ["a2b", "b2a"]
    assert say("import", back, "--to", "a", "--out", tmp_path / "one")[1].startswith("b2a: ResNetConfig")


def test_import_of_something_else_is_refused(say, tmp_path):
    (tmp_path / "x.pth").write_text("no weights")
    code, _, err = say("import", tmp_path / "x.pth", "--out", tmp_path / "model")
    assert (code, err.count("\n")) == (2, 1)
    assert str(tmp_path / "x.pth") in err
    assert not (tmp_path / "model").exists()


def test_a_reader_that_has_gone_is_no_error(pictures):
    command = f"{sys.executable} -m viceversa methods | true"
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True)
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr
