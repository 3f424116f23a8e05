"""Arrays in .npy files: ``(H, W)`` or ``(H, W, C)`` of uint8, uint16 or floats in [0, 1]."""

import math
import os
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from viceversa.data import colour
from viceversa.data.formats.limits import check_pixels
from viceversa.data.picture import About, Picture
from viceversa.data.values import UnusualValues
from viceversa.errors import PictureError

MAGIC = b"\x93NUMPY"
_MOST_CHANNELS = 1024
_HEAD_BYTES = 10_000  # as numpy has it


def mapped(path: Path | str, max_pixels: int | None = None, *, raw: bool = False) -> NDArray[Any]:
    """The array as it lies in the file, which is read where it is looked at; floats are not checked yet.

    With ``raw``, whole numbers of any kind will do.

    Raises:
        PictureError: It holds no image, or a too large one.
    """
    _check_head(path)
    array = np.load(path, mmap_mode="r", allow_pickle=False)
    if array.ndim not in (2, 3) or 0 in array.shape or (array.ndim == 3 and array.shape[2] > _MOST_CHANNELS):
        raise PictureError(
            f"an image is an array (H, W) or (H, W, C) with at least one pixel; this one is {array.shape}."
            f"{hint(array.shape)}"
        )
    check_pixels(path, array.shape[1], array.shape[0], max_pixels)
    usual = array.dtype.newbyteorder("=") in (np.uint8, np.uint16) or array.dtype.kind == "f"
    if not usual and not (raw and array.dtype.kind in "iu"):
        raise UnusualValues(array)
    return array


def _check_head(path: Path | str) -> None:
    """Says in other words than numpy what no image has."""
    with open(path, "rb") as file:
        version = np.lib.format.read_magic(file)
        length = int.from_bytes(file.read(2 if version == (1, 0) else 4), "little")
        if length > _HEAD_BYTES:
            raise PictureError(f"its head would take {length:,} bytes; save it anew with numpy.save.")
        file.seek(len(MAGIC) + 2)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(file)
        if dtype.hasobject:
            raise PictureError("it holds Python objects, which are never unpickled; save it as an array of numbers.")
        promised = math.prod(shape) * dtype.itemsize
        if min(shape, default=0) < 0 or promised > os.path.getsize(path):
            raise PictureError(
                f"the file is damaged or cut short (its head promises {promised:,} bytes); replace it or remove it."
            )


def hint(shape: tuple[int, ...]) -> str:
    """What may be meant by a shape that is no image's."""
    if len(shape) == 3 and shape[0] in (1, 2, 3, 4) and min(shape[1:]) > 4:
        return " Channels come last: array.transpose(1, 2, 0)."
    return " Translate its images one by one." if len(shape) == 4 else ""


def plain(array: NDArray[Any]) -> NDArray[Any]:
    """A part of it in memory: uint8, uint16 or float32."""
    return colour.unit_floats(array) if array.dtype.kind == "f" else array.astype(array.dtype.newbyteorder("="))


def read(path: Path | str, max_pixels: int | None = None, *, raw: bool = False) -> Picture:
    """The whole of it, in memory; ``raw``: with the numbers that are there."""
    array = mapped(path, max_pixels, raw=raw)
    flat = array.ndim == 2
    array = array[:, :, None] if flat else array
    pixels = np.array(array, array.dtype.newbyteorder("=")) if raw else plain(array)
    return Picture(pixels=pixels, about=About(kind="NPY", flat=flat))


def write_header(file: BinaryIO, shape: tuple[int, ...], dtype: "np.dtype[Any]") -> None:
    """Behind it follow the values, row by row."""
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": tuple(shape)}
    np.lib.format.write_array_header_1_0(file, header)


def write(file: BinaryIO, picture: Picture) -> None:
    """``(H, W, C)``, or ``(H, W)`` if it came so and still has one channel."""
    pixels = picture.pixels
    if picture.about.flat and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    np.lib.format.write_array(file, np.ascontiguousarray(pixels), allow_pickle=False)
