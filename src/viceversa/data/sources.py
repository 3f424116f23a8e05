"""The kinds of data that methods take, as settings; `open` turns them into images to train on."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import numpy as np
import torch
import tyro
from numpy.typing import NDArray

from viceversa import sizes
from viceversa.data import balance, cache, folders, outside
from viceversa.data.augmentations import AugmentConfig, Plane
from viceversa.data.balance import Balance
from viceversa.data.cache import PictureSet, Progress, Skipped
from viceversa.data.folders import Domain, Item
from viceversa.data.images import Fit, Pixels, is_deep
from viceversa.data.others import passed_over
from viceversa.data.pages import expanded
from viceversa.data.pages import in_words as in_pages
from viceversa.data.partners import Pairing, shown
from viceversa.data.pictures import Dataset, HeldOutKind, PairedPictures, UnpairedPictures, hold_out, place
from viceversa.data.ragged import Ragged
from viceversa.data.reading import Pages, Reading, Resample, in_words
from viceversa.data.recipe import Recipe
from viceversa.data.values import Values
from viceversa.errors import ConfigError, DataError, PictureError
from viceversa.naming import readable
from viceversa.sizes import SizePx

_LOAD_SHARE = 286 / 256  # of the size: the papers' jitter
_MOST_CHANNELS = 256
_HELD_OUT_SHARE = 10  # at most one in so many images is kept out of training
_MAY_DIFFER = {"may_differ": True}  # folders may be moved: a run knows its images by their content


@dataclass(frozen=True, kw_only=True)
class PictureData(AugmentConfig):
    """What paired and unpaired images have in common."""

    root: Annotated[Path | None, tyro.conf.arg(name="data")] = field(default=None, metadata=_MAY_DIFFER)
    """A data set in one folder; instead of --a and --b."""

    a: Path | None = field(default=None, metadata=_MAY_DIFFER)
    """The folder of domain A, or a list of files."""

    b: Path | None = field(default=None, metadata=_MAY_DIFFER)
    """The folder of domain B, or a list of files."""

    name_a: str | None = None
    """What the images of A are called; left out: as their folder."""

    name_b: str | None = None
    """What the images of B are called; left out: as their folder."""

    size_px: Annotated[SizePx, tyro.conf.arg(name="size")] = 256
    """Pixels of a side of the images that networks are trained on: 256 for squares, 256x512 for height x width."""

    load_size_px: Annotated[SizePx | None, tyro.conf.arg(name="load-size")] = None
    """The size out of which a random window is cut; left out: 286/256 of the size, as in the papers."""

    mirror: bool = True
    """Mirror half of the samples left to right."""

    channels_a: int = 3
    """3 to train on A in colour, 1 in grey; any other number, if the files have as many."""

    channels_b: int = 3
    """3 to train on B in colour, 1 in grey; any other number, if the files have as many."""

    bits: Literal[8, 16] | None = field(default=None, metadata={"formerly": 8})  # of runs that do not say it
    """Bits of a value that images are kept with; left out: 16 if the first image of A or of B has more than 8."""

    fit: Fit = "crop"
    """"crop" trains on the middle of images, "window" on windows from anywhere, "stretch" on all of them, distorted."""

    hold_out: int = 8
    """Of a domain without a test folder: images, at most a tenth, kept for samples and metrics; 0 for none."""

    pages: Pages | None = field(default=None, metadata={"formerly": "first"})
    """What the pages of a TIFF are: "images" of their own, "channels" of one, or only the "first"; left out: images."""

    resample_a: Resample | None = field(default=None, metadata={"formerly": "bicubic"})
    """How A is resized; left out: by nearest neighbor if it is a label map (few colors of a palette), else bicubic."""

    resample_b: Resample | None = field(default=None, metadata={"formerly": "bicubic"})
    """How B is resized; see --resample-a."""

    range_a: tuple[float, float] | None = None
    """The values of A that become black and white, for signed and float files such as Hounsfield units: -1000 412."""

    range_b: tuple[float, float] | None = None
    """The values of B that become black and white."""

    nodata_a: float | None = None
    """The value of A that stands for missing data, which becomes black, as NaN does."""

    nodata_b: float | None = None
    """The value of B that stands for missing data."""

    strict: bool = False
    """Stop at a file that cannot be used, instead of skipping it."""

    enlarge: bool = False
    """Use images that are smaller than the size too."""

    cache: Path | None = field(default=None, metadata=_MAY_DIFFER)
    """Folder for the decoded images; left out: the user's folder for caches."""

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "size_px", sizes.checked(self.size_px, "--size"))
        if self.load_size_px is not None:
            object.__setattr__(self, "load_size_px", sizes.checked(self.load_size_px, "--load-size"))
            if not sizes.covers(self.load_size_px, self.size_px):
                raise ConfigError(
                    f"--load-size {sizes.words(self.load_size_px)} is smaller than --size "
                    f"{sizes.words(self.size_px)}, which is cut out of it. Make it as large or larger."
                )
        if self.hold_out < 0:
            raise ConfigError(f"--hold-out must be 0 or more, not {self.hold_out}.")
        for name, channels in ("a", self.channels_a), ("b", self.channels_b):
            if not 1 <= channels <= _MOST_CHANNELS:
                raise ConfigError(
                    f"--channels-{name} must be 3 (colour), 1 (grey), or as many as the files have, at most "
                    f"{_MOST_CHANNELS}; not {channels}."
                )
        if self.bits not in (None, 8, 16):
            raise ConfigError(f"--bits must be 8 or 16, not {self.bits}.")
        if self.fit not in get_args(Fit):
            raise ConfigError(f'--fit must be "crop", "window" or "stretch", not "{self.fit}".')
        for name in ("a", "b"):
            if getattr(self, f"resample_{name}") not in (None, *get_args(Resample)):
                raise ConfigError(f'--resample-{name} must be "nearest" or "bicubic".')
            try:
                self.values(name)
            except ConfigError as error:
                raise ConfigError(f"--range-{name}: {error}") from None
        if self.pages not in (None, *get_args(Pages)):
            raise ConfigError(f'--pages must be "images", "channels" or "first", not "{self.pages}".')
        if self.root is not None and (self.a is not None or self.b is not None):
            raise ConfigError("--data and --a or --b were given. Name either one data set or two folders.")

    @property
    def load_px(self) -> SizePx:
        """The size before the window is cut out."""
        height, width = sizes.sides(self.size_px)
        return self.load_size_px or sizes.of(round(height * _LOAD_SHARE), round(width * _LOAD_SHARE))

    @property
    def channels(self) -> tuple[int, int]:
        """Channels of the source and of the target, the two tensors of a batch."""
        return self.channels_a, self.channels_b

    def values(self, side: str) -> Values | None:
        """Which values of domain "a" or "b" are black and white; None for the usual ranges."""
        limits, nodata = getattr(self, f"range_{side}"), getattr(self, f"nodata_{side}")
        if limits is None and nodata is None:
            return None
        low, high = limits or (None, None)
        return Values(low=low, high=high, nodata=nodata)

    def reading(self, side: str) -> Reading:
        """How the files of domain "a" or "b" are read."""
        resample = getattr(self, f"resample_{side}")
        return Reading(values=self.values(side), pages=self.pages or "images", resample=resample)

    def depth(self, *domains: Domain) -> Literal[8, 16]:
        """The bits of a value, by the first image of each that can be read where the settings leave that open."""
        raw = self.values("a") is not None or self.values("b") is not None
        return self.bits or (16 if any(_is_deep(domain.train, raw=raw) for domain in domains) else 8)

    def _names(self) -> tuple[str, str]:
        names = ("A", "B")
        if self.a is not None and self.b is not None:
            given = [place.resolve() for place in (self.a, self.b)]
            given = [readable(place.name if place.is_dir() else place.stem) for place in given]  # or a list
            names = (given[0], given[1]) if given[0] != given[1] else names
        return self.name_a or names[0], self.name_b or names[1]


@dataclass(frozen=True, kw_only=True)
class UnpairedData(PictureData):
    """Two domains without pairs: the folders or lists a and b, or a data set with trainA/ trainB/ [testA/ testB/]."""

    balance: Balance = "none"
    """"brightness" shows images more or less often, so that A and B are equally often dark and bright."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.balance not in get_args(Balance):
            raise ConfigError(f'--balance must be "none" or "brightness", not "{self.balance}".')

    def open(self, seed: int, device: torch.device | str, progress: Progress | None = None) -> UnpairedPictures:
        """Decodes the images, or finds them in the cache.

        Args:
            seed: Of the run.
            device: Where batches are wanted.
            progress: Called with images done and all, for each part that has to be decoded.

        Raises:
            ConfigError: The folders are given in no way or in two.
            DataError: The folders cannot be trained on; a `PictureError` for one file, with ``strict``.
        """
        parts = self.parts(progress)
        apart = held_out(self, parts)
        kind = _held_out_kind(parts, apart)
        if kind == "training":  # one domain has nothing else to show: then the other shows no better
            parts = [replace(part, test=None) for part in parts]
        names = self._names()
        a_dataset, b_dataset = (
            _dataset(self, part, mask, seed, side, torch.device(device))
            for part, mask, side in zip(parts, apart, ("a", "b"), strict=True)
        )
        if self.balance == "brightness":
            a_light = balance.brightness(parts[0].train.pictures, a_dataset.rows, self.channels_a)
            b_light = balance.brightness(parts[1].train.pictures, b_dataset.rows, self.channels_b)
            a_weights, b_weights = balance.weights(a_light, b_light)
            a_dataset, b_dataset = replace(a_dataset, weights=a_weights), replace(b_dataset, weights=b_weights)
        return UnpairedPictures(
            a=a_dataset,
            b=b_dataset,
            domains={"a": names[0], "b": names[1]},
            content={side: part.train.identity() for side, part in zip("ab", parts, strict=True)},
            skipped=passed_over(parts[0].domain.places + parts[1].domain.places) + parts[0].skipped + parts[1].skipped,
            remarks=tuple(
                f"{names[0] if side == 'a' else names[1]}: {line}"
                for part, side in zip(parts, "ab", strict=True)
                for line in part.told(side)
            )
            + parts[0].domain.notes
            + parts[1].domain.notes,
            held_out_kind=kind,
        )

    def parts(self, progress: Progress | None) -> list["Decoded"]:
        """The decoded images of A and of B."""
        a, b = folders.unpaired(self.root, self.a, self.b)
        bits = self.depth(a, b)
        return [
            _decode(self, a, "a", bits, progress),
            _decode(self, b, "b", bits, progress),
        ]


@dataclass(frozen=True, kw_only=True)
class MaskedData(UnpairedData):
    """Two domains without pairs, whose images may have masks; see `UnpairedData`."""

    mask_a: Path | None = field(default=None, metadata=_MAY_DIFFER)
    """Masks of A, white where A may change: a folder of images with A's names; or alpha, for A's alpha channel."""

    mask_b: Path | None = field(default=None, metadata=_MAY_DIFFER)
    """Masks of B; see --mask-a."""

    def parts(self, progress: Progress | None) -> list["Decoded"]:
        """The decoded images of A and of B, each with its mask behind it in the channels."""
        domains = folders.unpaired(self.root, self.a, self.b)
        bits = self.depth(*domains)
        return [
            _decode(self, domain, side, bits, progress, getattr(self, f"mask_{side}"))
            for side, domain in zip("ab", domains, strict=True)
        ]


@dataclass(frozen=True, kw_only=True)
class PairedData(PictureData, Pairing):
    """Pairs: the folders or lists a and b with partners of the same names, or a data set.

    A data set has train/ [test/ or val/] of images with A on the left and B on the right, or such images
    themselves, or folders of A and B with partners of the same names; see `viceversa.data.folders.paired`.
    """

    direction: Literal["a2b", "b2a"] = "a2b"
    """What is made of what: "a2b" makes B of A, "b2a" makes A of B."""

    def __post_init__(self) -> None:
        super().__post_init__()
        Pairing.__post_init__(self)
        if self.direction not in ("a2b", "b2a"):
            raise ConfigError(f'--direction must be "a2b" or "b2a", not "{self.direction}".')

    @property
    def channels(self) -> tuple[int, int]:
        """Channels of the source and of the target, the two tensors of a batch."""
        forward = self.direction == "a2b"
        return (self.channels_a, self.channels_b) if forward else (self.channels_b, self.channels_a)

    def open(self, seed: int, device: torch.device | str, progress: Progress | None = None) -> PairedPictures:
        """Decodes the pairs, or finds them in the cache; arguments and errors as of `UnpairedData.open`."""
        (part,) = self.parts(progress)
        apart = held_out(self, [part])
        names = self._names()
        return PairedPictures(
            pairs=_dataset(self, part, apart[0], seed, "pairs", torch.device(device)),
            backwards=self.direction == "b2a",
            domains={"a": names[0], "b": names[1]},
            content={"pairs": part.train.identity()},
            skipped=passed_over(part.domain.places) + part.skipped,
            remarks=part.told("ab") + part.domain.notes,
            side_by_side=part.domain.side_by_side,
            held_out_kind=_held_out_kind([part], apart),
        )

    def parts(self, progress: Progress | None) -> list["Decoded"]:
        """The decoded pairs."""
        pairs = folders.paired(self.root, self.a, self.b, self)
        return [_decode(self, pairs, "ab", self.depth(pairs), progress)]


@dataclass(frozen=True, kw_only=True)
class Decoded:
    """The images of a domain, or of pairs, decoded."""

    channels: tuple[int, ...]
    """How their channels are made up: of one image or of two, or of an image and of what lies over it."""
    train: PictureSet
    """To train on."""
    test: PictureSet | None
    """From the test folder, if there is one."""
    files: Mapping[str, tuple[Path, ...]]
    """By name, what the images to train on were read from."""
    domain: Domain
    """Where they lie."""
    at_size: Callable[[NDArray[np.int64]], Pixels]
    """See `Dataset.at_size`."""
    outside: str = ""
    """A sentence where much of the images lies outside of what is trained on."""
    groups: Mapping[str, str] = field(default_factory=dict[str, str])
    """By name, what is held out together: pages of one file; others are alone."""
    pages: str = ""
    """What is said of files of several pages."""
    over: tuple[str, ...] = ()
    """The names of what lies over the image, behind it in the channels: "mask", "smoothed"."""

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """Files that could not be used."""
        return self.train.skipped + (self.test.skipped if self.test else ())

    def told(self, sides: str) -> tuple[str, ...]:
        """What of the files was not used or changed, in sentences; ``sides`` as of `in_words`."""
        remarks = in_words(self.train.remarks + (self.test.remarks if self.test else ()), sides)
        return tuple(filter(None, (self.pages, self.outside, *remarks)))


def _decode(
    data: PictureData,
    domain: Domain,
    sides: str,
    bits: Literal[8, 16],
    progress: Progress | None,
    masks: Path | None = None,
) -> Decoded:
    """The images of "a" or "b", with their ``masks``, or of both in pairs, "ab"."""
    channels = tuple(getattr(data, f"channels_{side}") for side in sides)
    readings = tuple(data.reading(side) for side in sides)
    in_alpha = masks is not None and masks == Path("alpha") and not masks.is_dir()
    if masks is not None:
        channels, readings = (*channels, 1), (*readings, Reading(pages=readings[0].pages, resample="nearest"))
        domain = domain if in_alpha else folders.masked(domain, masks, f"--mask-{sides}")

    def build(items: tuple[Item, ...], side_px: SizePx, fit: Fit = data.fit) -> PictureSet:
        smallest_px = 1 if data.enlarge else data.size_px
        recipe = Recipe(
            side_px=side_px,
            smallest_px=smallest_px,
            fit=fit,
            channels=channels,
            bits=bits,
            readings=readings,
            alpha=in_alpha,
        )
        return cache.build(items, recipe, data.cache, strict=data.strict, progress=progress)

    if readings[0].pages == "images":
        domain = replace(domain, train=expanded(domain.train), test=expanded(domain.test))
    train = build(domain.train, data.load_px)
    if len(train.names) < 2:
        raise DataError(_too_few(domain, train, paired=len(sides) > 1))
    items = {item.name: item for item in domain.train}
    whole: Fit = "crop" if data.fit == "window" else data.fit  # what is measured is always the same part of an image

    def at_size(rows: NDArray[np.int64]) -> Pixels:
        return np.asarray(build(tuple(items[train.names[row]] for row in rows), data.size_px, whole).pictures)

    test = build(domain.test, data.size_px, whole) if domain.test else None
    files = {name: item.files for name, item in items.items()}
    groups = {name: item.group or name for name, item in items.items()}
    return Decoded(
        channels=channels,
        train=train,
        test=test,
        files=files,
        domain=domain,
        at_size=at_size,
        outside=outside.remark(train.sides, data.load_size_px or data.size_px) if data.fit == "crop" else "",
        groups=groups,
        pages=in_pages(domain.train + domain.test),
        over=("mask",) if masks is not None else (),
    )


def _too_few(domain: Domain, train: PictureSet, *, paired: bool) -> str:
    """Say that one image, or one pair, is no data set, and which file of which side is to be mended."""
    where, only = " and ".join(map(shown, domain.train_places)), train.names[0]
    found = f"There is only one pair to train on in {where}" if paired else f"{where} holds only one image to train on"
    if not train.skipped:
        return f"{found}, {only}; it takes two or more."
    first = train.skipped[0]
    return (
        f"{found}, {only}; it takes two or more. {len(train.skipped)} skipped, the first for {first.path}: "
        f"{first.reason}"
    )


def values_of(data: object) -> dict[str, Values]:
    """By domain, which values are black and white; empty for the usual ranges, and for data of other kinds."""
    if not isinstance(data, PictureData):
        return {}
    return {side: values for side in "ab" if (values := data.values(side)) is not None}


def as_settings(values: Mapping[str, Values]) -> dict[str, Any]:
    """The settings, by flat names, for what `values_of` gave."""
    found: dict[str, Any] = {}
    for side, each in values.items():
        limits = None if each.low is None or each.high is None else (each.low, each.high)
        found |= {f"range_{side}": limits, f"nodata_{side}": each.nodata}
    return found


def _is_deep(items: tuple[Item, ...], *, raw: bool) -> bool:
    for item in items:
        with suppress(PictureError):
            return any(is_deep(file, raw=raw) for file in item.files)
    return False


def held_out(data: PictureData, parts: list[Decoded]) -> list[NDArray[np.bool_]]:
    """For each part, which of its training images are kept out of training.

    None, where there is a test folder; or where none of a part can be spared, for then the others show no better.
    """
    count = _held_out_count(data, parts)
    masks = [_apart(part, 0 if part.test else count) for part in parts]
    spared = all(mask.any() for part, mask in zip(parts, masks, strict=True) if part.test is None)
    return masks if spared else [np.zeros_like(mask) for mask in masks]


def _apart(part: Decoded, count: int) -> NDArray[np.bool_]:
    return hold_out(part.train.names, count, [part.groups.get(name, name) for name in part.train.names])


def _held_out_count(data: PictureData, parts: list[Decoded]) -> int:
    """Of each domain without a test folder, how many are kept out of training."""
    without = [len(part.train.names) for part in parts if part.test is None]
    return min(data.hold_out, *(count // _HELD_OUT_SHARE for count in without)) if without else 0


def _held_out_kind(parts: list[Decoded], masks: list[NDArray[np.bool_]]) -> HeldOutKind:
    """Of the domain that is worse off."""
    if all(part.test is not None for part in parts):
        return "test"
    return "held out" if any(mask.any() for mask in masks) else "training"


def _dataset(
    data: PictureData, part: Decoded, apart: NDArray[np.bool_], seed: int, stream: str, device: torch.device
) -> Dataset:
    rows = np.flatnonzero(~apart)
    if part.test is not None:
        kept, kept_rows = part.test, np.arange(len(part.test.names))
    else:
        kept, kept_rows = part.train, np.flatnonzero(apart) if apart.any() else rows
    return Dataset(
        store=place(part.train.pictures, device),
        rows=rows,
        kept=kept.pictures if isinstance(kept.pictures, Ragged) else np.asarray(kept.pictures),
        kept_nearest=tuple(map(frozenset, kept.nearest)),
        kept_rows=kept_rows,
        planes=_planes(part),
        augment=data.augmentations,
        size_px=data.size_px,
        mirror=data.mirror,
        seed=seed,
        stream=stream,
        device=device,
        at_size=part.at_size,
    )


def _planes(part: Decoded) -> tuple[Plane, ...]:
    """What augmentations may do to each image: label maps and masks are moved, and stay what they are."""
    names = ("",) * (len(part.channels) - len(part.over)) + part.over
    nearest = [2 * len(half) > len(part.train.names) for half in part.train.nearest] or [False] * len(part.channels)
    return tuple(
        Plane(channels=channels, is_image=not (labels or name == "mask"), nearest=labels or name == "mask", name=name)
        for channels, labels, name in zip(part.channels, nearest, names, strict=True)
    )
