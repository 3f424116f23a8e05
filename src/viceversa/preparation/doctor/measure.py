"""What one image measures: a pure function of the file, and the same for every image of a data set.

All but size and kind of file is measured on the image reduced to a short side of 256 px, which is about what training
sees of it; smaller images stay as they are.
"""

from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from viceversa.data.images import Array, opened, seen, shown
from viceversa.data.labels import looks_like_labels, looks_like_lossy_labels
from viceversa.data.reading import remarks_on
from viceversa.data.values import Spread
from viceversa.preparation.borders import of_picture
from viceversa.preparation.frames import fingerprint

Labels: TypeAlias = Literal["", "palette", "plain", "lossy"]
Grey: TypeAlias = NDArray[np.float32]

WORK_PX = 256
THUMB_PX = 16
HUES = 12
DARK = 0.25
"""Brightness below which an image counts as dark."""
MAX_SHIFT_SHARE = 0.1
"""The largest displacement of a pair's halves that is looked for, as a share of the side."""

_COLOUR_PX = 64
_OFF, _MOST_OF_IT = 12, 0.75  # grey levels off a bar's colour, and the share of the line inside it that is
_EDGES_PX = 128
_GREY_CHROMA = 12 / 255  # what JPEG leaves of colour in a grey image is less
_STANDARD_TABLE = 3679  # sum of the luminance table in Annex K of the JPEG standard, which quality 50 uses as it is


@dataclass(frozen=True, kw_only=True, slots=True)
class Measurement:
    """One image; shares are in [0, 1]."""

    width: int
    height: int
    """Pixels, upright by EXIF."""
    format: str
    """Kind of file by its contents, such as "JPEG"."""
    mode: str
    """Pillow's name of the colour mode, such as "RGB" or "L"."""
    jpeg_quality: float | None
    """1 to 100, as the usual encoders count; None where it is no JPEG."""
    brightness: float
    """Mean luminance; `DARK` and less is a night image."""
    contrast: float
    """Standard deviation of the luminance."""
    saturation: float
    """Mean distance between a pixel's strongest and weakest colour."""
    is_grey: bool
    """No colour worth mentioning."""
    hues: tuple[float, ...]
    """`HUES` shares of the colour, around red, orange and so on over green and blue; all 0 where there is none."""
    sharpness: float
    """How fast edges rise: 1 where they take a pixel, a half where an image was enlarged to twice its size, a quarter
    at worst; NaN where the image is too small to say."""
    borders: tuple[float, float, float, float]
    """Plain bars at left, top, right and bottom, as shares of width and height."""
    hash: int
    """Perceptual hash, 64 bits: few differ between images that look alike."""
    thumb: bytes
    """The image as ``(THUMB_PX, THUMB_PX, 3)`` uint8."""
    labels: Labels = ""
    """Whether it is a label map: stored with a palette, in plain colors without one, or spoilt by JPEG."""
    remarks: tuple[str, ...] = ()
    """What of its file training does not use or changes: kinds of `viceversa.data.reading.Remark`."""
    spread: Spread | None = None
    """Between which numbers its values lie where they have no usual range; it was measured scaled by that."""


class PairMeasurement(NamedTuple):
    """Both halves of a pair, and how they lie on one another."""

    a: Measurement
    b: Measurement
    shift: tuple[float, float]
    """By how much B's edges lie to the right of and below A's, as shares of width and height."""
    gain: float
    """By how much the edges' correlation grows when B is shifted back, in [0, 2]."""


def measure(file: Path, page: int = 0) -> Measurement:
    """Measures an image, or a page of a file.

    Raises:
        PictureError: It cannot be read; the text begins with ``"<file>: "``.
        MissingExtra: imagehash is not installed.
    """
    return _measured(_opened(file, page))


def measure_halves(file: Path, page: int = 0) -> PairMeasurement:
    """Measures a pair that lies side by side in one file; errors as of `measure`."""
    whole = _opened(file, page)
    middle, left = whole.pixels.shape[1] // 2, whole.width // 2
    return _pair(
        replace(whole, pixels=whole.pixels[:, :middle], width=left),
        replace(whole, pixels=whole.pixels[:, middle:], width=whole.width - left),
    )


def measure_pair(a: Path, b: Path, page_a: int = 0, page_b: int = 0) -> PairMeasurement:
    """Measures a pair of two files; errors as of `measure`."""
    return _pair(_opened(a, page_a), _opened(b, page_b))


@dataclass(frozen=True)
class _Opened:
    """An image to be measured, and what its file says beside the pixels; see `Measurement`."""

    pixels: Array
    width: int
    height: int
    format: str
    mode: str
    jpeg_quality: float | None
    has_palette: bool
    remarks: tuple[str, ...]
    spread: Spread | None


def _opened(file: Path, page: int) -> _Opened:
    picture, spread = seen(file, 2 * WORK_PX, page)
    about = replace(picture.about, several=picture.about.several and picture.about.kind != "TIFF")  # each is measured
    found = remarks_on(replace(picture, about=about), 3, 16)
    pixels = shown(picture)
    # The pixels may have been decoded at a part of their size.
    (height, width), kind, mode, quality = pixels.shape[:2], "", "", None
    # It can be read, so all that can go wrong is a kind or an EXIF block that Pillow does not know.
    with suppress(Exception), opened(file) as image:
        turned = image.getexif().get(0x0112, 1) in (5, 6, 7, 8)
        width, height = reversed(image.size) if turned else image.size
        kind, mode, quality = image.format or "", image.mode, _jpeg_quality(image)
    remarks = tuple(remark for remark, there in found.items() if there)
    return _Opened(pixels, width, height, kind, mode, quality, about.labels, remarks, spread)


def _pair(a: _Opened, b: _Opened) -> PairMeasurement:
    return PairMeasurement(_measured(a), _measured(b), *displacement(_edges(a.pixels), _edges(b.pixels)))


def _measured(found: _Opened) -> Measurement:
    image = _reduced(Image.fromarray(found.pixels))
    grey = np.asarray(image.convert("L"), np.float32)
    colours = image.resize((_COLOUR_PX, _COLOUR_PX), Image.Resampling.BOX)
    rgb = np.asarray(colours, np.float32) / 255
    chroma = rgb.max(2) - rgb.min(2)
    return Measurement(
        width=found.width,
        height=found.height,
        format=found.format,
        mode=found.mode,
        jpeg_quality=found.jpeg_quality,
        brightness=float(grey.mean()) / 255,
        contrast=float(grey.std()) / 255,
        saturation=float(chroma.mean()),
        is_grey=bool((chroma < _GREY_CHROMA).mean() >= 0.99),
        hues=_hues(colours, chroma),
        sharpness=sharpness(grey),
        borders=_borders(image),
        hash=int.from_bytes(fingerprint(image, 8), "big"),
        labels=_labels(found),
        remarks=found.remarks,
        spread=found.spread,
        thumb=image.resize((THUMB_PX, THUMB_PX), Image.Resampling.BILINEAR).tobytes(),
    )


def _labels(found: _Opened) -> Labels:
    if found.has_palette:
        return "palette"
    if found.jpeg_quality is not None:
        return "lossy" if looks_like_lossy_labels(found.pixels) else ""
    return "plain" if looks_like_labels(found.pixels) else ""


def _jpeg_quality(image: Image.Image) -> float | None:
    """The quality that the usual encoders (by the Independent JPEG Group) would need for this image's tables."""
    tables: dict[int, list[int]] = getattr(image, "quantization", {})
    if not tables:
        return None
    percent = 100 * sum(tables[min(tables)]) / _STANDARD_TABLE
    return float(min(100.0, (200 - percent) / 2 if percent <= 100 else 5000 / percent))


def _reduced(image: Image.Image) -> Image.Image:
    scale = WORK_PX / min(image.size)
    if scale >= 1:
        return image
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.BOX)


def _hues(colours: Image.Image, chroma: Grey) -> tuple[float, ...]:
    hue = np.rint(np.asarray(colours.convert("HSV"))[..., 0] * (HUES / 255)).astype(np.int64) % HUES
    coloured = np.where(chroma > _GREY_CHROMA, chroma, 0)
    shares = np.bincount(hue.ravel(), weights=coloured.ravel(), minlength=HUES)
    return tuple((shares / max(float(shares.sum()), 1e-9)).tolist())


def _borders(image: Image.Image) -> tuple[float, float, float, float]:
    levels = np.asarray(image.convert("L"))
    inner, grey = of_picture(levels), levels.astype(np.float32)
    right, bottom = image.width - inner.right, image.height - inner.bottom
    return (
        _straight(grey.T, inner.left) / image.width,
        _straight(grey, inner.top) / image.height,
        _straight(grey.T[::-1], right) / image.width,
        _straight(grey[::-1], bottom) / image.height,
    )


def _straight(rows: Grey, depth: int) -> int:
    """The depth of a bar in the first rows, if it ends everywhere at once; a figure on a plain ground has none."""
    if not depth:
        return 0
    inside = rows[depth + 1]  # the one before may be a mixture
    return depth if (np.abs(inside - np.median(rows[0])) > _OFF).mean() >= _MOST_OF_IT else 0


def sharpness(grey: Grey) -> float:
    """The steepest slopes between neighbouring pixels, over the steepest between squares of 4 x 4 pixels.

    An edge that takes one pixel gives 1 and a blurred one a quarter, however strong it is and whatever it shows.
    """
    height, width = (side // 4 * 4 for side in grey.shape)
    if min(height, width) < 24:
        return float("nan")
    coarse = grey[:height, :width].reshape(height // 4, 4, width // 4, 4).mean((1, 3))
    return _steepest(grey) / max(_steepest(coarse), 1.0)


def _steepest(grey: Grey) -> float:
    corner = grey[:-1, :-1]
    squares = ((grey[1:, :-1] - corner) ** 2 + (grey[:-1, 1:] - corner) ** 2).ravel()
    place = int(0.99 * (len(squares) - 1))
    return float(np.sqrt(np.partition(squares, place)[place]))


def _edges(picture: Array) -> Grey:
    image = Image.fromarray(picture).convert("L").resize((_EDGES_PX, _EDGES_PX), Image.Resampling.BOX)
    grey = np.asarray(image, np.float32)
    edges = np.zeros_like(grey)
    edges[1:-1, 1:-1] = np.hypot(grey[2:, 1:-1] - grey[:-2, 1:-1], grey[1:-1, 2:] - grey[1:-1, :-2])
    return np.minimum(edges, 64)  # else a few strong edges are all that counts


def displacement(a: Grey, b: Grey) -> tuple[tuple[float, float], float]:
    """How B's edges ``(S, S)`` lie beside A's: (right, down) as shares of the side, and the correlation's gain."""
    side = len(a)
    most = int(side * MAX_SHIFT_SHARE)
    a, b = a - a.mean(), b - b.mean()
    scale = float(np.linalg.norm(a) * np.linalg.norm(b))
    if scale == 0:
        return (0.0, 0.0), 0.0
    correlation = np.fft.irfft2(np.conj(np.fft.rfft2(a)) * np.fft.rfft2(b), s=a.shape) / scale
    around = np.roll(correlation, (most, most), axis=(0, 1))[: 2 * most + 1, : 2 * most + 1]
    down, right = np.unravel_index(int(around.argmax()), around.shape)
    return ((int(right) - most) / side, (int(down) - most) / side), float(around.max() - around[most, most])
