"""Single images, with or without classes: what the methods that make images from noise are trained on."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, get_args

import numpy as np
import torch
import tyro
from numpy.typing import NDArray
from torch import Tensor
from tyro.constructors import PrimitiveConstructorSpec

from viceversa import sizes
from viceversa.data.augmentations import AugmentConfig, Plane
from viceversa.data.avatars.classes import portraits
from viceversa.data.batch import Batch
from viceversa.data.cache import PictureSet, Progress, Skipped
from viceversa.data.digits import digits
from viceversa.data.idx import in_idx
from viceversa.data.others import passed_over, places
from viceversa.data.parts import Keeping, Part, Source, in_folders
from viceversa.data.pictures import Dataset, HeldOutKind, hold_out, place
from viceversa.data.reading import in_words
from viceversa.data.recipe import Recipe
from viceversa.errors import ConfigError, DataError

Builtin = Literal["avatars", "digits"]

_HELD_OUT_SHARE = 10  # at most one in so many images is kept out of training
_MAY_DIFFER = {"may_differ": True}  # folders may be moved: a run knows its images by their content
_SMALLEST_PX, _LARGEST_PX = 16, 128
SQUARE = PrimitiveConstructorSpec[int](
    nargs=1, metavar="INT", instance_from_str=lambda given: _square(given[0]),
    is_instance=lambda value: isinstance(value, int), str_from_instance=lambda value: [str(value)],
)  # fmt: skip
"""How the side of a square is typed: height x width, which translation takes, is refused in words."""
_FEWEST = 2  # in all and of a class: one image would only be learnt by heart


@dataclass(frozen=True, kw_only=True)
class SingleData(AugmentConfig):
    """A folder of images, or of one sub-folder a class, MNIST's idx files, or images that are built in."""

    root: Annotated[Path | None, tyro.conf.arg(name="data")] = field(default=None, metadata=_MAY_DIFFER)
    """A folder of images, one with a sub-folder for each class, or MNIST's idx files."""

    builtin: Builtin | None = None
    """Instead of --data: drawn portraits (two classes), or scikit-learn's handwritten digits (ten)."""

    size_px: Annotated[int, tyro.conf.arg(name="size"), SQUARE] = 32
    """Pixels of a side of the square images, 16 to 128."""

    load_size_px: Annotated[Annotated[int, SQUARE] | None, tyro.conf.arg(name="load-size")] = None
    """Pixels of a side of which a random window is cut out; left out: the size, so nothing is cut off."""

    channels: Literal[1, 3] | None = None
    """1 for grey, 3 for colour; left out: grey for idx files and digits, else colour."""

    mirror: bool = False
    """Mirror half of the samples left to right."""

    fit: Literal["crop", "stretch"] = "crop"
    """How images become square: "crop" takes their middle, undistorted; "stretch" takes all of them."""

    hold_out: int = 64
    """Without a test set: images, at most a tenth, kept for samples and metrics; 0 for none."""

    pages: Literal["images", "first"] | None = field(default=None, metadata={"formerly": "first"})
    """What the pages of a TIFF are: "images" of their own, or only the "first" is used; left out: images."""

    strict: bool = False
    """Stop at a file that cannot be used, instead of skipping it."""

    enlarge: bool = False
    """Use files that are smaller than the size too; idx files and digits are enlarged as they are."""

    cache: Path | None = field(default=None, metadata=_MAY_DIFFER)
    """Folder for the decoded images; left out: the user's folder for caches."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not _SMALLEST_PX <= self.size_px <= _LARGEST_PX:
            raise ConfigError(
                f"--size must be {_SMALLEST_PX} to {_LARGEST_PX} pixels where images are made from noise; got "
                f"{self.size_px}."
            )
        if self.load_size_px is not None and self.load_size_px < self.size_px:
            raise ConfigError(
                f"--load-size {self.load_size_px} is smaller than --size {self.size_px}, which is cut out of it. "
                "Make it as large or larger."
            )
        if self.hold_out < 0:
            raise ConfigError(f"--hold-out must be 0 or more, not {self.hold_out}.")
        if self.channels not in (None, 1, 3):
            raise ConfigError(f"--channels must be 3 (colour) or 1 (grey), not {self.channels}.")
        if self.fit not in ("crop", "stretch"):
            raise ConfigError(f'--fit must be "crop" or "stretch", not "{self.fit}".')
        if self.pages not in (None, "images", "first"):
            raise ConfigError(f'--pages must be "images" or "first", not "{self.pages}".')
        if self.builtin is not None and self.builtin not in get_args(Builtin):
            raise ConfigError(f'--builtin must be "avatars" or "digits", not "{self.builtin}".')
        if self.root is not None and self.builtin is not None:
            raise ConfigError("--data and --builtin were given. Name one of them.")

    def open(self, seed: int, device: torch.device | str, progress: Progress | None = None) -> "SinglePictures":
        """Decodes or draws the images, or finds them in the cache.

        The layouts are told by `viceversa.data.idx.in_idx`, which is asked first, and
        `viceversa.data.parts.in_folders`.

        Args:
            seed: Of the run.
            device: Where batches are wanted.
            progress: Called with images done and all, for each part that has to be decoded or drawn.

        Raises:
            ConfigError: Neither a folder nor built-in images were named.
            DataError: They cannot be trained on; a `PictureError` for one file, with ``strict``.
            MissingExtra: The built-in digits need scikit-learn.
        """
        every_page = self.pages != "first"
        source = self._source(Keeping(folder=self.cache, strict=self.strict, progress=progress, every_page=every_page))
        channels = self.channels or source.channels
        train = source.train.make(self._recipe(self.load_size_px or self.size_px, channels))
        test = source.test.make(self._recipe(self.size_px, channels)) if source.test else None
        if len(train.names) < _FEWEST:
            first = next(iter(train.skipped), None)
            lost = f" {len(train.skipped)} skipped, the first is {first.path}: {first.reason}" if first else ""
            raise DataError(f"{source.train.place} holds only one image to train on; it takes two or more.{lost}")
        return self._shuffled(source, train, test, seed, torch.device(device))

    def _source(self, keeping: Keeping) -> Source:
        if self.root is not None:
            return in_idx(self.root, keeping) or in_folders(self.root, keeping)
        if self.builtin is None:
            raise ConfigError(
                "No images were given. Name a folder with --data, or take built-in ones: --builtin avatars or "
                "--builtin digits."
            )
        return portraits(keeping) if self.builtin == "avatars" else digits(keeping)

    def _places(self) -> list[Path]:
        """The folders that images are taken from; those of idx files hold no images by suffix."""
        return places(self.root)

    def _recipe(self, side_px: int, channels: Literal[1, 3]) -> Recipe:
        smallest_px = 1 if self.enlarge else self.size_px
        return Recipe(side_px=side_px, smallest_px=smallest_px, fit=self.fit, channels=(channels,))

    def _shuffled(
        self, source: Source, train: PictureSet, test: PictureSet | None, seed: int, device: torch.device
    ) -> "SinglePictures":
        held_out = 0 if test else min(self.hold_out, len(train.names) // _HELD_OUT_SHARE)
        groups = [source.train.groups.get(name, name) for name in train.names]  # pages of a file stay together
        apart = hold_out(train.names, held_out, groups) if held_out else np.zeros(len(train.names), np.bool_)
        labels = _labels(train, source.train, source.classes)
        if test and source.test:
            kept, kept_labels, kept_rows = test, _labels(test, source.test, source.classes), np.arange(len(test.names))
        else:
            kept, kept_labels, kept_rows = train, labels, np.flatnonzero(apart if held_out else ~apart)
        dataset = Dataset(
            store=place(train.pictures, device),
            rows=np.flatnonzero(~apart),
            kept=np.asarray(kept.pictures),
            kept_rows=kept_rows[_in_turn(kept_labels[kept_rows])],
            planes=(Plane(channels=np.asarray(train.pictures).shape[3]),),
            augment=self.augmentations,
            size_px=self.size_px,
            mirror=self.mirror,
            seed=seed,
            stream="single",
            device=device,
        )
        return SinglePictures(
            dataset=dataset,
            labels=labels,
            kept_labels=kept_labels,
            source=source,
            content={"a": train.identity(*(source.train.labels.get(name, "") for name in train.names))},
            skipped=passed_over(self._places()) + train.skipped + (test.skipped if test else ()),
            remarks=tuple(
                filter(
                    None,
                    (
                        source.train.pages,
                        source.test.pages if source.test else "",
                        *in_words(train.remarks + (test.remarks if test else ())),
                    ),
                )
            ),
            held_out_kind="test" if test else "held out" if held_out else "training",
        )


@dataclass(frozen=True, kw_only=True)
class SinglePictures:
    """Images of one kind, shuffled anew for each epoch, and the class of each; see `viceversa.data.pictures`."""

    dataset: Dataset
    """The images."""

    labels: NDArray[np.int64]
    """The class of each image in the dataset's store."""

    kept_labels: NDArray[np.int64]
    """The same of those that may be held out."""

    source: Source
    """Where they are from."""

    content: dict[str, str]
    """A hash of what is there for training; see `viceversa.data.pictures.Pictures.content`."""

    skipped: tuple[Skipped, ...]
    """Files that could not be used."""

    held_out_kind: HeldOutKind
    """Where the held-out images are from."""

    remarks: tuple[str, ...] = ()
    """What of the files was not used, or changed, a sentence for each kind."""

    @property
    def epoch_images(self) -> int:
        """The number of images that are trained on."""
        return len(self.dataset.rows)

    @property
    def domains(self) -> dict[str, str]:
        """The name of the images for people: ``{"a": "mnist"}``."""
        return {"a": self.source.name}

    @property
    def counts(self) -> dict[str, int]:
        """Images that are trained on."""
        return {"a": self.epoch_images}

    @property
    def bits(self) -> int:
        """Of a value of the images as they are kept."""
        return self.dataset.bits

    @property
    def held_out_count(self) -> int:
        """Images that `held_out` can give."""
        return len(self.dataset.kept_rows)

    @property
    def classes(self) -> tuple[str, ...]:
        """The names that labels stand for; none where the images have no classes."""
        return self.source.classes

    @property
    def channels(self) -> int:
        """1 for grey, 3 for colour."""
        return self.dataset.channels[0]

    @property
    def size_px(self) -> int:
        """Pixels of a side."""
        return sizes.sides(self.dataset.size_px)[0]

    def batch(self, positions: Tensor) -> Batch:
        """The samples at ``positions``: images ``(N, C, S, S)`` float32 in [-1, 1], and labels ``(N,)`` int64.

        Both on the device; labels are 0 where there are no classes. See `viceversa.data.pictures.Pictures.batch`.
        """
        labels = self.labels[self.dataset.rows_at(positions)]
        return Batch((self.dataset.draw(positions), self._on_device(labels)))

    def held_out(self, limit: int | None = None, start: int = 0) -> Batch:
        """Images that are not trained on, the classes in turn, and their labels; see `batch`."""
        rows = self.dataset.kept_rows[start:][:limit]
        return Batch((self.dataset.held_out(limit, start), self._on_device(self.kept_labels[rows])))

    def _on_device(self, labels: NDArray[np.int64]) -> Tensor:
        return torch.from_numpy(labels).to(self.dataset.device)


def require_classes(pictures: SinglePictures) -> None:
    """Sees to it that there are classes to learn, for methods that need labels.

    Raises:
        DataError: There are fewer than two, or one of them has fewer than two images to train on.
    """
    train, classes = pictures.source.train, pictures.classes
    if not classes:
        raise DataError(f"{train.unlabelled}, or train dcgan, which takes no labels.")
    if len(classes) == 1:
        raise DataError(
            f"{train.place} holds only one class, {classes[0]}, and it takes two or more to tell them apart. Add "
            "another, or train dcgan, which takes no labels."
        )
    there = np.bincount(pictures.labels, minlength=len(classes))
    trained = np.bincount(pictures.labels[pictures.dataset.rows], minlength=len(classes))
    for name, total, count in zip(classes, there.tolist(), trained.tolist(), strict=True):
        if count < _FEWEST:
            place = train.class_place(name)
            raise DataError(f"{place}: {_too_few(Path(place), total, count, pictures.skipped)}")


def _too_few(place: Path, total: int, count: int, skipped: tuple[Skipped, ...]) -> str:
    """Say why a class of ``total`` images that can be used, ``count`` of them to train on, is too small."""
    lost = [one for one in skipped if place in one.path.parents]
    if total < _FEWEST:
        words = "only one image" if total else "no image"
        why = f" {len(lost)} skipped, the first is {lost[0].path}: {lost[0].reason}" if lost else ""
        found = f"there is {words} of this class to train on, and it takes two or more.{why}"
        return f"{found} {'Mend them' if lost else 'Add some'}, or remove the class."
    left = "only one is left" if count else "none is left"
    return (
        f"{total - count} of its {total} images are held out, so {left} to train on, and it takes two or more. Add "
        "some, or hold out none: --hold-out 0."
    )


def _square(given: str) -> int:
    size_px = sizes.parse(given)
    if not isinstance(size_px, int):
        raise ValueError(f"{given} is no square, and what is made from noise or told apart is square; give one number")
    return size_px


def _labels(pictures: PictureSet, part: Part, classes: tuple[str, ...]) -> NDArray[np.int64]:
    if not classes:
        return np.zeros(len(pictures.names), np.int64)
    numbers = {name: number for number, name in enumerate(classes)}
    return np.array([numbers[part.labels[name]] for name in pictures.names], np.int64)


def _in_turn(labels: NDArray[np.int64]) -> NDArray[np.intp]:
    """An order in which the classes take turns, so that the first few images show all of them."""
    turns = np.empty_like(labels)
    for label in np.unique(labels):
        turns[labels == label] = np.arange(np.count_nonzero(labels == label))
    return np.lexsort((labels, turns))
