"""Measures of one image: each does what its name says, and real images pass."""

import io
from itertools import combinations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from viceversa.data import images
from viceversa.data.avatars import Identity, draw
from viceversa.preparation.frames import FINGERPRINT_BITS, measured
from viceversa.preparation.pairs import made


def bits(one: bytes, other: bytes) -> float:
    differ = np.frombuffer(one, np.uint8) ^ np.frombuffer(other, np.uint8)
    return float(np.unpackbits(differ).sum()) / FINGERPRINT_BITS


def test_blur_lowers_sharpness_at_every_resolution(make_view):
    pytest.importorskip("cv2")
    picture = Image.fromarray(make_view(1, 512, 512))
    sharp = measured(np.asarray(picture)).sharpness
    levels = [measured(np.asarray(picture.filter(ImageFilter.GaussianBlur(by)))).sharpness for by in (2, 4, 8)]
    assert sharp > 2 * levels[0] > 2 * levels[1] > 2 * levels[2]
    # The same image with twice the pixels is as sharp: thresholds hold for videos of any resolution.
    larger = measured(np.asarray(picture.resize((1024, 1024), Image.Resampling.NEAREST))).sharpness
    assert larger == pytest.approx(sharp, rel=0.05)


def test_brightness_and_contrast_follow_a_fade(make_view):
    picture = make_view(2)
    full, half = measured(picture), measured(picture // 2)
    assert half.brightness == pytest.approx(full.brightness / 2, rel=0.02)
    assert half.contrast == pytest.approx(full.contrast / 2, rel=0.02)
    assert measured(np.full_like(picture, 90)).contrast == 0


def test_bars_do_not_count(make_view):
    picture = make_view(3, 192, 256)
    barred = picture.copy()
    barred[:24] = barred[-24:] = 0
    assert measured(barred) == measured(picture)


def test_copies_have_nearly_the_same_fingerprint_and_others_do_not(make_view):
    pictures = [make_view(seed, 128, 128) for seed in range(6)]
    pictures += [np.asarray(draw(Identity.from_seed(seed), "women", 128)) for seed in range(6)]
    prints = [measured(picture).fingerprint for picture in pictures]
    assert min(bits(one, other) for one, other in combinations(prints, 2)) > 0.13
    for picture, known in zip(pictures, prints, strict=True):
        file = io.BytesIO()
        Image.fromarray(picture).resize((104, 104), Image.Resampling.BICUBIC).save(file, "JPEG", quality=60)
        copy = np.asarray(Image.open(file).convert("RGB"))
        assert bits(measured(copy).fingerprint, known) < 0.1
        assert bits(measured((picture * 0.8).astype(np.uint8)).fingerprint, known) < 0.1


def page(lines: list[str], ground: str, ink: str, size: int) -> np.ndarray:
    image = Image.new("RGB", (480, 270), ground)
    font = ImageFont.load_default(size)
    for number, line in enumerate(lines):
        ImageDraw.Draw(image).text((240, 60 + 1.6 * size * number), line, ink, font, anchor="mm")
    return np.asarray(image)


@pytest.mark.parametrize(
    ("lines", "ground", "ink", "size"),
    [
        (["Directed by", "Ada Example", "", "Music", "Bert Sample"], "black", "white", 18),
        (["THE END"], "black", "#dddddd", 44),
        (["Chapter one", "in which nothing happens"], "white", "black", 26),
        (["three years later"], "#202020", "#f0e8c0", 22),
        (["Episode 7", "The journey home"], "#000040", "yellow", 30),
    ],
)
def test_pages_of_text_are_text(lines, ground, ink, size):
    assert measured(page(lines, ground, ink, size)).text


def test_pictures_are_not_text(make_view):
    circle = Image.new("RGB", (256, 256), "white")
    ImageDraw.Draw(circle).ellipse((40, 40, 210, 210), outline="black", width=3)
    ImageDraw.Draw(circle).ellipse((90, 90, 160, 160), outline="black", width=3)
    stars = np.zeros((256, 256, 3), np.uint8)
    stars[np.random.default_rng(0).random((256, 256)) < 0.004] = 255
    windows = np.zeros((256, 256, 3), np.uint8)
    for top, left in np.ndindex(8, 8):  # of a house at night
        windows[32 * top : 32 * top + 13, 32 * left : 32 * left + 12] = 190
    others = {
        "circle": np.asarray(circle),
        "stars": stars,
        "windows": windows,
        "blank": np.full((256, 256, 3), 255, np.uint8),
        "drawing": made(make_view(4, 256, 256), "edges"),
        "view": make_view(4),
        "portrait": np.asarray(draw(Identity.from_seed(1), "men", 256)),
    }
    assert [name for name, picture in others.items() if measured(picture).text] == []


def test_subtitles_do_not_make_a_picture_text(make_view):
    picture = Image.fromarray(make_view(5, 270, 480))
    ImageDraw.Draw(picture).text((240, 180), "I know. So do they.", "white", ImageFont.load_default(22), anchor="mm")
    assert not measured(np.asarray(picture)).text


@pytest.mark.parametrize("folder", ["faces_lfw/testA", "face2anime/testB", "photo2anime/testA", "photo2anime/testB"])
def test_real_pictures_have_no_faults(shared_data, folder):
    files = sorted((shared_data / folder).iterdir())[:20]
    found = [measured(images.read(file)) for file in files]
    assert not any(one.text or one.brightness < 20 or one.contrast < 4 or one.sharpness < 5 for one in found)
    assert min(bits(a.fingerprint, b.fingerprint) for a, b in combinations(found, 2)) > 0.2
