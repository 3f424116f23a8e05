"""Small files that would unpack to far more: one of each kind that can be made, by name. See benchmarks/hostile.py."""

import io
import lzma
import re
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from PIL import Image

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
    yield "strip-lzma.tif", lambda: tiff(page(16, 16, packed=34925), parts=[lzma.compress(bytes(8 * MIB))])
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
HARMLESS = ("strip-8-bits.tif", "idat.png", "idat-16-bits.png", "exif.png", "raw-exif.png")
"""Those of which no more is unpacked than fits into the image; they are read like others."""


def exif_block(count: int) -> bytes:
    """An EXIF block of which so many entries each name nearly all."""
    table = b"".join(struct.pack("<HHII", 10_000 + tag, 7, 12 * count, 8) for tag in range(count))
    return b"Exif\0\0II*\0" + struct.pack("<IH", 8, count) + table + bytes(4)


def chunk(kind: bytes, data: bytes = b"") -> bytes:
    """Of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, pixels: bytes, *more: bytes, depth: int = 8, colour: int = 2) -> bytes:
    """A PNG of packed ``pixels``, with ``more`` chunks before them."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(more) + chunk(b"IDAT", pixels) + chunk(b"IEND")


def saved(kind: str, *, size: tuple[int, int] = (16, 16), **options: Any) -> bytes:
    """A plain image, as Pillow writes it."""
    buffer = io.BytesIO()
    Image.new("RGB", size, (9, 99, 200)).save(buffer, kind, **options)
    return buffer.getvalue()


def jpeg_with(*segments: bytes, **options: Any) -> bytes:
    """A JPEG with such segments behind its first mark."""
    whole = saved("JPEG", **options)
    return whole[:2] + b"".join(segments) + whole[2:]


def segment(marker: int, data: bytes) -> bytes:
    """Of a JPEG."""
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def many_scans(count: int) -> bytes:
    """A progressive JPEG whose last scan is there so many times."""
    whole = saved("JPEG", size=(1024, 1024), progressive=True)
    last = whole.rindex(b"\xff\xda")
    return whole[:last] + whole[last:-2] * count + whole[-2:]


def gif(width: int, height: int, *blocks: bytes) -> bytes:
    """A GIF of two colours."""
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6) + b"".join(blocks) + b";"


def gif_frame(width: int = 1, height: int = 1) -> bytes:
    """A frame that has one pixel's code."""
    return b"," + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x02\x02\x44\x01\0"


def with_size(data: bytes, width: int, height: int) -> bytes:
    """An AVIF or HEIC whose box tells of another size."""
    place = data.index(b"ispe") + 8
    return data[:place] + struct.pack(">II", width, height) + data[place + 8 :]


def animated_avif(side: int) -> bytes:
    """Two frames of one color each."""
    more = Image.new("RGB", (side, side), (200, 9, 99))
    return saved("AVIF", size=(side, side), save_all=True, append_images=[more])


def with_track_size(data: bytes, side: int) -> bytes:
    """An animated AVIF whose track tells of another size."""
    place = data.index(b"tkhd") + 92
    return data[:place] + struct.pack(">HHHH", side, 0, side, 0) + data[place + 8 :]


def webp(*chunks: tuple[bytes, bytes]) -> bytes:
    """A WebP of such chunks."""
    body = b"".join(kind + struct.pack("<I", len(data)) + data + bytes(len(data) % 2) for kind, data in chunks)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def webp_canvas(width: int, height: int, flags: int = 0) -> tuple[bytes, bytes]:
    """The head of a WebP with more than one image."""
    return b"VP8X", struct.pack("<I", flags) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")


def npy(head: str, version: int = 1) -> bytes:
    """The head of an array."""
    text = head.encode().ljust(117) + b"\n"
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H" if version == 1 else "<I", len(text)) + text


def others() -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Of every other kind of image."""
    row = zlib.compress(bytes(49 * 16))
    frame = b"ANMF", bytes(16) + b"VP8L" + saved("WEBP", lossless=True)[16:]
    still = saved("WEBP", lossless=True)
    yield "idat.png", lambda: png(16, 16, zeros(600))
    yield "idat-16-bits.png", lambda: png(16, 16, zeros(600), depth=16)
    yield "iccp.png", lambda: png(16, 16, row, chunk(b"iCCP", b"x\0\0" + zeros(600)))
    yield "ztxt.png", lambda: png(16, 16, row, chunk(b"zTXt", b"x\0\0" + zeros(600)))
    yield "itxt.png", lambda: png(16, 16, row, chunk(b"iTXt", b"x\0\1\0\0\0" + zeros(600)))
    yield "exif.png", lambda: png(16, 16, row, chunk(b"eXIf", exif_block(20_000)[6:]))
    yield (
        "raw-exif.png",
        lambda: png(16, 16, row, chunk(b"tEXt", b"Raw profile type exif\0\n\n\n" + exif_block(20_000).hex().encode())),
    )
    yield "size.png", lambda: png(2**14, 2**14, zeros(769))
    yield "size-16-bits.png", lambda: png(8000, 8000, zeros(367), depth=16)
    yield "chunks.png", lambda: png(16, 16, row, *[chunk(b"tEXt")] * 100_000)
    yield "frames.png", lambda: png(1024, 1024, zeros(4), chunk(b"acTL", struct.pack(">II", 10_000, 0)))
    yield "promised-frames.png", lambda: png(1, 1, row, chunk(b"acTL", struct.pack(">II", 2**31 - 1, 0)))
    yield "frames.gif", lambda: gif(1, 1, *[gif_frame()] * 20_000)
    yield "large-frames.gif", lambda: gif(2000, 2000, *[gif_frame()] * 200)
    yield "canvas.gif", lambda: gif(12_000, 12_000, gif_frame())
    yield "frame-beyond-canvas.gif", lambda: gif(1, 1, gif_frame(12_000, 12_000))
    yield "comment.gif", lambda: gif(1, 1, b"!\xfe" + (b"\xff" + b"x" * 255) * 40_000 + b"\0", gif_frame())
    yield "blocks.gif", lambda: gif(1, 1, *[b"!\x01" + b"\1x" * 200_000 + b"\0"], gif_frame())
    yield "canvas.webp", lambda: webp(webp_canvas(16_383, 16_383, 2), (b"ANIM", bytes(6)), frame, frame)
    yield "frames.webp", lambda: webp(webp_canvas(16, 16, 2), (b"ANIM", bytes(6)), *[frame] * 20_000)
    yield "lossless.webp", lambda: still[:21] + struct.pack("<I", 16_382 | 16_382 << 14 | 1 << 28) + still[25:]
    yield "exif.webp", lambda: webp(webp_canvas(16, 16, 8), (still[12:16], still[20:]), (b"EXIF", exif_block(20_000)))
    yield (
        "exif-twice.webp",
        lambda: webp(webp_canvas(16, 16, 8), (still[12:16], still[20:]), (b"EXIF", b"Exif\0\0" + exif_block(20_000))),
    )
    yield "size.avif", lambda: with_size(saved("AVIF"), 16_000, 16_000)
    yield "frame.avif", lambda: with_size(saved("AVIF", size=(256, 256)), 16, 16)
    yield "track.avif", lambda: with_track_size(animated_avif(256), 16)
    yield "size.jpg", lambda: jpeg_with().replace(struct.pack(">HH", 16, 16), struct.pack(">HH", 16_000, 16_000))
    yield (
        "progressive.jpg",
        lambda: jpeg_with(progressive=True).replace(struct.pack(">HH", 16, 16), struct.pack(">HH", 6_000, 6_000)),
    )
    yield "scans.jpg", lambda: many_scans(20_000)
    yield "segments.jpg", lambda: jpeg_with(*[segment(0xFE, b"")] * 200_000)
    yield (
        "exif.jpg",
        lambda: jpeg_with(*[segment(0xE1, b"Exif\0\0" + part) for part in cut(exif_block(30_000)[6:], 65_000)]),
    )
    yield "rle.bmp", lambda: (
        b"BM" + struct.pack("<IHHI", 62, 0, 0, 62) + struct.pack("<IiiHHIIiiII", 40, 16_000, 16_000, 1, 8, 1, *[0] * 5)
        + bytes(8) + b"\xff\0" * 900_000 + b"\0\1"
    )  # fmt: skip
    yield "shape.npy", lambda: npy("{'descr': '<f8', 'fortran_order': False, 'shape': (16384, 16384, 4), }")
    yield "overflow.npy", lambda: npy(f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({2**33}, {2**33}), }}")
    yield "pickle.npy", lambda: npy("{'descr': '|O', 'fortran_order': False, 'shape': (2, 2), }")
    yield "head.npy", lambda: b"\x93NUMPY\2\0" + struct.pack("<I", 30 * MIB) + b"{" * (30 * MIB)


def cut(data: bytes, size: int) -> list[bytes]:
    """In pieces."""
    return [data[start : start + size] for start in range(0, len(data), size)]


OTHERS = dict(others())


def film(width: int, height: int, kind: str = "mp4") -> bytes:
    """A video of one frame of one color."""
    import av

    buffer = io.BytesIO()
    with av.open(buffer, "w", format=kind) as made:
        stream = made.add_stream("libx264", rate=1, options={"preset": "ultrafast", "x264-params": "threads=1"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        frame = av.VideoFrame(width, height, "yuv420p")
        for plane in frame.planes:  # their memory holds what was there before
            plane.update(bytes(plane.buffer_size))
        made.mux(stream.encode(frame))
        made.mux(stream.encode(None))
    return buffer.getvalue()


def with_small_head(content: bytes) -> bytes:
    """An MP4 whose head tells of 64 x 64 px."""
    at = content.index(b"avc1", content.index(b"stsd")) + 28
    return content[:at] + bytes([0, 64, 0, 64]) + content[at + 4 :]


def with_chunks(content: bytes, count: int) -> bytes:
    """An MP4 of one frame, with its head behind it, that names that frame so many times."""
    data = bytearray(content)
    place, long = data.index(b"stco") + 12, data.index(b"stsz") + 8
    chunks = struct.pack(">II", 0, count) + data[place : place + 4] * count
    frames = bytes(4) + data[long : long + 4] + struct.pack(">I", count)
    for kind, body in (b"stco", chunks), (b"stsz", frames):
        at = data.index(kind)
        (size,) = struct.unpack(">I", data[at - 4 : at])
        data[at + 4 : at - 4 + size] = body
        for parent in (b"moov", b"trak", b"mdia", b"minf", b"stbl", kind):
            place = data.index(parent) - 4
            (old,) = struct.unpack(">I", data[place : place + 4])
            data[place : place + 4] = struct.pack(">I", old + len(body) + 8 - size)
    at = data.index(b"stts") + 12
    data[at : at + 4] = struct.pack(">I", count)
    return bytes(data.replace(b"edts", b"free"))  # which would show it once


VIDEOS: dict[str, Callable[[], bytes]] = {
    "frames.mp4": lambda: film(6000, 4000),
    "frames.mkv": lambda: film(6000, 4000, "matroska"),
    "small-head.mp4": lambda: with_small_head(film(6000, 4000)),
}


def zip_of(name: str, packed: bytes, size: int) -> bytes:
    """A zip of one entry, packed by Deflate, that promises ``size`` bytes."""
    about = struct.pack("<HHHHHIIIHH", 20, 0, 8, 0, 0, 0, len(packed), size, len(name), 0)
    local = b"PK\3\4" + about + name.encode() + packed
    listed = b"PK\1\2" + struct.pack("<H", 20) + about + struct.pack("<HHHII", 0, 0, 0, 0, 0) + name.encode()
    return local + listed + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 1, 1, len(listed), len(local), 0)


def zip_list(count: int) -> bytes:
    """A zip of nothing but the list of so many entries."""
    entry = b"PK\1\2" + bytes(42)
    return entry * count + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 0, 0, len(entry) * count, 0, 0)


def tar_with_head(size: int) -> bytes:
    """A tar whose first header goes on for so many bytes."""
    head = tarfile.TarInfo("x")
    head.type, head.size = tarfile.XHDTYPE, size
    return head.tobuf() + bytes(size)


def harmless_zip() -> bytes:
    """Three images."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for index in range(3):
            archive.writestr(f"{index}.png", saved("PNG", size=(64 + index, 64)))
    return buffer.getvalue()


def zipped(kind: int) -> bytes:
    """An entry of another packing than Deflate."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", kind) as archive:
        archive.writestr("a.png", bytes(100 * MIB))
    return buffer.getvalue()


ARCHIVES: dict[str, Callable[[], bytes]] = {
    "entry.zip": lambda: zip_of("a.png", zeros(600)[2:], 600 * MIB),
    "entry-that-lies.zip": lambda: zip_of("a.png", zeros(600)[2:], 100),
    "entries.zip": lambda: zip_list(700_000),
    "bzip2.zip": lambda: zipped(zipfile.ZIP_BZIP2),
    "head.tar": lambda: tar_with_head(40 * MIB),
    "head.tar.xz": lambda: lzma.compress(tar_with_head(40 * MIB), preset=0),
}


def memory(entry: str) -> int:
    """Bytes: VmRSS is what this process has in memory, VmHWM the most that it had since the peak was reset."""
    (kilobytes,) = re.findall(rf"^{entry}:\s*(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    return 1024 * int(kilobytes)


def peak(work: Callable[[], object]) -> int:
    """Bytes that this process takes on top of what it has, at most, while ``work`` runs; 0 where nobody can tell."""
    reset = Path("/proc/self/clear_refs")
    if not reset.exists():
        work()
        return 0
    reset.write_text("5")
    before = memory("VmRSS")
    work()
    return memory("VmHWM") - before
