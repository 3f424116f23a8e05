"""What comes in goes out: pictures of any kind to a network's tensors, and its answer to the same kind again.

======================================  ===================================================================
comes in                                goes out
======================================  ===================================================================
PIL picture                             PIL picture, upright; ``L`` stays ``L``, an alpha channel is put back
a path                                  PIL picture, RGB or L (transparent files are laid on white)
uint8 array ``(H, W, C)`` or ``(H, W)``  uint8 array of the same shape
float array in [0, 1]                   float32 array of the same shape
======================================  ===================================================================

Colour is made grey for a network of one channel, and grey is made colour for one of three; grey that went through a
colour network comes back grey. Where a network itself gives other channels than it takes, its own come out.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from torch import Tensor

from viceversa.data import images
from viceversa.errors import PictureError

Back: TypeAlias = Callable[[Tensor], Any]

_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as Pillow's mode L


@dataclass(frozen=True, kw_only=True)
class Taken:
    """A picture made ready for a network."""

    tensor: Tensor
    """``(C, H, W)`` float32 in [-1, 1], with the channels that the network takes."""
    back: Back
    """Makes what came in of the network's answer ``(C', H, W)``."""


def take(picture: object, takes: int, gives: int) -> Taken:
    """Makes one picture ready for a network of ``takes`` channels that answers with ``gives``.

    Raises:
        PictureError: It is no picture, has channels that the network cannot take, or values outside its range.
    """
    if isinstance(picture, np.ndarray):
        return _take_array(picture, takes, gives)
    if isinstance(picture, Image.Image):
        return _take_pil(_pil_array(picture), takes, gives)
    if isinstance(picture, str | Path):
        return _take_pil(images.read(picture, 1 if takes == 1 else 3), takes, gives)
    raise PictureError(
        f"A {type(picture).__name__} is no picture; give a PIL picture, an array, a tensor, a path or a list of these."
    )


def _take_pil(array: images.Array, takes: int, gives: int) -> Taken:
    if gives not in (1, 3):
        raise PictureError(f"This network gives {gives} channels, which no PIL picture holds; give an array instead.")
    taken = _take_array(array, takes, gives)

    def back(answer: Tensor) -> Image.Image:
        array = taken.back(answer)
        return Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array)

    return Taken(tensor=taken.tensor, back=back)


def _take_array(array: NDArray[Any], takes: int, gives: int) -> Taken:
    if array.ndim not in (2, 3) or 0 in array.shape:
        raise PictureError(f"A picture is an array (H, W) or (H, W, C) with at least one pixel; got {array.shape}.")
    flat = array.ndim == 2
    into, out_of = (_from_uint8, _to_uint8) if array.dtype == np.uint8 else (_from_float, _to_float)
    tensor, colours_back = _fit_channels(into(array[:, :, None] if flat else array), takes, gives)

    def back(answer: Tensor) -> NDArray[Any]:
        result = out_of(colours_back(answer))
        return result[:, :, 0] if flat and result.shape[2] == 1 else result

    return Taken(tensor=tensor, back=back)


def _fit_channels(x: Tensor, takes: int, gives: int) -> tuple[Tensor, Back]:
    """``(C, H, W)`` to ``(takes, H, W)``, and the way back from ``(gives, H, W)``."""
    channels = x.shape[0]
    if channels == takes:
        return x, lambda answer: answer
    if takes not in (1, 3) or channels > 4:
        raise PictureError(f"This picture has {channels} channels and the network takes {takes}; give it {takes}.")
    alpha = x[-1:] if channels in (2, 4) else None
    if alpha is not None:
        opacity = (alpha + 1) / 2
        x = x[:-1] * opacity + (1 - opacity)  # laid on white: what lies under transparent pixels is often rubbish
    grey = x.shape[0] == 1

    def back(answer: Tensor) -> Tensor:
        if grey and takes == gives == 3:
            answer = _grey(answer)
        return answer if alpha is None else torch.cat([answer, alpha])

    if x.shape[0] == takes:
        return x, back
    return (_grey(x) if takes == 1 else x.expand(3, -1, -1)), back


def _grey(x: Tensor) -> Tensor:
    return torch.einsum("chw,c->hw", x, x.new_tensor(_LUMA))[None]


def _from_uint8(array: NDArray[Any]) -> Tensor:
    return images.to_tensor(np.ascontiguousarray(array)[None])[0]


def _to_uint8(x: Tensor) -> NDArray[Any]:
    return images.to_uint8(x[None])[0]


def _from_float(array: NDArray[Any]) -> Tensor:
    if not np.issubdtype(array.dtype, np.floating):
        raise PictureError(f"An array of {array.dtype} is no picture; give uint8, or floats in [0, 1].")
    low, high = float(array.min()), float(array.max())
    if not (low >= -1e-3 and high <= 1 + 1e-3):  # written so that NaN is refused too
        raise PictureError(f"A float picture lies in [0, 1]; this one goes from {low:g} to {high:g}: scale it first.")
    return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32)).permute(2, 0, 1) * 2 - 1


def _to_float(x: Tensor) -> NDArray[Any]:
    return ((x + 1) / 2).clamp(0, 1).permute(1, 2, 0).contiguous().numpy()


def _pil_array(image: Image.Image) -> images.Array:
    """``(H, W, C)`` uint8: grey, grey with alpha, RGB or RGBA."""
    try:
        image.load()
    except (OSError, SyntaxError) as error:
        raise PictureError(f"This PIL picture cannot be decoded ({error}); open it anew from a whole file.") from error
    with contextlib.suppress(Exception):  # a damaged EXIF block is no reason to lose a good picture
        image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16"):
        return np.rint(np.asarray(image, np.float32)[:, :, None] / 257).astype(np.uint8)
    if image.mode in ("I", "F"):
        raise PictureError(f"A PIL picture of mode {image.mode} has no usual range; give an array of floats in [0, 1].")
    grey = image.mode in ("1", "L", "LA", "La")
    if image.has_transparency_data:
        image = image.convert("LA" if grey else "RGBA")
    else:
        image = image.convert("L" if grey else "RGB")
    array = np.array(image)
    return array if array.ndim == 3 else array[:, :, None]
