"""What the heads of JPEG, GIF, WebP, AVIF and HEIC promise, looked at before a decoder believes it.

Decoders take memory for what a head tells of when they open a file, and time for each of its thousands of parts.
"""

import mmap
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from viceversa.data.formats.av1 import frame_sizes
from viceversa.data.formats.directories import is_sound
from viceversa.data.formats.limits import check_frames, check_pixels
from viceversa.errors import PictureError

_Bytes: TypeAlias = mmap.mmap
_MOST_PARTS, _PART_BYTES = 2**16, 128  # so many parts, and one more for so many bytes of the file
_MOST_SCANS = 100  # as libtiff has it; encoders make about ten
_MOST_COMMENT = 2**20  # bytes; Pillow puts it together block by block
_PROGRESSIVE_BYTES = 9  # of a pixel: its coefficients are kept until the last scan
_WEBP_BYTES = 6  # and twice as many in libwebp, of which photographs have no need to be told
_BOX_BYTES = 2**20  # so far into a file are the boxes of AVIF and HEIC looked for
_MOST_PADDING = 64  # px: some encoders of AV1 make frames of whole blocks
_TIFF = re.compile(rb"II\*\0|MM\0\*")
_SCAN_END = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")


def check_head(path: Path | str, max_pixels: int | None = None) -> None:
    """Looks at the head of a file of any of these kinds; others are passed over.

    Raises:
        PictureError: It promises too much; the text is the rest of a sentence that begins with the file's name.
    """
    with open(path, "rb") as file:
        start = file.read(12)
        check = _kind(start)
        if check is None:
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            check(path, data, max_pixels)


def _kind(start: bytes) -> Callable[[Path | str, _Bytes, int | None], None] | None:
    if start.startswith(b"\xff\xd8\xff"):
        return _jpeg
    if start.startswith(b"GIF8"):
        return _gif
    if start.startswith(b"RIFF") and start[8:12] == b"WEBP":
        return _webp
    return _boxes if start[4:8] == b"ftyp" else None


def _jpeg(path: Path | str, data: _Bytes, max_pixels: int | None) -> None:
    place, parts, scans, exif = 2, 0, 0, b""
    while (marker := data.find(b"\xff", place)) >= 0 and marker + 4 <= len(data):
        kind = data[marker + 1]
        place = marker + 1
        if kind in (0, 0xFF, 1, 0xD8) or 0xD0 <= kind <= 0xD7:
            continue
        if kind == 0xD9:
            break
        parts += 1
        length = int.from_bytes(data[marker + 2 : marker + 4], "big")
        body = marker + 4, marker + 2 + length
        if kind in (0xC2, 0xC6, 0xCA, 0xCE) and length >= 8:
            height, width = struct.unpack(">HH", data[body[0] + 1 : body[0] + 5])
            check_pixels(path, width, height or 1, max_pixels, pixel_bytes=_PROGRESSIVE_BYTES)
        elif kind == 0xE1 and data[body[0] : body[0] + 6] == b"Exif\0\0":
            exif += data[body[0] + 6 if exif else body[0] : body[1]]
        place = body[1]
        if kind == 0xDA:
            scans += 1
            following = _SCAN_END.search(data, place)
            if following is None:
                break
            place = following.start()
        _check_parts(len(data), parts)
        if scans > _MOST_SCANS:
            raise PictureError(f"it has more than {_MOST_SCANS} scans, as no encoder makes them; save it anew.")
    _check_exif(exif)


def _gif(path: Path | str, data: _Bytes, max_pixels: int | None) -> None:
    width, height, flags = struct.unpack("<HHB", data[6:11].ljust(5, b"\0"))
    place, parts, frames, comment = 13 + (flags >> 7) * (6 << (flags & 7)), 0, 0, 0
    while place + 1 < len(data) and data[place] != 0x3B:
        kind, parts, noted = data[place], parts + 1, False
        if kind == 0x2C:
            frames += 1
            left, top, across, down, flags = struct.unpack("<HHHHB", data[place + 1 : place + 10].ljust(9, b"\0"))
            width, height = max(width, left + across), max(height, top + down)
            place += 11 + (flags >> 7) * (6 << (flags & 7))
        else:
            noted = kind == 0x21 and data[place + 1] == 0xFE
            place += 2 if kind == 0x21 else 1
        while kind in (0x2C, 0x21) and place < len(data) and data[place]:
            comment += noted * data[place]
            place += data[place] + 1
            parts += 1
            _check_parts(len(data), parts)
        place += kind in (0x2C, 0x21)
        check_frames(frames)
        _check_parts(len(data), parts)
        if comment > _MOST_COMMENT:
            raise PictureError(f"it has a comment of more than {_MOST_COMMENT:,} bytes; save it without.")
    if frames:
        check_pixels(path, width, height, max_pixels)


def _webp(path: Path | str, data: _Bytes, max_pixels: int | None) -> None:
    place, parts, frames = 12, 0, 0
    while place + 8 <= len(data):
        kind, length = data[place : place + 4], int.from_bytes(data[place + 4 : place + 8], "little")
        body = data[place + 8 : place + 18].ljust(10, b"\0")
        size: tuple[int, int] | None = None
        if kind == b"VP8X":
            size = int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1
        elif kind == b"VP8 " and body[3:6] == b"\x9d\x01\x2a":
            size = int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF
        elif kind == b"VP8L":
            bits = int.from_bytes(body[1:5], "little")
            size = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        elif kind == b"EXIF":
            _check_exif(data[place + 8 : place + 8 + length])
        frames += kind == b"ANMF"
        parts += 1
        if size is not None:
            check_pixels(path, *size, max_pixels, pixel_bytes=_WEBP_BYTES)
        check_frames(frames)
        _check_parts(len(data), parts)
        place += 8 + length + (length & 1)


def _boxes(path: Path | str, data: _Bytes, max_pixels: int | None) -> None:
    """AVIF and HEIC: the sizes of all images in it, of which one may be put together of others."""
    head = data[:_BOX_BYTES]
    for found in re.finditer(rb"ispe\0\0\0\0(.{8})", head, re.DOTALL):
        width, height = struct.unpack(">II", found[1])
        check_pixels(path, width, height, max_pixels)
    for told, (width, height) in frame_sizes(data):
        check_pixels(path, width, height, max_pixels)
        if told is not None and max(width - told[0], height - told[1]) > _MOST_PADDING:
            raise PictureError(
                f"the file is damaged: it tells of {told[0]} x {told[1]} px and has {width} x {height} px; replace it "
                "or remove it."
            )
    for found in _TIFF.finditer(data):
        _check_exif(data[found.start() :])


def _check_exif(block: bytes) -> None:
    if block and not is_sound(block):
        raise PictureError("its EXIF block names more than it holds; save it without, or remove it.")


def _check_parts(size: int, parts: int) -> None:
    if parts > _MOST_PARTS + size // _PART_BYTES:
        raise PictureError(f"it is cut into more than {parts:,} parts, as no honest file is; save it anew.")
