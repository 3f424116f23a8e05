"""From sources to a data set: what is there afterwards, again, in parts, in parallel; and every kind of bad input."""

import hashlib
import io
import json
import os
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from viceversa.cli import main
from viceversa.data import folders, images
from viceversa.errors import ConfigError, DataError
from viceversa.preparation.config import PrepareConfig
from viceversa.preparation.prepare import prepare
from viceversa.preparation.summary import Summary

from .. import bombs

for _module in ("av", "cv2", "imagehash", "scenedetect"):
    pytest.importorskip(_module)


def run(sources, out, **settings) -> Summary:
    return prepare(sources, out, PrepareConfig(**{"size_px": 64, "workers": 1, **settings}), progress=False)


def tree(root: Path) -> dict[str, str]:
    files = (path for path in root.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def rows(root: Path, label: str = "A") -> list[dict]:
    return [json.loads(line) for line in (root / f"manifest-{label}.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def archive(tmp_path_factory, make_view) -> Path:
    """A zip of ten images: eight good ones of few names, a dark one, and a smaller copy of the first as JPEG."""
    path = tmp_path_factory.mktemp("archive") / "more pictures.zip"
    with zipfile.ZipFile(path, "w") as file:
        for number in range(10):
            picture = Image.fromarray(make_view(200 + number % 9, 100, 130) // (16 if number == 8 else 1))
            content = io.BytesIO()
            if number == 9:
                picture.resize((117, 90)).save(content, "JPEG", quality=80)
            else:
                picture.save(content, "PNG")
            file.writestr(f"{'abc'[number % 3]}/pic {number // 3} ü.png", content.getvalue())
    return path


@pytest.fixture(scope="module")
def sources(planted, archive) -> list[Path]:
    return [planted.path, archive]


@pytest.fixture(scope="module")
def whole(sources, tmp_path_factory) -> tuple[Path, Summary]:
    """A data set that was made without interruption."""
    root = tmp_path_factory.mktemp("whole") / "set"
    return root, run(sources, root, test_share=0.25)


def test_a_data_set_in_the_standard_layout(whole):
    root, summary = whole
    assert sorted(path.name for path in root.iterdir()) == [
        ".prepare", "contact-A.jpg", "manifest-A.jsonl", "testA", "trainA",
    ]  # fmt: skip
    shutil.copytree(root / "trainA", root.parent / "both" / "trainA")
    shutil.copytree(root / "testA", root.parent / "both" / "testA")
    for name in ("trainB", "testB"):
        shutil.copytree(root / "trainA", root.parent / "both" / name)
    a, _ = folders.unpaired(root.parent / "both", None, None)
    assert (len(a.train), len(a.test)) == (summary.train, summary.test)
    for item in (*a.train, *a.test):
        assert images.read(item.files[0]).shape == (64, 64, 3)
        assert item.name.isascii()
        assert " " not in item.name


def test_every_frame_is_accounted_for(whole, planted):
    _, summary = whole
    assert summary.frames == len(planted.labels) + 10
    assert summary.kept + sum(summary.dropped.values()) == summary.frames
    assert summary.scenes == 7
    assert summary.sources == 2
    assert summary.pictures == summary.kept == 24 + 8
    fades_and_dark = sum(label in ("fade", "dark") for label in planted.labels) + 1
    assert summary.dropped["fading"] + summary.dropped["dark"] == fades_and_dark
    assert (summary.dropped["blurred"], summary.dropped["text"]) == (6, 18)
    said = str(summary)
    assert "146 frames of 2 sources seen in 7 scenes: 32 kept, 114 dropped." in said
    assert "18 nothing but text" in said
    assert f"32 images made: {summary.train} for training, {summary.test} for testing." in said
    assert "contact-A.jpg" in said


def test_the_manifest_tells_where_each_picture_is_from(whole, planted, sources, film_writer):
    root, summary = whole
    found = rows(root)
    assert sorted(row["files"][0] for row in found) == sorted(
        f"{name}/{file}" for name in ("trainA", "testA") for file in os.listdir(root / name)
    )
    for row in found:
        assert row["source"] in map(str, sources)
        left, top, right, bottom = row["box"]
        picture = images.read(root / row["files"][0])
        if row["source"].endswith(".zip"):
            assert row["picture"].endswith(" ü.png")
            assert row["seconds"] is row["scene"] is None
            with zipfile.ZipFile(row["source"]) as file:
                original = np.asarray(Image.open(io.BytesIO(file.read(row["picture"]))))
            square = Image.fromarray(original[top:bottom, left:right]).resize((64, 64), Image.Resampling.BICUBIC)
            np.testing.assert_array_equal(np.asarray(square), picture)
            assert row["why"] == "a good image, unlike the others"
        else:
            assert row["seconds"] == pytest.approx(row["frame"] / 12, abs=1e-3)
            assert row["scene"] == planted.scenes[row["frame"]]
            assert planted.labels[row["frame"]] == "good"
            assert (top, bottom) == (26, 166)  # without the bars
            assert "sharp" in row["why"]
    assert len(found) == summary.pictures


def test_a_clip_of_one_scene_beside_photographs_is_inspected_and_trained_on(film_writer, make_view, tmp_path, capsys):
    """A domain of one scene has no test folder, where the other has one."""
    wide, root, photos = make_view(60, 120, 1200), tmp_path / "set", tmp_path / "photos"
    clip = film_writer(tmp_path / "clip.mp4", [wide[:, 40 * step : 40 * step + 160] for step in range(24)])
    photos.mkdir()
    for number in range(12):
        Image.fromarray(make_view(70 + number, 120, 160)).save(photos / f"{number}.png")
    run([photos], root, test_share=0.25)
    run([clip], root, test_share=0.25, domain="B", per_scene=12, duplicates=0)
    assert sorted(path.name for path in root.glob("t*")) == ["testA", "trainA", "trainB"]
    assert main(["inspect", str(root)]) in (0, 1), capsys.readouterr().err
    small = "--size 24 --width 4 --blocks 1 --discriminator-width 4 --batch 1 --images 4 --samples 1 --device cpu"
    train = ["train", "cyclegan", "--data", str(root), "--out", str(tmp_path / "run"), *small.split()]
    assert main([*train, "--cache", str(tmp_path / "cache")]) == 0, capsys.readouterr().err


@pytest.mark.parametrize("name", ["logo.svg", "x.rar", "x.7z", "notes"])
def test_what_is_taken_is_said_of_what_is_not(name, tmp_path, capsys):
    """In one line, without a bar that nothing came of."""
    svg = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="5" height="5"/></svg>'
    (tmp_path / name).write_text(svg if name == "logo.svg" else "Rar!\x1a\x07")
    assert main(["prepare", str(tmp_path / name), "--out", str(tmp_path / "set")]) == 2
    assert capsys.readouterr().err == (
        f"viceversa: {tmp_path / name} is no video, folder, zip or tar archive, or image that can be read; unpack or "
        "convert it first.\n"
    )


def test_no_frame_of_a_test_scene_is_in_training(whole):
    root, summary = whole
    sides: dict[str, set[str]] = {}
    for row in rows(root):
        sides.setdefault(row["group"], set()).add(row["files"][0].split("/")[0])
    assert all(len(side) == 1 for side in sides.values())
    assert summary.test == 8  # a quarter of 32: whole scenes of six, and single images


def test_scenes_that_show_the_same_are_on_one_side(film_writer, make_view, tmp_path):
    """A shot that is taken up again: its later half is new, but no test scene may look like a training scene."""
    wide = make_view(50, 120, 400)
    parts = [(wide, 0), (make_view(51, 120, 400), 0), (wide, 64), (make_view(52, 120, 400), 0)]
    frames = [view[:, start + 8 * step : start + 8 * step + 160] for view, start in parts for step in range(15)]
    film = film_writer(tmp_path / "again.mp4", frames)
    for seed in range(4):
        root = tmp_path / str(seed)
        summary = run(film, root, test_share=0.5, seed=seed)
        assert (summary.scenes, summary.dropped["duplicate"] > 0) == (4, True)
        sides = {row["scene"]: row["files"][0].split("/")[0] for row in rows(root)}
        assert len(sides) == 4
        assert sides[0] == sides[2]
        assert set(sides.values()) == {"trainA", "testA"}


def test_the_contact_sheet_shows_what_was_kept_and_dropped(whole):
    picture = images.read(whole[0] / "contact-A.jpg")
    assert picture.shape[1] == 1164
    # Titles and rows: 24 or more for training in three, 8 for testing in one, six kinds of dropped.
    assert picture.shape[0] == 8 * 26 + (3 + 1 + 6) * 116 + 4


def test_sources_are_not_touched(sources, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for path in sources:
        shutil.copy(path, folder)
    for path in folder.iterdir():
        path.chmod(0o444)
    folder.chmod(0o555)
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.iterdir()}
    run(folder, tmp_path / "out", test_share=0)
    assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.iterdir()} == before
    folder.chmod(0o755)


def test_the_result_does_not_depend_on_the_number_of_workers(whole, sources, tmp_path):
    run(sources, tmp_path / "set", test_share=0.25, workers=4)
    assert tree(tmp_path / "set") == tree(whole[0])


@pytest.mark.parametrize(
    ("what", "after", "done"),
    [
        ("save", 10, 0),  # while the video's images are cut out
        ("save", 24 + 40, 1),  # while those of the zip are
        ("replace", 5, 2),  # while all are put in their place
    ],
)
def test_interrupted_and_called_again_it_is_equal_to_an_undisturbed_run(
    whole, sources, tmp_path, monkeypatch, what, after, done
):
    root, count = tmp_path / "set", 0
    owner, name = {"save": (images, "save"), "replace": (os, "replace")}[what]
    original = getattr(owner, name)

    def stop(*arguments, **settings):
        nonlocal count
        count += what == "save" or Path(arguments[1]).parent.name in ("trainA", "testA")
        if count == after:
            raise KeyboardInterrupt
        return original(*arguments, **settings)

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, stop)
        with pytest.raises(KeyboardInterrupt):
            run(sources, root, test_share=0.25)
    assert not (root / "manifest-A.jsonl").exists()
    finished = {path: path.stat().st_mtime_ns for path in root.rglob("record.json")}
    assert len(finished) == done
    assert str(run(sources, root, test_share=0.25)).replace(str(root), "SET") == str(whole[1]).replace(
        str(whole[0]), "SET"
    )
    assert all(path.stat().st_mtime_ns == time for path, time in finished.items()), "it was gone through again"
    assert tree(root) == tree(whole[0])


def test_the_same_command_again_does_nothing(whole, sources):
    root, summary = whole
    before = tree(root)
    assert run(sources, root, test_share=0.25) == summary
    assert tree(root) == before


def test_sources_can_be_added_and_known_pictures_do_not_come_twice(archive, views, tmp_path, make_view):
    root = tmp_path / "set"
    run(archive, root, test_share=0.25)
    first = rows(root)
    with zipfile.ZipFile(archive) as file:
        (views / "again.png").write_bytes(file.read("a/pic 0 ü.png"))
    summary = run([archive, views], root, test_share=0.25)
    assert (summary.kept, summary.pictures) == (8 + 13, 8 + 12)
    assert summary.left_out == {"duplicate": 1}
    assert rows(root)[: len(first)] == first
    # An image that was thrown out by hand does not come back.
    (root / first[0]["files"][0]).unlink()
    Image.fromarray(make_view(999, 90, 90)).save(views / "new.png")
    assert run([archive, views], root, test_share=0.25).pictures == 8 + 1
    assert not (root / first[0]["files"][0]).exists()


def test_two_domains_share_a_root(archive, views, tmp_path):
    run(archive, tmp_path / "set")
    run(views, tmp_path / "set", domain="B")
    a, b = folders.unpaired(tmp_path / "set", None, None)
    assert (len(a.train) + len(a.test), len(b.train) + len(b.test)) == (8, 12)
    assert {row["files"][0].split("/")[0] for row in rows(tmp_path / "set", "B")} == {"trainB", "testB"}


def test_balance_makes_one_domain_as_dark_as_the_other(tmp_path, make_view):
    for name, divisors in ("dark", (1, 1, 3, 3, 3, 3, 3, 3)), ("light", (1, 1, 1, 1, 1, 1, 3, 3)):
        (tmp_path / name).mkdir()
        for number, divisor in enumerate(divisors):
            view = make_view(300 + number + 10 * (name == "dark"), 80, 80)
            Image.fromarray(view // divisor).save(tmp_path / name / f"{number}.png")
    root = tmp_path / "set"
    run(tmp_path / "light", root, domain="B", test_share=0)
    with pytest.raises(DataError, match=r"Point --like at a folder"):
        run(tmp_path / "dark", root, balance="brightness", like=tmp_path / "nowhere")
    summary = run(tmp_path / "dark", root, balance="brightness", test_share=0)
    assert summary.left_out["balance"] >= 3
    levels = [row["brightness"] for row in rows(root)]
    assert sum(level > 80 for level in levels) == 2
    assert len(levels) == summary.pictures == 8 - summary.left_out["balance"]


def test_a_folder_of_films_and_pictures(planted, views, tmp_path):
    shutil.copy(planted.path, views / "film.mp4")
    summary = run(views, tmp_path / "set", per_scene=1)
    assert (summary.sources, summary.scenes, summary.kept) == (2, 7, 4 + 12)


def test_the_largest_of_near_duplicates_is_kept(tmp_path, make_view):
    folder = tmp_path / "in"
    folder.mkdir()
    for name, size in ("a", 80), ("b", 200), ("c", 120):
        Image.fromarray(make_view(1, 400, 400)).resize((size, size)).save(folder / f"{name}.png")
    Image.fromarray(make_view(2, 90, 90)).save(folder / "d.png")
    summary = run(folder, tmp_path / "set")
    assert summary.dropped == {"duplicate": 2}
    assert sorted(row["picture"] for row in rows(tmp_path / "set")) == ["b.png", "d.png"]


def test_what_cannot_be_read_is_told_and_the_rest_is_kept(views, tmp_path):
    (views / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 nothing")
    whole = (views / "view 00.png").read_bytes()
    (views / "view 00.png").write_bytes(whole[: len(whole) // 2])
    summary = run(views, tmp_path / "set")
    assert (summary.kept, summary.dropped) == (11, {"unreadable": 2})
    assert f"not used: {views / 'broken.jpg'}: " in str(summary)


def test_equal_names_and_odd_names_after_flattening(tmp_path, make_view):
    folder = tmp_path / "in"
    names = ["a/x.png", "b/x.png", "b/X.png", "b/x.PNG", "画像.png", "-.png", "a b'c\"#%.png", "x" * 200 + ".png"]
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(make_view(number, 90, 90)).save(folder / name)
    summary = run(folder, tmp_path / "set", test_share=0)
    files = os.listdir(tmp_path / "set" / "trainA")
    assert len(files) == summary.pictures == len(names)
    assert all(name.isascii() and len(name) < 60 and not name.startswith("-") for name in files)
    assert sorted(row["picture"] for row in rows(tmp_path / "set")) == sorted(names)


@pytest.fixture
def refused(tmp_path, capfd):
    """``refused(source, *flags, words=...)``: one clear sentence, exit code 2, and nothing left behind."""

    def check(*arguments: object, words: str) -> None:
        out = tmp_path / "refused"
        code = main(["prepare", "--out", str(out), "--workers", "1", "--size", "64", *map(str, arguments)])
        said = [line for line in capfd.readouterr().err.splitlines() if line.startswith("viceversa: ")]
        assert (code, len(said)) == (2, 1)
        assert words in said[0]
        assert not out.exists()

    return check


def test_bad_sources(refused, planted, views, tmp_path, film_writer, make_view):
    cut = film_writer(tmp_path / "cut.mkv", [make_view(1, 64, 64 + 2 * n)[:, 2 * n :] for n in range(40)])
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    refused(cut, words="is cut short or damaged")
    refused(tmp_path / "nowhere.mp4", words="nowhere.mp4 does not exist")
    (tmp_path / "notes.md").write_text("text")
    refused(tmp_path / "notes.md", words="is no video, folder, zip or tar archive")
    (tmp_path / "notes.txt").write_text("text")
    refused(tmp_path / "notes.txt", words="notes.txt names cannot be found; the first, in line 1, is not there: text")
    (tmp_path / "bad.zip").write_bytes(b"PK\x03\x04 and then nothing")
    refused(tmp_path / "bad.zip", words="cannot be read as a zip or tar archive")
    with zipfile.ZipFile(tmp_path / "evil.zip", "w") as file:
        file.writestr("../../evil.png", (views / "view 00.png").read_bytes())
    refused(tmp_path / "evil.zip", views, words="points outside of the archive")
    assert not list(tmp_path.parent.rglob("evil.png"))
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", words="holds no images")
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 nothing")
    refused(tmp_path / "broken.jpg", words="broken.jpg: ")
    refused(words="Name what to prepare")
    refused(views, "--size", "200", words="none is left, and a data set takes two or more (12 smaller than --size")


def test_a_folder_of_one_picture(refused, views, tmp_path):
    (tmp_path / "one").mkdir()
    shutil.copy(views / "view 00.png", tmp_path / "one")
    refused(tmp_path / "one", words="holds only one image; a data set takes two or more")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"size_px": 4}, "--size must be at least 8; got 4"),
        ({"test_share": 0.9}, "--test-share must be between 0 and 0.5; got 0.9"),
        ({"crop": "round"}, "--crop must be one of center, tiles, faces, none; got 'round'"),
        ({"pair": "edges", "pair_with": Path("b")}, "Give one of the two"),
        ({"pair_folders": True}, "add --pair or --pair-with"),
        ({"like": Path("b")}, "--balance brightness"),
        ({"domain": "C"}, "--domain must be one of A, B; got 'C'"),
    ],
)
def test_settings_that_cannot_be(settings, words):
    with pytest.raises(ConfigError, match=words.replace("(", r"\(")):
        PrepareConfig(**settings)


def test_a_source_and_the_data_set_are_kept_apart(views, tmp_path):
    for out in (views, views / "set"):
        with pytest.raises(ConfigError, match="lies in the source"):
            run(views, out)
    assert not (views / "set").exists()
    shutil.copytree(views, tmp_path / "set" / "trainA")
    with pytest.raises(ConfigError, match="lies in the data set that is being made"):
        run(tmp_path / "set" / "trainA", tmp_path / "set")


def test_what_is_there_is_not_overwritten(views, tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(DataError, match="is a file; name a folder"):
        run(views, tmp_path / "file")
    shutil.copytree(views, tmp_path / "mine" / "trainA")
    before = tree(tmp_path / "mine")
    with pytest.raises(DataError, match=r"already holds images that are not .* \(view 00\.png\)"):
        run(views, tmp_path / "mine")
    assert tree(tmp_path / "mine") == before
    (tmp_path / "pairs" / "train").mkdir(parents=True)
    with pytest.raises(ConfigError, match="data set of another layout already: it holds train/"):
        run(views, tmp_path / "pairs")


def test_other_settings_for_a_source_that_is_there(views, tmp_path):
    run(views, tmp_path / "set")
    before = tree(tmp_path / "set")
    with pytest.raises(ConfigError, match=r"with other settings \(size_px 64 -> 32\)"):
        run(views, tmp_path / "set", size_px=32)
    assert tree(tmp_path / "set") == before
    for name in ("trainA", "testA"):
        shutil.rmtree(tmp_path / "set" / name)
    with pytest.raises(DataError, match="was prepared before, but its images are gone"):
        run(views, tmp_path / "set")


def test_real_films(shared_data, tmp_path):
    """Three shots, of nine seconds, of one, and a GIF: each is a scene, of which the frames that differ are kept."""
    summary = run(shared_data / "video", tmp_path / "set", size_px=128)
    assert (summary.frames, summary.scenes, summary.sources) == (285 + 36 + 36, 3, 3)
    assert summary.dropped.keys() == {"duplicate", "enough"}
    found = rows(tmp_path / "set")
    walk = [row for row in found if "people" in row["source"]]
    assert len(walk) == 6
    assert {tuple(row["box"]) for row in walk} == {(0, 210, 540, 750)}
    assert (summary.train, summary.test) == (len(found) - summary.test, summary.test)
    assert summary.test > 0


def test_faces_of_a_film(shared_data, film_writer, make_view, tmp_path):
    """The sharpest frames of the scene show no face; those that do are found all the same."""
    face = Image.open(sorted((shared_data / "faces_lfw" / "testA").iterdir())[0]).filter(ImageFilter.GaussianBlur(1.5))
    street = make_view(60, 100, 234).repeat(3, 0).repeat(3, 1)
    frames = [street[:, 4 * step : 4 * step + 540] for step in range(40)]
    for step in range(20, 40):
        frames[step] = np.array(Image.fromarray(frames[step]).filter(ImageFilter.GaussianBlur(0.7)))
        frames[step][62:238, 40 + 2 * step : 216 + 2 * step] = face
    film = film_writer(tmp_path / "street.mp4", frames)
    summary = run(film, tmp_path / "set", crop="faces", per_scene=3, duplicates=0.05)
    assert (summary.scenes, summary.kept) == (1, 3)
    assert summary.dropped["faceless"] > 0
    for row in rows(tmp_path / "set"):
        left, top, right, bottom = row["box"]
        assert row["frame"] >= 20
        middle = (left + right) / 2, (top + bottom) / 2
        assert middle == pytest.approx((128 + 2 * row["frame"], 150), abs=25)


def test_every_file_that_is_known_to_be_odd(shared_data, tmp_path):
    summary = run(shared_data / "odd", tmp_path / "set")
    assert summary.kept + sum(summary.dropped.values()) == summary.frames >= 37
    assert len(summary.problems) == summary.dropped["unreadable"]
    assert summary.kept >= 15


@pytest.mark.parametrize("name", ["entries.tif", "one-strip-many-times-8-bits.tif", "exif.webp", "blocks.gif"])
def test_a_file_that_would_fill_the_memory_is_refused(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_bytes({**bombs.TIFFS, **bombs.OTHERS}[name]())

    def prepared() -> None:
        assert main(["prepare", str(tmp_path / name), "--out", str(tmp_path / "made"), "--size", "16"]) == 2

    assert bombs.peak(prepared) < 150 * bombs.MIB
    said = capsys.readouterr().err
    assert name in said
    assert "Traceback" not in said
