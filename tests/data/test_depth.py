"""Images of more than 8 bits a value, and of other channels than grey and RGB, in training."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from viceversa.cli import main
from viceversa.data import formats, images
from viceversa.data.picture import Picture
from viceversa.data.recipe import Recipe
from viceversa.data.sources import PairedData, UnpairedData
from viceversa.errors import ConfigError, DataError, PictureError

SIZE = 16


def write(file: Path, pixels: np.ndarray) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    formats.save(Picture(pixels=pixels), file)
    return file


def fill(folder: Path, count: int, channels: int = 3, dtype: type = np.uint16, suffix: str = ".png") -> Path:
    """Images of noise of 12 bits, or of floats or 8 bits."""
    draw = np.random.default_rng(sum(folder.name.encode()))
    for number in range(count):
        values = draw.random((SIZE, SIZE, channels))
        pixels = values.astype(np.float32) if dtype is np.float32 else (values * np.iinfo(dtype).max).astype(dtype)
        write(folder / f"{number}{suffix}", pixels)
    return folder


def data(kind: type, tmp_path: Path, **settings: object):
    return kind(**{"size_px": SIZE, "load_size_px": SIZE, "cache": tmp_path / "cache", "mirror": False, **settings})


def levels(pictures: torch.Tensor) -> int:
    return len(pictures.unique())


@pytest.mark.parametrize("mirror", [False, True])
def test_a_picture_of_16_bits_comes_to_the_network_with_all_of_them(tmp_path: Path, mirror: bool):
    for side in "ab":
        fill(tmp_path / side, 4, channels=1)
    settings = data(PairedData, tmp_path, a=tmp_path / "a", b=tmp_path / "b", channels_a=1, channels_b=1, mirror=mirror)
    pairs = settings.open(0, "cpu")
    source, _ = pairs.batch(torch.arange(4))
    files = np.stack([formats.read(tmp_path / "a" / f"{n}.png").pixels for n in range(4)])
    expected = torch.from_numpy(files.astype(np.float64) / 65535 * 2 - 1).permute(0, 3, 1, 2)
    for picture in source.double():
        distances = [min((picture - e).abs().max(), (picture.flip(2) - e).abs().max()) for e in expected]
        assert min(distances) < 1e-6
    assert levels(source) > 900
    assert levels(pairs.held_out(2)[0]) > 256


@pytest.mark.parametrize(("bits", "expected"), [(None, 16), (8, 8), (16, 16)])
def test_the_first_picture_says_the_depth_where_the_settings_do_not(tmp_path: Path, bits, expected):
    a, b = fill(tmp_path / "a", 3, dtype=np.uint8), fill(tmp_path / "b", 3)
    pictures = data(UnpairedData, tmp_path, a=a, b=b, bits=bits).open(0, "cpu")
    assert [dataset.store.dtype for dataset in (pictures.a, pictures.b)] == [np.dtype(f"<u{expected // 8}")] * 2
    assert (levels(pictures.batch(torch.arange(3))[1]) > 256) == (expected == 16)


def test_pictures_of_8_bits_stay_so_and_are_found_in_an_older_cache(tmp_path: Path):
    a, b = fill(tmp_path / "a", 3, dtype=np.uint8), fill(tmp_path / "b", 3, dtype=np.uint8)
    assert data(UnpairedData, tmp_path, a=a, b=b).open(0, "cpu").a.store.dtype == np.uint8
    before = '{"side_px": 16, "smallest_px": 1, "fit": "crop", "channels": [3]}'  # what keys have always been hashed of
    assert json.dumps(Recipe(side_px=SIZE).about()) == before
    assert Recipe(side_px=SIZE, bits=16).about()["bits"] == 16


def test_a_damaged_first_file_does_not_decide(tmp_path: Path):
    a, b = fill(tmp_path / "a", 3), fill(tmp_path / "b", 3)
    (a / "0.png").write_bytes(b"no picture")
    assert data(UnpairedData, tmp_path, a=a, b=b).open(0, "cpu").b.store.dtype == np.dtype("<u2")


def test_8_bits_floats_and_16_bits_meet_in_the_same_range(tmp_path: Path):
    ramp = np.arange(256, dtype=np.uint8).reshape(SIZE, SIZE, 1)
    files = [
        write(tmp_path / "eight.png", ramp),
        write(tmp_path / "sixteen.png", ramp.astype(np.uint16) * 257),
        write(tmp_path / "floats.npy", (ramp / 255).astype(np.float32)),
    ]
    for file in files:
        np.testing.assert_array_equal(images.read_deep(file, 1), ramp.astype(np.uint16) * 257)
        tensor = images.to_tensor(images.read_deep(file, 1)[None])
        torch.testing.assert_close(tensor, images.to_tensor(ramp[None]), atol=2e-7, rtol=0)
    assert images.read_deep(files[0], 3).shape == (SIZE, SIZE, 3)
    colours = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    deep = images.read_deep(write(tmp_path / "colours.png", colours), 1)
    assert np.abs(deep / 257 - images.read(tmp_path / "colours.png", 1)).max() <= 1


@pytest.mark.parametrize(("dtype", "channels"), [(np.uint16, 1), (np.uint16, 3), (np.uint8, 2), (np.uint8, 5)])
def test_what_pillow_has_no_kind_for_is_resized_as_well(dtype: type, channels: int):
    most = np.iinfo(dtype).max
    ramp = np.linspace(0, most, 64).round().astype(dtype)
    picture = np.broadcast_to(ramp[None, :, None], (64, 64, channels)).copy()
    picture[:, :, -1] = most
    half = images.resize(picture, (32, 32))
    assert (half.dtype, half.shape) == (dtype, (32, 32, channels))
    assert (half[:, :, -1] == most).all()
    if channels > 1:
        means = picture[0, :, 0].reshape(32, 2).astype(np.float64).mean(1)
        assert np.abs(half[5, 2:-2, 0] - means[2:-2]).max() <= most / 512 + 1
    square = images.fit_square(picture[:40], 32)
    assert (square.dtype, square.shape) == (dtype, (32, 32, channels))


def test_many_channels_are_trained_on_as_the_files_have_them(tmp_path: Path):
    a = fill(tmp_path / "a", 4, channels=5, suffix=".npy")
    b = fill(tmp_path / "b", 4, channels=2, dtype=np.float32, suffix=".npy")
    settings = data(UnpairedData, tmp_path, a=a, b=b, channels_a=5, channels_b=2)
    shapes = [part.shape for part in settings.open(0, "cpu").batch(torch.arange(2))]
    assert shapes == [(2, 5, SIZE, SIZE), (2, 2, SIZE, SIZE)]
    with pytest.raises(DataError, match="5 channels, and 3 are asked for"):
        dataclasses.replace(settings, channels_a=3).open(0, "cpu")


@pytest.mark.parametrize("channels", [2, 4])
def test_an_array_does_not_say_what_is_alpha(tmp_path: Path, channels: int):
    a, b = (fill(tmp_path / side, 4, channels=channels, suffix=".npy") for side in "ab")
    with pytest.raises(DataError, match=f"it has {channels} channels, and an array does not say"):
        data(UnpairedData, tmp_path, a=a, b=b).open(0, "cpu")
    bands = images.look(a / "0.npy")
    np.testing.assert_array_equal(bands[..., 0], images.read(a / "0.npy", channels)[..., 0], "not laid on white")
    assert data(UnpairedData, tmp_path, a=a, b=b, channels_a=channels, channels_b=channels).open(0, "cpu")


def test_a_run_of_before_goes_on_in_the_8_bits_that_it_has(tmp_path: Path):
    a, b = fill(tmp_path / "a", 4), fill(tmp_path / "b", 4)
    words = ("train", "pix2pix", "--a", a, "--b", b, "--out", tmp_path / "run", *SMALL)
    run(*words, "--bits", 8)
    file = tmp_path / "run" / "config.json"
    config = json.loads(file.read_text())
    del config["method"]["data"]["bits"]
    file.write_text(json.dumps(config))
    run(*words, "--images", 12)
    assert (tmp_path / "run" / "checkpoints" / "00000012").is_dir()
    assert main([str(word) for word in (*words, "--images", 16, "--bits", 16)]) == 2


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"channels_b": 0}, r"--channels-b must be 3 \(colour\), 1 \(grey\), or as many as the files have"),
        ({"channels_a": 300}, "--channels-a must be .* at most 256; not 300"),
        ({"bits": 12}, "--bits must be 8 or 16, not 12"),
    ],
)
def test_what_cannot_be_is_refused(settings: dict[str, object], sentence: str):
    with pytest.raises(ConfigError, match=sentence):
        UnpairedData(**settings)


def test_a_file_without_an_end_is_no_depth(tmp_path: Path):
    with pytest.raises(PictureError):
        images.is_deep(write(tmp_path / "x.png", np.zeros((4, 4, 3), np.uint8)).parent / "none.png")


def run(*words: object) -> None:
    assert main([str(word) for word in words]) == 0


SMALL = (
    "--width", 4, "--discriminator-width", 4, "--images", 8, "--batch", 2, "--samples", 1, "--device", "cpu", "--size",
    SIZE, "--enlarge", "--discriminator-layers", 1,
)  # fmt: skip


def test_five_channels_to_two_and_back_all_the_way(tmp_path: Path):
    a = fill(tmp_path / "radar", 8, channels=5, suffix=".npy")
    b = fill(tmp_path / "optics", 8, channels=2, dtype=np.float32, suffix=".npy")
    both, out = ("--a", a, "--b", b), tmp_path / "run"
    run(
        "train", "cyclegan", *both, "--channels-a", 5, "--channels-b", 2, "--lambda-identity", 0, "--blocks", 1,
        "--out", out, "--hold-out", 2, *SMALL,
    )  # fmt: skip
    assert images.read(next((out / "samples").iterdir())).shape[2] == 3
    run("translate", out, a / "1.npy", "--out", tmp_path / "made", "--to", "optics")
    made = np.load(tmp_path / "made" / "1.npy")
    assert (made.shape, made.dtype) == ((SIZE, SIZE, 2), np.uint16)
    run("evaluate", out, *both, "--out", tmp_path / "figures.json", "--resamples", 10)
    measured = json.loads((tmp_path / "figures.json").read_text())
    assert measured["directions"]
    run("inspect", *both)
    run("compare", out, out, "--out", tmp_path / "both.html", "--resamples", 10)
    assert "data:image/" in (tmp_path / "both.html").read_text()


def test_16_bits_in_and_out_of_pix2pix(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    pytest.importorskip("tifffile")
    a, b = fill(tmp_path / "a", 8, suffix=".tif"), fill(tmp_path / "b", 8)
    out = tmp_path / "run"
    run("train", "pix2pix", "--a", a, "--b", b, "--out", out, *SMALL)
    assert "at 16 px and 16 bits to train on" in capsys.readouterr().err
    run("translate", out, a / "1.tif", "--out", tmp_path / "made")
    assert "a to b: 1 translated" in capsys.readouterr().err
    made = formats.read(tmp_path / "made" / "1.tif").pixels
    assert (made.dtype, made.shape) == (np.uint16, (SIZE, SIZE, 3))
    assert len(np.unique(made % 257)) > 1, "more than 8 bits of it"
