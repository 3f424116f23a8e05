"""The contact sheet: what was kept, and examples of what was dropped, on one page."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from viceversa.data import images
from viceversa.data.images import Array
from viceversa.errors import PictureError
from viceversa.preparation import records
from viceversa.preparation.choose import REASONS
from viceversa.preparation.harvest import THUMB_PX

_WIDTH_PX = 1164  # ten squares and the gaps between them
_GAP_PX, _TITLE_PX = 4, 26
_WIDEST = 2.5  # times as wide as high; wider ones are shown smaller
_MOST_DROPPED = 10  # of each reason
_MOST_KEPT = {"train": 60, "test": 20}


def write(file: Path, root: Path, rows: Sequence[dict[str, Any]], examples: Sequence[tuple[str, Path]]) -> None:
    """Draws the sheet of a manifest's images; those that someone has deleted since are passed over."""
    blocks: list[tuple[str, list[Array]]] = []
    for side, words in ("train", "for training"), ("test", "for testing"):
        files = [root / row["files"][0] for row in rows if row["files"][0].startswith(side)]
        if files:
            shown = _read(_evenly(files, _MOST_KEPT[side]))
            blocks.append((f"{len(files):,} {words}", shown))
    for reason, words in REASONS.items():
        files = [path for name, path in examples if name == reason]
        if files:
            blocks.append((f"dropped: {words.partition(' (')[0]}", _read(_evenly(files, _MOST_DROPPED))))
    # A sheet with rows of half-read files would be taken for the data set: it is replaced whole.
    records.write(file, images.encode(_drawn(blocks), ".jpg"))


def _drawn(blocks: Sequence[tuple[str, list[Array]]]) -> Array:
    cells = [_cell(pictures) for _, pictures in blocks]
    height = sum(
        _TITLE_PX + cell.height * -(-len(found) // cell.across) for cell, (_, found) in zip(cells, blocks, strict=True)
    )
    page = Image.new("RGB", (_WIDTH_PX, height + _GAP_PX), "white")
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(15)
    top = 0
    for cell, (title, pictures) in zip(cells, blocks, strict=True):
        draw.text((_GAP_PX, top + 5), title, fill="black", font=font)
        top += _TITLE_PX
        for place, picture in enumerate(pictures):
            row, column = divmod(place, cell.across)
            size = cell.width - _GAP_PX, cell.height - _GAP_PX
            shown = ImageOps.contain(Image.fromarray(picture), size, Image.Resampling.BICUBIC)
            page.paste(shown, (_GAP_PX + column * cell.width, top + row * cell.height))
        top += cell.height * -(-len(pictures) // cell.across)
    return np.asarray(page)


@dataclass(frozen=True)
class _Cell:
    """Room for an image with the gap after it; how many fit on a line."""

    width: int
    height: int
    across: int


def _cell(pictures: list[Array]) -> _Cell:
    """Wide enough for the widest, so that pairs are as high as single images."""
    aspect = max((min(picture.shape[1] / picture.shape[0], _WIDEST) for picture in pictures), default=1.0)
    width = max(THUMB_PX, round(THUMB_PX * aspect)) + _GAP_PX
    return _Cell(width, THUMB_PX + _GAP_PX, max(1, (_WIDTH_PX - _GAP_PX) // width))


def _read(files: Iterable[Path]) -> list[Array]:
    found: list[Array] = []
    for file in files:
        try:
            found.append(images.read(file))
        except PictureError:
            continue
    return found


def _evenly(files: list[Path], most: int) -> list[Path]:
    """At most so many, from the whole length of the list."""
    count = min(most, len(files))
    return [files[(2 * number + 1) * len(files) // (2 * count)] for number in range(count)]
