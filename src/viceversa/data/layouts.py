"""Layouts of data sets: where A and B lie below a folder, and which part of them is for testing."""

import os
from dataclasses import dataclass
from pathlib import Path

from viceversa.data.formats import SUFFIXES
from viceversa.errors import DataError

TEST_FOLDERS = ("test", "val")
_PATTERNS = ("train{}", "train_{}", "{}/train", "train/{}", "{}")
_PARTS = ("train", *TEST_FOLDERS)
_DEEPEST = 2  # folders with nothing but another one in them, such as archives unpack to


@dataclass(frozen=True, kw_only=True)
class Sides:
    """Folders of A and of B."""

    train: tuple[Path, Path]
    """For training, A first."""

    test: tuple[Path | None, Path | None]
    """For testing, of each side if there."""

    lacks: Path | None
    """The folder for testing that one side lacks and the other has."""

    is_classic: bool
    """They are called trainA and trainB exactly: then they are sides whatever is in them."""


def find_sides(root: Path) -> Sides | None:
    """Return where A and B lie below ``root``, or None if it has no such folders.

    ``trainA trainB``, ``A/train B/train``, ``train/A train/B`` or ``A B``, in upper or lower case, also one folder
    deeper; with ``test`` or ``val`` in place of ``train`` for testing.

    Raises:
        DataError: There is trainA without trainB, or the other way round; or two names differ in nothing but case.
    """
    root = deeper(root)
    for pattern in _PATTERNS:
        a, b = (_below(root, pattern.format(side)) for side in "AB")
        if a is None and b is None:
            continue
        if a is None or b is None:
            if pattern == "train{}":
                there, missing = (a, "trainB") if a else (b, "trainA")
                assert there is not None
                raise DataError(
                    f"{root}/ holds {there.name}/ but no {missing}/. Add it, or name the folders with --a and --b."
                )
            continue
        test, lacks = _for_testing(root, pattern)
        classic = [a, b] == [root / "trainA", root / "trainB"]
        return Sides(train=(a, b), test=test, lacks=lacks, is_classic=classic)
    return None


def find_parts(root: Path) -> tuple[Path, Path | None]:
    """Return the folder of the images to train on, and the one for testing: train/ with test/ or val/, or ``root``.

    Raises:
        DataError: There is a folder for testing and none for training.
    """
    root = deeper(root)
    train = _below(root, "train")
    kept = next((place for name in TEST_FOLDERS if (place := _below(root, name))), None)
    if train:
        return train, kept
    if kept:
        raise DataError(f"{root}/ holds {kept.name}/ but no train/. Add it, or point --data at a folder of pairs.")
    return root, None


def deeper(root: Path) -> Path:
    """Return the folder that holds the parts of a data set: ``root``, or the only folder in it, or the one in that."""
    place = root
    for _ in range(_DEEPEST):
        folders = _folders(place)
        if any(is_part(name) for name in folders):
            return place
        if len(folders) != 1 or _has_pictures(place):
            break
        place = place / next(iter(folders))
    return place if place != root and any(is_part(name) for name in _folders(place)) else root


def subfolders(root: Path) -> list[Path]:
    """Return the folders in a folder but hidden ones, by name."""
    return [root / name for name in _folders(root)]


def is_part(name: str) -> bool:
    """Return whether a folder of this name is a part of a data set: train, testA, A ..."""
    lower = name.lower()
    return lower in ("a", "b") or any(lower in (part, f"{part}a", f"{part}b", f"{part}_a") for part in _PARTS)


def _for_testing(root: Path, pattern: str) -> tuple[tuple[Path | None, Path | None], Path | None]:
    """The folders for testing in a layout, and the one that is missing if there is only one."""
    for name in TEST_FOLDERS if "train" in pattern else ():
        wanted = [pattern.replace("train", name).format(side) for side in "AB"]
        a, b = (_below(root, path) for path in wanted)
        if a or b:
            return (a, b), None if a and b else root / wanted[0 if a is None else 1]
    return (None, None), None


def _below(root: Path, path: str) -> Path | None:
    """The folder ``path`` below ``root`` without regard to case; None if it is not there.

    Raises:
        DataError: There are two, neither of which is called so exactly.
    """
    place = root
    for wanted in path.split("/"):
        found = [name for name in _folders(place) if name.lower() == wanted.lower()]
        if wanted in found:
            found = [wanted]
        if len(found) > 1:
            raise DataError(
                f"{place}/ holds {found[0]}/ and {found[1]}/, and either may be meant. Rename one, or name the folders "
                "with --a and --b."
            )
        if not found:
            return None
        place = place / found[0]
    return place


def _folders(place: Path) -> list[str]:
    """The names of the folders in a folder but hidden ones, and those that macOS adds to archives; in order."""
    try:
        with os.scandir(place) as entries:
            names = [entry.name for entry in entries if entry.is_dir() and not entry.name.startswith((".", "__MACOSX"))]
    except OSError:
        return []
    return sorted(names)


def _has_pictures(place: Path) -> bool:
    with os.scandir(place) as entries:
        return any(entry.name.lower().endswith(SUFFIXES) and not entry.name.startswith(".") for entry in entries)
