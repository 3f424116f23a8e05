"""Files beside the images: what lies in a folder and is of no kind that is read is told, once."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from viceversa.data import layouts, makeable
from viceversa.data.cache import Skipped
from viceversa.data.folders import unreachable, walk
from viceversa.data.images import SUFFIXES

_NAMED = 3


def places(root: Path | None, *folders: Path | None) -> list[Path]:
    """The folders that images are taken from: those given, or the parts of the data set ``root``, or it itself."""
    parts: list[Path] = []
    if root is not None:
        inside = layouts.subfolders(root) if root.is_dir() else []
        parts = [folder for folder in inside if layouts.is_part(folder.name)] or [root]
    return parts + [folder for folder in folders if folder is not None]


def passed_over(folders: Iterable[Path]) -> tuple[Skipped, ...]:
    """Return entries for folders with files of other kinds beside images, with dead links, or that cannot be read.

    Hidden files do not count, and lists of files have no others.
    """
    found: list[Skipped] = []
    for folder in filter(Path.is_dir, folders):
        lost: list[Path] = []
        kinds = Counter(file.suffix.lower() for file in walk(folder, lost))
        if lost:
            found.append(Skipped(path=folder, reason=f"holds {unreachable(lost)}, passed over"))
        others = Counter({suffix: count for suffix, count in kinds.items() if suffix not in SUFFIXES})
        if others.total() and others.total() < kinds.total():
            reason = f"holds {counted(others)}, passed over ({named(others)}){_makeable(others)}"
            found.append(Skipped(path=folder, reason=reason))
    return tuple(found)


def _makeable(others: Counter[str]) -> str:
    """Which of them the program can read in another way."""
    found = makeable.counted(others)
    return f"; {found} among them can be made images by viceversa prepare" if found else ""


def counted(others: Counter[str]) -> str:
    """How many: "2 files of other kinds"."""
    total = others.total()
    return "1 file of another kind" if total == 1 else f"{total} files of other kinds"


def named(others: Counter[str]) -> str:
    """Their suffixes, the most frequent first, of which only some are named: ".svg, .tsv, without suffix ..."."""
    names = ", ".join(suffix or "without suffix" for suffix, _ in others.most_common(_NAMED))
    return names + (" ..." if len(others) > _NAMED else "")
