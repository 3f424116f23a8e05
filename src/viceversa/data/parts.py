"""Single images and their classes before they are decoded: where they lie, and which class each is of."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from viceversa.data import cache
from viceversa.data.cache import PictureSet, Progress
from viceversa.data.folders import Domain, Item, find_pictures, pictures_in
from viceversa.data.layouts import TEST_FOLDERS, find_sides
from viceversa.data.pages import expanded, in_words
from viceversa.data.partners import shown
from viceversa.data.recipe import Recipe
from viceversa.naming import readable


@dataclass(frozen=True, kw_only=True)
class Keeping:
    """How decoded images are kept."""

    folder: Path | None
    """Of the cache; None is the user's."""

    strict: bool
    """Stop at a file that cannot be used, instead of skipping it."""

    progress: Progress | None
    """Called with the images done and all, where some have to be decoded or drawn."""

    every_page: bool = True
    """Take each page of a TIFF as an image of its own, not only the first."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """The images to train on, or those to test on."""

    place: str
    """Where they lie, for messages."""

    labels: Mapping[str, str]
    """The class of each image by the image's name; empty where there are no classes."""

    unlabelled: str
    """Why there are no classes, if there are none, and what to do about it: the beginning of a sentence."""

    class_place: Callable[[str], str]
    """Where the class of a name lies, for messages."""

    make: Callable[[Recipe], PictureSet]
    """Decodes them, or finds them in the cache."""

    groups: Mapping[str, str] = field(default_factory=dict[str, str])
    """By name, what is held out together: pages of one file; others are alone."""

    pages: str = ""
    """What is said of files of several pages."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """A set of single images, not decoded yet."""

    name: str
    """Of the whole, for people."""

    train: Part
    """What is there for training; images to hold out are still among them when there is no test part."""

    test: Part | None
    """The test part, if there is one."""

    channels: Literal[1, 3]
    """Channels where the settings leave that open."""

    classes: tuple[str, ...]
    """Names of the classes of both parts; none unless the images to train on have them."""


def combined(name: str, train: Part, test: Part | None, channels: Literal[1, 3]) -> Source:
    """A source of both parts, its classes in order: numbers by size, others by the alphabet.

    Where the training images have classes and those for testing have none, the latter are left aside.
    """
    if test is not None and train.labels and not test.labels:
        test = None
    classes: tuple[str, ...] = ()
    if train.labels:
        names = sorted({*train.labels.values(), *(test.labels.values() if test else ())})
        classes = tuple(sorted(names, key=int) if all(map(str.isdecimal, names)) else names)
    return Source(name=name, train=train, test=test, channels=channels, classes=classes)


def in_folders(root: Path, keeping: Keeping) -> Source:
    """Images below ``root``, in one of several layouts.

    - a folder of images, at any depth: no classes. That holds too where sub-folders lie beside loose images, for
      then the sub-folders may mean anything; all images count;
    - a folder with nothing but sub-folders: each is a class, and its images may lie at any depth;
    - train/ with test/ or val/, or train/ alone, each of which is one of the two above. Where the images of train/
      have classes and those of test/ have none, test/ is left aside;
    - a data set of translation, trainA/ and trainB/ or A/train/ and B/train/, with or without testA/ and testB/: the
      classes A and B;
    - a list of files: no classes, unless all lie in sub-folders of one folder.

    Raises:
        DataError: The folder is missing, or holds no image.
    """
    if not root.is_dir():
        base, files = pictures_in(root)  # a list of files, or the error
        return combined(root.resolve().stem, replace(_part(base, files, keeping), place=str(root)), None, 3)
    files = find_pictures(root)
    tops = {_top(file, root) for file in files}
    test: Part | None = None
    sides = find_sides(root)
    if sides and any("train" in place.name.lower() for place in sides.train):  # train/A and A are classes anyhow
        train = _sides(root, sides.train, keeping)
        test = _sides(root, (sides.test[0], sides.test[1]), keeping) if sides.test[0] and sides.test[1] else None
    elif (root / "train").is_dir() and (tops & set(TEST_FOLDERS) or tops <= {"train", ""}):
        train = _part(root / "train", find_pictures(root / "train"), keeping)
        if kept := next((root / name for name in TEST_FOLDERS if name in tops), None):
            test = _part(kept, find_pictures(kept), keeping)
    else:
        train = _part(root, files, keeping)
    return combined(readable(root.resolve().name), train, test, 3)


def in_domains(a: Domain, b: Domain, keeping: Keeping) -> Source:
    """Two domains, each a class of its folder's name."""
    places = [domain.folder.resolve() for domain in (a, b)]
    names = [readable(place.name if place.is_dir() else place.stem) for place in places]  # or a list of files
    if names[0] == names[1]:
        names = ["A", "B"]
    folders = dict(zip(names, (a.folder, b.folder), strict=True))
    items = _paged(
        [
            Item(name=f"{name}/{item.name}", files=item.files)
            for name, domain in zip(names, (a, b), strict=True)
            for item in domain.train
        ],
        keeping,
    )
    train = Part(
        place=f"{shown(a.folder)} and {shown(b.folder)}",
        labels={item.name: item.name.partition("/")[0] for item in items},
        unlabelled="",
        class_place=lambda name: shown(folders[name]),
        make=lambda recipe: _decoded(items, recipe, keeping),
        groups=_groups(items),
        pages=in_words(items, others="first"),
    )
    return combined(" and ".join(names), train, None, 3)


def _part(folder: Path, files: Iterable[Path], keeping: Keeping) -> Part:
    items = _items(folder, files, keeping)
    labels = {item.name: readable(_top(item.files[0], folder)) for item in items}
    tops = set(labels.values())
    holds = "no sub-folders" if tops == {""} else "loose images beside its sub-folders"
    return Part(
        place=shown(folder),
        labels={} if "" in tops else labels,
        unlabelled=f"{folder}/ holds {holds}, so its images have no labels; put each class into a sub-folder of its "
        "own",
        class_place=lambda name: f"{folder / name}/",
        make=lambda recipe: _decoded(items, recipe, keeping),
        groups=_groups(items),
        pages=in_words(items, others="first"),
    )


def _sides(root: Path, folders: tuple[Path, Path], keeping: Keeping) -> Part:
    """The part of a data set of translation that lies in two folders, trainA/ and trainB/, say: the classes A and B."""
    places = dict(zip("AB", folders, strict=True))
    found = {letter: _items(root, find_pictures(place), keeping) for letter, place in places.items()}
    items = [item for each in found.values() for item in each]
    return Part(
        place=f"{root}/",
        labels={item.name: letter for letter, each in found.items() for item in each},
        unlabelled="",
        class_place=lambda letter: f"{places[letter]}/",
        make=lambda recipe: _decoded(items, recipe, keeping),
        groups=_groups(items),
        pages=in_words(items, others="first"),
    )


def _items(folder: Path, files: Iterable[Path], keeping: Keeping) -> list[Item]:
    return _paged([Item(name=file.relative_to(folder).as_posix(), files=(file,)) for file in files], keeping)


def _paged(items: list[Item], keeping: Keeping) -> list[Item]:
    return list(expanded(items)) if keeping.every_page else items


def _groups(items: Iterable[Item]) -> dict[str, str]:
    return {item.name: item.group for item in items if item.group}


def _top(file: Path, folder: Path) -> str:
    """The sub-folder of ``folder`` that the file is in; empty where it lies in ``folder`` itself."""
    parts = file.relative_to(folder).parts
    return parts[0] if len(parts) > 1 else ""


def _decoded(items: list[Item], recipe: Recipe, keeping: Keeping) -> PictureSet:
    return cache.build(items, recipe, keeping.folder, strict=keeping.strict, progress=keeping.progress)
