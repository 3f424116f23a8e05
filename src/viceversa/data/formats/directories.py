"""The directories of a TIFF, and of EXIF, which is one: looked at before a library believes them.

Libraries read every value that a directory names, so thousands of entries that all name the same megabytes fill the
memory. And a page may promise more pixels, samples, tiles or pages than its file can hold.
"""

import io
import math
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from viceversa.data.formats.limits import check_bytes, check_frames, check_pixels, check_ratio
from viceversa.errors import PictureError

_MOST_PARTS = 2**18  # strips or tiles of a page, and numbers in any one value
_NAMED_TWICE = 2  # so many times its bytes may the entries of a file name
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_NUMBERS = {1: "B", 3: "H", 4: "I", 16: "Q"}
_PLAIN = (1, 2, 6, 7)  # bytes and text, of which a library makes no list of numbers
_KIND = 254
_WIDTH, _HEIGHT, _BITS, _SAMPLES, _STRIP_ROWS, _PLANES = 256, 257, 258, 277, 278, 284
_TILE_WIDTH, _TILE_HEIGHT = 322, 323
_BLOCKS = (330, 34665, 34853, 40965)  # directories that an entry leads to: reduced images, EXIF, GPS, Interop
_DAMAGED = "; replace it or remove it."


@dataclass(frozen=True, kw_only=True)
class Page:
    """What a page says of itself; 0 where it says nothing."""

    width: int
    height: int
    channels: int
    bits: int
    """Of a channel, at most."""
    parts: int
    """Strips or tiles."""
    part_pixels: int
    """Pixels of a strip or a tile."""
    kind: int = 0
    """Bits of what it is: 1 for a reduced image, 4 for a transparency mask."""

    @property
    def pixel_bytes(self) -> int:
        """Bytes of a pixel in memory."""
        return self.channels * math.ceil(self.bits / 8)


def check_tiff(path: Path | str, max_pixels: int | None = None) -> tuple[Page, ...]:
    """The pages of a TIFF, from its directories alone.

    Raises:
        PictureError: One of them is too large, or names more than the file holds; the text is the rest of a sentence
            that begins with the file's name.
    """
    about = os.stat(path)
    pages = _pages(os.fspath(path), about.st_size, about.st_mtime_ns)
    for page in pages:
        if page.width < 1 or page.height < 1:
            continue  # what reads the file says so
        check_pixels(path, page.width, page.height, max_pixels, pixel_bytes=page.pixel_bytes)
        check_bytes(path, page.part_pixels * page.pixel_bytes, max_pixels)
        if page.parts > _MOST_PARTS:
            raise PictureError(f"the file is damaged: it tells of {page.parts} strips or tiles{_DAMAGED}")
    check_ratio(path, sum(page.width * page.height * page.pixel_bytes for page in pages), max_pixels)
    return pages


@lru_cache(maxsize=16)  # pages of one file are often read one after the other
def _pages(path: str, size: int, changed: int) -> tuple[Page, ...]:
    with open(path, "rb") as file:
        return tuple(_Directories(file, size).pages())


def is_sound(block: bytes) -> bool:
    """Whether an EXIF block can be read without using far more memory than it has bytes."""
    while block.startswith(b"Exif\0\0"):  # Pillow takes off as many as there are
        block = block[6:]
    try:
        for _ in _Directories(io.BytesIO(block), len(block)).pages():
            pass
    except PictureError:
        return False
    return True


class _Directories:
    def __init__(self, file: BinaryIO, size: int):
        self._file, self._size, self._named = file, size, 0
        head = file.read(16)
        self._order = ">" if head[:1] == b"M" else "<"
        self._big = head[2:4] in (b"+\0", b"\0+")
        self._seen: set[int] = set()
        first = head[8:16] if self._big else head[4:8]
        self._first = self._unpacked("Q" if self._big else "I", first)

    def pages(self) -> Iterator[Page]:
        """Every page; the directories that its entries lead to are looked at too."""
        for place in self._places():
            entries = self._entries(place)
            yield self._page(entries)
            self._look_below(entries)

    def _places(self) -> dict[int, None]:
        """Where the directories of the pages are, in their order."""
        long, inline, step = ("Q", 8, 20) if self._big else ("I", 4, 12)
        places, place = dict[int, None](), self._first
        while 0 < place < self._size and place not in places:
            places[place] = None
            check_frames(len(places))
            self._file.seek(place)
            count = self._unpacked("Q" if self._big else "H", self._file.read(8 if self._big else 2))
            self._file.seek(min(self._file.tell() + count * step, self._size))
            place = self._unpacked(long, self._file.read(inline))
        return places

    def _look_below(self, entries: dict[int, tuple[int, int, bytes]], depth: int = 0) -> None:
        for tag in _BLOCKS:
            for place in self._values(entries, tag):
                if 0 < place < self._size and place not in self._seen and depth < 3:
                    self._look_below(self._entries(place), depth + 1)

    def _entries(self, place: int) -> dict[int, tuple[int, int, bytes]]:
        """Type, count and value (or where it lies) by tag."""
        self._seen.add(place)
        long, inline, step = ("Q", 8, 20) if self._big else ("I", 4, 12)
        self._file.seek(place)
        count = self._unpacked("Q" if self._big else "H", self._file.read(8 if self._big else 2))
        table = self._file.read(min(count * step, self._size))
        found: dict[int, tuple[int, int, bytes]] = {}
        for tag, kind, number, value in struct.iter_unpack(
            f"{self._order}HH{long}{inline}s", table[: len(table) // step * step]
        ):
            size = _SIZES.get(kind, 0) * number
            if size > inline:
                if self._unpacked(long, value) + size > self._size:
                    continue  # beyond the end, which nobody reads
                self._named += size
            if self._named > _NAMED_TWICE * self._size or (kind not in _PLAIN and number > _MOST_PARTS):
                raise PictureError(f"the file is damaged: its directories name more than it holds{_DAMAGED}")
            found.setdefault(tag, (kind, number, value))
        return found

    def _page(self, entries: dict[int, tuple[int, int, bytes]]) -> Page:
        def one(tag: int, default: int = 0) -> int:
            return max(self._values(entries, tag), default=default)

        width, height, channels = one(_WIDTH), one(_HEIGHT), max(1, one(_SAMPLES, 1))
        if _TILE_WIDTH in entries:
            across, down = max(1, one(_TILE_WIDTH)), max(1, one(_TILE_HEIGHT))
        else:
            across, down = max(1, width), max(1, min(one(_STRIP_ROWS, height), height))
        parts = -(-width // across) * -(-height // down)
        return Page(
            width=width, height=height, channels=channels, bits=max(1, one(_BITS, 1)),
            parts=parts * (channels if one(_PLANES, 1) == 2 else 1), part_pixels=across * down, kind=one(_KIND),
        )  # fmt: skip

    def _values(self, entries: dict[int, tuple[int, int, bytes]], tag: int) -> tuple[int, ...]:
        """The first numbers of an entry; none if it is missing or of another type."""
        kind, number, value = entries.get(tag, (0, 0, b""))
        code = {**_NUMBERS, 13: "I", 18: "Q"}.get(kind)
        if code is None:
            return ()
        number = min(number, 2**16)
        size = number * _SIZES[kind]
        if size > len(value):
            self._file.seek(min(self._unpacked("Q" if self._big else "I", value), self._size))
            value = self._file.read(size)
        number = min(number, len(value) // _SIZES[kind])
        return struct.unpack_from(f"{self._order}{number}{code}", value)

    def _unpacked(self, code: str, data: bytes) -> int:
        """A number; 0 where the file ends before it."""
        return struct.unpack(self._order + code, data)[0] if len(data) == struct.calcsize(code) else 0
