import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from viceversa.data import images
from viceversa.errors import ConfigError, DataError
from viceversa.inference import jobs
from viceversa.inference.files import Summary, translate_files
from viceversa.inference.translator import Translator


def draw(path: Path, seed: int = 0, height: int = 12, width: int = 18) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    images.save(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8), path)
    return path


def tree(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_folder_keeps_names_and_sub_folders(tmp_path: Path, both_ways: Translator) -> None:
    for index, name in enumerate(("1.jpg", "sub/2.png", "sub/deep/IMG 3.JPG", "sub/4.bmp", "5.gif")):
        draw(tmp_path / "in" / name, index)
    (tmp_path / "in" / "notes.txt").write_text("no image")
    draw(tmp_path / "in" / ".hidden" / "6.png")
    (tmp_path / "in" / "._1.jpg").write_bytes(b"what some systems leave beside a picture")
    summary = translate_files(both_ways, [tmp_path / "in"], tmp_path / "out", progress=False)
    expected = ["1.jpg", "5.gif", "sub/2.png", "sub/4.bmp", "sub/deep/IMG 3.JPG"]
    assert tree(tmp_path / "out") == expected
    assert (len(summary.done), summary.skipped, summary.failed, summary.exit_code) == (5, [], [], 0)
    assert str(summary) == "5 translated\n1 file of another kind passed over: .txt"
    written = images.read(tmp_path / "out" / "sub" / "2.png")
    assert np.array_equal(written, both_ways(images.read(tmp_path / "in" / "sub" / "2.png"), to="b"))
    with Image.open(tmp_path / "out" / "1.jpg") as opened:
        assert (opened.format, opened.size) == ("JPEG", (18, 12))


def test_files_of_other_kinds_in_folders_are_told_in_one_line(tmp_path: Path, both_ways: Translator) -> None:
    draw(tmp_path / "in" / "1.png")
    draw(tmp_path / "second" / "2.png")
    for name in ("in/logo.svg", "in/MANIFEST.tsv", "in/deep/more.SVG", "second/README", "in/.hidden", "in/.git/HEAD"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    inputs = [tmp_path / "in", tmp_path / "in" / "deep", tmp_path / "second"]
    summary = translate_files(both_ways, inputs, tmp_path / "in" / "out", progress=False)
    told = "2 translated\n4 files of other kinds passed over: .svg, .tsv, without suffix"
    assert (str(summary), summary.exit_code) == (told, 0)
    (tmp_path / "in" / "out" / "notes.txt").write_text("in the folder of results, which is no input")
    again = translate_files(both_ways, tmp_path / "in", tmp_path / "in" / "out", progress=False)
    assert str(again).endswith("\n3 files of other kinds passed over: .svg, .tsv")
    (tmp_path / "second" / "a b.xyz").write_text("x")
    (tmp_path / "second" / "README").unlink()
    single = translate_files(both_ways, tmp_path / "second", tmp_path / "other", progress=False)
    assert str(single) == "1 translated\n1 file of another kind passed over: .xyz"


def test_links_are_followed_as_in_training_and_what_cannot_be_reached_is_told(
    tmp_path: Path, both_ways: Translator
) -> None:
    draw(tmp_path / "in" / "1.png")
    draw(tmp_path / "elsewhere" / "2.png")
    try:
        (tmp_path / "in" / "linked").symlink_to(tmp_path / "elsewhere")
        (tmp_path / "in" / "again").symlink_to(tmp_path / "in")
        (tmp_path / "in" / "gone.png").symlink_to(tmp_path / "nowhere.png")
        (tmp_path / "in" / "gone.md").symlink_to(tmp_path / "nowhere.md")
    except OSError:
        pytest.skip("no links can be made here")
    (tmp_path / "in" / "shut").mkdir(mode=0)
    shut = not os.access(tmp_path / "in" / "shut", os.R_OK)  # root may read it
    summary = translate_files(both_ways, tmp_path / "in", tmp_path / "in" / "out", progress=False)
    assert tree(tmp_path / "in" / "out") == ["1.png", "linked/2.png"]
    failed = {tmp_path / "in" / "gone.png": "the link leads nowhere."}
    failed |= {tmp_path / "in" / "shut": "the folder cannot be read."} if shut else {}
    assert (dict(summary.failed), summary.exit_code) == (failed, 1)
    assert str(summary).endswith("1 file of another kind passed over: .md")


def test_one_file_to_one_file_either_way(tmp_path: Path, both_ways: Translator) -> None:
    source = draw(tmp_path / "x.png")
    translate_files(both_ways, source, tmp_path / "new" / "y.png", to="women", progress=False)
    assert np.array_equal(images.read(tmp_path / "new" / "y.png"), both_ways(images.read(source), to="a"))
    translate_files(both_ways, [str(source)], tmp_path / "folder", progress=False)
    assert tree(tmp_path / "folder") == ["x.png"]


def test_globs_that_the_shell_did_not_expand(tmp_path: Path, both_ways: Translator) -> None:
    for name in ("1.png", "2.png", "3.jpg", "[1].png"):
        draw(tmp_path / "in" / name)
    translate_files(both_ways, [str(tmp_path / "in" / "*.png")], tmp_path / "some", progress=False)
    assert tree(tmp_path / "some") == ["1.png", "2.png", "[1].png"]
    translate_files(both_ways, [str(tmp_path / "in" / "[1].png")], tmp_path / "one", progress=False)
    assert tree(tmp_path / "one") == ["[1].png"], "a file of that very name comes first"


def test_nothing_is_overwritten_unless_told(tmp_path: Path, both_ways: Translator) -> None:
    draw(tmp_path / "in" / "1.png")
    draw(tmp_path / "in" / "2.png")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "1.png").write_bytes(b"mine")
    summary = translate_files(both_ways, [tmp_path / "in"], tmp_path / "out", progress=False)
    assert (tmp_path / "out" / "1.png").read_bytes() == b"mine"
    assert str(summary) == "1 translated, 1 skipped (exists; --overwrite replaces)"
    assert summary.exit_code == 0
    summary = translate_files(both_ways, [tmp_path / "in"], tmp_path / "out", overwrite=True, progress=False)
    assert str(summary) == "2 translated"
    assert images.read(tmp_path / "out" / "1.png").shape == (12, 18, 3)


def test_a_broken_picture_does_not_stop_the_rest(tmp_path: Path, both_ways: Translator) -> None:
    good = draw(tmp_path / "in" / "1.jpg", height=64, width=64)
    draw(tmp_path / "in" / "3.png")
    (tmp_path / "in" / "2.jpg").write_bytes(good.read_bytes()[:-2000])
    (tmp_path / "in" / "0.png").touch()
    summary = translate_files(both_ways, [tmp_path / "in", tmp_path / "gone.png"], tmp_path / "out", progress=False)
    assert tree(tmp_path / "out") == ["1.jpg", "3.png"]
    assert summary.exit_code == 1
    lines = str(summary).splitlines()
    assert lines[0] == "2 translated, 3 failed: "
    assert [line.split(": ")[0].strip() for line in lines[1:]] == [
        str(tmp_path / name) for name in ("gone.png", "in/0.png", "in/2.jpg")
    ]
    assert "the file is empty" in lines[2]
    assert lines[3].count("2.jpg") == 1


def test_what_a_device_cannot_do_ends_one_file_and_not_all(tmp_path: Path, resnet: Any) -> None:
    network = resnet()
    network.register_forward_pre_hook(lambda _, x: refuse(x[0].shape[-1] > 20))

    def refuse(wide: bool) -> None:
        if wide:
            raise TypeError("Cannot convert a MPS Tensor to float64 dtype")

    draw(tmp_path / "in" / "1.png", width=24)
    draw(tmp_path / "in" / "2.png")
    translator = Translator({"a2b": network}, domains={"a": "women", "b": "men"}, size_px=64)
    summary = translate_files(translator, [tmp_path / "in"], tmp_path / "out", progress=False)
    assert tree(tmp_path / "out") == ["2.png"]
    assert summary.exit_code == 1
    said = "translating it failed (TypeError: Cannot convert a MPS Tensor to float64 dtype)."
    assert summary.failed == [(tmp_path / "in" / "1.png", said)]


def test_exit_codes(tmp_path: Path, both_ways: Translator) -> None:
    (tmp_path / "0.png").touch()
    summary = translate_files(both_ways, [tmp_path / "0.png"], tmp_path / "out", progress=False)
    assert summary.exit_code == 2
    assert str(summary).startswith(f"0 translated, 1 failed: {tmp_path}/0.png: the file is empty")
    assert Summary().exit_code == 0


def test_inputs_are_never_replaced(tmp_path: Path, both_ways: Translator) -> None:
    draw(tmp_path / "in" / "1.png")
    gif = draw(tmp_path / "in" / "sub" / "1.gif")
    before = {name: (tmp_path / "in" / name).read_bytes() for name in tree(tmp_path / "in")}
    (tmp_path / "link").symlink_to(tmp_path / "in", target_is_directory=True)
    for inputs, out in (
        ([tmp_path / "in"], tmp_path / "in"),
        ([tmp_path / "in"], tmp_path / "link"),
        ([tmp_path / "in" / "1.png"], tmp_path / "in" / "1.png"),
        ([gif, tmp_path / "in" / "1.png"], tmp_path / "in"),
    ):
        with pytest.raises(ConfigError, match="would replace an input"):
            translate_files(both_ways, inputs, out, overwrite=True, progress=False)
    assert {name: (tmp_path / "in" / name).read_bytes() for name in tree(tmp_path / "in")} == before


def test_results_within_the_input_folder_are_not_translated_again(tmp_path: Path, both_ways: Translator) -> None:
    draw(tmp_path / "in" / "1.png")
    for _ in range(2):
        summary = translate_files(both_ways, [tmp_path / "in"], tmp_path / "in" / "out", progress=False)
    assert tree(tmp_path / "in") == ["1.png", "out/1.png"]
    assert (len(summary.done), len(summary.skipped)) == (0, 1)


def test_two_pictures_of_one_name(tmp_path: Path, both_ways: Translator) -> None:
    for name in ("a.jpg", "a.png", "b.jpg"):
        draw(tmp_path / "in" / name)
    translate_files(both_ways, [tmp_path / "in"], tmp_path / "out", suffix="PNG", progress=False)
    assert tree(tmp_path / "out") == ["a.jpg.png", "a.png", "b.png"]
    draw(tmp_path / "other" / "b.jpg")
    with pytest.raises(ConfigError, match=r"in/b.jpg and .*other/b.jpg would both become b.jpg"):
        translate_files(both_ways, [tmp_path / "in", tmp_path / "other"], tmp_path / "third", progress=False)
    assert not (tmp_path / "third").exists()
    twice = [tmp_path / "in", tmp_path / "in" / "a.jpg"]
    assert len(translate_files(both_ways, twice, tmp_path / "fourth", progress=False).done) == 3


def test_two_pictures_whose_names_are_one_on_some_file_systems(
    tmp_path: Path, both_ways: Translator, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw(tmp_path / "in" / "a.png")
    draw(tmp_path / "other" / "A.png", seed=1)
    draw(tmp_path / "other" / "A.BMP", seed=2)
    inputs = [tmp_path / "in", tmp_path / "other"]
    is_one = (tmp_path / "OTHER").exists()
    assert jobs._ignores_case(tmp_path / "not" / "there") == is_one
    if not is_one:
        assert len(translate_files(both_ways, inputs, tmp_path / "apart", progress=False).done) == 3
    monkeypatch.setattr(jobs, "_ignores_case", lambda out: True)
    with pytest.raises(ConfigError, match=r"in/a.png and .*other/A.png would both become A.png"):
        translate_files(both_ways, inputs, tmp_path / "one", progress=False)
    assert not (tmp_path / "one").exists()
    (tmp_path / "other" / "A.png").unlink()
    translate_files(both_ways, inputs, tmp_path / "two", suffix="png", progress=False)
    assert tree(tmp_path / "two") == ["A.BMP.png", "a.png"]


def test_what_cannot_be_asked_for(tmp_path: Path, both_ways: Translator) -> None:
    source = draw(tmp_path / "in" / "1.png")
    draw(tmp_path / "in" / "2.png")
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    cases = [
        ({"inputs": [tmp_path / "in"], "out": tmp_path / "x.png"}, ConfigError, "several to translate"),
        ({"inputs": [source], "out": tmp_path / "file"}, ConfigError, "is a file and no folder"),
        ({"inputs": [source], "out": tmp_path / "o", "suffix": "xyz"}, ConfigError, "'xyz' is no kind"),
        ({"inputs": [source], "out": tmp_path / "n.xyz"}, ConfigError, r"\.xyz is no kind .*\.png .*make it first"),
        ({"inputs": [source], "out": tmp_path / "o", "tile": 7}, ConfigError, "at least 64 px"),
        ({"inputs": [source], "out": tmp_path / "o", "max_pixels": 0}, ConfigError, "--max-pixels must be at least 1"),
        ({"inputs": [source], "out": tmp_path / "o", "to": "dogs"}, ConfigError, "does not lead to 'dogs'"),
        ({"inputs": [source], "out": tmp_path / "o", "noise": True}, ConfigError, "no noise"),
        ({"inputs": [tmp_path / "empty"], "out": tmp_path / "o"}, DataError, "nothing to translate"),
        ({"inputs": [tmp_path / "gone"], "out": tmp_path / "o"}, DataError, "gone: there is no such file"),
        ({"inputs": ["*.nothing"], "out": tmp_path / "o"}, DataError, "no such file"),
        ({"inputs": [], "out": tmp_path / "o"}, DataError, "nothing to translate"),
    ]
    for arguments, error, words in cases:
        with pytest.raises(error, match=words):
            translate_files(both_ways, progress=False, **arguments)
    assert not (tmp_path / "o").exists()


def test_a_format_that_cannot_hold_the_picture(tmp_path: Path, both_ways: Translator) -> None:
    draw(tmp_path / "long.png", height=1, width=17000)
    summary = translate_files(both_ways, tmp_path / "long.png", tmp_path / "out", suffix="webp", progress=False)
    assert "cannot be written as .webp" in str(summary)
    assert tree(tmp_path / "out") == []


def test_a_place_that_cannot_be_written(tmp_path: Path, both_ways: Translator) -> None:
    draw(tmp_path / "in" / "sub" / "1.png")
    draw(tmp_path / "in" / "2.png")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "sub").write_text("a file where a folder should be")
    summary = translate_files(both_ways, [tmp_path / "in"], tmp_path / "out", progress=False)
    assert tree(tmp_path / "out") == ["2.png", "sub"]
    assert "cannot be written" in str(summary)


def test_names_that_are_not_utf8(tmp_path: Path, both_ways: Translator) -> None:
    (tmp_path / "in").mkdir()
    name = os.fsencode(tmp_path / "in") + b"/caf\xe9.png"
    try:
        Path(os.fsdecode(name)).touch()
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    summary = translate_files(both_ways, [tmp_path / "in"], tmp_path / "out", progress=False)
    assert "caf\ufffd.png: the file is empty" in str(summary)
    str(summary).encode()


def test_progress_goes_to_the_error_stream(
    tmp_path: Path, both_ways: Translator, capsys: pytest.CaptureFixture[str]
) -> None:
    draw(tmp_path / "1.png")
    translate_files(both_ways, [tmp_path / "1.png"], tmp_path / "out")
    out, err = capsys.readouterr()
    assert out == ""
    assert "1/1" in err


FULL_DISK = """
import sys
from viceversa.errors import DataError
from viceversa.inference.files import translate_files
from viceversa.inference.translator import load
try:
    translate_files(load(sys.argv[1], device="cpu"), [sys.argv[2]], sys.argv[3], progress=False)
except DataError as error:
    print(error)
"""


def test_a_full_disk_ends_in_one_sentence(tmp_path: Path, folder: Path) -> None:
    """On a real file system of 64 kB, mounted in a namespace of its own."""
    for index in range(4):
        draw(tmp_path / "in" / f"{index}.png", index, 100, 100)
    (tmp_path / "disk").mkdir()
    mount = 'mount -t tmpfs -o size=64k tmpfs "$1"'
    inside = f'{mount} && "$2" -c "$3" "$4" "$5" "$1"/out && ls -a "$1"/out'
    python = [str(tmp_path / "disk"), sys.executable, FULL_DISK, str(folder), str(tmp_path / "in")]
    apart = ["unshare", "--user", "--map-root-user", "--mount"]
    if not shutil.which("unshare") or subprocess.run([*apart, "sh", "-c", mount, "sh", python[0]]).returncode:
        pytest.skip("this system lends no mount namespace to make a small disk in")
    done = subprocess.run([*apart, "sh", "-c", inside, "sh", *python], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    sentence, *names = done.stdout.splitlines()
    assert sentence.startswith("The disk is full: ")
    done_before = int(sentence.partition("could not be written (")[2][0])
    assert 0 < done_before < 4
    assert names == [".", "..", *(f"{index}.png" for index in range(done_before))], "no half-written file is left"


@pytest.fixture
def masked(tmp_path: Path) -> Path:
    """A folder of images and one of their masks: the left half is black, the right half white."""
    for index, name in enumerate(("1.png", "sub/2.jpg")):
        image = draw(tmp_path / "in" / name, index)
        mask = np.zeros((12, 18, 3), np.uint8)
        mask[:, 9:] = 255
        place = (tmp_path / "masks" / name).with_suffix(".png")
        place.parent.mkdir(parents=True, exist_ok=True)
        images.save(mask, place)
        assert image.is_file()
    return tmp_path / "masks"


def test_only_what_the_mask_shows_is_translated(tmp_path: Path, both_ways: Translator, masked: Path) -> None:
    summary = translate_files(both_ways, tmp_path / "in", tmp_path / "out", mask=masked, suffix=".png", progress=False)
    assert (summary.exit_code, tree(tmp_path / "out")) == (0, ["1.png", "sub/2.png"])
    for name in ("1.png", "sub/2.jpg"):
        source = images.read(tmp_path / "in" / name)
        made = images.read((tmp_path / "out" / name).with_suffix(".png"))
        assert np.array_equal(made[:, :9], source[:, :9])
        assert np.array_equal(made[:, 9:], both_ways(source, to="b")[:, 9:])


def test_one_mask_of_another_size_is_for_all(tmp_path: Path, both_ways: Translator, masked: Path) -> None:
    small = np.zeros((6, 9, 3), np.uint8)
    small[:3] = 255
    images.save(small, tmp_path / "mask.png")
    translate_files(both_ways, tmp_path / "in", tmp_path / "out", mask=tmp_path / "mask.png", progress=False)
    source, made = images.read(tmp_path / "in" / "1.png"), images.read(tmp_path / "out" / "1.png")
    assert np.array_equal(made[6:], source[6:])
    assert np.array_equal(made[:6], both_ways(source, to="b")[:6])


def test_the_alpha_channel_as_mask(tmp_path: Path, both_ways: Translator) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (12, 18, 4), dtype=np.uint8)
    pixels[..., 3] = 255
    pixels[:, :9, 3] = 0
    (tmp_path / "in").mkdir()
    Image.fromarray(pixels).save(tmp_path / "in" / "1.png")
    summary = translate_files(both_ways, tmp_path / "in", tmp_path / "out", mask="alpha", progress=False)
    assert summary.exit_code == 0
    with Image.open(tmp_path / "out" / "1.png") as opened:
        made = np.asarray(opened)
    assert np.array_equal(made[:, :9], pixels[:, :9])
    assert not np.array_equal(made[:, 9:, :3], pixels[:, 9:, :3])


def test_what_has_no_mask_is_told_and_the_rest_translated(tmp_path: Path, both_ways: Translator, masked: Path) -> None:
    (masked / "sub" / "2.png").unlink()
    summary = translate_files(both_ways, tmp_path / "in", tmp_path / "out", mask=masked, progress=False)
    assert (summary.exit_code, tree(tmp_path / "out")) == (1, ["1.png"])
    ((_, said),) = summary.failed
    assert said == f"it has no mask in {masked}/; name the mask 2.png."
    with pytest.raises(ConfigError, match=r"--mask .*nowhere: there is no such file or folder; name masks, or alpha"):
        translate_files(both_ways, tmp_path / "in", tmp_path / "out", mask=tmp_path / "nowhere", progress=False)


def test_masks_are_for_images(tmp_path: Path, both_ways: Translator, masked: Path) -> None:
    frames = [Image.fromarray(np.full((12, 18, 3), shade, np.uint8)) for shade in (0, 200)]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    (tmp_path / "film.mp4").write_bytes(b"")
    inputs = [tmp_path / "moving.gif", tmp_path / "film.mp4"]
    summary = translate_files(both_ways, inputs, tmp_path / "out", mask=masked, progress=False)
    assert summary.exit_code == 2
    assert sorted(said for _, said in summary.failed) == [
        "it has several frames, and --mask is for images of one.", "it is a video, and --mask is for images.",
    ]  # fmt: skip
