"""Images as they are: whatever a file is, its translation is too."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms
from torch import Tensor, nn

from viceversa.cli import main
from viceversa.data import formats
from viceversa.data.picture import About, Picture
from viceversa.inference.files import translate_files
from viceversa.inference.translator import Translator, save_translator
from viceversa.networks import ResNetConfig, ResNetGenerator, initialise

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
BROKEN = {
    "bomb_30000x30000.png": "30000 x 30000 px",
    "broken_data_stream.png": "damaged or cut short",
    "broken_header.png": "head is damaged",
    "half_photo.jpg": "damaged or cut short",
    "huge_17000x17000.avif": "17000 x 17000 px",
    "truncated.gif": "damaged or cut short",
    "truncated_a.jpg": "damaged or cut short",
    "truncated_end_chunk.png": "damaged or cut short",
    "unknown_compression.png": "damaged or cut short|no image",
    "zero_byte.jpg": "empty",
}


class Negative(nn.Module):
    """A network whose answer is known."""

    def __init__(self, takes: int = 3, gives: int = 3):
        super().__init__()
        self.config = ResNetConfig(in_channels=takes, out_channels=gives)
        self.multiple = 4

    def forward(self, x: Tensor) -> Tensor:
        return -x if self.config.out_channels == x.shape[1] else -x.mean(1, keepdim=True).expand(-1, 3, -1, -1)


def negative(**channels: int) -> Translator:
    return Translator({"a2b": Negative(**channels)}, domains={"a": "day", "b": "night"}, size_px=64)


def translated(path: Path, out: Path, **options: Any) -> Path:
    summary = translate_files(negative(), path, out, progress=False, **options)
    assert not summary.failed, summary
    return summary.done[0]


def shown(path: Path) -> tuple[str, str, tuple[int, int]]:
    with Image.open(path) as image:
        return image.format or "", image.mode, image.size


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("suffix", [".png", ".tif", ".npy"])
def test_depth_channels_and_alpha_are_kept(tmp_path: Path, suffix: str, channels: int, dtype: Any) -> None:
    if suffix == ".png" and dtype == np.float32:
        pytest.skip("PNG has no floats")
    top = 1 if dtype == np.float32 else np.iinfo(dtype).max
    pixels = (np.random.default_rng(0).random((13, 17, channels)) * top).astype(dtype)
    if channels in (2, 4):
        pixels[:, :, -1] = np.maximum(pixels[:, :, -1], top / 4)
        pixels[:3, :, -1] = 0
    formats.save(Picture(pixels=pixels, about=About(icc=SRGB if channels > 2 else None)), tmp_path / f"x{suffix}")
    back = formats.read(translated(tmp_path / f"x{suffix}", tmp_path / "out"))
    assert back.pixels.dtype == dtype
    assert back.about.icc == formats.read(tmp_path / f"x{suffix}").about.icc
    colours = channels - (channels in (2, 4))
    expected = top - pixels[:, :, :colours].astype(np.float64)
    if channels in (2, 4):
        assert np.array_equal(back.pixels[:, :, -1], pixels[:, :, -1]), "alpha, to the last bit"
    shows = slice(3 if channels in (2, 4) else 0, None)  # what lies under transparent pixels is anybody's guess
    assert np.abs(back.pixels[shows, :, :colours] - expected[shows]).max() <= (
        1e-5 if dtype == np.float32 else colours == 1
    )


def test_cmyk_comes_back_as_cmyk(tmp_path: Path, shared_data: Path) -> None:
    out = translated(shared_data / "odd" / "cmyk_photo.jpg", tmp_path)
    assert shown(out) == ("JPEG", "CMYK", (481, 321))
    photo = formats.read(shared_data / "odd" / "trailing_garbage.jpg").pixels
    assert np.abs(formats.read(out).pixels.astype(int) - (255 - photo.astype(int))).mean() < 6
    for suffix in ("png", "webp", "gif"):
        other = translated(shared_data / "odd" / "cmyk_photo.jpg", tmp_path / suffix, suffix=suffix)
        assert shown(other)[1] in ("RGB", "P")
    assert shown(translated(shared_data / "odd" / "cmyk_photo.jpg", tmp_path / "x.tif"))[1] == "CMYK"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("animated_42fr.gif", ("GIF", "P", (245, 245))),
        ("animated_transp.gif", ("GIF", "P", (38, 32))),
        ("tall_animated.webp", ("WEBP", "RGB", (13, 169))),
    ],
)
def test_real_animations_keep_every_frame(
    tmp_path: Path, shared_data: Path, name: str, expected: tuple[str, str, tuple[int, int]]
) -> None:
    out = translated(shared_data / "odd" / name, tmp_path)
    assert shown(out) == expected
    before, after = formats.read_frames(shared_data / "odd" / name), formats.read_frames(out)
    assert before is not None
    assert after is not None
    assert before.loop == after.loop
    first, second = list(before.frames), list(after.frames)
    assert len(first) == len(second)
    assert sum(f.about.duration_ms or 0 for f in first) == sum(f.about.duration_ms or 0 for f in second)
    for one, other in zip(first, second, strict=True):
        assert one.pixels.shape == other.pixels.shape
        visible = one.pixels[:, :, 3] > 128 if one.pixels.shape[2] == 4 else np.ones(one.pixels.shape[:2], bool)
        difference = other.pixels[:, :, :3].astype(int) - (255 - one.pixels[:, :, :3].astype(int))
        assert np.abs(difference[visible]).mean() < 16, "a palette of 255 colours, or a lossy WebP"
        if one.pixels.shape[2] == 4:
            assert np.array_equal(one.pixels[:, :, 3] > 128, other.pixels[:, :, 3] > 128)


def test_a_name_that_lies_keeps_its_contents(tmp_path: Path, shared_data: Path) -> None:
    odd = shared_data / "odd"
    assert shown(translated(odd / "png_named.jpg", tmp_path / "same")) == ("PNG", "RGBA", (200, 150))
    assert shown(translated(odd / "png_named.jpg", tmp_path / "real", suffix="jpg")) == ("JPEG", "RGB", (200, 150))
    assert shown(translated(odd / "png_named.jpg", tmp_path / "y.jpg")) == ("JPEG", "RGB", (200, 150))
    assert shown(translated(odd / "png_named.jpg", tmp_path / "y.webp")) == ("WEBP", "RGBA", (200, 150))


def test_orientation_is_normalised_and_exif_kept(tmp_path: Path, shared_data: Path) -> None:
    for name, size in (("rotation6.jpg", (231, 308)), ("orient_png_exif.png", (512, 512)), ("static.webp", (480, 360))):
        out = translated(shared_data / "odd" / name, tmp_path)
        with Image.open(shared_data / "odd" / name) as before, Image.open(out) as after:
            assert after.size == size
            assert after.getexif().get(0x0112, 1) == 1
            assert after.info.get("icc_profile") == before.info.get("icc_profile")
            assert set(after.getexif()) <= set(before.getexif())
            assert (0x8769 in after.getexif()) == (0x8769 in before.getexif())


def test_heic(tmp_path: Path) -> None:
    pytest.importorskip("pillow_heif")
    smooth = np.linspace(0, 255, 64 * 48 * 3).reshape(48, 64, 3).astype(np.uint8)
    formats.save(Picture(pixels=smooth, about=About(icc=SRGB)), tmp_path / "x.HEIC", quality=95)
    back = formats.read(translated(tmp_path / "x.HEIC", tmp_path / "out"))
    assert (back.about.kind, back.about.icc, back.pixels.dtype) == ("HEIF", SRGB, np.uint8)
    assert np.abs(back.pixels.astype(int) - (255 - smooth)).mean() < 4


def test_grey_profile_is_not_given_to_colours(tmp_path: Path) -> None:
    """A network that makes colours of grey."""
    formats.save(Picture(pixels=np.full((8, 8, 1), 9, np.uint8)), tmp_path / "x.png")
    translator = negative(takes=1, gives=3)
    assert not translate_files(translator, tmp_path / "x.png", tmp_path / "out", progress=False).failed
    assert shown(tmp_path / "out" / "x.png")[1] == "RGB"


def test_many_channels_as_arrays(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 65536, (9, 11, 6)).astype(np.uint16)
    for name in ("x.npy", "x.tif"):
        formats.save(Picture(pixels=pixels), tmp_path / name)
        summary = translate_files(negative(takes=6, gives=6), tmp_path / name, tmp_path / "out", progress=False)
        assert not summary.failed
        assert np.array_equal(formats.read(tmp_path / "out" / name).pixels, 65535 - pixels)
    summary = translate_files(negative(), tmp_path / "x.npy", tmp_path / "three", progress=False)
    assert "6 channels and the network takes 3" in summary.failed[0][1]
    summary = translate_files(
        negative(takes=6, gives=6), tmp_path / "x.npy", tmp_path / "four", suffix="png", progress=False
    )
    assert "--format npy or tif" in summary.failed[0][1]
    assert not (tmp_path / "four").exists()


def test_limits_of_pixels(tmp_path: Path) -> None:
    for size in (20, 21):
        formats.save(Picture(pixels=np.zeros((20, size, 3), np.uint8)), tmp_path / f"{size}.png")
    frames = [Image.new("RGB", (10, 10), colour) for colour in ("red", "green", "blue", "white", "black")]
    frames[0].save(tmp_path / "x.gif", save_all=True, append_images=frames[1:])
    summary = translate_files(negative(), sorted(tmp_path.iterdir()), tmp_path / "out", max_pixels=400, progress=False)
    assert [path.name for path, _ in summary.failed] == ["21.png", "x.gif"]
    assert "5 frames of 10 x 10 px" in summary.failed[1][1]
    assert all(
        words.endswith("let it through with --max-pixels (in Python: max_pixels).") for _, words in summary.failed
    )


def test_every_odd_file_in_one_call(
    tmp_path: Path, shared_data: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Through the command itself; the largest ones take long and have tests of their own."""
    long = {"exif_orient3_landscape.jpg", "exif_orient6_landscape.jpg", "iphone.HEIC", "animated_42fr.gif"}
    (tmp_path / "in").mkdir()
    for path in (shared_data / "odd").iterdir():
        if path.name not in long:
            (tmp_path / "in" / path.name).symlink_to(path)
    assert main(["translate", str(folder), str(tmp_path / "in"), "--out", str(tmp_path / "out"), "--to", "b"]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1].startswith("2 files of other kinds passed over: ")
    summary = [re.search(r"^women to men: \d+ translated, \d+ failed: $", line) for line in lines[:-1]]
    start = next(number for number, found in enumerate(summary) if found)
    done, failed = (int(number) for number in re.findall(r"\d+", lines[start]))
    assert failed == len(BROKEN)
    reasons = {line.split(": ")[0].split("/")[-1]: line for line in lines[start + 1 : -1]}
    assert reasons.keys() == BROKEN.keys()
    assert all(re.search(words, reasons[name]) for name, words in BROKEN.items())
    made = {path.name: path for path in (tmp_path / "out").iterdir()}
    assert len(made) == done
    for name, path in made.items():
        before, after = formats.read(tmp_path / "in" / name), formats.read(path)
        assert before.pixels.shape == after.pixels.shape, name
        assert before.pixels.dtype == after.pixels.dtype, name
        assert (before.about.kind, before.about.mode) == (after.about.kind, after.about.mode), name


def test_the_largest_odd_files_take_less_than_a_gibibyte(tmp_path: Path, shared_data: Path) -> None:
    """In a process of its own, with all that torch takes, and a network of which the whole photograph takes more."""
    network = ResNetGenerator(ResNetConfig(width=8, blocks=1))
    initialise(network, "normal", 1e-3, torch.Generator().manual_seed(0))  # noise takes twice as long to be encoded
    domains = {"a": "day", "b": "night"}
    save_translator(tmp_path / "t", {"a2b": network}, method="cyclegan", domains=domains, size_px=64, images=1)
    large = "iphone.HEIC"
    refused = ["bomb_30000x30000.png", "huge_17000x17000.avif"]
    program = (
        "import json, sys; from viceversa.cli import main; from viceversa.training.units import peak_memory_bytes; "
        "code = main(['translate', *sys.argv[1:]]); print(json.dumps([code, peak_memory_bytes()]))"
    )
    inputs = [str(shared_data / "odd" / name) for name in (large, *refused)]
    command = [sys.executable, "-c", program, str(tmp_path / "t"), *inputs, "--out", str(tmp_path / "out"), "--to", "b"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    code, peak = json.loads(done.stdout.splitlines()[-1])
    assert code == 1, done.stderr
    assert [path.stem for path in (tmp_path / "out").iterdir()] == ["iphone"]
    assert peak < 2**30


def initialised(network: nn.Module) -> nn.Module:
    initialise(network, "kaiming", 1.0, torch.Generator().manual_seed(0))
    return network.eval()
