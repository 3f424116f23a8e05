"""Whatever goes wrong with a file, said in one sentence that begins with its name."""

import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from PIL import Image, UnidentifiedImageError

from viceversa.data.formats.kinds import KINDS
from viceversa.data.formats.limits import TooManyPixels
from viceversa.errors import MissingExtra, PictureError

T = TypeVar("T")

_LONGEST_REASON = 150  # characters, of what a decoder says


@contextmanager
def named(path: Path | str) -> Generator[None]:
    """Whatever goes wrong inside becomes a `PictureError` whose text begins with the file's name."""
    try:
        yield
    except Exception as error:  # the decoders raise nearly every kind of error on damaged files
        kind = TooManyPixels if isinstance(error, TooManyPixels) else PictureError
        raise kind(f"{path}: {_reason(path, error)}") from error


def each_named(path: Path | str, parts: Iterator[T]) -> Iterator[T]:
    """The same, with what goes wrong on the way as of `named`."""
    while True:
        with named(path):
            part = next(parts, None)
        if part is None:
            return
        yield part


def _reason(path: Path | str, error: Exception) -> str:
    if isinstance(error, PictureError | MissingExtra):
        return str(error)
    if isinstance(error, FileNotFoundError):
        return "there is no such file."
    if isinstance(error, MemoryError):
        return "there is not enough memory to decode it; make it smaller."
    if isinstance(error, Image.DecompressionBombError):
        return (
            "it has more than 178 megapixels, which only PNG, TIFF and .npy may have; make it smaller, or one of those."
        )
    if isinstance(error, UnidentifiedImageError):
        if os.path.getsize(path) == 0:
            return "the file is empty; replace it or remove it."
        kinds = " ".join(dict.fromkeys(KINDS.values()))
        return f"it is no image of a kind that can be read ({kinds}), or its head is damaged; remove it."
    if isinstance(error, OSError) and error.errno is not None:
        return f"it cannot be opened ({error.strerror})."
    if "MAX_TEXT_" in str(error):
        return "it has a text or a colour profile that would unpack to more than 1 MB; save it without."
    said = " ".join(str(error).split())[:_LONGEST_REASON] or type(error).__name__
    return f"the file is damaged or cut short ({said}); replace it or remove it."
