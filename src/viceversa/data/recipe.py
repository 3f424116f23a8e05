"""How a picture, or a pair of pictures, becomes one array of a given size."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from viceversa import sizes
from viceversa.data import formats
from viceversa.data.folders import Item
from viceversa.data.formats import npy
from viceversa.data.images import Fit, Pixels, fitted, read, read_deep
from viceversa.errors import PictureError
from viceversa.sizes import SizePx


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How an item becomes one array ``(height, width, sum(channels))``."""

    side_px: SizePx
    """Of the arrays: pixels of a side, or height and width."""

    smallest_px: SizePx = 1
    """Pictures that are smaller than this on either side are not used."""

    fit: Fit = "crop"
    """How a picture of another shape comes to the size: `viceversa.data.images.fitted`."""

    channels: tuple[int, ...] = (3,)
    """Channels of the picture, or of both halves of a pair, which lie in one array, one behind the other."""

    bits: Literal[8, 16] = 8
    """Of a value: 8 give uint8, 16 give uint16."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of one array."""
        return *sizes.sides(self.side_px), sum(self.channels)

    def about(self) -> dict[str, Any]:
        """What it says, for a hash: the same as ever for 8 bits, so that what was cached is found."""
        return {name: value for name, value in asdict(self).items() if (name, value) != ("bits", 8)}


def decode(item: Item, recipe: Recipe) -> Pixels:
    """An item as ``(height, width, sum(channels))`` uint8 or uint16; both halves of a pair go the same way.

    Raises:
        PictureError: A file cannot be read, is too small, or the halves of a pair are not equally large.
    """
    if len(recipe.channels) == 1:
        # Twice the size that is needed leaves something to filter.
        at_least_px = 2 * max(recipe.shape[:2])
        parts = [_read(item.files[0], recipe.channels[0], recipe.bits, at_least_px=at_least_px)]
    elif len(item.files) == 1:
        parts = _halves(item.files[0], recipe)
    else:
        parts = [_read(file, count, recipe.bits) for file, count in zip(item.files, recipe.channels, strict=True)]
        (height_a, width_a), (height, width) = parts[0].shape[:2], parts[1].shape[:2]
        if (height_a, width_a) != (height, width):
            raise PictureError(
                f"{item.files[1]}: it is {width} x {height} px, but its partner is {width_a} x {height_a} px; "
                "the halves of a pair must be equally large."
            )
    height, width = parts[0].shape[:2]
    if not sizes.covers((height, width), recipe.smallest_px):
        raise PictureError(
            f"{item.files[0]}: it is {width} x {height} px, smaller than the {_in_words(recipe.smallest_px)} that "
            "training takes; choose a smaller --size, or let it be enlarged with --enlarge."
        )
    return np.concatenate([fitted(part, recipe.side_px, recipe.fit) for part in parts], axis=2)


def _in_words(size_px: SizePx) -> str:
    """Sizes of files are told with the width first, and --size has the height first: so both are named."""
    return f"{size_px} px" if isinstance(size_px, int) else f"{size_px[1]} px of width and {size_px[0]} px of height"


def _read(file: Path, channels: int, bits: Literal[8, 16], at_least_px: int | None = None) -> Pixels:
    with formats.named(file):
        shape = npy.mapped(file).shape if formats.family(file) == "NPY" else ()
        if len(shape) == 3 and shape[2] in (2, 4) and shape[2] != channels:
            raise PictureError(
                f"it has {shape[2]} channels, and an array does not say whether the last is alpha; cut that off, or "
                "train on all of them (--channels-a, --channels-b)."
            )
    return (read if bits == 8 else read_deep)(file, channels, at_least_px)


def _halves(file: Path, recipe: Recipe) -> list[Pixels]:
    channels = recipe.channels
    whole = {number: _read(file, number, recipe.bits) for number in set(channels)}
    width = whole[channels[0]].shape[1]
    if width % 2:
        raise PictureError(
            f"{file}: it is {width} px wide, so it has no two equal halves; "
            "a pair side by side needs an even width, A on the left and B on the right."
        )
    return [whole[channels[0]][:, : width // 2], whole[channels[1]][:, width // 2 :]]
