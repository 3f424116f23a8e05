"""Pictures for training: 8 bits, RGB or grey, and the ranges. Files themselves are read by `viceversa.data.formats`.

In training a picture is one of two things: a uint8 array ``(H, W, C)``, or a float32 tensor ``(N, C, H, W)`` in
[-1, 1]; C is 3 (RGB) or 1 (grey). Embedded colour profiles are not applied, save that of CMYK.
"""

import io
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from viceversa.data import colour, formats
from viceversa.data.formats import SUFFIXES, limits, pillow
from viceversa.data.picture import Picture
from viceversa.errors import PictureError

Array: TypeAlias = NDArray[np.uint8]
Fit: TypeAlias = Literal["crop", "stretch"]

PIXEL_LIMIT = limits.PIXEL_LIMIT

__all__ = [
    "PIXEL_LIMIT", "SUFFIXES", "Array", "Fit", "encode", "fit_square", "from_pil", "grid", "opened", "read", "resize",
    "save", "to_tensor", "to_uint8",
]  # fmt: skip


def read(path: Path | str, channels: int = 3, at_least_px: int | None = None) -> Array:
    """A file as ``(H, W, channels)`` uint8, upright by its EXIF orientation.

    The first frame of an animation is taken; transparent pictures are laid on white; 16 bits and floats in [0, 1] are
    scaled to 8 bits; CMYK, palette and 1-bit pictures become RGB or grey.

    Args:
        path: The file; its contents decide on its format, not its name.
        channels: 3 for RGB, 1 for grey; or as many as the file has.
        at_least_px: See `viceversa.data.formats.read`.

    Raises:
        PictureError: The file is no picture, is damaged or too large, or has other channels. The text begins with
            ``"<path>: "``.
    """
    picture = formats.read(path, at_least_px=at_least_px)
    with formats.named(path):
        return _eight_bit(picture, channels)


def from_pil(image: Image.Image, channels: int = 3) -> Array:
    """A Pillow image of any mode as ``(H, W, channels)`` uint8, by the rules of `read`."""
    return _eight_bit(pillow.from_image(image), channels)


@contextmanager
def opened(path: Path | str) -> Generator[Image.Image]:
    """A file as Pillow opens it, for what stands in its head: size as stored, kind, mode; nothing is decoded yet."""
    with pillow.opened(path) as image:
        yield image


def to_tensor(pictures: Array | Tensor) -> Tensor:
    """``(N, H, W, C)`` uint8 to ``(N, C, H, W)`` float32 in [-1, 1], channels-last in memory, on the same device."""
    if isinstance(pictures, np.ndarray):
        pictures = torch.from_numpy(pictures if pictures.flags.writeable else pictures.copy())
    return pictures.permute(0, 3, 1, 2).to(torch.float32).div_(127.5).sub_(1)


def to_uint8(pictures: Tensor) -> Array:
    """``(N, C, H, W)`` in [-1, 1] to ``(N, H, W, C)`` uint8: rounded to the nearest, clamped; inverts `to_tensor`."""
    scaled = pictures.detach().to(torch.float32).add(1).mul_(127.5).round_().clamp_(0, 255)
    return scaled.to(torch.uint8).permute(0, 2, 3, 1).cpu().contiguous().numpy()


def resize(picture: Array, size: tuple[int, int]) -> Array:
    """``(H, W, C)`` uint8 resized to ``size`` = (height, width) by a bicubic filter that does not alias."""
    return _resize(picture, size, None)


def fit_square(picture: Array, side_px: int, fit: Fit = "crop") -> Array:
    """``(H, W, C)`` uint8 to ``(side_px, side_px, C)``.

    ``"crop"`` keeps the middle square, without distortion; ``"stretch"`` keeps everything and lets the sides change.
    """
    height, width = picture.shape[:2]
    if fit == "stretch":
        return _resize(picture, (side_px, side_px), None)
    side = min(height, width)
    left, top = (width - side) / 2, (height - side) / 2
    return _resize(picture, (side_px, side_px), (left, top, left + side, top + side))


def grid(rows: Sequence[Sequence[Array]], gap_px: int = 2) -> Array:
    """One RGB picture of rows of equally large uint8 pictures ``(H, W, C)`` (grey ones too); missing ones are white."""
    height, width = rows[0][0].shape[:2]
    down, across = height + gap_px, width + gap_px
    sheet = np.full((len(rows) * down - gap_px, max(map(len, rows)) * across - gap_px, 3), 255, np.uint8)
    for y, row in enumerate(rows):
        for x, picture in enumerate(row):
            sheet[y * down : y * down + height, x * across : x * across + width] = picture
    return sheet


def encode(picture: Array, suffix: str = ".jpg", quality: int = 90) -> bytes:
    """``(H, W, C)`` uint8 as the bytes of a file of the kind that ``suffix`` names, one of ``SUFFIXES``."""
    buffer = io.BytesIO()
    formats.write(buffer, Picture(pixels=picture), formats.kind_of(f"x{suffix}"), quality)
    return buffer.getvalue()


def save(picture: Array, path: Path | str, quality: int = 90) -> None:
    """Writes ``(H, W, C)`` uint8 to ``path``, whose suffix names the kind: beside it first, then renamed."""
    formats.save(Picture(pixels=picture), path, quality)


def _eight_bit(picture: Picture, channels: int) -> Array:
    """By the rules of `read`."""
    pixels = picture.pixels
    if pixels.shape[2] == channels and channels not in (1, 3):
        return colour.eight_bit(pixels)
    if pixels.shape[2] > 4 or channels not in (1, 3):
        raise PictureError(f"it has {pixels.shape[2]} channels, and {channels} are asked for.")
    pixels = colour.eight_bit(colour.on_white(pixels))
    if pixels.shape[2] == channels:
        return pixels
    return pixels.repeat(3, axis=2) if channels == 3 else np.array(Image.fromarray(pixels).convert("L"))[:, :, None]


def _resize(picture: Array, size: tuple[int, int], box: tuple[float, float, float, float] | None) -> Array:
    if picture.shape[:2] == size and (box is None or box == (0, 0, *reversed(size))):
        return picture
    image = Image.fromarray(_squeezed(picture))
    return np.array(image.resize((size[1], size[0]), Image.Resampling.BICUBIC, box)).reshape(*size, -1)


def _squeezed(picture: Array) -> Array:
    return picture[:, :, 0] if picture.shape[2] == 1 else picture
