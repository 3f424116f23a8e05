"""Label maps: images whose colors are names of classes, so that a color between two of them means nothing."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_MOST_COLORS = 64  # photographs stored with a palette use nearly all of its 256
_FLAT = 0.85  # of neighboring pixels that are equal; photographs in 32 colors come to 0.83 at most


def is_label_map(image: Image.Image) -> bool:
    """Whether a loaded image was stored with a palette, in few colors, and in areas of one color each.

    A palette alone says little: GIF and small PNG files have one for photographs and drawings too.
    """
    return image.mode == "P" and image.getcolors(_MOST_COLORS) is not None and _is_flat(np.asarray(image))


def looks_like_labels(pixels: NDArray[Any]) -> bool:
    """Whether ``(H, W, C)`` uint8 has two to 64 colors, in areas of one color each: label maps without a palette."""
    if pixels.dtype != np.uint8 or pixels.shape[2] not in (1, 3):
        return False
    image = Image.fromarray(np.ascontiguousarray(pixels.squeeze(2) if pixels.shape[2] == 1 else pixels))
    colors = image.getcolors(_MOST_COLORS)
    return colors is not None and len(colors) > 1 and _is_flat(pixels)


def _is_flat(pixels: NDArray[Any]) -> bool:
    """Whether most pixels of ``(H, W)`` or ``(H, W, C)`` equal the one to the right and the one below."""
    equal = [pixels[1:] == pixels[:-1], pixels[:, 1:] == pixels[:, :-1]]
    whole = [part.all(axis=2) if part.ndim == 3 else part for part in equal]
    return sum(int(part.sum()) for part in whole) >= _FLAT * max(1, sum(part.size for part in whole))
