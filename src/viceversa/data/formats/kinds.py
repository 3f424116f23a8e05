"""Kinds of files: what a file is, by its first bytes, and what it is to be, by its name."""

import struct
from pathlib import Path

from viceversa.data.formats import npy, png, tiff
from viceversa.data.picture import About
from viceversa.errors import PictureError

KINDS = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".jfif": "JPEG",
    ".png": "PNG",
    ".webp": "WEBP",
    ".bmp": "BMP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".gif": "GIF",
    ".avif": "AVIF",
    ".heic": "HEIF",
    ".heif": "HEIF",
    ".npy": "NPY",
}
"""The kind of file that is written for each suffix."""
SUFFIXES = tuple(KINDS)
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1")
_HEAD_BYTES = 4096


def family(path: Path | str) -> str:
    """Which reader takes a file, by its first bytes: PNG, TIFF, NPY or HEIF; AVIF and all others are "" (Pillow)."""
    with open(path, "rb") as file:
        head = file.read(_HEAD_BYTES)
    if head.startswith(png.SIGNATURE):
        return "PNG"
    if head.startswith(tiff.MAGIC):
        return "TIFF"
    if head.startswith(npy.MAGIC):
        return "NPY"
    if head[4:8] == b"ftyp":
        brands = head[8 : min(struct.unpack(">I", head[:4])[0], _HEAD_BYTES)]
        if not {b"avif", b"avis"} & set(_quads(brands)):
            return "HEIF" if set(_quads(brands)) & set(_HEIF_BRANDS) else ""
    return ""


def kind_of(path: Path | str) -> str:
    """The kind that a name asks for.

    Raises:
        PictureError: There is no such kind.
    """
    suffix = Path(path).suffix
    if suffix.lower() not in KINDS:
        raise PictureError(f"'{suffix}' is not a kind of image that can be written; use one of {' '.join(SUFFIXES)}.")
    return KINDS[suffix.lower()]


def kind_for(target: Path | str, source: Path | str, about: About) -> str:
    """The kind for a translation of ``source``: that of the target's name; or the source's own, if the names agree.

    So a PNG that is called .jpg, transparent as no JPEG can be, is a PNG called .jpg again.
    """
    same = Path(target).suffix.lower() == Path(source).suffix.lower()
    return about.kind if same and about.kind in KINDS.values() else kind_of(target)


def _quads(data: bytes) -> list[bytes]:
    return [data[start : start + 4] for start in range(0, len(data), 4)]
