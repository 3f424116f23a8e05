"""The doctor as a whole: planted faults are found, clean images are left in peace, mistakes become sentences."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from viceversa.cli import main
from viceversa.data import formats
from viceversa.data.avatars import write_dataset
from viceversa.data.picture import Picture
from viceversa.errors import ConfigError, DataError
from viceversa.preparation.doctor import examine, to_html, to_json, to_text

from .doctoring import scene

pytest.importorskip("imagehash", reason="needs the extra prepare")

COUNT, TEST = 50, 4
HOSTILE = "<img src=x onerror=alert(1)>{{style}}.png"


@pytest.fixture(scope="session")
def avatars(tmp_path_factory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("avatars") / "clean", count=COUNT, test=TEST, size_px=48)


@pytest.fixture(scope="module")
def ill(avatars, tmp_path_factory) -> Path:
    """The avatars with something of everything."""
    root = tmp_path_factory.mktemp("ill") / "ill"
    shutil.copytree(avatars, root)
    a, b, test = root / "trainA", root / "trainB", root / "testA"
    for number in range(33):
        file = b / f"{number:05}.png"
        with Image.open(file) as picture:
            ImageEnhance.Brightness(picture).enhance(0.3).save(file)
    for number in range(4):
        shutil.copy(a / f"{number:05}.png", a / f"copy{number}.png")
    with Image.open(a / "00010.png") as picture:
        picture.resize((64, 64)).save(a / "again.png")
    for number in (20, 21):
        with Image.open(a / f"{number:05}.png") as picture:
            picture.resize((80, 80)).save(test / f"leak{number}.png")
    shutil.copy(a / "00030.png", b / "from_a.png")
    for number in (40, 41, 42):
        framed = Image.new("RGB", (48, 48))
        with Image.open(a / f"{number:05}.png") as picture:
            framed.paste(picture.resize((48, 34)), (0, 7))
        framed.save(a / f"{number:05}.png")
    (a / HOSTILE).write_bytes(b"")
    (b / "cut.png").write_bytes((b / "00045.png").read_bytes()[:500])
    return root


@pytest.fixture(scope="module")
def diagnosis(ill):
    return examine(ill)


@pytest.fixture
def say(capfd):
    def call(*arguments: object) -> tuple[int, str, str]:
        code = main(["inspect", *map(str, arguments)])
        out, err = capfd.readouterr()
        assert "Traceback" not in err
        return code, out, err

    return call


def test_clean_avatars_give_no_findings(avatars, say, tmp_path):
    code, out, err = say(avatars, "--strict")
    assert (code, err) == (0, "")
    assert out.splitlines()[-1] == "Nothing stands out."
    assert "two domains without pairs" in out
    assert re.search(rf"images to train on +{COUNT} +{COUNT}", out)
    code, out, _ = say("--a", avatars / "trainA", "--b", avatars / "trainB")
    assert out.splitlines()[-1] == "Nothing stands out."
    assert "trainA" in out.splitlines()[2], "the folders' names"


def test_clean_photographs_and_their_drawings_give_no_findings(tmp_path):
    root = write_dataset(tmp_path / "style", domains=("photo", "anime"), count=COUNT, test=2, size_px=48)
    assert [str(finding) for finding in examine(root).findings if finding.severity != "note"] == []


def test_planted_faults_are_found_and_nothing_else(diagnosis):
    found = {finding.code: finding for finding in diagnosis.findings}
    assert set(found) >= {"leak", "both", "broken", "copies", "near-copies", "borders", "dark"}
    assert set(found) <= {
        "leak",
        "both",
        "broken",
        "copies",
        "near-copies",
        "borders",
        "dark",
        "contrast",
        "saturation",
    }
    assert found["leak"].what == f"2 of {TEST + 2} images of A for testing are among those for training too"
    assert found["leak"].examples == ("testA/leak20.png = trainA/00020.png", "testA/leak21.png = trainA/00021.png")
    assert found["both"].examples == ("trainA/00030.png = trainB/from_a.png",)
    assert found["broken"].what == f"2 of {2 * (COUNT + TEST) + 10} files cannot be read"
    assert found["copies"].what == "4 images are copies of others, byte for byte"
    assert found["near-copies"].what == "1 image is a copy of another, but for size, encoding or brightness"
    assert found["borders"].examples == tuple(f"trainA/0004{number}.png" for number in range(3))
    assert found["dark"].what == "65 % of the images of B are dark, 0 % of those of A"
    assert diagnosis.findings[0].severity == "problem", "the worst first"


def test_exit_codes_and_text(ill, say):
    code, out, err = say(ill)
    assert (code, err) == (0, "")
    assert "PROBLEM  2 of 6 images of A for testing" in out
    assert re.search(r"2 problems, 5 warnings", out)
    assert say(ill, "--strict")[0] == 1


def test_json_is_strict_and_complete(diagnosis, ill, say, tmp_path):
    (tmp_path / "found.json").write_text("mine")
    assert say(ill, "--json", tmp_path / "found.json")[0] == 2
    assert say(ill, "--json", tmp_path / "found.json", "--overwrite")[0] == 0
    assert say(ill, "--json", tmp_path / "found.json")[0] == 0, "its own is renewed"
    text = (tmp_path / "found.json").read_text()
    assert text == to_json(diagnosis)
    found = json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    assert [one["code"] for one in found["findings"]] == [finding.code for finding in diagnosis.findings]
    assert len(found["pictures"]) == 2 * (COUNT + TEST) + 8
    assert {one["name"] for one in found["broken"]} == {f"trainA/{HOSTILE}", "trainB/cut.png"}
    assert {"exact": True, "names": ["trainA/00000.png", "trainA/copy0.png"]} in found["copies"]
    assert found["domains"]["B"]["dark_share"] == pytest.approx(33 / 51)
    assert list(tmp_path.iterdir()) == [tmp_path / "found.json"], "nothing else is left there"


def test_page_is_whole_by_itself(diagnosis):
    html = to_html(diagnosis)
    assert "<script" not in html
    assert "<img src=x" not in html
    assert "&lt;img src=x onerror=alert(1)&gt;{{style}}.png" in html, "names are neither run nor filled in"
    assert re.findall(r'(?:src|href)="(?!data:)([^"]*)"', html) == []
    for title in ("Samples", "In training and in testing", "In both domains", "The same image several times",
                  "Distributions", "Numbers", "The mean image", "The darkest", "The least usual"):  # fmt: skip
        assert f"<h2>{title}</h2>" in html
    leaks = html.split("<h2>In training and in testing</h2>")[1].split("<section>")[0]
    assert leaks.count("<img") == 4
    assert all(finding.what in html.replace("&quot;", '"') for finding in diagnosis.findings)


def test_names_of_folders_are_not_run(ill, tmp_path):
    for name, folder in ("<i>a", "trainA"), ("<i>b", "trainB"):
        shutil.copytree(ill / folder, tmp_path / name)
    html = to_html(examine(a=tmp_path / "<i>a", b=tmp_path / "<i>b"))
    assert "<i>" not in html
    assert re.search(r"\d+ % of the images of &lt;i&gt;b are dark", html)


def test_page_can_be_made_when_pictures_have_gone(avatars, tmp_path):
    shutil.copytree(avatars, tmp_path / "gone")
    diagnosis = examine(tmp_path / "gone")
    shutil.rmtree(tmp_path / "gone")
    assert "<h2>Samples</h2>" in to_html(diagnosis)


def test_progress_counts_every_picture(avatars):
    seen: list[tuple[int, int]] = []
    examine(avatars / "trainA", progress=lambda done, total: seen.append((done, total)))
    assert seen == [(done, COUNT) for done in range(1, COUNT + 1)]


def test_one_heap(avatars):
    diagnosis = examine(avatars / "trainA")
    assert (diagnosis.inspected.kind, diagnosis.findings) == ("single", ())
    assert to_text(diagnosis).splitlines()[0].endswith("one domain")
    assert "<h2>Samples</h2>" in to_html(diagnosis)


def test_training_and_test_folders_of_one_heap(tmp_path):
    for name, seeds in ("train", range(60)), ("test", range(59, 63)):
        (tmp_path / name).mkdir()
        for seed in seeds:
            scene(seed).save(tmp_path / name / f"{seed}.png")
    (found,) = examine(tmp_path).findings
    assert found.code == "leak"
    assert found.examples == ("test/59.png = train/59.png",)


def test_twelve_bits_in_sixteen_are_nearly_black(tmp_path):
    for side, factor in ("a", 16), ("b", 257):
        for seed in range(60):
            pixels = np.asarray(scene(seed + 100 * factor).convert("RGB")).astype(np.uint16) * factor
            (tmp_path / side).mkdir(exist_ok=True)
            formats.save(Picture(pixels=pixels), tmp_path / side / f"{seed}.png")
    (found,) = (one for one in examine(a=tmp_path / "a", b=tmp_path / "b").findings if one.code == "black")
    assert found.what.startswith("Half of the images of a have ")
    assert "12 bits in 16" in found.remedy


def test_bad_input_becomes_a_sentence(avatars, say, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "half" / "trainA").mkdir(parents=True)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "one.png").write_bytes(b"nothing")
    (tmp_path / "mine.txt").write_text("mine")
    for arguments, words in (
        ([tmp_path / "empty"], "empty/ holds no images"),
        ([tmp_path / "half"], "half/ holds trainA/ but no trainB/. Add it"),
        ([tmp_path / "broken"], "None of the 1 images of .* can be read; one.png: "),
        (
            ["--a", avatars / "trainA", "--b", tmp_path / "broken"],
            "None of the 1 images of broken can be read; .*one.png",
        ),
        (
            ["--a", tmp_path / "broken", "--b", avatars / "trainA"],
            "None of the 1 images of broken can be read; .*one.png",
        ),
        ([tmp_path / "nothing"], "nothing does not exist. Name a folder of images"),
        ([], "No images were given"),
        ([avatars, "--a", avatars], "Name either one data set or two folders"),
        (["--a", avatars], "--a was given without --b"),
        (["--a", avatars / "trainA", "--b", avatars / "trainA"], "are the same folder"),
        (["--a", avatars / "trainA", "--b", avatars / "trainB", "--kind", "single"], "--kind single is for one folder"),
        ([avatars, "--html", tmp_path / "mine.txt" / "page.html"], "mine.txt is no folder that may be written to"),
        ([avatars, "--html", tmp_path / "mine.txt"], "there already and was not written by viceversa inspect"),
        ([avatars, "--json", tmp_path / "mine.txt"], "there already and was not written by viceversa inspect"),
        ([avatars, "--json", tmp_path], "cannot be written: it is a folder"),
    ):
        code, out, err = say(*arguments)
        assert (code, out) == (2, ""), arguments
        assert re.search(words, err), err
        assert len(err.splitlines()) == 1
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_a_single_picture_is_a_problem_not_a_crash(tmp_path, say):
    scene(1).save(tmp_path / "one.png")
    code, out, error = say(tmp_path, "--html", tmp_path / "page.html")
    assert code == 2
    assert "There is only one image of" in error
    assert "training takes two or more." in error
    said = " ".join(out.split())
    assert "PROBLEM There is only 1 image to train on: training takes two or more." in said
    assert (tmp_path / "page.html").stat().st_size > 5000


def test_layouts_of_another_kind_are_refused(tmp_path):
    scene(1).save(tmp_path / "one.png")
    with pytest.raises(DataError, match="holds neither trainA/ nor trainB/"):
        examine(tmp_path, kind="unpaired")
    with pytest.raises(ConfigError, match="--kind must be"):
        examine(tmp_path, kind="something")
