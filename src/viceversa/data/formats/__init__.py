"""Image files, read and written as they are: a `Picture` for each, whatever the format.

The contents of a file decide on its format, not its name. A name decides when a file is written.
"""

import dataclasses
import itertools
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np

from viceversa.data import colour, exif
from viceversa.data.formats import heif, npy, pillow, png, tiff
from viceversa.data.formats.directories import check_tiff
from viceversa.data.formats.heads import check_head
from viceversa.data.formats.kinds import KINDS, SUFFIXES, family, kind_for, kind_of
from viceversa.data.formats.limits import check_pixels
from viceversa.data.formats.refusal import each_named, named
from viceversa.data.picture import About, Animation, Picture
from viceversa.data.values import kind as numbers
from viceversa.errors import PictureError
from viceversa.replacing import beside

__all__ = [
    "KINDS", "SUFFIXES", "checked", "family", "fitted", "head_of", "kind_for", "kind_of", "named", "pages", "png_about",
    "read", "read_frames", "replacing", "save", "size_of", "write", "write_frames",
]  # fmt: skip

_MODES = {"CMYK": ("JPEG", "TIFF"), "LAB": ("TIFF",)}
_DEEP = ("PNG", "TIFF", "HEIF", "NPY")
_ANY_CHANNELS = ("TIFF", "NPY")


def read(
    path: Path | str,
    *,
    max_pixels: int | None = None,
    at_least_px: int | None = None,
    raw: bool = False,
    page: int = 0,
) -> Picture:
    """A file's image, upright: the first of several.

    Args:
        path: The file.
        max_pixels: The most pixels it may have; see `viceversa.data.formats.limits`.
        at_least_px: If given, a large JPEG may be decoded at a half, a quarter or an eighth of its size, which is much
            faster, as long as its short side keeps at least this many pixels.
        raw: Leave numbers without a usual range as they are, for `viceversa.data.values`: whole numbers of any kind,
            and floats outside [0, 1].
        page: Of a TIFF, one of those that `pages` gives.

    Raises:
        PictureError: The file is no image, is damaged or too large. The text begins with ``"<path>: "``.
    """
    with named(path):
        kind = checked(path, max_pixels)
        if kind == "HEIF":
            return heif.read(path, max_pixels)
        if kind == "NPY":
            return npy.read(path, max_pixels, raw=raw)
        if kind == "PNG":
            header = png.read_header(path)
            check_pixels(path, header.width, header.height, max_pixels)
            if header.depth == 16:
                return _read_png(path, header)
        if kind == "TIFF" and not pillow.reads_tiff(path, page):
            return _read_tiff(path, max_pixels, raw=raw, page=page)
        return pillow.read(path, max_pixels, at_least_px, raw=raw, page=page)


def pages(path: Path | str, *, max_pixels: int | None = None) -> tuple[int, ...]:
    """Places of the pages of a TIFF that are images of their own, for `read`; of any other file the first alone.

    Raises:
        PictureError: As of `read`.
    """
    with named(path):
        return tiff.pages(path, max_pixels) if family(path) == "TIFF" else (0,)


def read_frames(path: Path | str, *, max_pixels: int | None = None, raw: bool = False) -> Animation | None:
    """All images of an animation or of a TIFF of several pages; None of a file that has but one.

    Raises:
        PictureError: As of `read`; for the frames, when they are asked for.
    """
    with named(path):
        kind = checked(path, max_pixels)
        if kind in ("HEIF", "NPY"):
            return None
        if kind == "TIFF" and (raw or not pillow.reads_tiff(path)):
            places = tiff.pages(path, max_pixels)
            frames = (read(path, max_pixels=max_pixels, raw=raw, page=place) for place in places)
            return Animation(frames=frames, about=About(kind="TIFF"), loop=None) if len(places) > 1 else None
        if kind == "PNG" and not png.read_header(path).animated:
            return None
        animation = pillow.read_frames(path, max_pixels)
    if animation is None:
        return None
    return Animation(frames=each_named(path, animation.frames), about=animation.about, loop=animation.loop)


def size_of(path: Path | str, *, max_pixels: int | None = None) -> tuple[int, int]:
    """Height and width as they are stored, from the file's head, whatever kind of number it holds.

    Raises:
        PictureError: As of `read`.
    """
    return head_of(path, max_pixels=max_pixels)[:2]


def head_of(path: Path | str, *, max_pixels: int | None = None) -> tuple[int, int, int]:
    """Height and width as they are stored, and bytes of a pixel in memory (3 at least), from the file's head.

    Raises:
        PictureError: As of `read`.
    """
    with named(path):
        kind = checked(path, max_pixels)
        if kind == "PNG":
            header = png.read_header(path)
            size = header.height, header.width, 4 * (header.depth + 7) // 8
        elif kind == "NPY":
            array = npy.mapped(path, max_pixels, raw=True)
            size = *array.shape[:2], array[0, 0].nbytes
        elif kind == "HEIF":
            size = *heif.size(path), 8
        elif kind == "TIFF":
            page = check_tiff(path, max_pixels)[0]
            size = *_tiff_size(path, max_pixels), page.pixel_bytes
        else:
            with pillow.opened(path, max_pixels) as image:
                size = image.height, image.width, 4
        check_pixels(path, size[1], size[0], max_pixels)
        return size[0], size[1], max(3, size[2])


def _tiff_size(path: Path | str, max_pixels: int | None) -> tuple[int, int]:
    if pillow.reads_tiff(path):
        with pillow.opened(path, max_pixels) as image:
            return image.height, image.width
    with tiff.Reader(path, max_pixels) as reader:
        return reader.shape[:2]


def write(file: BinaryIO, picture: Picture, kind: str, quality: int = 90) -> None:
    """Writes one image as ``kind``, one of the values of `KINDS`; what the kind cannot hold is left out.

    Alpha is laid on white, 16 bits become 8, and floats become whole numbers; but channels are not thrown away.

    Raises:
        PictureError: The kind holds no image of so many channels, or no such values.
    """
    if picture.about.plain:
        _check_holds(picture, kind)
        if kind == "NPY":
            npy.write(file, picture)
            return
        if kind == "TIFF":
            tiff.write_pages(file, [picture])
            return
    picture = fitted(picture, kind)
    pixels, about = picture.pixels, picture.about
    if kind == "NPY":
        npy.write(file, picture)
    elif kind == "HEIF":
        heif.write(file, picture, quality)
    elif kind == "PNG" and pixels.dtype == np.uint16:
        writer = png.Writer(file, pixels.shape, 16, icc=about.icc, exif=about.exif, dpi=about.dpi)
        writer.write(pixels)
        writer.close()
    elif kind == "TIFF" and pixels.shape[2] > 1 and (pixels.dtype != np.uint8 or pixels.shape[2] > 4):
        tiff.write(file, picture)
    else:
        pillow.write(file, picture, kind, quality)


def write_frames(file: BinaryIO, animation: Animation, kind: str, quality: int = 90) -> None:
    """Writes all frames, as they come.

    Raises:
        PictureError: The kind holds one image only.
    """
    if kind not in pillow.ANIMATED:
        able = " ".join(suffix for suffix, each in KINDS.items() if each in pillow.ANIMATED)
        raise PictureError(f"it has several frames, and {kind} holds one; choose another kind with --format: {able}.")
    given = iter(animation.frames)
    first = next(given)
    given = itertools.chain([first], given)
    if first.about.plain:
        _check_holds(first, kind)
        tiff.write_pages(file, given)
        return
    if kind == "TIFF" and (first.pixels.dtype != np.uint8 or first.pixels.shape[2] > 4):
        tiff.write_pages(file, (fitted(picture, kind) for picture in given))
        return
    frames = (fitted(picture, kind if kind in ("GIF", "WEBP", "AVIF") else "8 bit") for picture in given)
    pillow.write_frames(file, Animation(frames=frames, about=animation.about, loop=animation.loop), kind, quality)


def save(picture: Picture, path: Path | str, quality: int = 90, kind: str | None = None) -> None:
    """Writes an image to ``path``, beside it first, then renamed; its suffix names the kind, unless it is given."""
    with replacing(path) as file:
        write(file, picture, kind or kind_of(path), quality)


@contextmanager
def replacing(path: Path | str) -> Generator[BinaryIO]:
    """A file beside ``path``, open for writing, which takes its place when all went well, and is gone otherwise."""
    with beside(Path(path)) as partial, partial.open("w+b") as file:
        yield file


def fitted(picture: Picture, kind: str) -> Picture:
    """An image, or a part of one, in the depth and channels that ``kind`` holds.

    Raises:
        PictureError: It holds no image of so many channels.
    """
    pixels = picture.pixels
    if pixels.shape[2] > 4 and kind not in _ANY_CHANNELS:
        raise PictureError(
            f"an image of {pixels.shape[2]} channels cannot be written as {kind}; choose --format npy or tif."
        )
    if kind in pillow.WITHOUT_ALPHA:
        pixels = colour.on_white(pixels)
    if kind not in _DEEP:
        pixels = colour.eight_bit(pixels)
    elif pixels.dtype.kind == "f" and kind in ("PNG", "HEIF"):
        pixels = np.rint(np.clip(pixels, 0, 1) * 65535).astype(np.uint16)
    mode = picture.about.mode if kind in _MODES.get(picture.about.mode, ()) else ""
    icc = (
        picture.about.icc if mode else colour.fitting_profile(picture.about.icc, "RGB" if pixels.shape[2] > 2 else "L")
    )
    return Picture(pixels=pixels, about=dataclasses.replace(picture.about, mode=mode, icc=icc))


def _check_holds(picture: Picture, kind: str) -> None:
    """That values of a range can be written as they are."""
    whole = picture.pixels.dtype in (np.dtype(np.uint8), np.dtype(np.uint16))
    if kind not in ("TIFF", "NPY") and not (kind == "PNG" and whole):
        raise PictureError(
            f"{numbers(picture.pixels.dtype)} of the range that the model was trained on cannot be written as {kind}; "
            "choose --format tif or npy."
        )


def _read_tiff(path: Path | str, max_pixels: int | None, *, raw: bool, page: int) -> Picture:
    with tiff.Reader(path, max_pixels, raw=raw, page=page) as reader:
        picture, orientation = reader.read(), reader.orientation
    several = len(tiff.pages(path, max_pixels)) > 1
    about = dataclasses.replace(picture.about, turned=orientation > 1, several=several)
    return Picture(pixels=exif.upright(picture.pixels, orientation), about=about)


def _read_png(path: Path | str, header: png.Header) -> Picture:
    pixels = np.concatenate(list(png.bands(path, header)))
    orientation = exif.orientation(header.exif)
    about = dataclasses.replace(png_about(header), turned=orientation > 1, several=header.animated)
    return Picture(pixels=exif.upright(pixels, orientation), about=about)


def png_about(header: png.Header) -> About:
    """What can be said again of a PNG that was not read by Pillow."""
    turned = exif.orientation(header.exif) > 4
    size = (header.height, header.width) if turned else (header.width, header.height)
    return About(kind="PNG", icc=header.icc, exif=exif.kept(header.exif, size), dpi=header.dpi)


def checked(path: Path | str, max_pixels: int | None = None) -> str:
    """The family of a file, once its head promises nothing that cannot be; to be asked before Pillow opens it.

    Raises:
        PictureError: It does; the text is the rest of a sentence that begins with the file's name.
    """
    kind = family(path)
    if kind == "TIFF":
        check_tiff(path, max_pixels)
    else:
        check_head(path, max_pixels)
    return kind
