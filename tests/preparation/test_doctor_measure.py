"""What the doctor measures on one image: known images give known numbers."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance

from viceversa.errors import PictureError
from viceversa.preparation.doctor.measure import HUES, Measurement, measure, measure_halves, measure_pair

from .doctoring import scene

pytest.importorskip("imagehash", reason="needs the extra prepare")


def of(picture: Image.Image, folder: Path, name: str = "picture.png", **options: object) -> Measurement:
    picture.save(folder / name, **options)
    return measure(folder / name)


def test_plain_grey(tmp_path):
    found = of(Image.new("RGB", (60, 40), (64, 64, 64)), tmp_path)
    assert (found.width, found.height, found.format, found.mode) == (60, 40, "PNG", "RGB")
    assert found.brightness == pytest.approx(64 / 255)
    assert (found.contrast, found.saturation, found.is_grey) == (0, 0, True)
    assert found.hues == (0,) * HUES
    assert found.borders == (0, 0, 0, 0)
    assert found.jpeg_quality is None


def test_colour(tmp_path):
    picture = Image.new("RGB", (60, 40), (255, 0, 0))
    picture.paste((0, 0, 255), (45, 0, 60, 40))
    found = of(picture, tmp_path)
    assert found.saturation == pytest.approx(1, abs=0.01)
    assert not found.is_grey
    assert found.hues[0] == pytest.approx(0.75, abs=0.02), "red"
    assert found.hues[8] == pytest.approx(0.25, abs=0.02), "blue"


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "CMYK", "I;16"])
def test_every_mode_can_be_measured(tmp_path, mode):
    grey = scene(1).convert("L")
    picture = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257) if mode == "I;16" else grey.convert(mode)
    found = of(picture, tmp_path, "picture.tif")
    assert found.mode == mode
    assert found.brightness == pytest.approx(np.asarray(grey).mean() / 255, abs=0.03)


def test_sizes_are_those_of_the_file_and_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    found = of(scene(1, 1600, 1200), tmp_path, "large.jpg", exif=exif)
    assert (found.width, found.height) == (1200, 1600)
    small = of(scene(1), tmp_path, "small.png")
    assert found.brightness == pytest.approx(small.brightness, abs=0.02), "large ones are measured reduced"


@pytest.mark.parametrize("side", [1, 2, 5, 23])
def test_tiny_pictures_are_measured_too(tmp_path, side):
    found = of(scene(1, side, side), tmp_path)
    assert np.isnan(found.sharpness)
    assert 0 <= found.brightness <= 1


def test_sharpness_tells_enlarged_from_sharp_whatever_the_contrast(tmp_path):
    small = scene(3, 128, 128, cells=40)
    flat = ImageEnhance.Contrast(small).enhance(0.5)
    twice = small.resize((256, 256), Image.Resampling.BICUBIC)
    sharp, pale, soft = (of(picture, tmp_path, f"{n}.png").sharpness for n, picture in enumerate((small, flat, twice)))
    assert sharp == pytest.approx(pale, rel=0.05)
    assert sharp > 0.75
    assert 0.4 < soft < 0.6
    checks = Image.fromarray((np.indices((96, 96)).sum(0) // 20 % 2 * 255).astype(np.uint8))
    assert of(checks, tmp_path, "checks.png").sharpness > 0.9


@pytest.mark.parametrize("quality", [20, 50, 75, 95])
def test_jpeg_quality(tmp_path, quality):
    assert of(scene(1), tmp_path, "picture.jpg", quality=quality).jpeg_quality == pytest.approx(quality, abs=1.5)


def test_bars_count_where_they_end_everywhere_at_once(tmp_path):
    wide = Image.new("RGB", (160, 120))
    wide.paste(scene(1, 160, 90), (0, 15))
    left, top, right, bottom = of(wide, tmp_path, "letterbox.jpg").borders
    assert (left, right) == (0, 0)
    assert top == pytest.approx(15 / 120, abs=0.02)
    assert bottom == pytest.approx(15 / 120, abs=0.02)
    framed = Image.new("RGB", (160, 120), "white")
    framed.paste(scene(1, 136, 100), (12, 10))
    assert min(of(framed, tmp_path, "framed.png").borders) > 0.07
    figure = Image.new("RGB", (160, 120), "white")
    ImageDraw.Draw(figure).ellipse((30, 10, 130, 110), "navy")
    assert of(figure, tmp_path, "figure.png").borders == (0, 0, 0, 0), "a figure on a plain ground"


def test_damaged_files_are_refused_by_name(tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    with pytest.raises(PictureError, match=r"broken\.jpg: "):
        measure(tmp_path / "broken.jpg")


@pytest.mark.parametrize(("right", "down"), [(0, 0), (8, 0), (0, -6), (-10, 12)])
def test_displacement_of_a_pairs_halves(tmp_path, right, down):
    wide = scene(5, 256, 256, cells=12)
    a = wide.crop((28, 28, 228, 228))
    b = wide.crop((28 - right, 28 - down, 228 - right, 228 - down)).convert("L").point(lambda level: 255 - level)
    a.save(tmp_path / "a.png")
    b.save(tmp_path / "b.png")
    found = measure_pair(tmp_path / "a.png", tmp_path / "b.png")
    assert found.shift == pytest.approx((right / 200, down / 200), abs=0.008)
    assert (found.gain > 0.1) == (right != 0 or down != 0)


def test_halves_of_a_file(tmp_path):
    both = Image.new("RGB", (121, 50), "black")
    both.paste("white", (60, 0, 121, 50))
    both.save(tmp_path / "pair.png")
    found = measure_halves(tmp_path / "pair.png")
    assert (found.a.brightness, found.b.brightness) == (0, 1)
    assert (found.a.width, found.b.width) == (60, 61), "an odd width shows"
    assert found.gain == 0
