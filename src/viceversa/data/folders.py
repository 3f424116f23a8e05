"""Where the images lie: folders, lists and layouts become lists of items, and mistakes in them become sentences."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from viceversa.data import halves, layouts, lists, makeable, partners
from viceversa.data.images import SUFFIXES
from viceversa.data.partners import Pairing, Partners
from viceversa.errors import ConfigError, DataError

_DATA = ("--data", "--data")
_ADD = "Add images to it, or name the folders of A and of B with --a and --b."
_ADD_OR_REMOVE = "Add images to it, or remove the folder: then some of the others are held out for testing."


@dataclass(frozen=True, kw_only=True)
class Item:
    """One thing to learn from: an image, or a pair of images."""

    name: str
    """Unique in its folder, equal on every machine: the path below the folder, with forward slashes."""

    files: tuple[Path, ...]
    """One file (an image, or a pair side by side), or two (the halves of a pair, A first)."""

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
    """What is there for training; images to hold out are still among them when ``test`` is empty."""

    test: tuple[Item, ...]
    """From the test (or val) folder; empty when there is none."""

    places: tuple[Path, ...] = ()
    """The folders and lists that the images are from."""

    train_places: tuple[Path, ...] = ()
    """Those of the images to train on: one, or A's and B's."""

    notes: tuple[str, ...] = ()
    """What is to be said of them before training: how pairs were found, what is left out."""

    side_by_side: tuple[float, float] | None = None
    """Of pairs side by side: the least and the greatest width of an image as a multiple of its height."""


def find_pictures(folder: Path, flag: str = "--data") -> list[Path]:
    """Return every image below ``folder`` by its suffix, sorted; or the files that a list names, in its order.

    Hidden files and folders are passed over. Links are followed, each folder once, so circles of links are safe.

    Raises:
        DataError: The folder is missing, is no folder or holds no image; ``flag`` is the option to mend.
    """
    return pictures_in(folder, flag)[1]


def pictures_in(place: Path, flag: str = "--data", advice: str = "") -> tuple[Path, list[Path]]:
    """Return the folder that names begin at, and the images of `find_pictures`.

    ``advice`` is what to do where there are none; left out: to point ``flag`` at a folder of images.
    """
    if lists.is_list(place):
        found = lists.read_list(place, flag)
        return found.base, found.files
    advice = advice or f"Point {flag} at a folder of images."
    if not place.is_dir():
        raise DataError(f"{place} {'is not a folder' if place.exists() else 'does not exist'}. {advice}")
    lost: list[Path] = []
    files = list(walk(place, lost))
    pictures = [file for file in files if file.suffix.lower() in SUFFIXES]
    if not pictures:
        kinds = Counter(file.suffix or "without suffix" for file in files).most_common(3)
        found = [f"{count} {kind}" for kind, count in kinds] + ([unreachable(lost)] if lost else [])
        said = f"found {', '.join(found)}" if found else "it is empty"
        if makeable.counted(Counter(file.suffix.lower() for file in files)):
            advice = f"{advice} Of videos and archives images are made by: viceversa prepare {place} --out SET"
        raise DataError(f"{place}/ holds no images ({' '.join(SUFFIXES)}); {said}. {advice}")
    return place, sorted(pictures, key=lambda file: file.relative_to(place).as_posix())


def unpaired(root: Path | None, a: Path | None, b: Path | None) -> tuple[Domain, Domain]:
    """Return domains A and B from two folders or lists, or from ``root`` in one of the layouts of `layouts.find_sides`.

    Raises:
        ConfigError: The folders are given in no way or in two.
        DataError: A folder is missing or empty.
    """
    if root is not None:
        sides = _required(root)
        of_a, of_b = (_domain(train, test) for train, test in zip(sides.train, sides.test, strict=True))
        return replace(of_a, notes=(*of_a.notes, *_outside(root, (*of_a.places, *of_b.places)))), of_b
    a, b = _two_folders(a, b)
    if lists.is_list(a) or lists.is_list(b):
        _refuse_shared(a, b)
    return _domain(a, None, "--a"), _domain(b, None, "--b")


def paired(
    root: Path | None,
    a: Path | None,
    b: Path | None,
    how: Pairing | None = None,
    flags: tuple[str, str] = ("--a", "--b"),
) -> Domain:
    """Return the pairs: items of one file, A on the left and B on the right, or of two.

    Two folders, two lists, or a ``root`` with folders of A and B (`layouts.find_sides`) are paired by names
    (`partners.match`). In any other ``root``, train/ with test/ or val/ or all images below it, A and B lie side by
    side in images about twice as wide as high. ``flags`` are the options that named ``a`` and ``b``, for messages.

    Raises:
        ConfigError: The folders are given in no way or in two.
        DataError: A folder is missing or empty, images have no partner, or are no pairs side by side.
    """
    how = how or Pairing()
    if root is None:
        a, b = _two_folders(a, b, flags)
        return _named_pairs(a, (a, b), None, how, flags)
    if not root.is_dir() and not lists.is_list(root):
        raise DataError(_no_folder(root))
    sides = None if lists.is_list(root) else layouts.find_sides(root)
    if sides is not None and (sides.is_classic or not how.side_by_side):
        test = _both_or_none(sides)
        if sides.is_classic or not is_side_by_side_after_all(sides.train, how):
            pairs = _named_pairs(root, sides.train, test, how)
            return replace(pairs, notes=(*pairs.notes, *_outside(root, pairs.places)))
    train, test = (root, None) if lists.is_list(root) else layouts.find_parts(root)
    if how.pair_suffix is not None:
        return _named_pairs(train, (train, train), (test, test) if test else None, how)
    return _side_by_side(root, train, test, how)


def are_pairs(root: Path | None) -> bool:
    """Return whether ``root`` is a data set of pairs side by side, if of any: it has no folders of A and B."""
    if root is None or not root.is_dir():
        return False
    sides = layouts.find_sides(root)
    return sides is None or (not sides.is_classic and is_side_by_side_after_all(sides.train, Pairing()))


def are_prepared(root: Path) -> bool:
    """Return whether `viceversa prepare` wrote pairs to ``root``, which are side by side in images of any shape."""
    return (root / "manifest-pairs.jsonl").is_file()


def walk(folder: Path, lost: list[Path] | None = None, without: Path | None = None) -> Iterator[Path]:
    """Yield every file below ``folder`` but hidden ones, by name; links are followed, each folder once.

    Args:
        folder: Where to begin.
        lost: Gets the links that lead nowhere, and the folders that cannot be read.
        without: A folder below it that is left out, if it is there.
    """
    lost = [] if lost is None else lost
    seen: set[tuple[int, int]] = set()

    def unreadable(error: OSError) -> None:
        lost.append(Path(os.fsdecode(error.filename)))

    for place, folders, files in os.walk(folder, followlinks=True, onerror=unreadable):
        try:
            status = os.stat(place)
        except OSError:  # it went while we looked
            folders.clear()
            continue
        # Some file systems have no inodes and say 0 of each folder: they have no links to folders either.
        if status.st_ino:
            if (status.st_dev, status.st_ino) in seen:
                folders.clear()
                continue
            seen.add((status.st_dev, status.st_ino))
        folders[:] = sorted(
            name for name in folders if not name.startswith(".") and not is_same(Path(place, name), without)
        )
        for name in sorted(files):
            if name.startswith("."):
                continue
            file = Path(place, name)
            if file.is_file():
                yield file
            elif file.is_symlink():
                lost.append(file)


def is_same(path: Path, other: Path | None) -> bool:
    """Return whether both are there and are one file or folder, by whatever names."""
    try:
        return other is not None and os.path.samestat(os.stat(path), os.stat(other))
    except OSError:
        return False


def unreachable(lost: Sequence[Path]) -> str:
    """Return how many links and folders of `walk` lead nowhere: "2 dead links (x.png ...)"."""
    parts: list[str] = []
    for what, found in (
        ("dead link", [file for file in lost if file.is_symlink()]),
        ("folder that cannot be read", [file for file in lost if not file.is_symlink()]),
    ):
        if found:
            several = what.replace("link", "links").replace("folder that", "folders that")
            names = partners.some([file.name for file in found])
            parts.append(f"{len(found)} {what if len(found) == 1 else several} ({names})")
    return " and ".join(parts)


def _items(folder: Path, flag: str = "--data", advice: str = "") -> tuple[Item, ...]:
    base, files = pictures_in(folder, flag, advice)
    return tuple(Item(name=file.relative_to(base).as_posix(), files=(file,)) for file in files)


def _domain(train: Path, test: Path | None, flag: str = "--data") -> Domain:
    again = _said_twice(train, flag)
    return Domain(
        folder=train,
        train=_items(train, flag, "" if flag != "--data" else _ADD),
        test=_items(test, flag, _ADD_OR_REMOVE) if test else (),
        places=(train, test) if test else (train,),
        train_places=(train,),
        notes=(again,) if again else (),
    )


def masked(domain: Domain, place: Path, flag: str) -> Domain:
    """Return the images with the files of their masks behind them.

    Args:
        domain: The images.
        place: A folder with a mask for each of them, of the same name but for the kind of file; or one with folders
            train and test of such. A list of files is taken too.
        flag: The option that named it, for messages.

    Raises:
        DataError: An image has no mask.
    """
    parted = domain.test and (place / "train").is_dir()
    parts: list[tuple[Item, ...]] = []
    for items, part in (domain.train, "train"), (domain.test, "test"):
        base, files = pictures_in(place / part if parted else place, flag)
        masks = {partners.stem(file.relative_to(base).as_posix()): file for file in files}
        alone = [item.name for item in items if partners.stem(item.name) not in masks]
        if alone:
            raise DataError(
                f"{len(alone)} of the {len(items)} images of {partners.shown(domain.folder)} have no mask in "
                f"{partners.shown(base)} ({partners.some(alone)}). Name each mask as its image; one that is white all "
                "over lets all of an image change."
            )
        parts.append(tuple(replace(item, files=(*item.files, masks[partners.stem(item.name)])) for item in items))
    return replace(domain, train=parts[0], test=parts[1], places=(*domain.places, place))


def _said_twice(place: Path, flag: str) -> str:
    if not lists.is_list(place):
        return ""
    again = lists.repeated(lists.read_list(place, flag).lines)
    return f"{place}: {again} of its lines name a file once more, which counts once" if again else ""


def _named_pairs(
    place: Path,
    train: tuple[Path, Path],
    test: tuple[Path, Path] | None,
    how: Pairing,
    flags: tuple[str, str] | None = None,
) -> Domain:
    """Pairs of two folders or lists by their names; without ``flags`` they are parts of a data set."""
    items, notes = _partners(train, how, flags or _DATA, "" if flags else _ADD)
    kept, more = _partners(test, how, _DATA, _ADD_OR_REMOVE) if test else ((), ())
    return Domain(
        folder=place,
        train=items,
        test=kept,
        places=tuple(dict.fromkeys((*train, *(test or ())))),
        train_places=tuple(dict.fromkeys(train)),
        notes=(*notes, *more),
    )


def _partners(
    folders: tuple[Path, Path], how: Pairing, flags: tuple[str, str], advice: str
) -> tuple[tuple[Item, ...], tuple[str, ...]]:
    a, b = folders
    found, counts = find_partners(a, b, how, flags, advice)
    if not (how.skip_unpaired and found.pairs):
        partners.refuse_alone(a, b, found, counts)
    where = str(a) if a == b else f"{a} and {b}"
    notes = [f"{len(found.pairs)} pairs in {where}, by {found.rule}"]
    left = [
        f"{len(alone)} of {place} ({partners.some([name for name, _ in alone])})"
        for place, alone in ((a, found.alone_a), (b, found.alone_b))
        if alone
    ]
    if found.doubled:
        left.append(f"{len(found.doubled)} of equal names ({partners.some([file.name for _, file in found.doubled])})")
    if left:
        notes.append(f"without a partner, and not used: {', '.join(left)}")
    if found.others:
        notes.append(f"{found.others} images whose names end in another way are not used")
    return tuple(Item(name=name, files=(one, other)) for name, one, other in found.pairs), tuple(notes)


def find_partners(
    a: Path, b: Path, how: Pairing, flags: tuple[str, str] = _DATA, advice: str = ""
) -> tuple[Partners, tuple[int, int]]:
    """Return the pairs of two folders or lists, and how many images each has; nothing is refused for its name.

    Two lists of equal length are paired line by line where their names do not all pair, or files are named twice.
    """
    sides: list[list[tuple[str, Path]]] = []
    for place, flag in zip((a, b), flags, strict=True):
        base, files = pictures_in(place, flag, advice)
        sides.append([(file.relative_to(base).as_posix(), file) for file in files])
    found = partners.match(sides[0], sides[1], how.suffixes())
    if how.pair_suffix is None and lists.is_list(a) and lists.is_list(b):
        read = [lists.read_list(place) for place in (a, b)]
        again = any(lists.repeated(each.lines) for each in read)  # one input may have several answers
        if len(read[0].lines) == len(read[1].lines) and (again or not found.is_whole):
            lines = [[(file.relative_to(each.base).as_posix(), file) for file in each.lines] for each in read]
            found = partners.by_line(lines[0], lines[1])
    return found, (len(sides[0]), len(sides[1]))


def _side_by_side(root: Path, train: Path, test: Path | None, how: Pairing) -> Domain:
    """Pairs of one image each."""
    items = _items(train, advice="" if train == root else _ADD)
    kept = _items(test, advice=_ADD_OR_REMOVE) if test else ()
    shapes = halves.look_at([item.files[0] for item in items])
    notes = [f"{len(items)} pairs in {train}, side by side: A is the left half of an image, B the right"]
    if not how.side_by_side and not are_prepared(root):
        if shapes.known and not shapes.are_pairs:
            raise DataError(_no_pairs(root, shapes))
        odd = set(shapes.odd) | set(halves.look_at([item.files[0] for item in kept]).odd)
        if odd:
            items, kept = (tuple(item for item in part if item.files[0] not in odd) for part in (items, kept))
            notes[0] = notes[0].replace(str(len(items) + len(odd)), str(len(items)), 1)
            notes.append(
                f"{len(odd)} images that are not about twice as wide as high are not used "
                f"({partners.some([file.name for file in odd])}); --side-by-side uses them"
            )
    places = (train, test) if test else (train,)
    return Domain(
        folder=train,
        train=items,
        test=kept,
        places=places,
        train_places=(train,),
        notes=(*notes, *_outside(root, places)),
        side_by_side=shapes.ratios,
    )


def is_side_by_side_after_all(train: tuple[Path, Path], how: Pairing) -> bool:
    """Return whether folders that are called A and B hold pairs side by side, and no partners of one another."""
    found, _ = find_partners(*train, how)
    if found.pairs or how.pair_suffix is not None:
        return False
    return halves.look_at([file for folder in train for file in find_pictures(folder)]).are_pairs


def _no_pairs(root: Path, shapes: halves.Shapes) -> str:
    """Why images are not cut in two, and what to do."""
    file, (height, width) = next(iter(shapes.odd.items()))
    folders = [place for place in layouts.subfolders(root) if any(f.suffix.lower() in SUFFIXES for f in walk(place))]
    text = (
        f"{file} is {width} x {height} px, and pairs side by side are about twice as wide as high "
        f"({len(shapes.odd)} of {shapes.known} images looked at are not). "
    )
    if len(folders) == 2:
        text += f"If {folders[0].name}/ and {folders[1].name}/ are A and B: --a {folders[0]} --b {folders[1]}. "
    elif folders:
        names = ", ".join(f"{folder.name}/" for folder in folders[:6])
        text += f"Found: {names}; name the folders of A and of B with --a and --b. "
    else:
        text += "Name the folders of A and of B with --a and --b, or the endings of their names with --pair-suffix. "
    return text + "If A is the left half of each image all the same: --side-by-side."


def _outside(root: Path, places: Sequence[Path]) -> tuple[str, ...]:
    """What is to be said of images of a data set that lie in none of its parts: a second folder for testing, say."""
    if root in places or not root.is_dir():
        return ()
    lost = [
        file.relative_to(root).as_posix()
        for file in walk(root)
        if file.suffix.lower() in SUFFIXES
        and not any(place in file.parents for place in places)
        and not (file.parent == root and file.name.startswith("contact-"))  # `prepare` makes these
        and not _is_truth(root, file)
    ]
    return (f"{len(lost)} images of {root} lie beside its parts and are not used ({partners.some(lost)})",) * bool(lost)


def _is_truth(root: Path, file: Path) -> bool:
    """Whether a file says what a test image should become, as those of the drawn portraits: measuring reads it."""
    truth = root / "truth"
    return truth in file.parents and (root / file.relative_to(truth)).is_file()


def _required(root: Path) -> layouts.Sides:
    """Folders of A and B, which must be there."""
    if not root.is_dir():
        raise DataError(_no_folder(root))
    if sides := layouts.find_sides(root):
        return sides
    hint = " (train/ is the layout of pairs, for pix2pix)" if (root / "train").is_dir() else ""
    folders = layouts.subfolders(root)
    found = f" (--a {folders[0]} --b {folders[1]})" if len(folders) == 2 else ""
    raise DataError(
        f"{root}/ holds neither trainA/ nor trainB/{hint}. Add them, or name the folders by --a and --b{found}."
    )


def _both_or_none(sides: layouts.Sides) -> tuple[Path, Path] | None:
    a, b = sides.test
    if sides.lacks is not None:
        there = a or b
        raise DataError(
            f"{sides.lacks.parent}/ holds no {sides.lacks.name}/, and {there}/ is its other side. Add it, or name the "
            "folders with --a and --b."
        )
    return (a, b) if a and b else None


def _no_folder(root: Path) -> str:
    return f"{root} {'is not a folder' if root.exists() else 'does not exist'}. Point --data at a data set."


def _refuse_shared(a: Path, b: Path) -> None:
    shared = sorted(
        {file.absolute() for file in find_pictures(a, "--a")} & {file.absolute() for file in find_pictures(b, "--b")}
    )
    if shared:
        raise DataError(f"{shared[0]} is both in --a {a} and in --b {b} ({len(shared)} such). Leave it out of one.")


def _two_folders(a: Path | None, b: Path | None, flags: tuple[str, str] = ("--a", "--b")) -> tuple[Path, Path]:
    if a is None and b is None:
        raise ConfigError("No images were given. Name two folders with --a and --b, or one data set with --data.")
    if a is None or b is None:
        missing, given = ("--a", "--b") if a is None else ("--b", "--a")
        raise ConfigError(f"{given} was given without {missing}. Name the folder of the other domain with {missing}.")
    here, there = a.resolve(), b.resolve()
    if here == there or here in there.parents or there in here.parents:
        relation = "are the same folder" if here == there else "lie inside one another"
        raise ConfigError(f"{flags[0]} {a} and {flags[1]} {b} {relation}. Give each domain a folder of its own.")
    return a, b
