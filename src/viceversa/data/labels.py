"""Label maps: images whose colors are names of classes, so that a color between two of them means nothing."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

_MOST_COLORS = 64  # photographs stored with a palette use nearly all of its 256
_FEW_COLORS = 32  # without a palette, where drawings may have as many
_FLAT = 0.85  # of neighboring pixels that are equal; photographs in 32 colors come to 0.83 at most

_GRAIN, _INSIDE, _NEARLY_ALL = 6, 0.25, 0.98  # grey levels within 3 x 3 pixels; shares of the image, of those inside


def is_label_map(image: Image.Image) -> bool:
    """Whether a loaded image was stored with a palette, in few colors, and in areas of one color each.

    A palette alone says little: GIF and small PNG files have one for photographs and drawings too.
    """
    return image.mode == "P" and image.getcolors(_MOST_COLORS) is not None and _is_flat(np.asarray(image))


def looks_like_labels(pixels: NDArray[Any]) -> bool:
    """Whether ``(H, W, C)`` uint8 has two to 32 colors, in areas of one color each: label maps without a palette."""
    if pixels.dtype != np.uint8 or pixels.shape[2] not in (1, 3):
        return False
    image = Image.fromarray(np.ascontiguousarray(pixels.squeeze(2) if pixels.shape[2] == 1 else pixels))
    colors = image.getcolors(_FEW_COLORS)
    return colors is not None and len(colors) > 1 and _is_flat(pixels)


def looks_like_lossy_labels(pixels: NDArray[Any]) -> bool:
    """Whether ``(H, W, 3)`` uint8 has at most 32 colors away from edges: a label map that JPEG has given fringes."""
    image = Image.fromarray(np.ascontiguousarray(pixels))
    high, low = (np.asarray(image.filter(kind(3)), np.int16) for kind in (ImageFilter.MaxFilter, ImageFilter.MinFilter))
    inside = pixels[(high - low).max(axis=2) <= _GRAIN]
    if len(inside) < _INSIDE * pixels.shape[0] * pixels.shape[1]:
        return False
    steps = inside.astype(np.int64) // 4
    found = np.sort(np.bincount(steps[:, 0] * 4096 + steps[:, 1] * 64 + steps[:, 2]))[::-1]
    return int(np.count_nonzero(found)) > 1 and int(found[:32].sum()) >= _NEARLY_ALL * len(inside)


def _is_flat(pixels: NDArray[Any]) -> bool:
    """Whether most pixels of ``(H, W)`` or ``(H, W, C)`` equal the one to the right and the one below."""
    equal = [pixels[1:] == pixels[:-1], pixels[:, 1:] == pixels[:, :-1]]
    whole = [part.all(axis=2) if part.ndim == 3 else part for part in equal]
    return sum(int(part.sum()) for part in whole) >= _FLAT * max(1, sum(part.size for part in whole))
