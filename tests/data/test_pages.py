"""Every page of a TIFF is trained on, or what is done instead is said."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from viceversa import load, train
from viceversa.config import from_json, to_json
from viceversa.data import formats
from viceversa.data.picture import Animation, Picture
from viceversa.data.pictures import hold_out
from viceversa.data.single import SingleData
from viceversa.data.sources import PairedData, UnpairedData
from viceversa.errors import DataError, PictureError
from viceversa.inference.files import translate_files
from viceversa.training import guards

SIDE = 16


def stack(path: Path, pages: int, first: int = 0, dtype: str = "uint8", **more: Any) -> Path:
    """Page n of the file is one plain grey level: ``first`` + n, or that by 257."""
    tifffile = pytest.importorskip("tifffile")
    path.parent.mkdir(parents=True, exist_ok=True)
    levels = np.arange(first, first + pages)[:, None, None] * (257 if dtype == "uint16" else 1)
    shape = (pages, SIDE, SIDE)
    tifffile.imwrite(path, np.broadcast_to(levels, shape).astype(dtype), photometric="minisblack", **more)
    return path


def data(kind: type, tmp_path: Path, **settings: Any) -> Any:
    known = {"size_px": SIDE, "load_size_px": SIDE, "cache": tmp_path / "cache", "mirror": False}
    known |= {"a": tmp_path / "a", "b": tmp_path / "b", "channels_a": 1, "channels_b": 1}
    return kind(**known | settings)


def levels(pictures: Any) -> list[int]:
    return sorted(np.asarray(pictures)[:, 0, 0, 0].tolist())


def test_each_page_is_an_image_and_it_is_said(tmp_path: Path) -> None:
    for number in range(3):
        stack(tmp_path / "a" / f"{number}.tif", 4, first=10 * number)
        stack(tmp_path / "b" / f"{number}.tif", 1, first=100 + number)
    opened = data(UnpairedData, tmp_path).open(0, "cpu")
    assert levels(opened.a.store) == [0, 1, 2, 3, 10, 11, 12, 13, 20, 21, 22, 23]
    assert levels(opened.b.store) == [100, 101, 102]
    assert opened.remarks == (
        "a: 3 files of several pages, 12 pages in all: each page is an image of its own; --pages channels or first "
        f"takes them in another way ({tmp_path / 'a' / '0.tif'} ...)",
    )
    first = data(UnpairedData, tmp_path, pages="first").open(0, "cpu")
    assert levels(first.a.store) == [0, 10, 20]
    assert first.remarks[0].startswith("a: 3 images have several pages, and only the first of each is used")


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("more", [{}, {"bigtiff": True}, {"compression": "zlib"}, {"byteorder": ">"}, {"imagej": True}])
def test_stacks_of_any_depth_and_packing(tmp_path: Path, dtype: str, more: dict[str, Any]) -> None:
    if more.get("imagej"):
        more = {"imagej": True, "metadata": {"axes": "ZYX"}}
    path = stack(tmp_path / "x.tif", 3, dtype=dtype if dtype != "float32" else "uint8", **more)
    if dtype == "float32":
        import tifffile

        values = np.linspace(0, 1, 3, dtype=np.float32)[:, None, None] * np.ones((3, SIDE, SIDE), np.float32)
        tifffile.imwrite(path, values, photometric="minisblack", **more)
    assert formats.pages(path) == (0, 1, 2)
    read = [formats.read(path, page=page).pixels for page in formats.pages(path)]
    assert [one.shape for one in read] == [(SIDE, SIDE, 1)] * 3
    assert len({float(one[0, 0, 0]) for one in read}) == 3


def test_colors_of_16_bits_and_signed_values_have_pages_too(tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    colors = np.random.default_rng(1).integers(0, 65536, (3, SIDE, SIDE, 3), dtype=np.uint16)
    tifffile.imwrite(tmp_path / "x.tif", colors, photometric="rgb")
    assert all(np.array_equal(formats.read(tmp_path / "x.tif", page=page).pixels, colors[page]) for page in range(3))
    slices = np.random.default_rng(2).integers(-1000, 1000, (4, SIDE, SIDE), dtype=np.int16)
    for side in "ab":
        (tmp_path / side).mkdir()
        for number in range(2):
            tifffile.imwrite(tmp_path / side / f"{number}.tif", slices[2 * number :][:2], photometric="minisblack")
    ranges: dict[str, Any] = {"range_a": (-1000, 1000), "range_b": (-1000, 1000), "hold_out": 0}
    opened = data(PairedData, tmp_path, **ranges).open(0, "cpu")
    expected = (slices[:, :1, :1].astype(np.float64) + 1000) / 2000 * 65535
    assert np.abs(np.sort(expected.ravel()) - levels(opened.pairs.store)).max() <= 0.51


def test_reduced_images_and_masks_are_no_pages(tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    whole = np.full((64, 64, 3), 9, np.uint8)
    with tifffile.TiffWriter(tmp_path / "x.tif") as writer:
        writer.write(whole, photometric="rgb")
        writer.write(whole[::4, ::4], photometric="rgb", subfiletype=1)
        writer.write(whole + 9, photometric="rgb")
    assert formats.pages(tmp_path / "x.tif") == (0, 2)


def test_page_n_belongs_to_page_n(tmp_path: Path) -> None:
    for number in range(2):
        stack(tmp_path / "a" / f"{number}.tif", 3, first=10 * number)
        stack(tmp_path / "b" / f"{number}.tiff", 3, first=100 + 10 * number)
    opened = data(PairedData, tmp_path).open(0, "cpu")
    store = np.asarray(opened.pairs.store)
    assert len(store) == 6
    assert (store[..., 1] - store[..., 0] == 100).all()
    assert "2 pairs of several pages, 6 pages in all" in opened.remarks[0]


def test_different_numbers_of_pages_are_refused_in_a_sentence(tmp_path: Path) -> None:
    for number in range(2):
        stack(tmp_path / "a" / f"{number}.tif", 3)
        stack(tmp_path / "b" / f"{number}.tif", 1 + number)
    with pytest.raises(DataError, match=r"0\.tif has 3 pages and .*0\.tif has 1 page: .* --pages first"):
        data(PairedData, tmp_path).open(0, "cpu")
    assert len(data(PairedData, tmp_path, pages="first").open(0, "cpu").pairs.store) == 2


def test_pages_can_be_channels(tmp_path: Path) -> None:
    for side in "ab":
        for number in range(3):
            stack(tmp_path / side / f"{number}.tif", 5, first=10 * number)
    opened = data(UnpairedData, tmp_path, pages="channels", channels_a=5, channels_b=5).open(0, "cpu")
    assert np.asarray(opened.a.store)[:, 0, 0].tolist() == [[0, 1, 2, 3, 4], [10, 11, 12, 13, 14], [20, 21, 22, 23, 24]]
    assert not opened.remarks, "all is used, and as it was asked for"
    with pytest.raises(DataError, match="its 5 pages make 5 channels, and 4 are asked for"):
        data(UnpairedData, tmp_path, pages="channels", channels_a=4, channels_b=5).open(0, "cpu")
    with pytest.raises(DataError, match="page 1 has 1 channels, and 5 are asked for; with --pages channels"):
        data(UnpairedData, tmp_path, channels_a=5, channels_b=5).open(0, "cpu")


def test_pages_of_a_file_are_not_parted_by_what_is_held_out(tmp_path: Path) -> None:
    for side in "ab":
        for number in range(5):
            stack(tmp_path / side / f"{number}.tif", 4, first=40 * number)
    opened = data(UnpairedData, tmp_path, hold_out=1).open(0, "cpu")
    assert opened.held_out_kind == "held out"
    for dataset in (opened.a, opened.b):
        kept, used = (set(np.asarray(dataset.store)[rows, 0, 0, 0] // 40) for rows in (dataset.kept_rows, dataset.rows))
        assert len(kept) == 1
        assert not kept & used
    alone = [f"{number}#{page}" for number in range(3) for page in range(10)]
    groups = [name.partition("#")[0] for name in alone]
    assert hold_out(alone, 10, groups).sum() == 10
    assert not hold_out(alone[:20], 2, groups[:20]).any(), "half of all is too much"
    names = [f"{number}.png" for number in range(40)]
    assert np.array_equal(hold_out(names, 7), hold_out(names, 7, names)), "files of one page as ever"
    order = sorted(names, key=lambda name: hashlib.blake2b(name.encode()).digest())
    assert {name for name, held in zip(names, hold_out(names, 7), strict=True) if held} == set(order[:7])


def test_a_damaged_page_is_skipped_by_its_number(tmp_path: Path) -> None:
    for side in "ab":
        for number in range(2):
            stack(tmp_path / side / f"{number}.tif", 3, compression="zlib")
    from viceversa.data.formats import directories

    damaged = tmp_path / "a" / "1.tif"
    import tifffile

    with tifffile.TiffFile(damaged) as file:
        place = file.pages[2].dataoffsets[0]
    content = bytearray(damaged.read_bytes())
    content[place : place + 8] = b"\xff" * 8
    damaged.write_bytes(content)
    assert len(directories.check_tiff(damaged)) == 3
    opened = data(UnpairedData, tmp_path).open(0, "cpu")
    assert len(opened.a.store) == 5
    assert [str(lost.path) for lost in opened.skipped] == [str(damaged)]


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_of_animations_the_first_frame_is_used_and_that_is_said(tmp_path: Path, kind: str) -> None:
    for side in "ab":
        (tmp_path / side).mkdir()
        for number in range(3):
            frames = [Image.new("RGB", (SIDE, SIDE), (90 * frame, 40 * number, 9)) for frame in range(3)]
            file = tmp_path / side / f"{number}.{kind.lower()}"
            frames[0].save(file, kind, save_all=True, append_images=frames[1:])
    opened = data(UnpairedData, tmp_path, channels_a=3, channels_b=3).open(0, "cpu")
    assert len(opened.a.store) == 3
    assert any("3 images are animated, and only the first frame of each is used" in line for line in opened.remarks)


def test_a_run_on_one_page_a_file_is_the_run_that_it_was(tmp_path: Path, tiny: Any) -> None:
    """A run whose config says nothing of pages had the first of each: the same command goes on so."""
    for side in "ab":
        for number in range(4):
            stack(tmp_path / side / f"{number}.tif", 3, first=40 * number)
    settings: dict[str, Any] = {"a": tmp_path / "a", "b": tmp_path / "b", "channels_a": 1, "channels_b": 1}
    old = {"pages": "first", "resample_a": "bicubic", "resample_b": "bicubic"}
    train(tiny("pix2pix", tmp_path / "whole", **settings, **old), quiet=True)
    train(tiny("pix2pix", tmp_path / "run", **settings, **old, images=6), quiet=True)
    file = tmp_path / "run" / "config.json"
    tree = json.loads(file.read_text())
    for name in old:
        del tree["method"]["data"][name]
    file.write_text(json.dumps(tree))
    assert train(tiny("pix2pix", tmp_path / "run", **settings), quiet=True).images_seen == 12
    summary = [json.loads((tmp_path / run / "summary.json").read_text()) for run in ("whole", "run")]
    assert summary[0]["content"] == summary[1]["content"]
    assert summary[0]["pictures"] == {"a": 4, "b": 4}


def test_deep_stacks_are_written_as_deep_stacks(tmp_path: Path) -> None:
    pages = np.random.default_rng(3).integers(0, 65536, (3, SIDE, SIDE, 1), dtype=np.uint16)
    pictures = (Picture(pixels=page) for page in pages)
    with (tmp_path / "x.tif").open("w+b") as file:
        formats.write_frames(file, Animation(frames=pictures, about=formats.About(kind="TIFF")), "TIFF")
    animation = formats.read_frames(tmp_path / "x.tif")
    assert animation is not None
    assert np.array_equal(np.stack([one.pixels for one in animation.frames]), pages)


def same(channels: int) -> Any:
    """A translator that changes nothing."""
    from viceversa.inference.translator import Translator

    class Same(torch.nn.Module):
        config = type("Config", (), {"in_channels": channels, "out_channels": channels})
        multiple = 1

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x

    return Translator({"a2b": Same()}, domains={"a": "a", "b": "b"}, size_px=SIDE)


def test_stacks_are_translated_at_their_depth(tmp_path: Path) -> None:
    path = stack(tmp_path / "x.tif", 3, first=7, dtype="uint16")
    assert len(translate_files(same(1), path, tmp_path / "out.tif", progress=False).done) == 1
    found = [formats.read(tmp_path / "out.tif", page=page).pixels for page in formats.pages(tmp_path / "out.tif")]
    assert [int(one[0, 0, 0]) for one in found] == [7 * 257, 8 * 257, 9 * 257]
    assert found[0].dtype == np.uint16


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_pages_are_channels_where_the_model_takes_as_many(tmp_path: Path, dtype: str) -> None:
    path = stack(tmp_path / "x.tif", 5, first=7, dtype=dtype)
    assert len(translate_files(same(5), path, tmp_path / "out.tif", progress=False).done) == 1
    places = formats.pages(tmp_path / "out.tif")
    assert np.array_equal(
        [formats.read(tmp_path / "out.tif", page=page).pixels for page in places],
        [formats.read(path, page=page).pixels for page in formats.pages(path)],
    )
    summary = translate_files(same(4), path, tmp_path / "more.tif", progress=False)
    assert "its 5 pages make 5 channels, and 4 are asked for; take files whose pages make 4" in summary.failed[0][1]
    assert not (tmp_path / "more.tif").exists()


def test_a_broken_file_is_no_stack(tmp_path: Path) -> None:
    (tmp_path / "x.tif").write_bytes(b"II*\0\x08\0\0\0")
    with pytest.raises(PictureError, match=r"x\.tif: "):
        formats.read(tmp_path / "x.tif")


def test_each_page_is_an_image_of_what_is_made_from_noise_too(tmp_path: Path) -> None:
    for number in range(3):
        stack(tmp_path / "set" / "one" / f"{number}.tif", 4, first=10 * number)
        stack(tmp_path / "set" / "two" / f"{number}.tif", 1, first=100 + number)
    settings: dict[str, Any] = {"root": tmp_path / "set", "size_px": SIDE, "cache": tmp_path / "cache", "channels": 1}
    opened = SingleData(**settings).open(0, "cpu")
    assert levels(opened.dataset.store) == [0, 1, 2, 3, 10, 11, 12, 13, 20, 21, 22, 23, 100, 101, 102]
    assert opened.classes == ("one", "two")
    assert opened.labels.tolist() == 12 * [0] + 3 * [1]
    assert (
        "3 files of several pages, 12 pages in all: each page is an image of its own; --pages first"
        in (opened.remarks[0])
    )
    first = SingleData(**settings, pages="first").open(0, "cpu")
    assert levels(first.dataset.store) == [0, 10, 20, 100, 101, 102]
    assert "only the first of each is used; --pages images takes them all" in first.remarks[0]


def test_a_run_from_noise_on_one_page_a_file_goes_on_so(tmp_path: Path, tiny: Any) -> None:
    config = tiny("gan", tmp_path / "run")
    tree = json.loads(to_json(config))
    del tree["method"]["data"]["pages"]
    former = from_json(json.dumps(tree), config.out)
    assert former.method.data.pages == "first"
    assert guards.as_before(former, config).method.data.pages == "first"


def test_what_was_trained_on_pages_as_channels_translates_such_files(tmp_path: Path, tiny: Any) -> None:
    tifffile = pytest.importorskip("tifffile")
    for number in range(3):
        for side in "ab":
            stack(tmp_path / side / f"{number}.tif", 4, first=50 * number)
    settings = {"pages": "channels", "channels_a": 4, "channels_b": 4}
    train(tiny("pix2pix", tmp_path / "run", a=tmp_path / "a", b=tmp_path / "b", **settings), quiet=True)
    summary = translate_files(load(tmp_path / "run"), tmp_path / "a", tmp_path / "out", progress=False)
    assert not summary.failed
    assert tifffile.imread(tmp_path / "out" / "0.tif").shape == (4, SIDE, SIDE)
    stack(tmp_path / "3.tif", 3)
    (failed,) = translate_files(load(tmp_path / "run"), tmp_path / "3.tif", tmp_path / "3", progress=False).failed
    assert failed[1].startswith("its 3 pages make 3 channels, and 4 are asked for")


def test_three_pages_that_were_trained_as_one_image_are_translated_as_one(tmp_path: Path, tiny: Any) -> None:
    """A network of three channels would take each page by itself too: the translator's folder says how it was."""
    tifffile = pytest.importorskip("tifffile")
    for number in range(3):
        for side in "ab":
            stack(tmp_path / side / f"{number}.tif", 3, first=50 * number)
    train(tiny("pix2pix", tmp_path / "run", a=tmp_path / "a", b=tmp_path / "b", pages="channels"), quiet=True)
    translate_files(load(tmp_path / "run"), tmp_path / "a", tmp_path / "out", progress=False)
    assert tifffile.imread(tmp_path / "out" / "0.tif").shape == (SIDE, SIDE, 3), "one image of three channels"
