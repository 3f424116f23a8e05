"""Which pictures there are and what they are for: every layout that training takes, and no refusal where one is odd."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from viceversa.data import folders
from viceversa.data.folders import Item, find_pictures
from viceversa.data.images import opened
from viceversa.errors import ConfigError, DataError

Kind: TypeAlias = Literal["unpaired", "paired", "single"]
Split: TypeAlias = Literal["train", "test"]

_TEST_FOLDERS = ("test", "val")
_LOOKED_AT = 50  # files whose shape tells pairs from single pictures


@dataclass(frozen=True, kw_only=True)
class Job:
    """A picture, or a pair, to be measured."""

    name: str
    """The path as people know it: below the root, or with the name of its folder."""

    domain: Literal["A", "B", "AB"]
    """"AB" is a pair."""

    split: Split
    """What it is for."""

    files: tuple[Path, ...]
    """One file, or the two halves of a pair."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A data set before it is looked at."""

    place: str
    """What was named, for people."""

    kind: Kind
    """Two heaps, pairs, or one heap."""

    is_guessed: bool
    """The kind was told from the shape of the pictures."""

    titles: dict[str, str]
    """Names of the domains: ``{"A": "women", "B": "men"}``; one entry for one heap."""

    jobs: tuple[Job, ...]
    """All that is there."""

    lonely: tuple[str, ...]
    """Halves of pairs that have no partner of the same name."""


def find(root: Path | None, a: Path | None, b: Path | None, kind: Kind | None = None) -> Layout:
    """The pictures below ``root``, or of the folders ``a`` and ``b``.

    Without ``kind``, two folders and trainA/ trainB/ are two heaps; other pictures are pairs side by side where nearly
    all are twice as wide as high, and one heap where they are not.

    Raises:
        ConfigError: The folders are given in no way or in two, or cannot be of that kind.
        DataError: A folder is missing or empty.
    """
    if kind is not None and kind not in get_args(Kind):
        raise ConfigError(f'--kind must be unpaired, paired or single, not "{kind}".')
    if root is not None and (a is not None or b is not None):
        raise ConfigError("A data set and --a or --b were given. Name either one data set or two folders.")
    if root is None:
        domains = folders.unpaired(None, a, b)  # for its messages
        if kind == "single":
            raise ConfigError("--kind single is for one folder, not for --a and --b.")
        return _two_heaps(domains, "unpaired") if kind != "paired" else _of_pairs(domains[0].folder, domains[1].folder)
    if not root.is_dir():
        why = "is not a folder" if root.exists() else "does not exist"
        raise DataError(f"{root} {why}. Name a folder of pictures or a data set.")
    halves = [name for name in ("trainA", "trainB", "testA", "testB") if (root / name).is_dir()]
    if kind == "unpaired" or (kind is None and halves):
        return _two_heaps(folders.unpaired(root, None, None), "unpaired", root)
    if kind == "paired" and halves:
        folders.unpaired(root, None, None)
        return _of_pairs(root / "trainA", root / "trainB", root)
    return _one_folder(root, kind)


def _two_heaps(domains: tuple[folders.Domain, folders.Domain], kind: Kind, root: Path | None = None) -> Layout:
    jobs: list[Job] = []
    sides: dict[Literal["A", "B"], folders.Domain] = {"A": domains[0], "B": domains[1]}
    for letter, domain in sides.items():
        parts: dict[Split, tuple[Item, ...]] = {"train": domain.train, "test": domain.test}
        for split, items in parts.items():
            prefix = f"{split}{letter}" if root else str(domain.folder)
            jobs += [Job(name=f"{prefix}/{item.name}", domain=letter, split=split, files=item.files) for item in items]
    names = [domain.folder.resolve().name for domain in domains]
    distinct = root is None and names[0] != names[1]
    return Layout(
        place=str(root) if root else " and ".join(str(domain.folder) for domain in domains),
        kind=kind,
        is_guessed=False,
        titles={"A": names[0], "B": names[1]} if distinct else {"A": "A", "B": "B"},
        jobs=tuple(jobs),
        lonely=(),
    )


def _of_pairs(a: Path, b: Path, root: Path | None = None) -> Layout:
    """Pairs of two folders by equal names, whatever has no partner set apart."""
    jobs, lonely = _partners(a, b, "train", root)
    if root and folders.complete(root, "testA", "testB", optional=True):
        more, apart = _partners(root / "testA", root / "testB", "test", root)
        jobs, lonely = jobs + more, lonely + apart
    if not jobs:
        raise DataError(
            f"No picture of {a}/ has a partner of the same name in {b}/ ({', '.join(lonely[:3])} ...). Pairs are found "
            "by equal file names; for pictures without pairs leave --kind out."
        )
    names = (a.resolve().name, b.resolve().name)
    return Layout(
        place=str(root) if root else f"{a} and {b}",
        kind="paired",
        is_guessed=False,
        titles={"A": "A", "B": "B"} if root or names[0] == names[1] else {"A": names[0], "B": names[1]},
        jobs=tuple(jobs),
        lonely=tuple(lonely),
    )


def _partners(a: Path, b: Path, split: Split, root: Path | None) -> tuple[list[Job], list[str]]:
    def by_stem(folder: Path) -> tuple[dict[str, Path], list[Path]]:
        found: dict[str, Path] = {}
        doubled: list[Path] = []
        for file in find_pictures(folder):
            stem = file.relative_to(folder).with_suffix("").as_posix()
            if found.setdefault(stem, file) != file:
                doubled.append(file)
        return found, doubled

    files_a, doubled_a = by_stem(a)
    files_b, doubled_b = by_stem(b)
    both = [stem for stem in files_a if stem in files_b]
    single = [files[stem] for files in (files_a, files_b) for stem in files if stem not in both]
    jobs = [
        Job(name=_shown(files_a[stem], root), domain="AB", split=split, files=(files_a[stem], files_b[stem]))
        for stem in both
    ]
    return jobs, [_shown(file, root) for file in [*single, *doubled_a, *doubled_b]]


def _one_folder(root: Path, kind: Kind | None) -> Layout:
    items: dict[Split, tuple[Item, ...]]
    kept = next((root / name for name in _TEST_FOLDERS if (root / name).is_dir()), None)
    if (root / "train").is_dir():
        items = {"train": _items(root / "train", root), "test": _items(kept, root) if kept else ()}
    else:
        items = {"train": _items(root, root), "test": ()}
    guessed = kind is None
    if kind is None:
        kind = "paired" if _are_side_by_side(items["train"]) else "single"
    domain = "AB" if kind == "paired" else "A"
    jobs = [
        Job(name=item.name, domain=domain, split=split, files=item.files)
        for split, part in items.items()
        for item in part
    ]
    return Layout(
        place=str(root),
        kind=kind,
        is_guessed=guessed and kind == "paired",
        titles={"A": "A", "B": "B"} if kind == "paired" else {"A": root.resolve().name},
        jobs=tuple(jobs),
        lonely=(),
    )


def _items(folder: Path, root: Path) -> tuple[Item, ...]:
    files = find_pictures(folder, "viceversa inspect")
    return tuple(Item(name=_shown(file, root), files=(file,)) for file in files)


def _are_side_by_side(items: Iterable[Item]) -> bool:
    """Whether nearly all of some pictures, spread over all of them, are exactly twice as wide as high."""
    everything = list(items)
    known = [size for item in everything[:: max(1, len(everything) // _LOOKED_AT)] if (size := _size(item.files[0]))]
    return bool(known) and sum(width == 2 * height for width, height in known) >= 0.9 * len(known)


def _size(file: Path) -> tuple[int, int] | None:
    try:
        with opened(file) as image:
            return image.size
    except Exception:  # it will be listed among the broken ones
        return None


def _shown(file: Path, root: Path | None) -> str:
    return file.relative_to(root).as_posix() if root else str(file)
