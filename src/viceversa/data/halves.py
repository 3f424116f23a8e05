"""The shapes of pairs: of those side by side in one image, and of halves that are not equally large."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from viceversa.data import formats
from viceversa.errors import DataError, PictureError

_LOOKED_AT = 500  # files, spread over all
_ABOUT = 0.05  # of twice
_NEARLY_ALL = 0.9
_ALIKE = 0.02  # how far the shapes of halves may differ to be cut alike
_SQUARE = 0.05
_MOST_TIMES = 16  # beyond any super-resolution: of 1 x 1 px everything is a multiple

Fitting: TypeAlias = Literal["equal", "multiple", "alike", "turned", "unlike"]


@dataclass(frozen=True, kw_only=True)
class Shapes:
    """Of images that may be pairs side by side."""

    known: int
    """Images whose size could be read."""

    odd: dict[Path, tuple[int, int]]
    """Height and width of those that are not about twice as wide as high."""

    ratios: tuple[float, float]
    """The least and the greatest width as a multiple of the height; of none (2, 2)."""

    @property
    def are_pairs(self) -> bool:
        """Whether nearly all have the shape of pairs of squares."""
        return self.known > 0 and len(self.odd) <= (1 - _NEARLY_ALL) * self.known


def is_twice(height: int, width: int, ratios: tuple[float, float] = (2.0, 2.0)) -> bool:
    """Return whether an image is about twice as wide as high, or as wide as pairs are that have these ``ratios``."""
    return ratios[0] * (1 - _ABOUT) <= width / height <= ratios[1] * (1 + _ABOUT)


def fitting(a: tuple[int, int], b: tuple[int, int]) -> Fitting:
    """Return how the sizes of two halves, (height, width) in pixels, fit one another.

    "multiple" is a whole multiple, at most 16, up to what a division leaves over; "alike" nearly the same shape;
    "turned" nearly the same shape where one of the two is laid on its side; anything else is "unlike".
    """
    if a == b:
        return "equal"
    small, large = sorted((a, b))
    times = max(large[0] // small[0], large[1] // small[1])
    if 1 < times <= _MOST_TIMES and all(
        0 <= much - times * little < times for much, little in zip(large, small, strict=True)
    ):
        return "multiple"
    shape_a, shape_b = a[1] / a[0], b[1] / b[0]
    if abs(shape_a / shape_b - 1) <= _ALIKE:
        return "alike"
    return "turned" if abs(shape_a * shape_b - 1) <= _ALIKE and abs(shape_a - 1) > _SQUARE else "unlike"


def look_at(files: Sequence[Path]) -> Shapes:
    """Read the sizes of some images; of all, where one of these is odd. What cannot be read is passed over."""
    step = max(1, len(files) // _LOOKED_AT)
    shapes = _shapes(files[::step])
    return _shapes(files) if step > 1 and shapes.odd and shapes.are_pairs else shapes


def _shapes(files: Sequence[Path]) -> Shapes:
    sizes: dict[Path, tuple[int, int]] = {}
    for file in files:
        with suppress(PictureError, DataError, OSError):
            height, width = formats.size_of(file)
            if height and width:
                sizes[file] = height, width
    ratios = [width / height for height, width in sizes.values()]
    return Shapes(
        known=len(sizes),
        odd={file: size for file, size in sizes.items() if not is_twice(*size)},
        ratios=(min(ratios, default=2.0), max(ratios, default=2.0)),
    )
