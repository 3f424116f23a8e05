"""Damaged files of every kind: each is read, or refused in one sentence; none crashes, hangs or eats the memory.

FUZZ_MINUTES=10 pytest tests/data/test_fuzz.py -s    # for so long, instead of for some seconds
"""

import io
import os
import re
import struct
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from viceversa.data import formats, images
from viceversa.data.formats.bands import in_bands
from viceversa.data.picture import Picture
from viceversa.errors import PictureError

LONGEST_SECONDS = 30  # of computing, on a machine that may be busy with other things
MOST_BYTES = 2**30
INTERESTING = (
    b"\0",
    b"\xff",
    b"\x7f\xff\xff\xff",
    b"\xff\xff\xff\x7f",
    b"\0\0\0\0",
    b"\xff\xff",
    b"\x80\0\0\0",
    b"\1\0",
)


def seeds(folder: Path) -> dict[str, bytes]:
    """The odd files that are not too large, and small ones of kinds that are not among them."""
    found = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
    found = {name: data for name, data in found.items() if 0 < len(data) < 150_000 and not name.endswith(".tsv")}
    values = np.random.default_rng(0).integers(0, 65536, (20, 24, 4)).astype(np.uint16)
    for name, kind, pixels in (
        ("rgb16.png", "PNG", values[:, :, :3]),
        ("rgba16.png", "PNG", values),
        ("rgb16.tif", "TIFF", values[:, :, :3]),
        ("floats.tif", "TIFF", (values[:, :, :1] / 65535).astype(np.float32)),
        ("many.tif", "TIFF", values.repeat(2, axis=2)),
        ("rgb.tif", "TIFF", values[:, :, :3].astype(np.uint8)),
        ("array.npy", "NPY", values),
        ("small.heic", "HEIF", values[:, :, :3].astype(np.uint8)),
        ("small.avif", "AVIF", values[:, :, :3].astype(np.uint8)),
    ):
        buffer = io.BytesIO()
        formats.write(buffer, Picture(pixels=pixels), kind)
        found[name] = buffer.getvalue()
    return found


@st.composite
def mutated(draw: st.DrawFn, files: dict[str, bytes]) -> tuple[str, bytes]:
    name = draw(st.sampled_from(sorted(files)))
    data = bytearray(files[name])
    for _ in range(draw(st.integers(1, 8))):
        # Heads are where the numbers are that decoders trust.
        place = draw(st.one_of(st.integers(0, min(len(data), 200)), st.integers(0, len(data))))
        kind = draw(st.sampled_from(("value", "flip", "cut", "drop", "double", "other")))
        if kind == "value":
            value = draw(st.sampled_from(INTERESTING))
            data[place : place + len(value)] = value
        elif kind == "flip" and place < len(data):
            data[place] ^= 1 << draw(st.integers(0, 7))
        elif kind == "cut":
            del data[max(place, len(data) // 2, 1) :]
        elif kind == "drop":
            del data[place : place + draw(st.integers(1, 64))]
        elif kind == "double":
            data[place:place] = data[place : place + draw(st.integers(1, 64))]
        elif kind == "other":
            other = files[draw(st.sampled_from(sorted(files)))]
            data[place : place + 64] = other[place : place + 64]
    mended = draw(st.booleans()) and data.startswith(b"\x89PNG")
    return name, png_with_right_checksums(bytes(data)) if mended else bytes(data)


def png_with_right_checksums(data: bytes) -> bytes:
    """Else nearly every damage to a PNG would end at its checksums."""
    parts, place = [data[:8]], 8
    while place + 12 <= len(data):
        length = struct.unpack_from(">I", data, place)[0]
        if place + 12 + length > len(data):
            break
        body = data[place + 4 : place + 8 + length]
        parts += [data[place : place + 4], body, struct.pack(">I", zlib.crc32(body))]
        place += 12 + length
    return b"".join([*parts, data[place:]])


def check(path: Path, data: bytes) -> None:
    path.write_bytes(data)

    def whole() -> None:
        pixels = formats.read(path).pixels
        assert pixels.ndim == 3
        assert pixels.dtype in (np.uint8, np.uint16, np.float32)
        assert formats.size_of(path) in (pixels.shape[:2], pixels.shape[1::-1])

    def frames() -> None:
        animation = formats.read_frames(path)
        assert animation is None or len(list(animation.frames)) > 1

    def bands() -> None:
        found = in_bands(path)
        rows = sum(len(band) for band in found.read())
        assert rows == found.shape[0], data

    for attempt in (whole, frames, bands, lambda: images.read(path, 1), lambda: images.read(path, 3, 32)):
        attempted(attempt, path)


def attempted(attempt: Callable[[], Any], path: Path) -> None:
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak: other tests ran in this process
    start, before = time.process_time(), memory("VmRSS")
    try:
        attempt()
    except PictureError as error:
        sentence = str(error)
    else:
        sentence = f"{path}: it was read."
    assert re.fullmatch(re.escape(f"{path}: ") + r"[^\n]{10,400}[.)]", sentence), sentence
    assert time.process_time() - start < LONGEST_SECONDS
    more = memory("VmHWM") - before
    assert more < MOST_BYTES, f"{more} bytes"


def memory(entry: str) -> int:
    """Bytes: VmRSS is what this process has in memory, VmHWM the most that it had since the peak was reset."""
    (kilobytes,) = re.findall(rf"^{entry}:\s*(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    return 1024 * int(kilobytes)


@pytest.fixture
def odd_files(shared_data: Path) -> dict[str, bytes]:
    return seeds(shared_data / "odd")


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="there is no /proc to see the memory by")
def test_mutated_odd_files(odd_files: dict[str, bytes], tmp_path: Path):
    @settings(max_examples=40, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(mutated(odd_files))
    def run(case: tuple[str, bytes]) -> None:
        check(tmp_path / case[0], case[1])

    begun, tried = time.monotonic(), 40
    run()
    while time.monotonic() - begun < 60 * float(os.environ.get("FUZZ_MINUTES", "0")):
        run()
        tried += 40
    print(f"{tried} damaged files in {(time.monotonic() - begun) / 60:.1f} minutes")
