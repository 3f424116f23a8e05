"""How an image, or a pair of images, becomes one array of a given size."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from viceversa import sizes
from viceversa.data import formats, halves
from viceversa.data.folders import Item
from viceversa.data.formats import npy
from viceversa.data.images import PIXEL_LIMIT, Fit, Pixels, eight_bit, fitted, resize, sixteen_bit
from viceversa.data.labels import looks_like_labels
from viceversa.data.pages import stacked
from viceversa.data.picture import Picture
from viceversa.data.reading import Reading, remarks_on
from viceversa.errors import PictureError
from viceversa.sizes import SizePx

_OF_VALUES = ("few", "missing", "outside")  # remarks on what is in an image, and not on its file


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How an item becomes one array ``(height, width, sum(channels))``."""

    side_px: SizePx
    """Of the arrays: pixels of a side, or height and width."""

    smallest_px: SizePx = 1
    """Images that are smaller than this on either side are not used."""

    fit: Fit = "crop"
    """How an image of another shape comes to the size: `viceversa.data.images.fitted`."""

    channels: tuple[int, ...] = (3,)
    """Channels of the image, or of both halves of a pair, which lie in one array, one behind the other."""

    bits: Literal[8, 16] = 8
    """Of a value: 8 give uint8, 16 give uint16."""

    readings: tuple[Reading, ...] = ()
    """How the files of the image, or of both halves of a pair, are read; none: all by the defaults."""

    alpha: bool = False
    """The second of the channels is the alpha channel of the image."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of one array; with the fit "window" of the smallest that there can be."""
        return *sizes.sides(self.side_px), sum(self.channels)

    def about(self) -> dict[str, Any]:
        """What it says, for a hash: the same as ever for what was there before, so that what was cached is found."""
        new = {"bits": 8, "alpha": False}
        found = {name: value for name, value in asdict(self).items() if name not in new or value != new[name]}
        del found["readings"]
        readings = [reading.about() for reading in self.readings]
        return found | ({"readings": readings} if any(readings) else {})

    def reading(self, half: int) -> Reading:
        """How the files of one half are read."""
        return self.readings[half] if self.readings else Reading()


@dataclass(frozen=True, kw_only=True, eq=False)
class Made:
    """What `decode` makes of an item."""

    pixels: Pixels
    """The array."""

    remarks: tuple[dict[str, int], ...] = ()
    """Of the image, or of each half: kinds of `viceversa.data.reading.Remark`, and counts."""

    nearest: tuple[bool, ...] = ()
    """Whether each was resized by nearest neighbor, and has to be when it is resized again."""

    sides: tuple[int, int] | None = None
    """Height and width of the image, or of each half, before it was fitted; large JPEGs may be read at a fraction."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Part:
    """An image, or half of a pair, before it is resized."""

    pixels: Pixels
    remarks: dict[str, int]
    nearest: bool


def decode(item: Item, recipe: Recipe) -> Made:
    """An item as ``(height, width, sum(channels))`` uint8 or uint16; both halves of a pair go the same way.

    Raises:
        PictureError: A file cannot be read or is too small, or the halves of a pair do not fit one another.
    """
    if len(recipe.channels) == 1:
        # Twice the size that is needed leaves something to filter.
        parts = [_read(item, recipe, 0, at_least_px=2 * max(recipe.shape[:2]))]
    elif recipe.alpha:
        parts = _with_alpha(item, recipe)
    elif len(item.files) == 1:
        parts = _halves(item, recipe)
    else:
        parts = [_read(item, recipe, half) for half in range(2)]
        parts = _equally_large(item, parts, recipe.fit)
    height, width = min((part.pixels.shape[:2] for part in parts), key=min)
    if not sizes.covers((height, width), recipe.smallest_px):
        raise PictureError(
            f"{item.files[0]}: it is {width} x {height} px, smaller than the {_in_words(recipe.smallest_px)} that "
            "training takes; choose a smaller --size, or let it be enlarged with --enlarge."
        )
    if recipe.fit == "window" and sizes.pixels(sizes.covering(height, width, recipe.side_px)) > PIXEL_LIMIT:
        raise PictureError(
            f"{item.files[0]}: it is {width} x {height} px, too long to be enlarged to a short side of "
            f"{min(recipe.shape[:2])} px; cut it in pieces, which viceversa prepare does."
        )
    arrays = [fitted(part.pixels, recipe.side_px, recipe.fit, nearest=part.nearest) for part in parts]
    return Made(
        pixels=np.concatenate(arrays, axis=2),
        remarks=tuple(part.remarks for part in parts),
        nearest=tuple(part.nearest for part in parts),
        sides=(height, width),
    )


def _equally_large(item: Item, parts: list[_Part], fit: Fit) -> list[_Part]:
    """Both halves of a pair of two files, of which one may be a whole multiple of the other, or stretched anyhow."""
    a, b = ((part.pixels.shape[0], part.pixels.shape[1]) for part in parts)
    fits = halves.fitting(a, b)
    if fits == "equal":
        return parts
    if fits == "multiple":
        little = int(b < a)
        part = parts[little]
        pixels = resize(part.pixels, max(a, b), nearest=part.nearest)
        parts[little] = replace(part, pixels=pixels, remarks={**part.remarks, "scaled": 1})
        return parts
    if fit == "stretch" and fits != "turned":
        return [parts[0], replace(parts[1], remarks={**parts[1].remarks, "distorted": 1})]
    found = f"{item.files[1]}: it is {b[1]} x {b[0]} px, but its partner is {a[1]} x {a[0]} px; "
    if fits == "turned":
        raise PictureError(f"{found}one of the two lies on its side, so turn it.")
    way_out = "--fit stretch distorts both to the same shape"
    if fits == "alike":
        folders = f"{item.files[0].parent} --pair-with {item.files[1].parent}"
        way_out += f", and viceversa prepare {folders} --out SET scales B to A"
    raise PictureError(
        f"{found}the halves of a pair must be equally large, or one a multiple of the other (at most 16 times); "
        f"{way_out}."
    )


def _in_words(size_px: SizePx) -> str:
    """Sizes of files are told with the width first, and --size has the height first: so both are named."""
    return f"{size_px} px" if isinstance(size_px, int) else f"{size_px[1]} px of width and {size_px[0]} px of height"


def _read(item: Item, recipe: Recipe, half: int, at_least_px: int | None = None) -> _Part:
    return _prepared(item, recipe, half, _picture(item, recipe, half, at_least_px))


def _picture(item: Item, recipe: Recipe, half: int, at_least_px: int | None = None) -> Picture:
    """What the file of one half holds, of both where they lie in one file."""
    channels, reading = recipe.channels[half], recipe.reading(half)
    file, page = _place(item, half)
    raw = reading.values is not None
    with formats.named(file):
        shape = npy.mapped(file, raw=raw).shape if formats.family(file) == "NPY" else ()
        if len(shape) == 3 and shape[2] in (2, 4) and shape[2] != channels:
            raise PictureError(
                f"it has {shape[2]} channels, and an array does not say whether the last is alpha; cut that off, or "
                "train on all of them (--channels-a, --channels-b)."
            )
    if page is not None:
        picture = formats.read(file, raw=raw, page=page)
    elif reading.pages == "channels":
        picture = stacked(file, channels, raw=raw)
    else:
        picture = formats.read(file, at_least_px=at_least_px, raw=raw)
    if picture.about.kind == "TIFF" and (page is not None or reading.pages != "first"):
        return replace(picture, about=replace(picture.about, several=False))  # all that there are are used
    return picture


def _place(item: Item, half: int) -> tuple[Path, int | None]:
    """The file of one half, and which page of it; None for the whole file."""
    place = min(half, len(item.files) - 1)
    return item.files[place], item.pages[place] if item.pages else None


def _prepared(item: Item, recipe: Recipe, half: int, picture: Picture) -> _Part:
    """One half with the channels, the bits and the values that are asked for."""
    channels, reading = recipe.channels[half], recipe.reading(half)
    file, page = _place(item, half)
    with formats.named(file):
        remarks = remarks_on(picture, channels, recipe.bits)
        if page is not None and channels not in (1, 3, picture.pixels.shape[2]):
            raise PictureError(
                f"page {page + 1} has {picture.pixels.shape[2]} channels, and {channels} are asked for; with --pages "
                "channels all pages of a file are the channels of one image."
            )
        if reading.values is not None:
            levels = reading.values.levels(picture.pixels)
            picture = replace(picture, pixels=levels.pixels)
            remarks |= {"missing": levels.missing, "outside": levels.outside}
        if picture.pixels.shape[2] > 4 and picture.pixels.shape[2] != channels:
            raise PictureError(
                f"it has {picture.pixels.shape[2]} channels, and {channels} are asked for; train on all of them "
                "(--channels-a, --channels-b), or save those that matter."
            )
        pixels = (eight_bit if recipe.bits == 8 else sixteen_bit)(picture, channels)
    nearest = reading.resample == "nearest"
    if reading.resample is None:
        nearest = picture.about.labels
        few = not nearest and picture.about.kind != "JPEG" and looks_like_labels(pixels)
        remarks |= {"labels": int(nearest), "few": int(few)}
    return _Part(pixels=pixels, remarks={kind: count for kind, count in remarks.items() if count}, nearest=nearest)


def _with_alpha(item: Item, recipe: Recipe) -> list[_Part]:
    """An image without its alpha channel, as it is under it, and the alpha channel."""
    picture = _picture(item, recipe, 0)
    if picture.pixels.shape[2] not in (2, 4):
        raise PictureError(f"{item.files[0]}: it has no alpha channel, which is to be its mask.")
    image = replace(picture, pixels=picture.pixels[:, :, :-1])
    return [
        _prepared(item, recipe, 0, image),
        _prepared(item, recipe, 1, replace(picture, pixels=picture.pixels[:, :, -1:])),
    ]


def _halves(item: Item, recipe: Recipe) -> list[_Part]:
    """Both halves of a pair side by side, cut apart first: each has values and colors of its own."""
    file = item.files[0]
    first, second = recipe.reading(0), recipe.reading(1)
    alike = recipe.channels[0] == recipe.channels[1] and (first.values is None) == (second.values is None)
    a = _picture(item, recipe, 0)
    b = a if alike else _picture(item, recipe, 1)
    width = a.pixels.shape[1]
    if width % 2:
        raise PictureError(
            f"{file}: it is {width} px wide, so it has no two equal halves; "
            "a pair side by side needs an even width, A on the left and B on the right."
        )
    left = _prepared(item, recipe, 0, replace(a, pixels=a.pixels[:, : width // 2]))
    right = _prepared(item, recipe, 1, replace(b, pixels=b.pixels[:, width // 2 :]))
    of_its_own = {kind: count for kind, count in right.remarks.items() if kind in _OF_VALUES}  # others are of the file
    return [left, replace(right, remarks=of_its_own)]
