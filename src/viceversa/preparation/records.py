"""What is remembered on disk of a source that is done, and how files are written: whole or not at all."""

import dataclasses
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cattrs
from cattrs.errors import BaseValidationError

from viceversa.replacing import beside

FORMAT = 1
_RECORD = "record.json"


@dataclass(frozen=True, kw_only=True)
class Item:
    """An image that was cut out, ready to be put in its place."""

    name: str
    """Of its file."""
    picture: str
    """Of a folder or an archive: which of its images; of a video: empty."""
    frame: int
    """Its place in the source, from 0."""
    seconds: float | None
    """Of a video: when."""
    scene: int
    """Of a video, from 0; images are scenes by themselves."""
    why: str
    """Why it was kept."""
    box: tuple[int, int, int, int]
    """What was cut out: left, top, right, bottom, in pixels of the source."""
    brightness: float
    """See `Measures`."""
    sharpness: float
    """See `Measures`."""
    fingerprint: str
    """In hexadecimal digits."""


@dataclass(frozen=True, kw_only=True)
class Record:
    """What became of a source."""

    source: str
    """As the user wrote it."""
    key: str
    """Of its contents."""
    settings: dict[str, Any]
    """With which it was gone through."""
    is_video: bool
    """Whether it has scenes."""
    frames: int
    """Frames or images seen."""
    scenes: int
    """Scenes found in a video."""
    kept: int
    """Frames or images kept."""
    dropped: dict[str, int]
    """Frames or images dropped, by reason."""
    left_out: dict[str, int]
    """Images cut out of what was kept, and left out after all, by reason."""
    problems: tuple[str, ...]
    """What could not be read, and why."""
    links: tuple[tuple[int, int], ...]
    """Scenes that show the same."""
    examples: tuple[tuple[str, str], ...]
    """Reason and file of some dropped frames, shrunk."""
    items: tuple[Item, ...] = field(repr=False)
    """What is left."""
    notes: tuple[str, ...] = ()
    """What of it was not taken as it is."""

    def save(self, folder: Path) -> None:
        """The last thing to be written: a folder with a record is whole."""
        write_json(folder / _RECORD, {"format": FORMAT, **dataclasses.asdict(self)})


def load(folder: Path) -> Record | None:
    """The record of a source that is done; None where there is none, or one that cannot be read."""
    tree = read_json(folder / _RECORD)
    try:
        return None if tree is None else cattrs.structure(tree, Record)
    except (BaseValidationError, ValueError, TypeError):
        return None


def read_json(path: Path) -> Any:
    """What `write_json` wrote, without its format; None where there is nothing, or something else."""
    try:
        tree = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    if not isinstance(tree, dict) or tree.pop("format", None) != FORMAT:
        return None
    return tree


def write_json(path: Path, tree: object) -> None:
    """Beside it first, then renamed."""
    write(path, (json.dumps(tree, ensure_ascii=False, indent=1) + "\n").encode("utf-8", "surrogateescape"))


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The objects of a .jsonl file; none where it is not there."""
    return list(_lines(path)) if path.exists() else []


def write_lines(path: Path, rows: list[dict[str, Any]]) -> None:
    """An object a line."""
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    write(path, text.encode("utf-8", "surrogateescape"))


def write(path: Path, content: bytes) -> None:
    """A reader sees the old file or the new one, whole."""
    with beside(path, alone=True) as partial:
        partial.write_bytes(content)


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_text(encoding="utf-8", errors="surrogateescape").splitlines():
        yield json.loads(line)
