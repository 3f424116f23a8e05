"""Where the pictures lie: folders and layouts become lists of items, and mistakes in them become sentences."""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from viceversa.data.images import SUFFIXES
from viceversa.errors import ConfigError, DataError


@dataclass(frozen=True, kw_only=True)
class Item:
    """One thing to learn from: a picture, or a pair of pictures."""

    name: str
    """Unique in its folder, equal on every machine: the path below the folder, with forward slashes."""

    files: tuple[Path, ...]
    """One file (a picture, or a pair side by side), or two (the halves of a pair, A first)."""

    pages: tuple[int, ...] = ()
    """Which page of each file; empty for the first, or the only one."""

    group: str = ""
    """Of a page: the name that the whole file would have; pages of one file are not parted by what is held out."""


@dataclass(frozen=True, kw_only=True)
class Domain:
    """The items of one domain, or of both where they are paired, and what is kept for testing."""

    folder: Path
    """The folder as the user wrote it, for messages."""

    train: tuple[Item, ...]
    """What is there for training; pictures to hold out are still among them when ``test`` is empty."""

    test: tuple[Item, ...]
    """From the test (or val) folder; empty when there is none."""


def find_pictures(folder: Path, flag: str = "--data") -> list[Path]:
    """Every picture below ``folder`` by its suffix, sorted; hidden files and folders are passed over.

    Links are followed, each folder once, so circles of links are safe.

    Raises:
        DataError: The folder is missing, is no folder or holds no picture; ``flag`` is the option to mend.
    """
    advice = f"Point {flag} at a folder of pictures."
    if not folder.is_dir():
        raise DataError(f"{folder} {'is not a folder' if folder.exists() else 'does not exist'}. {advice}")
    files = list(walk(folder))
    pictures = [file for file in files if file.suffix.lower() in SUFFIXES]
    if not pictures:
        kinds = Counter(file.suffix or "without suffix" for file in files).most_common(3)
        found = "found " + ", ".join(f"{count} {kind}" for kind, count in kinds) if kinds else "it is empty"
        raise DataError(f"{folder}/ holds no pictures ({' '.join(SUFFIXES)}); {found}. {advice}")
    return sorted(pictures, key=lambda file: file.relative_to(folder).as_posix())


def unpaired(root: Path | None, a: Path | None, b: Path | None) -> tuple[Domain, Domain]:
    """Domains A and B from two folders, or from ``root`` with trainA/ trainB/ and, of each if there, testA/ testB/.

    Raises:
        ConfigError: The folders are given in no way or in two.
        DataError: A folder is missing or empty.
    """
    if root is not None:
        complete(root, "trainA", "trainB")
        return _domain(root, "A"), _domain(root, "B")
    a, b = _two_folders(a, b)
    return (
        Domain(folder=a, train=_singles(a, "--a"), test=()),
        Domain(folder=b, train=_singles(b, "--b"), test=()),
    )


def paired(root: Path | None, a: Path | None, b: Path | None) -> Domain:
    """The pairs: items of one file, A on the left and B on the right, or of two.

    They come from two folders with equal file names (the suffix may differ), or from ``root``: train/ with test/ or
    val/, or pictures without such folders, all side by side; or trainA/ trainB/ with equal file names.

    Raises:
        ConfigError: The folders are given in no way or in two.
        DataError: A folder is missing or empty, or file names have no partner.
    """
    if root is None:
        a, b = _two_folders(a, b)
        return Domain(folder=a, train=_partners(a, b, "--a", "--b"), test=())
    if complete(root, "trainA", "trainB", optional=True):
        with_test = complete(root, "testA", "testB", optional=True)
        test = _partners(root / "testA", root / "testB") if with_test else ()
        return Domain(folder=root, train=_partners(root / "trainA", root / "trainB"), test=test)
    if not (root / "train").is_dir():
        if lost := [name for name in ("val", "test") if (root / name).is_dir()]:
            raise DataError(f"{root}/ holds {lost[0]}/ but no train/. Add it, or point --data at a folder of pairs.")
        return Domain(folder=root, train=_singles(root, "--data"), test=())
    kept = next((root / name for name in ("test", "val") if (root / name).is_dir()), None)
    test = _singles(kept, "--data") if kept else ()
    return Domain(folder=root / "train", train=_singles(root / "train", "--data"), test=test)


def complete(root: Path, first: str, second: str, *, optional: bool = False) -> bool:
    """Whether ``root`` has both folders; one alone, or none where they are needed, is an error.

    Raises:
        DataError: The other one, or both, or ``root`` itself are missing.
    """
    there = [name for name in (first, second) if (root / name).is_dir()]
    if len(there) == 1:
        missing = second if there == [first] else first
        raise DataError(f"{root}/ holds {there[0]}/ but no {missing}/. Add it, or name the folders with --a and --b.")
    if there or optional:
        return bool(there)
    if not root.is_dir():
        raise DataError(
            f"{root} {'is not a folder' if root.exists() else 'does not exist'}. Point --data at a data set."
        )
    hint = " (train/ is the layout of pairs, for pix2pix)" if (root / "train").is_dir() else ""
    raise DataError(
        f"{root}/ holds neither {first}/ nor {second}/{hint}. Add them, or name the folders by --a and --b."
    )


def walk(folder: Path) -> Iterator[Path]:
    """Every file below ``folder`` but hidden ones; links are followed, each folder once."""
    seen: set[tuple[int, int]] = set()
    for place, folders, files in os.walk(folder, followlinks=True):
        status = os.stat(place)
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(place, name) for name in files if not name.startswith(".") and Path(place, name).is_file())


def _singles(folder: Path, flag: str = "--data") -> tuple[Item, ...]:
    files = find_pictures(folder, flag)
    return tuple(Item(name=file.relative_to(folder).as_posix(), files=(file,)) for file in files)


def _domain(root: Path, letter: str) -> Domain:
    train, test = root / f"train{letter}", root / f"test{letter}"
    return Domain(folder=train, train=_singles(train), test=_singles(test) if test.is_dir() else ())


def _partners(a: Path, b: Path, flag_a: str = "--data", flag_b: str = "--data") -> tuple[Item, ...]:
    """Pairs by equal name without suffix."""
    files_a, files_b = _by_stem(a, flag_a), _by_stem(b, flag_b)
    for folder, lonely, other in (a, files_a.keys() - files_b.keys(), b), (b, files_b.keys() - files_a.keys(), a):
        if lonely:
            names = ", ".join(sorted(lonely)[:3]) + (" ..." if len(lonely) > 3 else "")
            raise DataError(
                f"{len(lonely)} of the pictures of {folder}/ have no partner of the same name in {other}/ ({names}). "
                "Rename or remove them: pairs are found by equal file names."
            )
    return tuple(Item(name=stem, files=(file, files_b[stem])) for stem, file in files_a.items())


def _by_stem(folder: Path, flag: str) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for file in find_pictures(folder, flag):
        stem = file.relative_to(folder).with_suffix("").as_posix()
        if stem in files:
            raise DataError(f"{files[stem]} and {file} have the same name but for the suffix. Remove one of them.")
        files[stem] = file
    return files


def _two_folders(a: Path | None, b: Path | None) -> tuple[Path, Path]:
    if a is None and b is None:
        raise ConfigError("No pictures were given. Name two folders with --a and --b, or one data set with --data.")
    if a is None or b is None:
        missing, given = ("--a", "--b") if a is None else ("--b", "--a")
        raise ConfigError(f"{given} was given without {missing}. Name the folder of the other domain with {missing}.")
    here, there = a.resolve(), b.resolve()
    if here == there or here in there.parents or there in here.parents:
        relation = "are the same folder" if here == there else "lie inside one another"
        raise ConfigError(f"--a {a} and --b {b} {relation}. Give each domain a folder of its own.")
    return a, b
