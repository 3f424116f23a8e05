"""The made half of a pair: an image with something taken away, which a translator learns to give back."""

import numpy as np

from viceversa.data.images import Array
from viceversa.extras import need
from viceversa.preparation.config import Made
from viceversa.preparation.frames import to_grey

_COARSER = 4  # times, in "small"
_LEAST_SLOPE = 24.0  # sum of Sobel's two derivatives: what is flatter is grain


def made(picture: Array, kind: Made) -> Array:
    """``(H, W, 3)`` of ``(H, W, 3)``.

    "edges" are dark lines on white by Canny ("A computational approach to edge detection", PAMI 1986), which begin at
    the steepest tenth of the pixels; "grey" has no colour; "blurred" no detail; "small" a fourth of the pixels of each
    side.
    """
    cv2 = need("cv2", "prepare")
    height, width = picture.shape[:2]
    if kind == "grey":
        return _three(to_grey(picture))
    if kind == "blurred":
        return cv2.GaussianBlur(picture, (0, 0), min(height, width) / 64)
    if kind == "small":
        size = max(1, width // _COARSER), max(1, height // _COARSER)
        coarse = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    grey = cv2.GaussianBlur(to_grey(picture), (0, 0), 1.0)
    slopes = sum(np.abs(cv2.Sobel(grey, cv2.CV_32F, *axis)) for axis in ((1, 0), (0, 1)))
    steep = max(_LEAST_SLOPE, float(np.quantile(slopes, 0.9)))
    lines = cv2.Canny(grey, 0.4 * steep, steep)
    return _three(255 - lines)


def _three(grey: Array) -> Array:
    return np.repeat(grey[:, :, None], 3, axis=2)
