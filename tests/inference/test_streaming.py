"""Files from disk to disk in tiles: the same as in memory, and without taking much of it."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms
from torch import nn

from viceversa.data import formats
from viceversa.data.picture import About, Picture
from viceversa.inference import streaming
from viceversa.inference.files import translate_files
from viceversa.inference.translator import Translator

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
Make = Callable[..., nn.Module]


@pytest.fixture
def translator(resnet: Make) -> Translator:
    return Translator({"a2b": resnet()}, domains={"a": "women", "b": "men"}, size_px=64)


def values(channels: int, dtype: Any = np.uint8, height: int = 90, width: int = 140) -> np.ndarray:
    coarse = np.random.default_rng(channels).integers(0, 256, (5, 6, channels), dtype=np.uint8)
    planes = [np.asarray(Image.fromarray(coarse[:, :, i]).resize((width, height))) for i in range(channels)]
    pixels = np.stack(planes, 2)
    if dtype == np.float32:
        return (pixels / 255).astype(dtype)
    return pixels.astype(np.uint16) * 257 if dtype == np.uint16 else pixels


CASES = [
    ("x.png", 3, np.uint8), ("x.png", 4, np.uint16), ("x.png", 1, np.uint8), ("x.png", 2, np.uint16),
    ("x.tif", 3, np.uint16), ("x.tif", 3, np.uint8), ("x.tif", 1, np.float32), ("x.tif", 4, np.uint8),
    ("x.npy", 3, np.uint8), ("x.npy", 3, np.float32), ("x.npy", 1, np.uint16),
    ("x.jpg", 3, np.uint8), ("x.webp", 4, np.uint8), ("x.bmp", 1, np.uint8), ("x.gif", 3, np.uint8),
]  # fmt: skip


@pytest.mark.parametrize(("name", "channels", "dtype"), CASES)
def test_in_tiles_as_in_memory(tmp_path: Path, translator: Translator, name: str, channels: int, dtype: Any) -> None:
    about = About(icc=SRGB if channels > 2 else None, dpi=(100.0, 100.0))
    formats.save(Picture(pixels=values(channels, dtype), about=about), tmp_path / name)
    for tile, folder in ((0, "whole"), (64, "tiles")):
        summary = translate_files(translator, tmp_path / name, tmp_path / folder, tile=tile, progress=False)
        assert not summary.failed
    whole, tiles = formats.read(tmp_path / "whole" / name), formats.read(tmp_path / "tiles" / name)
    assert whole.pixels.dtype == tiles.pixels.dtype
    assert whole.pixels.shape == tiles.pixels.shape == formats.read(tmp_path / name).pixels.shape
    assert whole.about == tiles.about
    most = {".jpg": 20, ".webp": 20, ".gif": 120}  # what a grey level becomes in lossy kinds
    most = most.get(Path(name).suffix, 1)
    scale = {np.dtype(np.uint8): 1, np.dtype(np.uint16): 257}.get(whole.pixels.dtype, 1 / 255)
    assert np.abs(whole.pixels.astype(np.float64) - tiles.pixels).max() <= most * scale
    if channels in (2, 4) and name != "x.webp":
        assert np.array_equal(tiles.pixels[:, :, -1], values(channels, dtype)[:, :, -1]), "alpha, to the last bit"
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == [name] * 3


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turned_pictures(tmp_path: Path, translator: Translator, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = orientation, "camera"
    about = About(exif=exif.tobytes())
    formats.save(Picture(pixels=values(3), about=about), tmp_path / "x.png")
    for tile, folder in ((0, "whole"), (64, "tiles")):
        translate_files(translator, tmp_path / "x.png", tmp_path / folder, tile=tile, progress=False)
    whole, tiles = formats.read(tmp_path / "whole" / "x.png"), formats.read(tmp_path / "tiles" / "x.png")
    assert whole.pixels.shape == ((140, 90, 3) if orientation > 4 else (90, 140, 3))
    assert np.abs(whole.pixels.astype(int) - tiles.pixels).max() <= 1
    assert tiles.about.exif == whole.about.exif
    assert b"camera" in (tiles.about.exif or b"")


def test_arrays_in_fortran_order_and_of_other_bytes(tmp_path: Path, translator: Translator) -> None:
    pixels = values(3, np.uint16)
    np.save(tmp_path / "x.npy", np.asfortranarray(pixels))
    np.save(tmp_path / "y.npy", pixels.astype(">u2"))
    np.save(tmp_path / "z.npy", pixels)
    summary = translate_files(translator, sorted(tmp_path.glob("?.npy")), tmp_path / "out", tile=64, progress=False)
    assert len(summary.done) == 3
    first, *others = [np.load(path) for path in sorted((tmp_path / "out").iterdir())]
    assert first.dtype == np.uint16
    assert all(np.array_equal(first, other) for other in others)


def test_a_file_that_is_cut_short_leaves_nothing(tmp_path: Path, translator: Translator) -> None:
    formats.save(Picture(pixels=values(3, np.uint16)), tmp_path / "x.png")
    data = (tmp_path / "x.png").read_bytes()
    (tmp_path / "x.png").write_bytes(data[: len(data) // 2])
    np.save(tmp_path / "y.npy", values(3))
    (tmp_path / "y.npy").write_bytes((tmp_path / "y.npy").read_bytes()[:-1000])
    np.save(tmp_path / "z.npy", values(3).astype(np.float32))
    summary = translate_files(translator, sorted(tmp_path.iterdir()), tmp_path / "out", tile=64, progress=False)
    reasons = dict(zip("xyz", (reason for _, reason in summary.failed), strict=True))
    assert "damaged or cut short" in reasons["x"]
    assert "damaged or cut short" in reasons["y"]
    assert "lies in [0, 1]" in reasons["z"]
    assert not (tmp_path / "out").exists()


def test_tiles_of_a_row_are_all_that_is_held(
    tmp_path: Path, translator: Translator, monkeypatch: pytest.MonkeyPatch
) -> None:
    formats.save(Picture(pixels=values(3, height=300, width=200)), tmp_path / "x.png")
    rows: list[int] = []
    write = streaming.write_bands

    def watched(file: Any, bands: Any, *arguments: Any) -> None:
        write(file, (rows.append(len(band)) or band for band in bands), *arguments)

    monkeypatch.setattr(streaming, "write_bands", watched)
    translate_files(translator, tmp_path / "x.png", tmp_path / "out", tile=64, progress=False)
    assert rows == [64, 64, 64, 64, 44]


IN_A_PROCESS = """
import sys
import numpy as np
import torch
from torch import nn
from viceversa.inference.files import translate_files
from viceversa.inference.translator import Translator
from viceversa.networks import ResNetConfig
from viceversa.training.units import peak_memory_bytes

class OnePixel(nn.Module):
    def __init__(self):
        super().__init__()
        self.multiple, self.config = 1, ResNetConfig()
        self.conv = nn.Conv2d(3, 3, 1)
    def forward(self, x):
        return torch.tanh(self.conv(x))

translator = Translator({"a2b": OnePixel()}, domains={"a": "a", "b": "b"}, size_px=64)
for suffix in ".png", ".tif", ".npy":
    name = sys.argv[1] + "/small" + suffix
    assert not translate_files(translator, name, sys.argv[1] + "/warm", tile=512, progress=False).failed
    before = peak_memory_bytes()
    name = sys.argv[1] + "/large" + suffix
    assert not translate_files(translator, name, sys.argv[1] + "/out", tile=512, progress=False).failed
    print(peak_memory_bytes() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory is counted otherwise elsewhere")
def test_memory_is_bounded(tmp_path: Path) -> None:
    """An image of 48 MB, 500 MB in the tensors of a network, goes through in a fraction of that."""
    pixels = np.zeros((4000, 4000, 3), np.uint8)
    pixels[::7, ::5] = 200
    for suffix in ".png", ".tif", ".npy":
        formats.save(Picture(pixels=pixels[:600, :600]), tmp_path / f"small{suffix}")
        formats.save(Picture(pixels=pixels), tmp_path / f"large{suffix}")
    done = subprocess.run([sys.executable, "-c", IN_A_PROCESS, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for suffix, grown_bytes in zip((".png", ".tif", ".npy"), done.stdout.split(), strict=True):
        assert int(grown_bytes) < 100 * 2**20, f"{suffix}: {grown_bytes} bytes"
        assert formats.size_of(tmp_path / "out" / f"large{suffix}") == (4000, 4000)


def test_large_pictures_go_in_tiles_by_themselves(
    tmp_path: Path, translator: Translator, monkeypatch: pytest.MonkeyPatch
) -> None:
    formats.save(Picture(pixels=values(3)), tmp_path / "x.png")
    monkeypatch.setattr("viceversa.inference.applied.fits", lambda *_: False)
    called: list[Path] = []
    tiled = streaming.translate_large

    def watched(applied: Any, source: Path, *rest: Any, **options: Any) -> None:
        called.append(source)
        tiled(applied, source, *rest, **options)

    monkeypatch.setattr("viceversa.inference.files.translate_large", watched)
    assert not translate_files(translator, tmp_path / "x.png", tmp_path / "out", progress=False).failed
    assert called == [tmp_path / "x.png"]
