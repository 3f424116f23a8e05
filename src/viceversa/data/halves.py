"""Pairs side by side in one picture: whether pictures have the shape of such pairs."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from viceversa.data import formats
from viceversa.errors import DataError, PictureError

_LOOKED_AT = 500  # files, spread over all
_ABOUT = 0.05  # of twice
_NEARLY_ALL = 0.9


@dataclass(frozen=True, kw_only=True)
class Shapes:
    """Of pictures that may be pairs side by side."""

    known: int
    """Pictures whose size could be read."""

    odd: dict[Path, tuple[int, int]]
    """Height and width of those that are not about twice as wide as high."""

    ratios: tuple[float, float]
    """The least and the greatest width as a multiple of the height; of none (2, 2)."""

    @property
    def are_pairs(self) -> bool:
        """Whether nearly all have the shape of pairs of squares."""
        return self.known > 0 and len(self.odd) <= (1 - _NEARLY_ALL) * self.known


def is_twice(height: int, width: int, ratios: tuple[float, float] = (2.0, 2.0)) -> bool:
    """Return whether a picture is about twice as wide as high, or as wide as pairs are that have these ``ratios``."""
    return ratios[0] * (1 - _ABOUT) <= width / height <= ratios[1] * (1 + _ABOUT)


def look_at(files: Sequence[Path]) -> Shapes:
    """Read the sizes of some pictures; of all, where one of these is odd. What cannot be read is passed over."""
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
