"""Strips and tiles of a TIFF unpacked, each to no more than its page has room for: a kilobyte can hold gigabytes."""

import importlib
import lzma
import zlib
from collections.abc import Callable
from typing import Any, TypeAlias

from viceversa.errors import PictureError

_Unpack: TypeAlias = Callable[[bytes, int], bytes]
_LZMA_BYTES = 2**27  # of its dictionary, which the file decides on; xz -9 has 2**26


def check(compression: Any) -> None:
    """Sees that there is something to unpack it with.

    Raises:
        PictureError: There is not; the text is the rest of a sentence that begins with the file's name.
    """
    if int(compression) not in _UNPACK:
        name = getattr(compression, "name", compression)
        raise PictureError(f"its compression ({name}) cannot be read with more than 8 bits; save it with Deflate.")
    if int(compression) in _CODECS and _codec(int(compression)) is None:
        raise PictureError(
            f"its compression ({compression.name}) needs one more package: pip install imagecodecs; "
            "or save it with Deflate or none."
        )


def inflated(compression: int, data: bytes, most: int) -> bytes:
    """What ``data`` unpacks to, ``most`` bytes at most.

    Raises:
        PictureError: It unpacks to more, or ends too early; the text is the rest of a sentence.
    """
    unpacked = _UNPACK[compression](data, most)
    if len(unpacked) > most:
        raise PictureError(
            f"the file is damaged: a part of it unpacks to more than the {most:,} bytes that its head promises; "
            "replace it or remove it."
        )
    return unpacked


def _plain(data: bytes, most: int) -> bytes:
    return data[:most]


def _deflate(data: bytes, most: int) -> bytes:
    unpack = zlib.decompressobj()
    return _whole(unpack.decompress(data, most + 1), unpack.eof, most)


def _lzma(data: bytes, most: int) -> bytes:
    unpack = lzma.LZMADecompressor(memlimit=_LZMA_BYTES)
    return _whole(unpack.decompress(data, most + 1), unpack.eof, most)


def _whole(unpacked: bytes, ended: bool, most: int) -> bytes:
    if not ended and len(unpacked) <= most:
        raise PictureError("the file is damaged or cut short (a part ends too early); replace it or remove it.")
    return unpacked


def _pack_bits(data: bytes, most: int) -> bytes:
    """TIFF 6.0, Sec. 9."""
    unpacked = bytearray()
    place, end = 0, min(len(data), 2 * most + 128)
    while place + 1 < end and len(unpacked) <= most:
        count = data[place]
        if count < 128:
            unpacked += data[place + 1 : place + 2 + count]
            place += 2 + count
        elif count > 128:
            unpacked += data[place + 1 : place + 2] * (257 - count)
            place += 2
        else:
            place += 1
    return bytes(unpacked)


def _by_codec(compression: int) -> _Unpack:
    """By imagecodecs, which unpacks to as many bytes as it is told."""

    def unpack(data: bytes, most: int) -> bytes:
        decode = _codec(compression)
        assert decode is not None  # see check
        return bytes(decode(data, out=most))

    return unpack


def _codec(compression: int) -> Any:
    try:
        return getattr(importlib.import_module("imagecodecs"), _CODECS[compression], None)
    except ImportError:
        return None


_CODECS = {5: "lzw_decode", 34926: "zstd_decode", 50000: "zstd_decode"}
_UNPACK: dict[int, _Unpack] = {
    1: _plain, 8: _deflate, 32946: _deflate, 50013: _deflate, 32773: _pack_bits, 34925: _lzma,
    **{compression: _by_codec(compression) for compression in _CODECS},
}  # fmt: skip
