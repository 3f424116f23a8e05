"""What is measured on one image, each a pure function of its pixels.

All but `shrunk` and `middle` expect the middle of an image, shrunk to a short side of `SIDE_PX`: then a number means
the same for videos of any resolution, and bars, logos and subtitles at the rim do not count.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from viceversa.data.images import Array
from viceversa.extras import need

SIDE_PX = 256
FINGERPRINT_BITS = 256
BLANK_CONTRAST = 4.0  # grey levels: paper grain and the noise of compression stay below it

Grey = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Measures:
    """What is known of an image after it was looked at."""

    brightness: float
    """Mean grey level, 0 to 255."""
    contrast: float
    """Standard deviation of the grey levels: 0 for one plain colour; it shrinks in step with a fade."""
    sharpness: float
    """Variance of the Laplacian."""
    text: bool
    """Nothing but writing on a plain ground."""
    fingerprint: bytes
    """32 bytes for each side of a pair: see `fingerprint`."""


def measured(*sides: Array) -> Measures:
    """Everything about ``(H, W, 3)`` uint8 RGB of any size; of a pair about its first half, with both fingerprints."""
    inner = middle(shrunk(sides[0]))
    grey = to_grey(inner)
    others = (to_grey(middle(shrunk(side))) for side in sides[1:])
    return Measures(
        brightness=float(grey.mean()),
        contrast=float(grey.std()),
        sharpness=sharpness(grey),
        text=is_text(inner),
        fingerprint=b"".join(fingerprint(Image.fromarray(side), 16) for side in (grey, *others)),
    )


def shrunk(picture: Array) -> Array:
    """With a short side of at most `SIDE_PX`: each pixel the mean of the area that it covers."""
    height, width = picture.shape[:2]
    scale = SIDE_PX / min(height, width)
    if scale >= 1:
        return picture
    cv2 = need("cv2", "prepare")
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


def middle(picture: NDArray[Any]) -> NDArray[Any]:
    """The middle three quarters of each side."""
    top, left = picture.shape[0] // 8, picture.shape[1] // 8
    return picture[top : picture.shape[0] - top, left : picture.shape[1] - left]


def to_grey(picture: Array) -> Grey:
    """``(H, W, 3)`` RGB as ``(H, W)``."""
    cv2 = need("cv2", "prepare")
    return cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2GRAY)


def sharpness(grey: Grey) -> float:
    """Variance of the Laplacian: fine detail with contrast; both being out of focus and moving lower it.

    (Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy", ICPR 2000.)
    """
    cv2 = need("cv2", "prepare")
    return float(cv2.Laplacian(grey, cv2.CV_32F).var())


def fingerprint(picture: Image.Image, size: int) -> bytes:
    """``size`` x ``size`` bits that stay nearly the same under rescaling, compression and slight changes of light.

    The signs of the lowest cosine frequencies (imagehash's phash). With 256 bits, different photographs of faces, all
    aligned alike, differ in 23 % of the bits or more; a hand-held shot differs from itself a second later in 12 %.
    """
    return np.packbits(need("imagehash", "prepare").phash(picture, hash_size=size).hash).tobytes()


def is_text(picture: Array) -> bool:
    """Whether ``(H, W, 3)`` shows writing and nothing else: a plain ground with thin strokes in lines.

    All of this must hold: most pixels have nearly the same grey level (the ground); some are clearly lighter or darker
    than it (the ink); the ink is thin; there are rows of pixels without ink; and the rows with ink cross many strokes.
    Lit windows fail at the third, drawings at the fourth, a night sky at the second.
    """
    cv2 = need("cv2", "prepare")
    grey = to_grey(picture)
    levels = np.convolve(np.bincount(grey.ravel(), minlength=256), np.ones(21), "same")
    ground = int(levels.argmax())
    if levels[ground] < 0.6 * grey.size:
        return False
    ink = (cv2.absdiff(grey, np.full_like(grey, ground)) > 48).astype(np.uint8)
    amount = int(ink.sum())
    if not 0.002 * grey.size <= amount <= 0.3 * grey.size:
        return False
    thick = cv2.morphologyEx(ink, cv2.MORPH_OPEN, np.ones((9, 9), np.uint8))
    if thick.sum() > 0.2 * amount:
        return False
    inked = ink.any(axis=1)
    strokes = (np.diff(ink.astype(np.int8), axis=1) == 1).sum(axis=1)
    return bool(inked.mean() < 0.75 and np.median(strokes[inked]) >= 4)
