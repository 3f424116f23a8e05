"""Large images from top to bottom: read and written in bands of rows, in the formats that can be cut so.

PNG (not interlaced), TIFF (in strips or tiles) and .npy are never held as a whole, neither read nor written. What is
in another format, or needs Pillow for its colours, is decoded as a whole first.
"""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from viceversa.data import exif
from viceversa.data import formats as files
from viceversa.data.formats import npy, pillow, png, tiff
from viceversa.data.formats.directories import check_tiff
from viceversa.data.formats.limits import check_pixels
from viceversa.data.formats.refusal import each_named, named
from viceversa.data.picture import About, Picture
from viceversa.errors import MissingExtra, PictureError

_ROWS = 64


@dataclass(frozen=True, kw_only=True, eq=False)
class Bands:
    """An image as it is stored."""

    shape: tuple[int, int, int]
    """``(H, W, C)`` as stored; upright, H and W are exchanged for an ``orientation`` above 4."""
    dtype: "np.dtype[Any]"
    """Uint8, uint16, or a float; of any byte order where it has an ``offset``."""
    about: About
    """What the file says beside."""
    read: Callable[[], Iterator[NDArray[Any]]]
    """Gives the rows from top to bottom, ``(h, W, C)``; a `PictureError` of it begins with the file's name."""
    orientation: int = 1
    """Which way is up, as EXIF counts."""
    offset: int | None = None
    """Where the numbers begin, if the file holds them plainly, row by row."""


def in_bands(path: Path | str, max_pixels: int | None = None) -> Bands:
    """A file's image in bands; decoded as a whole by now, if its format takes that.

    Raises:
        PictureError: As of `viceversa.data.formats.read`.
    """
    with named(path):
        found = _opened(path, max_pixels)
    if found is None:
        picture = files.read(path, max_pixels=max_pixels)
        return _of_picture(picture)
    return replace(found, read=lambda: each_named(path, _all_rows(found)))


def write_bands(
    file: BinaryIO,
    bands: Iterator[NDArray[Any]],
    size: tuple[int, int],
    about: About,
    kind: str,
    quality: int = 90,
) -> None:
    """Writes an image of ``size`` = (height, width) as ``kind``, while its rows ``(h, W, C)`` come.

    Raises:
        PictureError: The kind holds no such image.
    """
    first = files.fitted(Picture(pixels=next(bands), about=about), kind)
    about, dtype = first.about, first.pixels.dtype
    shape = (*size, first.pixels.shape[2])
    rest = (files.fitted(Picture(pixels=band, about=about), kind).pixels for band in bands)
    all_bands = itertools.chain([first.pixels], rest)
    if kind == "PNG" and shape[2] <= 4:
        writer = png.Writer(file, shape, 8 * dtype.itemsize, icc=about.icc, exif=about.exif, dpi=about.dpi)
        for band in all_bands:
            writer.write(band)
        writer.close()
    elif kind == "NPY":
        npy.write_header(file, shape[:2] if about.flat and shape[2] == 1 else shape, dtype)
        for band in all_bands:
            file.write(np.ascontiguousarray(band).data)
    elif kind == "TIFF" and not about.mode:
        tiff.write_bands(file, all_bands, shape, dtype, about)
    elif kind == "HEIF":
        files.write(file, Picture(pixels=np.concatenate(list(all_bands)), about=about), kind, quality)
    else:
        pillow.write_bands(file, all_bands, size, about, kind, quality)


def _opened(path: Path | str, max_pixels: int | None) -> Bands | None:
    kind = files.family(path)
    if kind == "PNG":
        header = png.read_header(path)
        check_pixels(path, header.width, header.height, max_pixels)
        return _of_png(path, header) if header.in_bands and not header.interlaced else None
    if kind == "NPY":
        return _of_npy(path, max_pixels)
    if kind == "TIFF":
        return _of_tiff(path, max_pixels)
    return None


def _all_rows(bands: Bands) -> Iterator[NDArray[Any]]:
    """The bands; a file that has fewer rows than it tells of is damaged."""
    rows, height = 0, bands.shape[0]
    for band in bands.read():
        rows += len(band)
        yield band
    if rows != height:
        raise PictureError(
            f"the file is damaged or cut short ({rows} of {height} rows are there); replace it or remove it."
        )


def _of_picture(picture: Picture) -> Bands:
    pixels = picture.pixels

    def read() -> Iterator[NDArray[Any]]:
        for top in range(0, len(pixels), _ROWS):
            yield pixels[top : top + _ROWS]

    return Bands(
        shape=(pixels.shape[0], pixels.shape[1], pixels.shape[2]), dtype=pixels.dtype, about=picture.about, read=read
    )


def _of_png(path: Path | str, header: png.Header) -> Bands:
    return Bands(
        shape=(header.height, header.width, header.channels + (header.key is not None)),
        dtype=np.dtype(np.uint16 if header.depth == 16 else np.uint8),
        about=files.png_about(header),
        read=lambda: png.bands(path, header, _ROWS),
        orientation=exif.orientation(header.exif),
    )


def _of_npy(path: Path | str, max_pixels: int | None) -> Bands:
    array = npy.mapped(path, max_pixels)
    height, width = array.shape[:2]
    flat = array.ndim == 2

    def read() -> Iterator[NDArray[Any]]:
        for top in range(0, height, _ROWS):
            # Mapped anew for each band: what has been looked at would count as memory of this process.
            rows = npy.mapped(path, max_pixels)[top : top + _ROWS]
            yield npy.plain(rows[:, :, None] if flat else rows)

    return Bands(
        shape=(height, width, 1 if flat else array.shape[2]),
        dtype=array.dtype,
        about=About(kind="NPY", flat=flat),
        read=read,
        offset=array.offset if array.flags.c_contiguous and isinstance(array, np.memmap) else None,
    )


def _of_tiff(path: Path | str, max_pixels: int | None) -> Bands | None:
    check_tiff(path, max_pixels)
    try:
        with tiff.Reader(path, max_pixels) as reader:
            if not reader.in_bands:
                return None
            found = reader.shape, reader.dtype, reader.about, reader.orientation
    except (MissingExtra, PictureError):
        if pillow.reads_tiff(path):  # colours and compressions that only Pillow reads
            return None
        raise

    def read() -> Iterator[NDArray[Any]]:
        with tiff.Reader(path, max_pixels) as reader:
            yield from reader.bands()

    shape, dtype, about, orientation = found
    return Bands(shape=shape, dtype=dtype, about=about, read=read, orientation=orientation)
