"""How a picture, or a pair of pictures, becomes one square uint8 array."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from viceversa.data.folders import Item
from viceversa.data.images import Array, Fit, fit_square, read
from viceversa.errors import PictureError


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How an item becomes one uint8 array ``(side_px, side_px, sum(channels))``."""

    side_px: int
    """Pixels of a side of the square pictures."""

    smallest_px: int = 1
    """Pictures whose short side is smaller than this are not used."""

    fit: Fit = "crop"
    """How a picture that is not square becomes so: `viceversa.data.images.fit_square`."""

    channels: tuple[Literal[1, 3], ...] = (3,)
    """Channels of the picture, or of both halves of a pair, which lie in one array, one behind the other."""


def decode(item: Item, recipe: Recipe) -> Array:
    """An item as ``(side_px, side_px, sum(channels))`` uint8; both halves of a pair go the same way.

    Raises:
        PictureError: A file cannot be read, is too small, or the halves of a pair are not equally large.
    """
    if len(recipe.channels) == 1:
        # Twice the size that is needed leaves something to filter.
        parts = [read(item.files[0], recipe.channels[0], at_least_px=2 * recipe.side_px)]
    elif len(item.files) == 1:
        parts = _halves(item.files[0], recipe.channels)
    else:
        parts = [read(file, channels) for file, channels in zip(item.files, recipe.channels, strict=True)]
        (height_a, width_a), (height, width) = parts[0].shape[:2], parts[1].shape[:2]
        if (height_a, width_a) != (height, width):
            raise PictureError(
                f"{item.files[1]}: it is {width} x {height} px, but its partner is {width_a} x {height_a} px; "
                "the halves of a pair must be equally large."
            )
    height, width = parts[0].shape[:2]
    if min(height, width) < recipe.smallest_px:
        raise PictureError(
            f"{item.files[0]}: it is {width} x {height} px, smaller than the {recipe.smallest_px} px that training "
            "takes; choose a smaller --size, or let it be enlarged with --enlarge."
        )
    return np.concatenate([fit_square(part, recipe.side_px, recipe.fit) for part in parts], axis=2)


def _halves(file: Path, channels: tuple[Literal[1, 3], ...]) -> list[Array]:
    whole = {number: read(file, number) for number in set(channels)}
    width = whole[channels[0]].shape[1]
    if width % 2:
        raise PictureError(
            f"{file}: it is {width} px wide, so it has no two equal halves; "
            "a pair side by side needs an even width, A on the left and B on the right."
        )
    return [whole[channels[0]][:, : width // 2], whole[channels[1]][:, width // 2 :]]
