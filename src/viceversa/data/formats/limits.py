"""What a file's head may promise: a few kilobytes can unpack to gigabytes, so more is refused before it is decoded."""

import os
from pathlib import Path

from viceversa.errors import PictureError

PIXEL_LIMIT = 2**28
"""Pixels of an image, or of all frames of an animation, unless a larger limit is given."""
BYTES_PER_PIXEL = 8
"""So many bytes may a pixel of the largest image have; of smaller images it may have more."""

MOST_FRAMES = 2**14
"""Of an animation, and pages of a TIFF."""

_USUAL_BYTES = 3  # of a pixel, at least: 1 bit and palettes are unpacked to RGB
_SURE_BYTES = 110_000_000
_UNPACKED_PER_BYTE = 250


class TooManyPixels(PictureError):
    """A file that a larger limit would let through; whether there is one to set depends on what it was read for."""


def check_pixels(
    path: Path | str, width: int, height: int, max_pixels: int | None = None, frames: int = 1, pixel_bytes: int = 0
) -> None:
    """Refuses what is empty, or larger than ``max_pixels`` (else `PIXEL_LIMIT`), or is most likely a bomb.

    Above 110 MB in memory an image has more than a byte for every 250 of them, in every format; a bomb has not. Nothing
    at all takes a byte for 256 in JPEG, for 382 in BMP, for 1,032 in PNG and TIFF, and less elsewhere.

    Args:
        path: The file.
        width: In pixels.
        height: In pixels.
        max_pixels: See `viceversa.data.formats.read`.
        frames: How many images of that size there are.
        pixel_bytes: Bytes of a pixel in memory; 3, if fewer are given.

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
    check_bytes(path, pixels * max(pixel_bytes, _USUAL_BYTES), max_pixels, f"{width} x {height} px")


def check_bytes(path: Path | str, unpacked: int, max_pixels: int | None = None, shown: str = "") -> None:
    """Refuses what needs more memory than the largest image, or is most likely a bomb; see `check_pixels`.

    Args:
        path: The file.
        unpacked: Bytes in memory.
        max_pixels: See `check_pixels`.
        shown: What to say of the size, beside the bytes.

    Raises:
        TooManyPixels: The text is the rest of a sentence that begins with the file's name.
    """
    most = (max_pixels or PIXEL_LIMIT) * BYTES_PER_PIXEL
    if unpacked > most:
        raise TooManyPixels(
            f"it would unpack to {_shown(unpacked, shown)}, more than {most / 1e6:,.0f} MB; make it smaller, or "
            "remove it."
        )
    check_ratio(path, unpacked, max_pixels, shown)


def check_ratio(path: Path | str, unpacked: int, max_pixels: int | None = None, shown: str = "") -> None:
    """Refuses what is most likely a bomb, unless a limit is given; see `check_pixels` and `check_bytes`.

    Raises:
        TooManyPixels: The text is the rest of a sentence that begins with the file's name.
    """
    packed = os.path.getsize(path)
    if max_pixels is None and unpacked > _SURE_BYTES and unpacked > _UNPACKED_PER_BYTE * packed:
        raise TooManyPixels(
            f"its {packed:,} bytes would unpack to {_shown(unpacked, shown)}, like those of a decompression bomb; "
            "remove it, or if you trust it, save it uncompressed or smaller."
        )


def check_frames(frames: int) -> None:
    """Refuses more than `MOST_FRAMES`: each takes time, however small it is.

    Raises:
        PictureError: The text is the rest of a sentence that begins with the file's name.
    """
    if frames > MOST_FRAMES:
        raise PictureError(f"it has more than {MOST_FRAMES:,} frames or pages; split it into several files.")


def _shown(unpacked: int, shown: str) -> str:
    return f"{shown}, {unpacked / 1e6:,.0f} MB" if shown else f"{unpacked / 1e6:,.0f} MB"
