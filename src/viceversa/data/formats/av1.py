"""The size of the frames in an AVIF, for which a decoder takes memory, whatever the boxes around them tell."""

import itertools
import struct
from collections.abc import Callable, Iterator
from typing import Protocol

from viceversa.errors import PictureError

_MOST_NUMBERS = 2**19  # 30 for each of the frames that an animation may have
_MOST_AGAIN = 2**20  # bytes that may be named again: tiles of one color are often the same
_SEQUENCE_HEADER, _HEAD_BYTES = 1, 512  # with all that may come before the size, its beginning is shorter

Size = tuple[int, int]
Span = tuple[int, int]


class Data(Protocol):
    """Bytes, or a file in memory."""

    def __getitem__(self, place: slice, /) -> bytes: ...
    def __len__(self) -> int: ...


def frame_sizes(data: Data) -> Iterator[tuple[Size | None, Size]]:
    """Yield the size that the boxes tell, if they do, and that of the frames, for each sequence header of an AVIF.

    Both are (width, height). The tables are those of ISO/IEC 14496-12 (sections 8.7 and 8.11), the header is that of
    section 5.5 of the AV1 specification. Where boxes or frames overrun, a decoder refuses them too.

    Raises:
        PictureError: A table or a header is cut short, or they name far more than there is.
    """
    budget = _Budget(len(data))
    for told, spans in itertools.chain(_items(data, budget), _samples(data, budget)):
        for size in _sizes(budget.joined(data, spans), budget):
            yield told, size


class _Budget:
    """What is left to be read: tables can name the same bytes over and over."""

    def __init__(self, size: int) -> None:
        self._numbers, self._bytes = _MOST_NUMBERS, size + _MOST_AGAIN

    def count(self) -> None:
        self._numbers -= 1
        if self._numbers < 0 or self._bytes < 0:
            raise PictureError("the file is damaged: its boxes name more than there is; replace it or remove it.")

    def joined(self, data: Data, spans: list[Span]) -> bytes:
        parts = list[bytes]()
        for start, size in spans:
            parts.append(data[start : start + min(size, self._bytes + 1)])
            self._bytes -= len(parts[-1])
            self.count()
        return b"".join(parts)


class _Table:
    """The numbers of a box, one after the other."""

    def __init__(self, data: Data, span: Span, budget: _Budget) -> None:
        self._data, self._count, self._place = data[span[0] : span[1]], budget.count, 0
        self.version, self.flags = self.take(1), self.take(3)

    def take(self, size: int) -> int:
        self._count()
        self._place += size
        if self._place > len(self._data):
            raise _cut_short()
        return int.from_bytes(self._data[self._place - size : self._place], "big")


def _cut_short() -> PictureError:
    return PictureError("the file is damaged: one of its tables is cut short; replace it or remove it.")


def _inside(data: Data, budget: _Budget, span: Span, *path: bytes) -> list[Span]:
    """Where the boxes of such a path begin, behind their head, and end."""
    spans = [span]
    for kind in path:
        spans = [place for each in spans for found, place in _boxes(data, each, budget.count) if found == kind]
    return spans


def _boxes(data: Data, span: Span, count: Callable[[], None]) -> Iterator[tuple[bytes, Span]]:
    start, end = span
    while start + 8 <= end:
        count()
        size, kind = struct.unpack(">I4s", data[start : start + 8])
        head = 16 if size == 1 else 8
        if size == 1:
            size = int.from_bytes(data[start + 8 : start + 16], "big")
        size = size or end - start
        if not head <= size <= end - start:
            return
        yield kind, (start + head, start + size)
        start += size


def _items(data: Data, budget: _Budget) -> Iterator[tuple[Size | None, list[Span]]]:
    """Size and data of each item, of whatever kind: what is no AV1 does not look like a sequence header."""
    for start, end in _inside(data, budget, (0, len(data)), b"meta"):
        meta = start + 4, end
        told = _told(data, budget, meta)
        held = next(iter(_inside(data, budget, meta, b"idat")), (0, 0))[0]
        for place in _inside(data, budget, meta, b"iloc"):
            table = _Table(data, place, budget)
            widths, wide = table.take(2), 2 if table.version < 2 else 4
            for _ in range(table.take(wide)):
                item = table.take(wide)
                within = table.take(2) & 15 if table.version else 0
                table.take(2)
                base = table.take(widths >> 4 & 15) + held * (within == 1)
                spans = list[Span]()
                for _ in range(table.take(2)):
                    table.take(widths & 15 if table.version else 0)
                    offset = base + table.take(widths >> 12)
                    spans.append((offset, table.take(widths >> 8 & 15)))
                yield told.get(item), spans


def _told(data: Data, budget: _Budget, meta: Span) -> dict[int, Size]:
    """The size of each item that has one."""
    found = dict[int, Size]()
    for properties in _inside(data, budget, meta, b"iprp"):
        sizes = dict[int, Size]()
        for place in _inside(data, budget, properties, b"ipco"):
            for index, (kind, box) in enumerate(_boxes(data, place, budget.count), 1):
                if kind == b"ispe":
                    table = _Table(data, box, budget)
                    sizes[index] = table.take(4), table.take(4)
        for place in _inside(data, budget, properties, b"ipma"):
            table = _Table(data, place, budget)
            for _ in range(table.take(4)):
                item = table.take(4 if table.version else 2)
                for _ in range(table.take(1)):
                    index = table.take(2) & 0x7FFF if table.flags & 1 else table.take(1) & 0x7F
                    if index in sizes:
                        found.setdefault(item, sizes[index])
    return found


def _samples(data: Data, budget: _Budget) -> Iterator[tuple[Size | None, list[Span]]]:
    """Size and data of each frame of each track."""
    for track in _inside(data, budget, (0, len(data)), b"moov", b"trak"):
        told: Size | None = None
        for start, end in _inside(data, budget, track, b"tkhd"):
            table = _Table(data, (start, end), budget)
            table.take(84 if table.version else 72)
            told = table.take(4) >> 16, table.take(4) >> 16
        for tables in _inside(data, budget, track, b"mdia", b"minf", b"stbl"):
            for span in _chunks(data, budget, tables):
                yield told, [span]


def _chunks(data: Data, budget: _Budget, tables: Span) -> Iterator[Span]:
    boxes = dict(_boxes(data, tables, budget.count))
    places = boxes.get(b"stco", boxes.get(b"co64"))
    if not {b"stsd", b"stsz", b"stsc"} <= set(boxes) or not places or b"av01" not in data[slice(*boxes[b"stsd"])]:
        return
    sizes, runs, chunks = (_Table(data, place, budget) for place in (boxes[b"stsz"], boxes[b"stsc"], places))
    same, count = sizes.take(4), sizes.take(4)
    each = (same or sizes.take(4) for _ in range(count))
    per_chunk = {runs.take(4): (runs.take(4), runs.take(4))[0] for _ in range(runs.take(4))}
    wide, frames = 4 if b"stco" in boxes else 8, 0
    for chunk in range(chunks.take(4)):
        offset, frames = chunks.take(wide), per_chunk.get(chunk + 1, frames)
        for size in itertools.islice(each, frames):
            yield offset, size
            offset += size


def _sizes(units: bytes, budget: _Budget) -> Iterator[Size]:
    """The size in each sequence header among such units of a bitstream."""
    place = 0
    while place < len(units):
        budget.count()
        head = units[place]
        place += 1 + (head >> 2 & 1)
        length = len(units) - place
        if head & 2:
            length = 0
            for shift, byte in zip(range(0, 56, 7), units[place : place + 8], strict=False):
                place += 1
                length |= (byte & 127) << shift
                if byte < 128:
                    break
        if length > len(units) - place:
            return
        if head >> 3 & 15 == _SEQUENCE_HEADER:
            yield _size(units[place : place + min(length, _HEAD_BYTES)])
        place += length


def _size(header: bytes) -> Size:
    number, left = int.from_bytes(header, "big"), 8 * len(header)

    def take(count: int) -> int:
        nonlocal left
        left -= count
        if left < 0:
            raise _cut_short()
        return number >> left & (1 << count) - 1

    take(4)  # profile, whether it is one image
    if take(1):  # a short header
        take(5)
    else:
        delay_bits = 0
        if take(1):  # times
            take(64)
            if take(1):
                zeros = 0
                while not take(1):
                    zeros += 1
                take(zeros)
            if take(1):  # a model of the decoder
                delay_bits = take(5) + 1
                take(42)
        delays = take(1)
        for _ in range(take(5) + 1):  # operating points
            take(12)
            if take(5) > 7:
                take(1)
            if delay_bits and take(1):
                take(2 * delay_bits + 1)
            if delays and take(1):
                take(4)
    bits = take(4) + 1, take(4) + 1
    return take(bits[0]) + 1, take(bits[1]) + 1
