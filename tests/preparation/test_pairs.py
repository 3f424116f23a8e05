"""Made halves, and pairs on disk in both layouts, ready to be trained on."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from viceversa.data import folders, images
from viceversa.errors import ConfigError, DataError
from viceversa.preparation.config import PrepareConfig
from viceversa.preparation.pairs import made
from viceversa.preparation.prepare import prepare

pytest.importorskip("cv2")


def run(source, out, **settings):
    return prepare(source, out, PrepareConfig(size_px=64, workers=1, **settings), progress=False)


def test_what_is_made_lacks_what_it_is_to_lack(make_view):
    picture = make_view(1, 128, 192)
    halves = {kind: made(picture, kind) for kind in ("edges", "grey", "blurred", "small")}
    assert all(half.shape == picture.shape and half.dtype == np.uint8 for half in halves.values())
    assert np.ptp(halves["grey"], axis=2).max() == 0
    assert np.ptp(halves["edges"], axis=2).max() == 0
    assert set(np.unique(halves["edges"])) == {0, 255}

    def detail(half):
        return np.abs(np.diff(half.astype(int), axis=1)).mean()

    assert detail(halves["blurred"]) < 0.5 * detail(picture)
    assert detail(halves["small"]) < 0.8 * detail(picture)
    assert abs(halves["small"].mean() - picture.mean()) < 1


def test_edges_are_dark_lines_where_the_edges_are():
    picture = np.full((64, 64, 3), 60, np.uint8)
    picture[:, 32:] = 200
    edges = made(picture, "edges")[:, :, 0]
    assert (edges[:, 28:36] == 0).any(axis=1).all()
    assert (edges[:, :26] == 255).all()
    assert (edges[:, 38:] == 255).all()


def test_pairs_side_by_side(views, tmp_path):
    summary = run(views, tmp_path / "set", pair="grey", test_share=0.25)
    assert (summary.train, summary.test) == (9, 3)
    pairs = folders.paired(tmp_path / "set", None, None)
    assert (len(pairs.train), len(pairs.test)) == (9, 3)
    for item in pairs.train:
        picture = images.read(item.files[0])
        assert picture.shape == (64, 128, 3)
        np.testing.assert_array_equal(picture[:, :64], made(picture[:, 64:], "grey"))
    assert (tmp_path / "set" / "contact-pairs.jpg").exists()


def test_pairs_in_two_folders(views, tmp_path):
    run(views, tmp_path / "set", pair="edges", pair_folders=True, test_share=0.25)
    pairs = folders.paired(tmp_path / "set", None, None)
    assert (len(pairs.train), len(pairs.test)) == (9, 3)
    for item in pairs.train:
        a, b = (images.read(file) for file in item.files)
        np.testing.assert_array_equal(a, made(b, "edges"))
    rows = [json.loads(line) for line in (tmp_path / "set" / "manifest-pairs.jsonl").read_text().splitlines()]
    assert {tuple(file.split("/")[0] for file in row["files"]) for row in rows} == {
        ("trainA", "trainB"), ("testA", "testB"),
    }  # fmt: skip


@pytest.fixture
def labels(views, tmp_path):
    """Negatives, of another size and kind, with the same names."""
    folder = tmp_path / "labels"
    folder.mkdir()
    for file in views.iterdir():
        picture = ImageOps.invert(Image.open(file))
        picture.resize((320, 240), Image.Resampling.BICUBIC).save(folder / f"{file.stem}.bmp")
    return folder


@pytest.mark.parametrize("crop", ["center", "tiles", "none"])
def test_two_folders_with_equal_names_stay_aligned(views, labels, tmp_path, crop):
    summary = run(views, tmp_path / "set", pair_with=labels, crop=crop, tiles=2)
    assert summary.pictures == (24 if crop == "tiles" else 12)
    for item in folders.paired(tmp_path / "set", None, None).train:
        a, b = np.split(images.read(item.files[0]).astype(float), 2, axis=1)
        assert np.corrcoef(a.ravel(), b.ravel())[0, 1] < -0.97  # one pixel off would be -0.96


def test_pairs_that_do_not_fit(views, labels, tmp_path):
    Image.open(labels / "view 03.bmp").resize((200, 240)).save(labels / "view 03.bmp")
    summary = run(views, tmp_path / "set", pair_with=labels)
    assert (summary.kept, summary.dropped) == (11, {"unfit": 1})
    assert "view 03: its two halves differ in shape (160 x 120 and 200 x 240)" in str(summary)
    (labels / "view 04.bmp").unlink()
    with pytest.raises(DataError, match=r"no partner in .*labels/ \(view 04\).*11 pairs .*--skip-unpaired"):
        run(views, tmp_path / "other", pair_with=labels)
    assert not (tmp_path / "other").exists()


def test_turned_pairs_are_told_as_what_they_are(views, labels, tmp_path):
    for file in labels.iterdir():
        with Image.open(file) as image:
            image.transpose(Image.Transpose.ROTATE_90).save(file)
    words = r"12 whose halves differ in shape\); the first is view \d+: .*160 x 120 and 240 x 320.* lies on its side"
    with pytest.raises(DataError, match=words):
        run(views, tmp_path / "set", pair_with=labels)


def test_pairs_whose_names_end_in_another_way(views, labels, tmp_path):
    for file in labels.iterdir():
        with Image.open(file) as image:
            image.resize((320, 240)).save(file.with_name(f"{file.stem}_map.png"))
        file.unlink()
    (labels / "other_map.png").write_bytes((labels / "view 04_map.png").read_bytes())
    said = str(run(views, tmp_path / "set", pair_with=labels, pair_suffix=",_map", skip_unpaired=True))
    assert "12 pairs in " in said
    assert 'by the endings "" (A) and "_map" (B)' in said
    assert f"without a partner, and not used: 1 of {labels} (other_map)" in said
    assert "12 of them are not equally large: B is resized to the size of A" in said
    with pytest.raises(ConfigError, match="--pair-suffix and --skip-unpaired are for --pair-with"):
        PrepareConfig(skip_unpaired=True)


def test_a_data_set_that_was_paired_before_endings_could_be_named_goes_on():
    assert not {"pair_suffix", "skip_unpaired"} & PrepareConfig(pair_with=Path("b")).settings().keys()


def test_neither_half_is_written_to(views, labels):
    for out in (views / "set", labels / "set"):
        with pytest.raises(ConfigError, match="which is not written to"):
            run(views, out, pair_with=labels)


def test_only_one_folder_can_be_paired_with_another(planted, views, labels, tmp_path):
    for sources in (planted.path, [views, views]):
        with pytest.raises(ConfigError, match="--pair-with takes one folder"):
            run(sources, tmp_path / "set", pair_with=labels)
    assert not (tmp_path / "set").exists()
