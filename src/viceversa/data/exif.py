"""EXIF: which way is up, and what may be said again of an image that was translated.

Fields that tell of how a file lies on disk stay behind, and so does the preview, which shows another image.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

_BASE, _IFD = ExifTags.Base, ExifTags.IFD
_BLOCKS = (_IFD.Exif, _IFD.GPSInfo)
_SIDES = (_BASE.ExifImageWidth, _BASE.ExifImageHeight)
TEXTS = (
    _BASE.ImageDescription, _BASE.Make, _BASE.Model, _BASE.Software, _BASE.DateTime, _BASE.Artist, _BASE.Copyright,
)  # fmt: skip
_KEPT = (
    *TEXTS, _BASE.HostComputer, _BASE.XResolution, _BASE.YResolution, _BASE.ResolutionUnit, _BASE.Rating,
    _BASE.RatingPercent, _BASE.XPTitle, _BASE.XPComment, _BASE.XPAuthor, _BASE.XPKeywords, _BASE.XPSubject,
)  # fmt: skip


def orientation(found: Image.Exif | bytes | None) -> int:
    """1 for upright, up to 8; 1 if there is no such note, or a damaged one."""
    try:
        noted = _loaded(found).get(_BASE.Orientation, 1)
    except Exception:  # a damaged EXIF block is no reason to lose a good image
        return 1
    return noted if noted in range(1, 9) else 1


def kept(found: Image.Exif | bytes | None, size: tuple[int, int]) -> bytes | None:
    """What may be said again of an image of ``size`` = (width, height); None if that is nothing."""
    try:
        exif, kept = _loaded(found), Image.Exif()
        for tag in _KEPT:
            if tag in exif:
                kept[tag] = exif[tag]
        for block in _BLOCKS:
            if fields := dict(exif.get_ifd(block)):
                kept[block] = fields | {tag: side for tag, side in zip(_SIDES, size, strict=True) if tag in fields}
        return kept.tobytes() if len(kept) else None
    except Exception:  # as above
        return None


def from_texts(texts: Mapping[int, str]) -> bytes | None:
    """A block of some of the fields `TEXTS`."""
    exif = Image.Exif()
    for tag, text in texts.items():
        exif[tag] = text
    return exif.tobytes() if len(exif) else None


def texts(data: bytes | None, tags: Iterable[int] = TEXTS) -> dict[int, str]:
    """Those of the fields that are there."""
    exif = _loaded(data)
    return {int(tag): str(exif[tag]) for tag in tags if tag in exif}


def has_blocks(data: bytes | None) -> bool:
    """Whether there is more than the plain fields: a block of the camera's, or the place."""
    exif = _loaded(data)
    return any(block in exif for block in _BLOCKS)


def upright(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """``(H, W, C)`` as it was stored, turned the right way up (EXIF 2.32, tag 274)."""
    rows, columns = flips(orientation)
    pixels = pixels.swapaxes(0, 1) if orientation > 4 else pixels
    return np.ascontiguousarray(pixels[:: -1 if rows else 1, :: -1 if columns else 1])


def flips(orientation: int) -> tuple[bool, bool]:
    """Whether rows and columns are to be reversed, after height and width have been exchanged for 5 to 8."""
    return orientation in (3, 4, 7, 8), orientation in (2, 3, 6, 7)


def _loaded(found: Image.Exif | bytes | None) -> Image.Exif:
    if isinstance(found, Image.Exif):
        return found
    exif = Image.Exif()
    if found:
        exif.load(found)
    return exif
