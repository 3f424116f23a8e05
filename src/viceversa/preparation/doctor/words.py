"""Numbers and lists as people say them."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from viceversa.preparation.doctor.scan import Picture

_EXAMPLES = 5


def percent(share: float) -> str:
    """``"62 %"``; with a decimal below one percent."""
    value = 100 * share
    return f"{value:.0f} %" if value >= 1 or not value else f"{value:.1f} %"


def some(names: Iterable[str]) -> tuple[str, ...]:
    """The first few."""
    return tuple(name for name, _ in zip(names, range(_EXAMPLES), strict=False))


def chosen(pictures: Sequence[Picture], which: NDArray[np.bool_]) -> tuple[str, ...]:
    """The names of the first few that ``which`` marks."""
    return some(picture.name for picture, is_one in zip(pictures, which, strict=True) if is_one)
