"""Files that would unpack to far more than they are: refused in a sentence, before that fills the memory."""

import contextlib
import random
import re
from pathlib import Path

import pytest

from viceversa.data import formats, images
from viceversa.data.formats.av1 import frame_sizes
from viceversa.data.formats.bands import in_bands
from viceversa.errors import PictureError

from .. import bombs

MOST_BYTES = 300 * bombs.MIB


def refused(path: Path) -> list[str]:
    """What each way to read a file says; none may take much memory."""
    said: list[str] = []

    def frames() -> None:
        animation = formats.read_frames(path)
        for _ in animation.frames if animation is not None else ():
            pass

    def bands() -> None:
        for _ in in_bands(path).read():
            pass

    def attempt() -> None:
        for work in (lambda: formats.size_of(path), frames, bands, lambda: images.read(path)):
            try:
                work()
            except PictureError as error:
                said.append(str(error))

    more = bombs.peak(attempt)
    assert more < MOST_BYTES, f"{more / 1e6:.0f} MB, {said}"
    for sentence in said:
        assert re.fullmatch(re.escape(f"{path}: ") + r"[^\n]{10,300}\.", sentence), sentence
    return said


@pytest.mark.parametrize("name", bombs.OTHERS)
def test_other_kinds(tmp_path: Path, name: str) -> None:
    if name.endswith(".avif"):
        pytest.importorskip("PIL._avif")
    (tmp_path / name).write_bytes(bombs.OTHERS[name]())
    said = refused(tmp_path / name)
    assert bool(said) != (name in bombs.HARMLESS), said
    print(said[-1:])


@pytest.mark.parametrize("name", bombs.TIFFS)
def test_tiff(tmp_path: Path, name: str) -> None:
    pytest.importorskip("tifffile")
    (tmp_path / name).write_bytes(bombs.TIFFS[name]())
    said = refused(tmp_path / name)
    assert bool(said) != (name in bombs.HARMLESS), said


@pytest.mark.parametrize("name", ["exif.png", "raw-exif.png"])
def test_who_asks_for_exif_gets_none_that_fills_the_memory(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(bombs.OTHERS[name]())

    def ask() -> None:
        with images.opened(tmp_path / name) as image:
            assert not dict(image.getexif())

    assert bombs.peak(ask) < 50 * bombs.MIB


@pytest.mark.parametrize("name", ["frame.avif", "track.avif"])
def test_frames_of_an_avif_larger_than_its_boxes_tell(tmp_path: Path, name: str) -> None:
    pytest.importorskip("PIL._avif")
    (tmp_path / name).write_bytes(bombs.OTHERS[name]())
    said = refused(tmp_path / name)
    assert len(said) == 4
    assert all("tells of 16 x 16 px and has 256 x 256 px" in sentence for sentence in said)


def test_an_animated_avif_has_the_frames_that_it_tells_of(tmp_path: Path) -> None:
    pytest.importorskip("PIL._avif")
    (tmp_path / "x.avif").write_bytes(bombs.animated_avif(80))
    assert list(frame_sizes((tmp_path / "x.avif").read_bytes())) == [((80, 80), (80, 80))] * 2  # the image, and a track


def test_a_damaged_avif_is_said_to_be_damaged_if_anything() -> None:
    pytest.importorskip("PIL._avif")
    whole, chance = bombs.animated_avif(64), random.Random(1)
    for _ in range(500):
        data = bytearray(whole)
        for _ in range(3):
            data[chance.randrange(len(data))] = chance.choice((0, 1, 255, chance.randrange(256)))
        with contextlib.suppress(PictureError):
            list(frame_sizes(bytes(data[: chance.choice((len(data), chance.randrange(len(data))))])))
