"""Whether a video file is whole: what its head says of its length, and how far what is in it reaches."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

from viceversa.errors import DataError

_MAY_LACK_SECONDS, _MAY_LACK_SHARE = 1, Fraction(3, 100)  # what a whole video may lack of the duration in its head
_SAYS_END = {"matroska", "webm", "asf", "nut"}  # kinds whose duration is the time at which they end
_UNKNOWN_BYTES = (0, 0xFFFFFFFF)  # of a recording that nobody has finished
_ASF_FILE_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_ASF_HEAD_BYTES = 1 << 16
_MOST_AGAIN, _FREE_BYTES = 4, 1 << 20  # so many times its bytes, and so many more, may the packets of a file have


class Reach:
    """Sees all packets of a container that PyAV has opened; then tells what is missing."""

    def __init__(self, container: Any, path: Path):
        self._container = container
        self._path = path
        self._last = Fraction(0)
        self._left = _MOST_AGAIN * path.stat().st_size + _FREE_BYTES

    def see(self, packet: Any) -> None:
        """Take note of when a packet ends, of whatever stream.

        Raises:
            DataError: The file gives its bytes over and over; a few kilobytes can do so for days.
        """
        self._left -= 1 + packet.size
        if self._left < 0:
            raise DataError(
                f"{self._path}: it is damaged: it names its bytes over and over; replace it or leave it out."
            )
        if packet.pts is not None:
            self._last = max(self._last, (packet.pts + (packet.duration or 0)) * Fraction(packet.time_base))

    def check(self) -> None:
        """Refuse what ends before it should.

        Raises:
            DataError: It does.
        """
        if (missing := self._missing()) is not None:
            raise DataError(
                f"{self._path}: it is cut short or damaged: {missing}. Get it whole, or save the good part as a video "
                "of its own."
            )

    def _missing(self) -> str | None:
        """What is missing, for a sentence: "it should last 9.0 s and ends after 4.0 s"; None if it is whole.

        Kinds that do not say in their head how long they are (MPEG streams, GIF) are taken for whole.
        """
        kinds = self._container.format.name.split(",")
        for kind, expected in _BYTES.items():
            if kind in kinds:  # to the byte; times are not to be relied on there
                with self._path.open("rb") as file:
                    told, there = expected(file), self._path.stat().st_size
                if told is not None:
                    return None if there >= told else f"it should have {told:,} bytes and has {there:,}"
        start = 0 if _SAYS_END.intersection(kinds) else Fraction(self._container.start_time or 0, 1_000_000)
        whole, ended = Fraction(self._container.duration or 0, 1_000_000), max(self._last - start, Fraction(0))
        if whole - ended <= max(_MAY_LACK_SECONDS, _MAY_LACK_SHARE * whole):
            return None
        return f"it should last {float(whole):.1f} s and ends after {float(ended):.1f} s"


def _of_riff(file: BinaryIO) -> int | None:
    """AVI: chunks that say how long they are, one after the other."""
    bytes_told = 0
    while (head := file.read(8))[:4] == b"RIFF":
        length = int.from_bytes(head[4:], "little")
        if len(head) < 8 or length in _UNKNOWN_BYTES:
            return None
        bytes_told += 8 + length
        file.seek(bytes_told)
    return bytes_told or None


def _of_asf(file: BinaryIO) -> int | None:
    """WMV: a field of the head."""
    head = file.read(_ASF_HEAD_BYTES)
    place = head.find(_ASF_FILE_PROPERTIES)
    told = int.from_bytes(head[place + 40 : place + 48], "little") if place >= 0 else 0
    return None if told in _UNKNOWN_BYTES else told


_BYTES: dict[str, Callable[[BinaryIO], int | None]] = {"avi": _of_riff, "asf": _of_asf}
