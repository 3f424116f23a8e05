"""Pillow's colour modes: to what networks take, grey or RGB with or without alpha, and back.

A mode without a range of its own is refused: signed and wide whole numbers, and floats outside [0, 1].
"""

import contextlib
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from viceversa.data.values import UnusualValues
from viceversa.errors import PictureError

_SPACES = {"L": b"GRAY", "LA": b"GRAY", "RGB": b"RGB ", "RGBA": b"RGB ", "CMYK": b"CMYK", "I;16": b"GRAY"}
_RETURNED_TO = ("CMYK", "LAB", "YCbCr", "HSV")


def to_array(image: Image.Image, *, raw: bool = False) -> tuple[NDArray[Any], str]:
    """A loaded image as ``(H, W, C)`` uint8, uint16 or float32 in [0, 1], and the mode to return to if it is another.

    C is 1 or 3, and one more with an alpha channel. Palettes become RGB, 1 bit becomes grey. With ``raw``, numbers
    that have no usual range are left as they are.

    Raises:
        PictureError: Its values have no usual range.
    """
    if image.mode.startswith("I;16"):
        return np.asarray(image).astype(np.uint16)[:, :, None], ""
    if image.mode in ("F", "I"):
        values = _as_stored(image)[:, :, None]
        if raw:
            return values, ""
        if image.mode == "I":
            raise UnusualValues(values)
        return unit_floats(values), ""
    left = image.mode if image.mode in _RETURNED_TO else ""
    if left in ("CMYK", "LAB"):
        image = _by_profiles(image, left, "RGB", image.info.get("icc_profile"))
    grey = image.mode in ("1", "L", "LA", "La")
    alpha = image.has_transparency_data
    array = np.array(image.convert(("LA" if alpha else "L") if grey else "RGBA" if alpha else "RGB"))
    return (array if array.ndim == 3 else array[:, :, None]), left


def from_array(pixels: NDArray[Any], mode: str = "", icc: bytes | None = None) -> Image.Image:
    """``(H, W, C)`` of a kind that Pillow holds as an image, of ``mode`` if it is given."""
    channels = pixels.shape[2]
    image = Image.fromarray(np.ascontiguousarray(pixels[:, :, 0] if channels == 1 else pixels))
    if mode in _RETURNED_TO and image.mode in ("RGB", "RGBA", "L", "LA"):
        image = image.convert("RGB")
        return _by_profiles(image, "RGB", mode, icc) if mode in ("CMYK", "LAB") else image.convert(mode)
    return image


def eight_bit(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Uint8, uint16 or floats in [0, 1] as uint8, rounded to the nearest."""
    if pixels.dtype == np.uint16:
        return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if pixels.dtype == np.uint8:
        return pixels
    return np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8)


def sixteen_bit(pixels: NDArray[Any]) -> NDArray[np.uint16]:
    """Uint8, uint16 or floats in [0, 1] as uint16: white stays white."""
    if pixels.dtype == np.uint16:
        return pixels
    if pixels.dtype == np.uint8:
        return pixels.astype(np.uint16) * 257
    return np.rint(np.clip(pixels, 0, 1).astype(np.float64) * 65535).astype(np.uint16)


def unit_floats(pixels: NDArray[Any]) -> NDArray[np.float32]:
    """Floats of any precision as float32, once it is sure that they lie in [0, 1].

    Raises:
        UnusualValues: They do not.
    """
    if not (float(pixels.min()) >= -1e-3 and float(pixels.max()) <= 1 + 1e-3):  # written so that NaN is refused too
        raise UnusualValues(pixels)
    return np.ascontiguousarray(pixels, dtype=np.float32)


def on_white(pixels: NDArray[Any]) -> NDArray[Any]:
    """``(H, W, 2)`` or ``(H, W, 4)`` without its alpha channel, as it shows on a white ground; others as they are."""
    if pixels.shape[2] not in (2, 4):
        return pixels
    full = 1 if pixels.dtype.kind == "f" else np.iinfo(pixels.dtype).max
    alpha = pixels[:, :, -1:].astype(np.float32) / full
    laid = pixels[:, :, :-1] * alpha + full * (1 - alpha)
    return (laid if pixels.dtype.kind == "f" else np.rint(laid)).astype(pixels.dtype)


def straight(pixels: NDArray[Any]) -> NDArray[Any]:
    """Colours that were multiplied by alpha, the last channel, as they were before."""
    full = 1 if pixels.dtype.kind == "f" else np.iinfo(pixels.dtype).max
    alpha = pixels[:, :, -1:].astype(np.float64) / full
    colours = np.clip(
        np.divide(pixels[:, :, :-1], alpha, out=np.zeros(pixels[:, :, :-1].shape), where=alpha > 0), 0, full
    )
    colours = (colours if pixels.dtype.kind == "f" else np.rint(colours)).astype(pixels.dtype)
    return np.concatenate([colours, pixels[:, :, -1:]], 2)


def fitting_profile(icc: bytes | None, mode: str) -> bytes | None:
    """``icc`` if it is a profile for images of Pillow's ``mode``; else None."""
    return icc if icc is not None and icc[16:20] == _SPACES.get(mode) else None


def true_profile(icc: bytes | None, mode: str) -> bytes | None:
    """``icc``, unless it is one by which images of Pillow's ``mode`` cannot be converted from RGB.

    Those are converted by a plain rule, of which a profile would tell something else.
    """
    if mode != "CMYK" or fitting_profile(icc, mode) is None:
        return icc
    with contextlib.suppress(ImageCms.PyCMSError, OSError, ValueError):
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc or b""))
        ImageCms.buildTransform(ImageCms.createProfile("sRGB"), profile, "RGB", mode)
        return icc
    return None


def _as_stored(image: Image.Image) -> NDArray[Any]:
    """Mode F, or mode I in the kind of whole numbers that its TIFF tells of: Pillow holds them all as int32."""
    values = np.asarray(image)
    tags: Any = getattr(image, "tag_v2", None)
    if image.mode == "F" or tags is None:
        return values
    bits, signed = tags.get(258, (32,))[0], tags.get(339, (1,))[0] == 2
    if bits == 16:
        return values.astype(np.int16 if signed else np.uint16)
    return values if signed else values.view(np.uint32)


def _by_profiles(image: Image.Image, source: str, target: str, icc: bytes | None) -> Image.Image:
    """Between RGB and CMYK by the embedded profile, or by Pillow's plain rule without one; between RGB and Lab."""
    other = target if source == "RGB" else source
    profile: Any = None
    with contextlib.suppress(ImageCms.PyCMSError, OSError, ValueError):
        if other == "LAB":
            profile = ImageCms.createProfile("LAB")
        elif fitting_profile(icc, "CMYK"):
            profile = ImageCms.ImageCmsProfile(io.BytesIO(icc or b""))
        if profile is not None:
            srgb = ImageCms.createProfile("sRGB")
            pair = (srgb, profile) if source == "RGB" else (profile, srgb)
            return ImageCms.applyTransform(image, ImageCms.buildTransform(*pair, source, target)) or image
    if other == "LAB":
        raise PictureError("Lab colours need Pillow with LittleCMS, which this one lacks; save it as RGB.")
    return image.convert(target)
