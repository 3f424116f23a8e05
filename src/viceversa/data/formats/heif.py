"""HEIC: by pillow-heif, opened by itself instead of being made known to all of Pillow."""

from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from viceversa.data import exif
from viceversa.data.formats.directories import is_sound
from viceversa.data.formats.limits import check_pixels
from viceversa.data.picture import About, Picture
from viceversa.errors import PictureError
from viceversa.extras import need


def read(path: Path | str, max_pixels: int | None = None) -> Picture:
    """The primary image, in 8 bits, or 16 if it has more than 8. The decoder itself turns it upright.

    Raises:
        PictureError: It is too large.
        MissingExtra: pillow-heif is not installed.
    """
    heif: Any = need("pillow_heif", "formats").open_heif(path, convert_hdr_to_8bit=False)
    width, height = heif.size
    check_pixels(path, width, height, max_pixels)
    array = np.asarray(heif)
    array = array if array.ndim == 3 else array[:, :, None]
    block = heif.info.get("exif") or b""
    noted = exif.kept(block, heif.size) if is_sound(block) else None
    about = About(kind="HEIF", icc=heif.info.get("icc_profile"), exif=noted, several=len(heif) > 1)
    return Picture(pixels=array, about=about)


def size(path: Path | str) -> tuple[int, int]:
    """Height and width of the primary image, from the file's head."""
    width, height = need("pillow_heif", "formats").open_heif(path).size
    return height, width


def write(file: BinaryIO, picture: Picture, quality: int) -> None:
    """``(H, W, C)`` uint8 or uint16, of which 10 bits are kept."""
    module: Any = need("pillow_heif", "formats")
    if "HEIF" not in module.libheif_info() or not module.libheif_info()["HEIF"]:
        raise PictureError("this build of pillow-heif writes no HEIC; choose another kind with --format.")
    pixels, about = picture.pixels, picture.about
    mode = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[pixels.shape[2]] + (";16" if pixels.dtype == np.uint16 else "")
    data = np.ascontiguousarray(pixels).tobytes()
    heif = module.from_bytes(mode, (pixels.shape[1], pixels.shape[0]), data)
    # Measured on a photograph: as small as with the encoder's own setting, at 2.5 times the speed.
    options = {"enc_params": {"preset": "fast"}}
    heif.save(file, quality=quality, exif=about.exif, icc_profile=about.icc, **options)
