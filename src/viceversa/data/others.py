"""Files beside the pictures: what lies in a folder and is of no kind that is read is told, once."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from viceversa.data.cache import Skipped
from viceversa.data.folders import walk
from viceversa.data.images import SUFFIXES

_LAYOUT = ("trainA", "trainB", "testA", "testB", "train", "test", "val")
_NAMED = 3


def places(root: Path | None, *folders: Path | None) -> list[Path]:
    """The folders that pictures are taken from: those given, or the parts of the data set ``root``, or it itself."""
    parts = [] if root is None else [root / name for name in _LAYOUT if (root / name).is_dir()] or [root]
    return parts + [folder for folder in folders if folder is not None]


def passed_over(folders: Iterable[Path]) -> tuple[Skipped, ...]:
    """An entry for each folder in which files of other kinds lie beside pictures; hidden ones do not count."""
    found: list[Skipped] = []
    for folder in folders:
        kinds = Counter(file.suffix.lower() for file in walk(folder))
        others = Counter({suffix: count for suffix, count in kinds.items() if suffix not in SUFFIXES})
        if others.total() and others.total() < kinds.total():
            found.append(Skipped(path=folder, reason=f"holds {counted(others)}, passed over ({named(others)})"))
    return tuple(found)


def counted(others: Counter[str]) -> str:
    """How many: "2 files of other kinds"."""
    total = others.total()
    return "1 file of another kind" if total == 1 else f"{total} files of other kinds"


def named(others: Counter[str]) -> str:
    """Their suffixes, the most frequent first, of which only some are named: ".svg, .tsv, without suffix ..."."""
    names = ", ".join(suffix or "without suffix" for suffix, _ in others.most_common(_NAMED))
    return names + (" ..." if len(others) > _NAMED else "")
