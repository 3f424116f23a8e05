"""Images for training: their depth, channels and ranges. Files themselves are read by `viceversa.data.formats`.

In training an image is one of two things: a uint8 or uint16 array ``(H, W, C)``, or a float32 tensor ``(N, C, H, W)``
in [-1, 1]; C is 3 (RGB), 1 (grey), or what the files have. Embedded colour profiles are not applied, save that of CMYK.
"""

import io
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from viceversa import sizes
from viceversa.data import colour, formats
from viceversa.data.formats import SUFFIXES, limits, pillow
from viceversa.data.picture import Picture
from viceversa.data.values import Spread, UnusualValues, spread
from viceversa.errors import PictureError
from viceversa.sizes import SizePx

Array: TypeAlias = NDArray[np.uint8]
Pixels: TypeAlias = NDArray[np.uint8 | np.uint16]
Fit: TypeAlias = Literal["crop", "stretch", "window"]

PIXEL_LIMIT = limits.PIXEL_LIMIT

__all__ = [
    "PIXEL_LIMIT", "SUFFIXES", "Array", "Fit", "Pixels", "encode", "fit_square", "fitted", "from_pil", "grid", "look",
    "opened", "portable", "read", "read_deep", "resize", "save", "seen", "shown", "to_tensor", "to_uint8", "visible",
]  # fmt: skip


def read(path: Path | str, channels: int = 3, at_least_px: int | None = None) -> Array:
    """A file as ``(H, W, channels)`` uint8, upright by its EXIF orientation.

    The first frame of an animation is taken; transparent images are laid on white; 16 bits and floats in [0, 1] are
    scaled to 8 bits; CMYK, palette and 1-bit images become RGB or grey.

    Args:
        path: The file; its contents decide on its format, not its name.
        channels: 3 for RGB, 1 for grey; or as many as the file has.
        at_least_px: See `viceversa.data.formats.read`.

    Raises:
        PictureError: The file is no image, is damaged or too large, or has other channels. The text begins with
            ``"<path>: "``.
    """
    picture = formats.read(path, at_least_px=at_least_px)
    with formats.named(path):
        return eight_bit(picture, channels)


def read_deep(path: Path | str, channels: int = 3, at_least_px: int | None = None) -> NDArray[np.uint16]:
    """The same as ``(H, W, channels)`` uint16: 8 bits and floats in [0, 1] are scaled to 16 bits."""
    picture = formats.read(path, at_least_px=at_least_px)
    with formats.named(path):
        return sixteen_bit(picture, channels)


def is_deep(path: Path | str, *, raw: bool = False) -> bool:
    """Whether an image has more than 8 bits a channel; ``raw`` as of `viceversa.data.formats.read`.

    Raises:
        PictureError: As of `read`.
    """
    return formats.read(path, at_least_px=1, raw=raw).pixels.dtype != np.uint8


def from_pil(image: Image.Image, channels: int = 3) -> Array:
    """A Pillow image of any mode as ``(H, W, channels)`` uint8, by the rules of `read`."""
    return eight_bit(pillow.from_image(image), channels)


def look(path: Path | str, at_least_px: int | None = None, page: int = 0) -> Array:
    """A file as ``(H, W, 3)`` uint8 to be looked at, however many channels it has; see `read` and `visible`."""
    return shown(seen(path, at_least_px, page)[0])


def seen(path: Path | str, at_least_px: int | None = None, page: int = 0) -> tuple[Picture, Spread | None]:
    """A file's image to be looked at, also one whose values have no usual range: scaled by the range that it has.

    Returns:
        The image, and its range if it has no usual one.

    Raises:
        PictureError: As of `read`.
    """
    try:
        return formats.read(path, at_least_px=at_least_px, page=page), None
    except PictureError as error:
        if not isinstance(error.__cause__, UnusualValues):
            raise
        picture = formats.read(path, raw=True, page=page)
        found = spread(picture.pixels)
        if found is None:
            raise
    return replace(picture, pixels=found.values().levels(picture.pixels).pixels), found


def shown(picture: Picture) -> Array:
    """An image as `look` gives it."""
    # An array does not say whether its last channel is alpha.
    pixels = picture.pixels if picture.about.kind == "NPY" else colour.on_white(picture.pixels)
    return visible(colour.eight_bit(pixels))


@contextmanager
def opened(path: Path | str) -> Generator[Image.Image]:
    """A file as Pillow opens it, for what stands in its head: size as stored, kind, mode; nothing is decoded yet."""
    formats.checked(path)
    with pillow.opened(path) as image:
        yield image


def portable(pictures: Pixels) -> Tensor:
    """``(N, H, W, C)`` as a tensor that can be cut and mirrored anywhere: 16 bits as int16, 0 for the middle.

    PyTorch has hardly an operation for uint16.
    """
    if pictures.dtype == np.uint8:
        return torch.from_numpy(pictures if pictures.flags.writeable else pictures.copy())
    return torch.from_numpy((pictures ^ np.uint16(0x8000)).view(np.int16))


def to_tensor(pictures: Pixels | Tensor) -> Tensor:
    """``(N, H, W, C)`` to ``(N, C, H, W)`` float32 in [-1, 1], channels-last in memory, on the same device.

    Args:
        pictures: uint8 or uint16, or what `portable` made of them.
    """
    if isinstance(pictures, np.ndarray):
        pictures = portable(pictures)
    values = pictures.permute(0, 3, 1, 2).to(torch.float32)
    return values.add_(0.5).div_(32767.5) if pictures.dtype == torch.int16 else values.div_(127.5).sub_(1)


def to_uint8(pictures: Tensor) -> Array:
    """``(N, C, H, W)`` in [-1, 1] to ``(N, H, W, C)`` uint8: rounded to the nearest, clamped; inverts `to_tensor`."""
    scaled = pictures.detach().to(torch.float32).add(1).mul_(127.5).round_().clamp_(0, 255)
    return scaled.to(torch.uint8).permute(0, 2, 3, 1).cpu().contiguous().numpy()


def visible(picture: Array) -> Array:
    """``(..., C)`` uint8 as RGB, to be looked at: of more than three channels the first three; of fewer one, thrice."""
    return picture[..., :3] if picture.shape[-1] >= 3 else np.repeat(picture[..., :1], 3, axis=-1)


def resize(picture: Pixels, size: tuple[int, int], *, nearest: bool = False) -> Any:
    """``(H, W, C)`` resized to ``size`` = (height, width) by a bicubic filter that does not alias.

    uint8 or uint16, which it stays. With ``nearest`` each pixel takes the color of one of the image's own.
    """
    return _resize(picture, size, None, nearest=nearest)


def fit_square(picture: Pixels, side_px: int, fit: Fit = "crop") -> Any:
    """``(H, W, C)`` of uint8 or uint16, which it stays, to ``(side_px, side_px, C)``; see `fitted`."""
    return fitted(picture, side_px, fit)


def fitted(picture: Pixels, size_px: SizePx, fit: Fit = "crop", *, nearest: bool = False) -> Any:
    """``(H, W, C)`` of uint8 or uint16, which it stays, to ``(height, width, C)`` of ``size_px``.

    ``"crop"`` keeps the largest window of that shape in the middle, without distortion; ``"stretch"`` keeps everything
    and lets the sides change; ``"window"`` keeps everything undistorted: the smallest image that covers the size.
    ``nearest`` as of `resize`.
    """
    height, width = picture.shape[:2]
    size = sizes.covering(height, width, size_px) if fit == "window" else sizes.sides(size_px)
    if fit != "crop":
        return _resize(picture, size, None, nearest=nearest)
    tall, wide = sizes.window(height, width, size_px)
    left, top = (width - wide) / 2, (height - tall) / 2
    return _resize(picture, size, (left, top, left + wide, top + tall), nearest=nearest)


def grid(rows: Sequence[Sequence[Array]], gap_px: int = 2) -> Array:
    """One RGB image of rows of equally large uint8 images ``(H, W, C)``, as `visible`; missing ones are white."""
    height, width = rows[0][0].shape[:2]
    down, across = height + gap_px, width + gap_px
    sheet = np.full((len(rows) * down - gap_px, max(map(len, rows)) * across - gap_px, 3), 255, np.uint8)
    for y, row in enumerate(rows):
        for x, picture in enumerate(row):
            sheet[y * down : y * down + height, x * across : x * across + width] = visible(picture)
    return sheet


def encode(picture: Array, suffix: str = ".jpg", quality: int = 90) -> bytes:
    """``(H, W, C)`` uint8 as the bytes of a file of the kind that ``suffix`` names, one of ``SUFFIXES``."""
    buffer = io.BytesIO()
    formats.write(buffer, Picture(pixels=picture), formats.kind_of(f"x{suffix}"), quality)
    return buffer.getvalue()


def save(picture: Array, path: Path | str, quality: int = 90) -> None:
    """Writes ``(H, W, C)`` uint8 to ``path``, whose suffix names the kind: beside it first, then renamed."""
    formats.save(Picture(pixels=picture), path, quality)


def eight_bit(picture: Picture, channels: int) -> Array:
    """``(H, W, channels)`` uint8 by the rules of `read`."""
    pixels = colour.eight_bit(_laid(picture, channels))
    if pixels.shape[2] == channels:
        return pixels
    return pixels.repeat(3, axis=2) if channels == 3 else np.array(Image.fromarray(pixels).convert("L"))[:, :, None]


def sixteen_bit(picture: Picture, channels: int) -> NDArray[np.uint16]:
    """``(H, W, channels)`` uint16 by the rules of `read_deep`."""
    pixels = colour.sixteen_bit(_laid(picture, channels))
    if pixels.shape[2] == channels:
        return pixels
    return pixels.repeat(3, axis=2) if channels == 3 else _luma(pixels)


def _laid(picture: Picture, channels: int) -> NDArray[Any]:
    """Without alpha, on white, unless as many channels are asked for as there are and they are no usual ones."""
    pixels = picture.pixels
    if pixels.shape[2] == channels and channels not in (1, 3):
        return pixels
    if pixels.shape[2] > 4 or channels not in (1, 3):
        raise PictureError(f"it has {pixels.shape[2]} channels, and {channels} are asked for.")
    return colour.on_white(pixels)


def _luma(pixels: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """``(H, W, 3)`` to ``(H, W, 1)``, as Pillow makes it of 8 bits (ITU-R BT.601)."""
    return ((pixels @ np.array([[299], [587], [114]], np.uint32) + 500) // 1000).astype(np.uint16)


def _resize(
    picture: Pixels, size: tuple[int, int], box: tuple[float, float, float, float] | None, *, nearest: bool = False
) -> Pixels:
    if picture.shape[:2] == size and (box is None or box == (0, 0, *reversed(size))):
        return picture
    how: Any = ((size[1], size[0]), Image.Resampling.NEAREST if nearest else Image.Resampling.BICUBIC, box)
    if picture.dtype == np.uint8 and picture.shape[2] in (1, 3):
        return np.array(Image.fromarray(picture.squeeze(2) if picture.shape[2] == 1 else picture).resize(*how)).reshape(
            *size, -1
        )
    # What Pillow has no kind of its own for, plane by plane.
    planes = [Image.fromarray(picture[:, :, c].astype(np.float32)).resize(*how) for c in range(picture.shape[2])]
    resized = np.stack([np.asarray(plane) for plane in planes], axis=2)
    return np.rint(resized.clip(0, np.iinfo(picture.dtype).max)).astype(picture.dtype)
