"""What a source of images is, and what is remembered of each of its frames after the first look."""

from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

from viceversa.data.images import Array
from viceversa.preparation.borders import Box
from viceversa.preparation.config import PrepareConfig
from viceversa.preparation.frames import Measures
from viceversa.preparation.parallel import Team

Sides: TypeAlias = tuple[Array, ...]
"""One image ``(H, W, 3)``, or the two equally large halves of a pair, A first."""
Tick: TypeAlias = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Seen:
    """One frame of a video or one image; its pixels are gone, some hundred bytes are left."""

    index: int
    """Its place in the source, from 0."""
    scene: int
    """Of a video, from 0; an image is a scene by itself, and pages of one file are one."""
    measures: Measures | None
    """None where it cannot be read."""
    inner: Box
    """What lies inside bars and borders."""
    name: str = ""
    """Of an image: its place in the folder or archive, with forward slashes."""
    seconds: float | None = None
    """Of a frame: time from the beginning of the video."""
    problem: str = ""
    """Why it cannot be read or used."""
    fault: Literal["unreadable", "unfit", "small"] = "unreadable"
    """Where there is a problem: of which kind."""
    nearest: tuple[bool, ...] = ()
    """Of an image, or of each half of a pair: whether it is resized by nearest neighbor."""
    remarks: tuple[dict[str, int], ...] = ()
    """Of each: what of its file is not used or changed, as `viceversa.data.reading.remarks_on` gives it."""


class Source(Protocol):
    """A video, a folder or an archive. It is looked through twice: all of it, then for what was chosen."""

    @property
    def path(self) -> Path:
        """As the user wrote it."""
        ...

    @property
    def key(self) -> str:
        """A hash of the contents."""
        ...

    @property
    def is_video(self) -> bool:
        """Whether frames follow one another in time."""
        ...

    @property
    def notes(self) -> tuple[str, ...]:
        """What of it is not taken as it is; known after `scan`."""
        ...

    def expected(self) -> int:
        """About how many frames or images there are; 0 where that is not known."""
        ...

    def scan(self, config: PrepareConfig, team: Team, tick: Tick) -> list[Seen]:
        """Measures every frame; calls ``tick`` for each.

        Raises:
            DataError: The source is damaged.
        """
        ...

    def fetch(self, wanted: Set[int], team: Team, tick: Tick) -> Iterator[tuple[int, Sides]]:
        """Those frames in full size, in their order, with their index; calls ``tick`` for each that is passed."""
        ...
