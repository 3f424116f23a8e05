"""PNG in bands of rows, read and written without ever holding the whole image, in 8 and 16 bits a channel.

Pillow holds the whole, and cuts colours of 16 bits to 8. Only the undoing of the row filters would be slow in Python:
for that each band goes through Pillow's own decoder, behind the row before it.

W3C, Portable Network Graphics (PNG) Specification (Third Edition).
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from viceversa.data.formats.directories import is_sound
from viceversa.errors import PictureError

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}  # by colour type; 3 is a palette
_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
_READ_BYTES = 2**16
_MOST_CHUNKS, _CHUNK_BYTES = 2**16, 4096  # so many chunks, and one more for so many bytes
_SMALL_CHUNK_BYTES = 2**22  # of colour profiles and EXIF


@dataclass(frozen=True, kw_only=True)
class Header:
    """What a PNG says of itself before its pixels."""

    width: int
    height: int
    depth: int
    """Bits a channel."""
    colour: int
    """Grey 0, RGB 2, palette 3, grey with alpha 4, RGB with alpha 6."""
    interlaced: bool
    animated: bool = False
    icc: bytes | None = None
    exif: bytes | None = None
    """As Pillow has it: TIFF's bytes."""
    dpi: tuple[float, float] | None = None
    """Pixels an inch, across and down."""
    key: tuple[int, ...] | None = None
    """The one colour that is transparent."""

    @property
    def channels(self) -> int:
        """As they are stored."""
        return _CHANNELS[self.colour]

    @property
    def in_bands(self) -> bool:
        """Whether `bands` takes it."""
        return self.colour in _CHANNELS and self.depth in (8, 16)


def read_header(path: Path | str) -> Header:
    """All that is there but the pixels.

    Raises:
        PictureError: It is no PNG, or damaged; the text is the rest of a sentence that begins with the file's name.
    """
    with open(path, "rb") as file:
        if file.read(8) != SIGNATURE:
            raise PictureError("it is no PNG.")
        found: dict[bytes, bytes] = {}
        for count, (kind, length) in enumerate(_chunks(file)):
            if count > _MOST_CHUNKS + file.tell() // _CHUNK_BYTES:
                raise PictureError(f"it is cut into more than {count:,} parts, as no honest file is; save it anew.")
            if kind == b"eXIf" and length > _SMALL_CHUNK_BYTES:
                raise PictureError(f"it has an EXIF block of {length:,} bytes; save it without.")
            if kind in (b"IHDR", b"iCCP", b"eXIf", b"pHYs", b"tRNS", b"acTL") and length <= _SMALL_CHUNK_BYTES:
                found.setdefault(kind, file.read(length))
    if not is_sound(found.get(b"eXIf", b"")):
        del found[b"eXIf"]  # a damaged EXIF block is no reason to lose a good image
    head = found.get(b"IHDR", b"")
    if len(head) != 13 or 0 in struct.unpack_from(">II", head):
        raise PictureError("its head is damaged; replace it or remove it.")
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", head)
    icc = None
    if b"iCCP" in found:
        packed = found[b"iCCP"].partition(b"\0")[2][1:]
        icc = zlib.decompressobj().decompress(packed, _SMALL_CHUNK_BYTES)
    dpi = None
    if b"pHYs" in found:
        across, down, unit = struct.unpack(">IIB", found[b"pHYs"])
        dpi = (across * 0.0254, down * 0.0254) if unit == 1 and across and down else None
    key = None
    if b"tRNS" in found and colour in (0, 2):
        key = struct.unpack(f">{_CHANNELS[colour]}H", found[b"tRNS"])
    return Header(
        width=width,
        height=height,
        depth=depth,
        colour=colour,
        interlaced=bool(interlaced),
        animated=b"acTL" in found,
        icc=icc,
        exif=found.get(b"eXIf"),
        dpi=dpi,
        key=key,
    )


def bands(path: Path | str, header: Header, rows: int = 64) -> Iterator[NDArray[Any]]:
    """The image from top to bottom in arrays ``(rows or less, W, C)`` uint8 or uint16; a colour key becomes alpha.

    An interlaced one comes in a single band.

    Raises:
        PictureError: It is damaged; the text is the rest of a sentence that begins with the file's name.
    """
    line = header.width * header.channels * header.depth // 8
    if header.interlaced:
        rows = header.height
    previous = bytes(line)
    with open(path, "rb") as file:
        stream = _Inflated(file)
        for top in range(0, header.height, rows):
            count = min(rows, header.height - top)
            if header.interlaced:
                array = _unfiltered(zlib.compress(stream.read(_interlaced_bytes(header)), 0), header, count)
            else:
                filtered = b"\0" + previous + stream.read(count * (line + 1))
                array = _unfiltered(zlib.compress(filtered, 0), header, count + 1)[1:]
                last = array[-1] if header.depth == 8 else array[-1].astype(">u2")
                previous = last.tobytes()
            yield _with_alpha(array, header.key)


def _unfiltered(packed: bytes, header: Header, rows: int) -> NDArray[Any]:
    mode, size = _MODES[header.channels], (header.width, rows)

    def decoded(mode: str, raw: str) -> NDArray[Any]:
        image = Image.frombytes(mode, size, packed, "zip", raw, int(header.interlaced))
        return np.asarray(image).reshape(rows, header.width, -1)

    if header.depth == 8:
        return decoded(mode, mode)
    if header.channels == 1:
        return decoded("I;16", "I;16B").astype(np.uint16)
    if header.channels == 2:  # four bytes a pixel, as RGBA has them: filters work on bytes
        return np.ascontiguousarray(decoded("RGBA", "RGBA")).view(">u2").astype(np.uint16)
    # One raw mode takes the first byte of each value, the other the second.
    high, low = decoded(mode, f"{mode};16B"), decoded(mode, f"{mode};16L")
    return high.astype(np.uint16) << 8 | low


def _interlaced_bytes(header: Header) -> int:
    """Of Adam7's seven small images, each row behind its filter's number."""
    starts_and_steps = (
        (0, 8, 0, 8),
        (4, 8, 0, 8),
        (0, 4, 4, 8),
        (2, 4, 0, 4),
        (0, 2, 2, 4),
        (1, 2, 0, 2),
        (0, 1, 1, 2),
    )
    total = 0
    for left, across, top, down in starts_and_steps:
        columns, rows = -((left - header.width) // across), -((top - header.height) // down)
        if columns > 0 and rows > 0:
            total += rows * (columns * header.channels * header.depth // 8 + 1)
    return total


def _with_alpha(array: NDArray[Any], key: tuple[int, ...] | None) -> NDArray[Any]:
    if key is None:
        return array
    alpha = np.where((array == np.array(key)).all(2, keepdims=True), 0, np.iinfo(array.dtype).max)
    return np.concatenate([array, alpha.astype(array.dtype)], 2)


def _chunks(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """Kind and length of each chunk; the file stands at its data when it is given, and need not stay there."""
    while True:
        head = file.read(8)
        if len(head) < 8:  # the end mark is missing, which matters only if rows are missing too
            return
        length, kind = struct.unpack(">I4s", head)
        place = file.tell()
        yield kind, length
        if kind == b"IEND":
            return
        file.seek(place + length + 4)


class _Inflated:
    """The unpacked stream of all IDAT chunks."""

    def __init__(self, file: BinaryIO):
        file.seek(len(SIGNATURE))
        self._packed = self._parts(file)
        self._inflate = zlib.decompressobj()

    def _parts(self, file: BinaryIO) -> Iterator[bytes]:
        for kind, length in _chunks(file):
            if kind == b"IDAT":
                check = zlib.crc32(kind)
                for start in range(0, length, _READ_BYTES):
                    part = file.read(min(_READ_BYTES, length - start))
                    check = zlib.crc32(part, check)
                    yield part
                if file.read(4) != struct.pack(">I", check):
                    raise PictureError(
                        "the file is damaged or cut short (a checksum is wrong); replace it or remove it."
                    )

    def read(self, count: int) -> bytes:
        """Exactly ``count`` bytes."""
        parts: list[bytes] = []
        while count:
            packed = self._inflate.unconsumed_tail or next(self._packed, None)
            if packed is None:
                raise PictureError("the file is damaged or cut short (rows are missing); replace it or remove it.")
            part = self._inflate.decompress(packed, count)
            parts.append(part)
            count -= len(part)
        return b"".join(parts)


class Writer:
    """Writes a PNG in bands, to a file that is open for writing; `close` ends it."""

    def __init__(
        self,
        file: BinaryIO,
        shape: tuple[int, int, int],
        depth: int,
        *,
        icc: bytes | None = None,
        exif: bytes | None = None,
        dpi: tuple[float, float] | None = None,
    ):
        self.file, self.depth = file, depth
        height, width, channels = shape
        self.previous = np.zeros(width * channels * depth // 8, np.uint8)
        self.pack = zlib.compressobj(6)
        colour = {count: colour for colour, count in _CHANNELS.items()}[channels]
        file.write(SIGNATURE)
        self._chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
        if icc:
            self._chunk(b"iCCP", b"ICC Profile\0\0" + zlib.compress(icc))
        if dpi:
            self._chunk(b"pHYs", struct.pack(">IIB", *(round(side / 0.0254) for side in dpi), 1))
        if exif:
            self._chunk(b"eXIf", exif.removeprefix(b"Exif\0\0"))

    def write(self, band: NDArray[Any]) -> None:
        """The next rows, ``(h, W, C)``."""
        rows = np.ascontiguousarray(band.astype(">u2") if self.depth == 16 else band)
        rows = rows.reshape(len(band), -1).view(np.uint8)
        above = np.concatenate([self.previous[None], rows[:-1]])
        self.previous = rows[-1].copy()
        filtered = np.full((rows.shape[0], rows.shape[1] + 1), 2, np.uint8)  # filter 2: less the row above
        np.subtract(rows, above, out=filtered[:, 1:])
        if packed := self.pack.compress(filtered.data):
            self._chunk(b"IDAT", packed)

    def close(self) -> None:
        """Writes what is left."""
        self._chunk(b"IDAT", self.pack.flush())
        self._chunk(b"IEND", b"")

    def _chunk(self, kind: bytes, data: bytes) -> None:
        self.file.write(struct.pack(">I", len(data)) + kind)
        self.file.write(data)
        self.file.write(struct.pack(">I", zlib.crc32(data, zlib.crc32(kind))))
