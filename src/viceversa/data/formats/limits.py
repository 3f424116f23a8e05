"""What a file's head may promise: a few kilobytes can unpack to gigabytes, so more is refused before it is decoded."""

import os
from pathlib import Path

from viceversa.errors import PictureError

PIXEL_LIMIT = 2**28
"""Pixels of a picture, or of all frames of an animation, unless a larger limit is given."""

_SURE_PIXELS = 2**26
_PIXELS_PER_BYTE = 1000


class TooManyPixels(PictureError):
    """A file that a larger limit would let through; whether there is one to set depends on what it was read for."""


def check_pixels(path: Path | str, width: int, height: int, max_pixels: int | None = None, frames: int = 1) -> None:
    """Refuses what is empty, or larger than ``max_pixels`` (else `PIXEL_LIMIT`), or is most likely a bomb.

    Above 67 megapixels a photograph has more than a byte for every thousand pixels, in every format; a bomb has not.

    Raises:
        PictureError: The text is the rest of a sentence that begins with the file's name.
        TooManyPixels: The same, where a limit is to blame.
    """
    if width < 1 or height < 1:
        raise PictureError(f"the file is damaged: it tells of {width} x {height} px; replace it or remove it.")
    pixels = width * height * frames
    if pixels > (max_pixels or PIXEL_LIMIT):
        shown = f"{frames} frames of {width} x {height} px" if frames > 1 else f"{width} x {height} px"
        raise TooManyPixels(
            f"it has {shown}, more than {(max_pixels or PIXEL_LIMIT) // 10**6} megapixels; make it smaller, or "
            "remove it."
        )
    if max_pixels is None and pixels > _SURE_PIXELS and pixels > _PIXELS_PER_BYTE * os.path.getsize(path):
        raise TooManyPixels(
            f"its {os.path.getsize(path)} bytes would unpack to {width} x {height} px, like those of a decompression "
            "bomb; remove it."
        )
