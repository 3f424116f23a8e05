"""Pages of TIFF files, as images of their own or as the channels of one image."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from viceversa.counts import count
from viceversa.data import formats
from viceversa.data.folders import Item
from viceversa.data.picture import Animation, Picture
from viceversa.errors import DataError, PictureError

_SUFFIXES = (".tif", ".tiff")


def expanded(items: Sequence[Item]) -> tuple[Item, ...]:
    """An item for each page, "scan.tif#2" the second one; of a pair, page n of A belongs to page n of B.

    Raises:
        DataError: The files of a pair have different numbers of pages.
    """
    found: list[Item] = []
    for item in items:
        pages = [pages_of(file) for file in item.files]
        if len(pages) == 2 and len(pages[0]) != len(pages[1]):
            raise DataError(
                f"{item.files[0]} has {count(len(pages[0]), 'page')} and {item.files[1]} has "
                f"{count(len(pages[1]), 'page')}: page n of the one belongs to page n of the other. Make them equally "
                "many, or take only the first of each: --pages first."
            )
        if len(pages[0]) == 1:
            found.append(item)
            continue
        for number, places in enumerate(zip(*pages, strict=True), 1):
            found.append(Item(name=f"{item.name}#{number}", files=item.files, pages=places, group=item.name))
    return tuple(found)


def pages_of(file: Path) -> tuple[int, ...]:
    """Places of the pages; one for a file that cannot be read, which is said when it is."""
    if file.suffix.lower() not in _SUFFIXES:
        return (0,)
    try:
        return formats.pages(file)
    except PictureError:
        return (0,)


def in_words(items: Sequence[Item], *, others: str = "channels or first") -> str:
    """What is said of items of which some are pages; empty where none is.

    Args:
        items: Of which some may be pages.
        others: What else --pages can be; empty where there is no such option.
    """
    pages = [item for item in items if item.pages]
    if not pages:
        return ""
    files = len({item.files for item in pages})
    what, one = ("pair", "a pair") if len(pages[0].files) == 2 else ("file", "an image")
    other = f"; --pages {others} takes them in another way" if others else ""
    return (
        f"{count(files, what)} of several pages, {count(len(pages), 'page')} in all: each page is {one} of "
        f"its own{other} "
        f"({pages[0].files[0]}{'' if files == 1 else ' ...'})"
    )


def stacked(file: Path, channels: int, *, raw: bool = False, max_pixels: int | None = None) -> Picture:
    """Read a file whose pages are the channels of one image; ``raw`` and ``max_pixels`` as of `formats.read`.

    Raises:
        PictureError: Its pages are no channels of one image, or make another number of channels.
    """
    places = formats.pages(file, max_pixels=max_pixels)
    pages = [formats.read(file, max_pixels=max_pixels, raw=raw, page=page) for page in places]
    first = pages[0]
    if len(pages) == 1:
        return first
    with formats.named(file):
        if len({(page.pixels.shape[:2], page.pixels.dtype) for page in pages}) > 1:
            raise PictureError("its pages differ in size or depth, so they cannot be the channels of one image.")
        pixels = np.concatenate([page.pixels for page in pages], axis=2)
        if pixels.shape[2] != channels:
            raise PictureError(
                f"its {len(pages)} pages make {pixels.shape[2]} channels, and {channels} are asked for; take files "
                f"whose pages make {channels}, or train on {pixels.shape[2]} with --channels-a and --channels-b."
            )
    return replace(first, pixels=pixels)


def unstacked(picture: Picture) -> Animation:
    """A page for each channel, as `stacked` reads them."""
    channels = np.split(picture.pixels, picture.pixels.shape[2], axis=2)
    return Animation(frames=(replace(picture, pixels=channel) for channel in channels), about=picture.about)


def are_channels(file: Path, channels: int, *, trained_so: bool = False, max_pixels: int | None = None) -> bool:
    """Whether the pages are the channels of one image for a network of ``channels``.

    They are where the network was trained so, with --pages channels. Where that is not known, only if no page has the
    channels by itself, and never with 1 or 3.
    """
    if formats.family(file) != "TIFF" or len(formats.pages(file, max_pixels=max_pixels)) == 1:
        return False
    if trained_so or channels in (1, 3):
        return trained_so
    return formats.read(file, max_pixels=max_pixels, raw=True).pixels.shape[2] != channels
