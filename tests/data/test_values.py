"""Signed, wide and float values: true messages, ranges, and missing data."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from viceversa import configure, train
from viceversa.config import from_json, to_json
from viceversa.data import formats
from viceversa.data.sources import PairedData, UnpairedData
from viceversa.data.values import Values
from viceversa.errors import ConfigError, DataError, PictureError


def hounsfield(seed: int, side: int = 20) -> np.ndarray:
    """Values of a CT slice: -1000 for air to about 700."""
    values = np.random.default_rng(seed).normal(-200, 300, (side, side)).clip(-1000, 1000)
    values[0, 0], values[0, 1] = -1000, 700
    return values


def write(path: Path, values: np.ndarray, order: str = "<") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".npy":
        np.save(path, values.astype(values.dtype.newbyteorder(order)))
    else:
        tifffile = pytest.importorskip("tifffile")
        tifffile.imwrite(path, values, byteorder=order)
    return path


@pytest.mark.parametrize("suffix", [".tif", ".npy"])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("dtype", "words"),
    [
        ("int8", "signed whole numbers of 8 bits have no usual range; these go from -100 to 70"),
        ("int16", "signed whole numbers of 16 bits have no usual range; these go from -1000 to"),
        ("int32", "signed whole numbers of 32 bits have no usual range"),
        ("uint32", ": whole numbers of 32 bits have no usual range; these go from 1000 to"),
        ("int64", "signed whole numbers of 64 bits"),
        ("float16", "A float image lies in [0, 1]; this one goes from -1000 to"),
        ("float32", "train with --range-a -1000 "),
        ("float64", "train with --range-a -1000 "),
    ],
)
def test_the_refusal_tells_the_kind_and_the_range_that_are_there(
    tmp_path: Path, suffix: str, order: str, dtype: str, words: str
) -> None:
    values = hounsfield(1)
    values = (values / 10).clip(-100, 70) if dtype == "int8" else values + 2000 if dtype == "uint32" else values
    path = write(tmp_path / f"x{suffix}", values.astype(dtype), order)
    with pytest.raises(PictureError) as error:
        formats.read(path)
    assert words in str(error.value)
    assert "--range-a" in str(error.value)
    read = formats.read(path, raw=True).pixels
    assert read.dtype == np.dtype(dtype)
    assert np.array_equal(read[:, :, 0], values.astype(dtype))


@pytest.mark.parametrize(
    ("mark", "words"),
    [
        (
            np.nan,
            "from 0.25 to 0.75, and 3 of 400 values are NaN or infinite: .* train with --range-a 0 1 ",
        ),
        (
            -9999,
            "from 0.25 to 0.75, and -9999 looks like missing data: .* train with --range-a 0 1 --nodata-a -9999",
        ),
    ],
)
def test_the_refusal_tells_missing_data(tmp_path: Path, mark: float, words: str) -> None:
    values = np.linspace(0.25, 0.75, 400, dtype=np.float32).reshape(20, 20)
    values[5, 5:8] = mark
    with pytest.raises(PictureError) as error:
        formats.read(write(tmp_path / "x.tif", values))
    assert re.search(words, str(error.value))


def test_a_pillow_image_of_mode_i_is_told_as_what_it_holds() -> None:
    from viceversa.data.images import from_pil

    with pytest.raises(PictureError, match=r"signed whole numbers of 32 bits .* from -4 to 9"):
        from_pil(Image.fromarray(np.array([[-4, 9]], np.int32)))


def test_a_range_maps_linearly_clips_and_comes_back() -> None:
    found = Values(low=-1000, high=1000, nodata=-9999).levels(np.array([-2000, -1000, 0, 1000, 3000, -9999], np.int16))
    assert found.pixels.tolist() == [0, 0, 0.5, 1, 1, 0]
    assert (found.missing, found.outside) == (1, 2)
    floats = Values(low=0, high=10).levels(np.array([np.nan, 5, np.inf, -np.inf]))
    assert floats.pixels.tolist() == [0, 0.5, 1, 0]
    assert (floats.missing, floats.outside) == (1, 2)
    every = np.arange(-1000, 1001, dtype=np.int16)
    values = Values(low=-1000, high=1000)
    assert np.array_equal(values.numbers(values.levels(every).pixels, every.dtype), every)
    assert values.numbers(np.array([0.25], np.float32), np.dtype(np.uint8)).tolist() == [-500]  # as floats


@pytest.mark.parametrize("settings", [{"range_a": (5.0, 5.0)}, {"range_b": (9.0, -9.0)}, {"range_a": (0.0, np.inf)}])
def test_ranges_that_cannot_be(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"--range-[ab]: A range of values"):
        UnpairedData(**settings)


def test_files_with_a_range_are_trained_on_and_what_is_lost_is_said(tmp_path: Path) -> None:
    for number in range(3):
        slice_ = hounsfield(number).astype(np.int16)
        slice_[:2, :5] = -2048
        write(tmp_path / "a" / f"{number}.tif", slice_)
        depth = np.full((20, 20), 2.5, np.float32)
        depth[3, :4] = np.nan
        write(tmp_path / "b" / f"{number}.npy", depth)
    settings: dict[str, Any] = {
        "a": tmp_path / "a", "b": tmp_path / "b", "channels_a": 1, "channels_b": 1, "size_px": 20, "load_size_px": 20,
        "mirror": False, "cache": tmp_path / "cache",
    }  # fmt: skip
    with pytest.raises(DataError, match="None of 3 pairs can be used"):
        PairedData(**settings).open(0, "cpu")
    opened = PairedData(**settings, range_a=(-1000, 1000), nodata_a=-2048, range_b=(0, 10)).open(0, "cpu")
    a, b = opened.held_out()
    assert opened.bits == 16
    assert a[0, 0, 0, 0] == -1, "missing data are black"
    assert np.abs(b[:, 0, 5:].numpy() + 0.5).max() < 1e-4
    assert [line.split(" (")[0] for line in opened.remarks[:2]] == [
        "30 values of 3 images are missing data and become black, the low end of the range",
        "12 values of 3 images are missing data and become black, the low end of the range",
    ]
    again = PairedData(**settings, range_a=(-1000, 1000), nodata_a=-2048, range_b=(0, 10)).open(0, "cpu")
    assert again.remarks == opened.remarks, "what is in the cache tells it too"


def test_twelve_bits_in_sixteen_are_spread_by_a_range(tmp_path: Path) -> None:
    for side in "ab":
        for number in range(2):
            values = np.full((16, 16), 4095 if number else 0, np.uint16)
            write(tmp_path / side / f"{number}.tif", values)
    data = UnpairedData(
        a=tmp_path / "a", b=tmp_path / "b", channels_a=1, channels_b=1, size_px=16, load_size_px=16,
        range_a=(0, 4095), cache=tmp_path / "cache",
    )  # fmt: skip
    opened = data.open(0, "cpu")
    assert opened.a.held_out(None, 0).amax() == 1
    assert opened.b.held_out(None, 0).amax() < -0.8


def test_a_run_with_ranges_goes_on(tmp_path: Path, tiny: Any) -> None:
    for side in "ab":
        for number in range(4):
            write(tmp_path / side / f"{number}.npy", hounsfield(number).astype(np.int16))
    config = tiny(
        "pix2pix", tmp_path / "run", a=tmp_path / "a", b=tmp_path / "b", channels_a=1, channels_b=1,
        range_a=(-1000, 1000), range_b=[-1000, 1000],
    )  # fmt: skip
    assert from_json(to_json(config), tmp_path / "run") == config
    assert train(config, quiet=True).finished
    assert train(config, quiet=True).finished
    assert "remarks" in json.loads((tmp_path / "run" / "summary.json").read_text())


def test_flat_names_take_a_range() -> None:
    assert configure("cyclegan", out="x", a="a", b="b", range_a=[-1000, 412]).method.data.range_a == (-1000, 412)


def side_by_side(folder: Path, count: int = 3) -> Path:
    """Pairs in one file: A goes from -1000 to 1000, B from 5000 to 6000."""
    for number in range(count):
        random = np.random.default_rng(number)
        halves = random.integers(-1000, 1001, (20, 20)), random.integers(5000, 6001, (20, 20))
        write(folder / f"{number}.npy", np.concatenate(halves, axis=1).astype("int16"))
    return folder


def test_halves_of_one_file_have_ranges_of_their_own(tmp_path: Path) -> None:
    data = {"root": side_by_side(tmp_path / "set"), "cache": tmp_path / "cache", "size_px": 16, "load_size_px": 20}
    opened = PairedData(**data, range_a=(-1000, 1000), range_b=(5000, 6000)).open(0, "cpu")
    assert not [remark for remark in opened.remarks if "outside" in remark]


def test_signed_arrays_that_are_no_pairs_are_not_cut_in_two(tmp_path: Path) -> None:
    for number in range(3):
        write(tmp_path / "set" / f"{number}.npy", hounsfield(number).astype("int16"))
    data = PairedData(root=tmp_path / "set", size_px=16, range_a=(-1000, 1000), range_b=(-1000, 1000))
    with pytest.raises(DataError, match="20 x 20 px, and pairs side by side are about twice as wide as high"):
        data.open(0, "cpu")
