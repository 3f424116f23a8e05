"""Which images there are and what they are for: every layout that training takes, and no refusal where one is odd."""

from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from viceversa.data import folders
from viceversa.data.folders import Item, find_pictures
from viceversa.data.halves import look_at
from viceversa.data.layouts import find_parts, find_sides
from viceversa.data.lists import is_list
from viceversa.data.pages import expanded
from viceversa.data.partners import Pairing
from viceversa.errors import ConfigError, DataError

Kind: TypeAlias = Literal["unpaired", "paired", "single"]
Split: TypeAlias = Literal["train", "test"]


@dataclass(frozen=True, kw_only=True)
class Job:
    """An image, or a pair, to be measured."""

    name: str
    """The path as people know it: below the root, or with the name of its folder."""

    domain: Literal["A", "B", "AB"]
    """"AB" is a pair."""

    split: Split
    """What it is for."""

    files: tuple[Path, ...]
    """One file, or the two halves of a pair."""

    pages: tuple[int, ...] = ()
    """Which page of each file; empty for the first, or the only one."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A data set before it is looked at."""

    place: str
    """What was named, for people."""

    kind: Kind
    """Two domains, pairs, or one domain."""

    is_guessed: bool
    """The kind was told from the shape of the images."""

    titles: dict[str, str]
    """Names of the domains: ``{"A": "women", "B": "men"}``; one entry for one domain."""

    jobs: tuple[Job, ...]
    """All that is there."""

    lonely: tuple[str, ...]
    """Halves of pairs that have no partner of the same name."""

    rule: str = "equal names"
    """How the pairs of two folders were found."""

    uneven: tuple[str, ...] = ()
    """Of pairs whose files have different numbers of pages: what training says of them."""


def find(
    root: Path | None, a: Path | None, b: Path | None, kind: Kind | None = None, how: Pairing | None = None
) -> Layout:
    """Return the images that `_found` finds, each page of a TIFF as one; arguments and errors as there."""
    layout = _found(root, a, b, kind, how)
    jobs: list[Job] = []
    uneven: list[str] = []
    for job in layout.jobs:
        try:
            items = expanded([Item(name=job.name, files=job.files)])
        except DataError as error:
            uneven.append(str(error))
            items = (Item(name=job.name, files=job.files),)
        jobs += [replace(job, name=item.name, pages=item.pages) for item in items]
    return replace(layout, jobs=tuple(jobs), uneven=tuple(uneven))


def _found(
    root: Path | None, a: Path | None, b: Path | None, kind: Kind | None = None, how: Pairing | None = None
) -> Layout:
    """Return the images below ``root``, or of the folders or lists ``a`` and ``b``.

    Without ``kind``, two folders, and folders of A and B below ``root``, are two domains; other images are pairs side
    by side where nearly all are about twice as wide as high, and one domain where they are not.

    Raises:
        ConfigError: The folders are given in no way or in two, or cannot be of that kind.
        DataError: A folder is missing or empty.
    """
    how = how or Pairing()
    if kind is not None and kind not in get_args(Kind):
        raise ConfigError(f'--kind must be unpaired, paired or single, not "{kind}".')
    if how.pair_suffix is not None and kind != "paired":
        raise ConfigError("--pair-suffix says which names are pairs; add --kind paired, or leave it out.")
    if root is not None and (a is not None or b is not None):
        raise ConfigError("A data set and --a or --b were given. Name either one data set or two folders.")
    if root is None:
        domains = folders.unpaired(None, a, b)  # for its messages
        if kind == "single":
            raise ConfigError("--kind single is for one folder, not for --a and --b.")
        if kind != "paired":
            return _two_domains(domains, "unpaired")
        return _of_pairs((domains[0].folder, domains[1].folder), None, how)
    if not root.is_dir() and not is_list(root):
        why = "is not a folder" if root.exists() else "does not exist"
        raise DataError(f"{root} {why}. Name a folder of images or a data set.")
    sides = find_sides(root) if root.is_dir() else None
    if sides and not sides.is_classic and folders.is_side_by_side_after_all(sides.train, how):
        sides = None
    if kind == "unpaired" or (kind is None and sides):
        return _two_domains(folders.unpaired(root, None, None), "unpaired", root)
    if kind == "paired" and sides:
        return _of_pairs(sides.train, sides.test, how, root)
    return _one_folder(root, kind, how)


def _two_domains(domains: tuple[folders.Domain, folders.Domain], kind: Kind, root: Path | None = None) -> Layout:
    jobs: list[Job] = []
    sides: dict[Literal["A", "B"], folders.Domain] = {"A": domains[0], "B": domains[1]}
    for letter, domain in sides.items():
        parts: dict[Split, tuple[Item, ...]] = {"train": domain.train, "test": domain.test}
        for split, items in parts.items():
            jobs += [
                Job(name=_shown(item.files[0], root), domain=letter, split=split, files=item.files) for item in items
            ]
    names = [_title(domain.folder) for domain in domains]
    distinct = root is None and names[0] != names[1]
    return Layout(
        place=str(root) if root else " and ".join(str(domain.folder) for domain in domains),
        kind=kind,
        is_guessed=False,
        titles={"A": names[0], "B": names[1]} if distinct else {"A": "A", "B": "B"},
        jobs=tuple(jobs),
        lonely=(),
    )


def _of_pairs(
    train: tuple[Path, Path], test: tuple[Path | None, Path | None] | None, how: Pairing, root: Path | None = None
) -> Layout:
    """Pairs of two folders by names, whatever has no partner set apart."""
    jobs, lonely, rule = _partners(train, "train", how, root)
    if test and test[0] and test[1]:
        more, apart, _ = _partners((test[0], test[1]), "test", how, root)
        jobs, lonely = jobs + more, lonely + apart
    a, b = train
    if not jobs:
        raise DataError(
            f"No image of {a} has a partner in {b} ({', '.join(lonely[:3])} ...). Pairs are found by equal file names, "
            "or by what is left of them without an ending or a beginning that a whole side shares: name the endings "
            "with --pair-suffix _A,_B; for images without pairs leave --kind out."
        )
    names = (_title(a), _title(b))
    return Layout(
        place=str(root) if root else f"{a} and {b}",
        kind="paired",
        is_guessed=False,
        titles={"A": "A", "B": "B"} if root or names[0] == names[1] else {"A": names[0], "B": names[1]},
        jobs=tuple(jobs),
        lonely=tuple(lonely),
        rule=rule,
    )


def _partners(
    sides: tuple[Path, Path], split: Split, how: Pairing, root: Path | None
) -> tuple[list[Job], list[str], str]:
    found, _ = folders.find_partners(*sides, how)
    jobs = [
        Job(name=_shown(file_a, root), domain="AB", split=split, files=(file_a, file_b))
        for _, file_a, file_b in found.pairs
    ]
    single = [file for _, file in (*found.alone_a, *found.alone_b)] + [file for _, file in found.doubled]
    return jobs, [_shown(file, root) for file in single], found.rule


def _one_folder(root: Path, kind: Kind | None, how: Pairing) -> Layout:
    train, kept = root, None
    if root.is_dir():
        with suppress(DataError):  # a folder for testing alone is looked at too
            train, kept = find_parts(root)
    if kind == "paired" and how.pair_suffix is not None:
        return _of_pairs((train, train), (kept, kept), how, root)
    items: dict[Split, tuple[Item, ...]] = {"train": _items(train, root), "test": _items(kept, root) if kept else ()}
    guessed = kind is None
    if kind is None:
        paired = folders.are_prepared(root) or look_at([item.files[0] for item in items["train"]]).are_pairs
        kind = "paired" if paired else "single"
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
        titles={"A": "A", "B": "B"} if kind == "paired" else {"A": _title(root)},
        jobs=tuple(jobs),
        lonely=(),
    )


def _items(folder: Path, root: Path) -> tuple[Item, ...]:
    return tuple(Item(name=_shown(file, root), files=(file,)) for file in find_pictures(folder, "viceversa inspect"))


def _shown(file: Path, root: Path | None) -> str:
    return file.relative_to(root).as_posix() if root and root.is_dir() else str(file)


def _title(place: Path) -> str:
    """What the images of a folder, or of a list, are called."""
    place = place.resolve()
    return place.name if place.is_dir() else place.stem
