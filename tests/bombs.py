"""Small files that would unpack to far more: one of each kind that can be made, by name. See benchmarks/hostile.py."""

import lzma
import re
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

MIB = 2**20


def zeros(mebibytes: int) -> bytes:
    """So many MiB of zeros, packed by Deflate to a thousandth, without packing them all."""
    pack = zlib.compressobj(9, zlib.DEFLATED, -15)
    piece = pack.compress(bytes(MIB)) + pack.flush(zlib.Z_FULL_FLUSH)
    check = ((mebibytes * MIB) % 65521) << 16 | 1
    return b"\x78\xda" + piece * mebibytes + b"\x03\0" + struct.pack(">I", check)


def tiff(*pages: dict[int, int | tuple[int, int, bytes]], parts: Iterable[bytes] = (b"",), again: int = 1) -> bytes:
    """A TIFF of such directories; all numbers are LONG, what is a tuple is (type, count, value).

    All pages have the same strips or tiles ``parts``, each named ``again`` times.
    """
    data = bytearray(b"II*\0" + bytes(4))
    places, counts = [], []
    for part in parts:
        places += [len(data)] * again
        counts += [len(part)] * again
        data += part
    lists = {}
    for tags, numbers in ((273, 324), places), ((279, 325), counts):
        packed = struct.pack(f"<{len(numbers)}I", *numbers)
        value = packed if len(numbers) == 1 else struct.pack("<I", len(data))
        lists[tags] = 4, len(numbers), value
        data += packed
    link = 4
    for page in pages:
        entries = {
            tag: value if isinstance(value, tuple) else (4, 1, struct.pack("<I", value)) for tag, value in page.items()
        }
        entries |= {tags[322 in page]: value for tags, value in lists.items()}
        data[link : link + 4] = struct.pack("<I", len(data))
        data += struct.pack("<H", len(entries))
        for tag, (kind, count, value) in sorted(entries.items()):
            data += struct.pack("<HHI4s", tag, kind, count, value)
        link = len(data)
        data += bytes(4)
    return bytes(data)


def page(width: int, height: int, *, bits: int = 16, samples: int = 3, packed: int = 8, **more: int) -> dict[int, int]:
    """The entries of a page: RGB or grey, packed by Deflate."""
    found = {256: width, 257: height, 258: bits, 259: packed, 262: 2 if samples > 2 else 1, 277: samples, 278: height}
    return {**found, **{int(tag.lstrip("_")): value for tag, value in more.items()}}


def packed_bits(count: int) -> bytes:
    """So many zeros, packed to a 64th."""
    return b"\x81\0" * (count // 128)


def tiffs() -> Iterator[tuple[str, Callable[[], bytes]]]:
    """All that a TIFF can carry."""
    small, many = page(16, 16), {"_277": 60_000, "_262": 1}
    yield "strip.tif", lambda: tiff(small, parts=[zeros(600)])
    yield "strip-8-bits.tif", lambda: tiff(page(16, 16, bits=8), parts=[zeros(600)])
    yield "strip-pack-bits.tif", lambda: tiff(page(16, 16, packed=32773), parts=[packed_bits(600 * MIB)])
    yield "strip-lzma.tif", lambda: tiff(page(16, 16, packed=34925), parts=[lzma.compress(bytes(32 * MIB))])
    yield "tile.tif", lambda: tiff(page(16, 16, _322=2**14, _323=2**14), parts=[zeros(600)])
    yield "tile-8-bits.tif", lambda: tiff(page(16, 16, bits=8, _322=2**14, _323=2**14), parts=[zeros(600)])
    yield "many-tiles.tif", lambda: tiff(page(2**14, 2**14, _322=16, _323=16), parts=[zeros(1)], again=2**20)
    yield "many-strips.tif", lambda: tiff(page(1, 2**20, _278=1), parts=[zeros(1)], again=2**20)
    yield "one-strip-many-times.tif", lambda: tiff(page(2**13, 2**13, _278=64), parts=[zeros(3)], again=128)
    yield (
        "one-strip-many-times-8-bits.tif",
        lambda: tiff(page(2**13, 2**13, bits=8, _278=128), parts=[zeros(3)], again=64),
    )
    yield "samples.tif", lambda: tiff(page(64, 64, **many), parts=[zeros(600)])
    yield "samples-8-bits.tif", lambda: tiff(page(64, 64, bits=8, **many), parts=[zeros(300)])
    yield "planes.tif", lambda: tiff(page(64, 64, **many, _284=2), parts=[zeros(1)], again=60_000)
    yield "pages.tif", lambda: tiff(*[page(2048, 2048)] * 400, parts=[zeros(24)])
    yield "pages-8-bits.tif", lambda: tiff(*[page(2048, 2048, bits=8)] * 400, parts=[zeros(12)])
    yield "more-pages.tif", lambda: tiff(*[page(16, 16)] * 16_400, parts=[zeros(1)])
    yield "size.tif", lambda: tiff(page(2**15, 2**15), parts=[zeros(1)])
    yield "size-1-bit.tif", lambda: tiff(page(2**14, 2**14, bits=1, samples=1), parts=[zeros(32)])
    # A thousand entries that each name all of the file.
    named = {tag: (7, 3 * MIB, struct.pack("<I", 8)) for tag in range(50_000, 51_000)}
    yield "entries.tif", lambda: tiff({**small, **named}, parts=[bytes(3 * MIB)])
    yield "entries-8-bits.tif", lambda: tiff({**page(16, 16, bits=8), **named}, parts=[bytes(3 * MIB)])
    numbers = {258: (3, 15 * MIB, struct.pack("<I", 8))}
    yield "numbers.tif", lambda: tiff({**small, **numbers}, parts=[bytes(30 * MIB)])


TIFFS = dict(tiffs())
HARMLESS = ("strip-8-bits.tif",)
"""Those of which no more is unpacked than fits into the image; they are read like others."""


def memory(entry: str) -> int:
    """Bytes: VmRSS is what this process has in memory, VmHWM the most that it had since the peak was reset."""
    (kilobytes,) = re.findall(rf"^{entry}:\s*(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    return 1024 * int(kilobytes)


def peak(work: Callable[[], object]) -> int:
    """Bytes that this process takes on top of what it has, at most, while ``work`` runs."""
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak
    before = memory("VmRSS")
    work()
    return memory("VmHWM") - before
