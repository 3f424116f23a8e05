"""Images from the bytes of a request, and to the bytes of an answer."""

import secrets
from collections.abc import Generator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from viceversa.data import formats
from viceversa.data.formats.limits import TooManyPixels, check_bytes
from viceversa.data.picture import Picture
from viceversa.errors import MissingExtra, PictureError
from viceversa.serving.problems import Problem, too_large

FORMATS = {"png": "PNG", "jpg": "JPEG", "jpeg": "JPEG", "webp": "WEBP", "avif": "AVIF", "tif": "TIFF"}
"""What can be asked for, and the kind of file that it is."""
MEDIA_TYPES = {
    "PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp", "AVIF": "image/avif", "TIFF": "image/tiff",
}  # fmt: skip
SUFFIXES = {kind: f".{name}" for name, kind in reversed(FORMATS.items())}

_ANY_SIZE = 2**62


def size_of(data: bytes, folder: Path, max_pixels: int) -> tuple[int, int]:
    """How many pixels the head of ``data`` tells of, and their bytes in memory; nothing is decoded.

    Raises:
        Problem: As of `decode`.
    """
    with _as_file(data, folder) as file:
        height, width, pixel_bytes = formats.head_of(file, max_pixels=_ANY_SIZE)
        if height * width > max_pixels:
            raise too_large(
                f"The image has {width} x {height} px, and at most {max_pixels / 1e6:.3g} megapixels are taken here; "
                "make it smaller."
            )
        check_bytes(file, height * width * pixel_bytes, max_pixels)
        return height * width, height * width * pixel_bytes


def decode(data: bytes, folder: Path, max_pixels: int) -> Picture:
    """The image in ``data``, upright, the first of several; ``folder`` is for a file that is gone afterwards.

    Raises:
        Problem: 413 more than ``max_pixels``; 415 no image; 422 a damaged one.
    """
    with _as_file(data, folder) as file:
        return formats.read(file, max_pixels=max_pixels)


@contextmanager
def _as_file(data: bytes, folder: Path) -> Generator[Path]:
    """The readers take files: all their checks of hostile ones are made on files."""
    file = folder / secrets.token_hex(16)
    try:
        file.write_bytes(data)
        yield file
    except PictureError as error:
        raise _refusal(error, str(error).removeprefix(f"{file}: ")) from error
    finally:
        file.unlink(missing_ok=True)


def encode(picture: Picture, kind: str, quality: int) -> bytes:
    """The file's bytes.

    Raises:
        Problem: 422, the kind does not hold such an image.
    """
    file = BytesIO()
    try:
        formats.write(file, picture, kind, quality)
    except (PictureError, ValueError, OverflowError, OSError) as error:  # encoders say so of sides that are too long
        said = " ".join(str(error).split())
        raise Problem(422, "cannot_write", f"The result cannot be written as {kind} ({said}); ask for png.") from error
    return file.getvalue()


def kind_for(asked: str | None, picture: Picture) -> str:
    """The kind of file of the answer: what was asked for, or that of the image, or PNG."""
    if asked is not None:
        return FORMATS[asked]
    return picture.about.kind if picture.about.kind in MEDIA_TYPES else "PNG"


def _refusal(error: PictureError, text: str) -> Problem:
    cause = error.__cause__
    if isinstance(error, TooManyPixels):
        return too_large(f"The image is too large: {text}")
    if isinstance(cause, Image.DecompressionBombError):
        return too_large("The image has more than 178 megapixels; make it smaller.")
    if isinstance(cause, UnidentifiedImageError | MissingExtra):
        kinds = ", ".join(dict.fromkeys(formats.KINDS.values()))
        return Problem(415, "no_picture", f"The file is no image of a kind that can be read here ({kinds}).")
    return Problem(422, "damaged_picture", f"The image cannot be used: {text}")
