"""Images to train on: a batch is a pure function of the seed and the samples' positions."""

import functools
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from viceversa import seeding, sizes
from viceversa.data import balance
from viceversa.data.augment import crop_and_mirror
from viceversa.data.augmentations import Plane, augmented
from viceversa.data.batch import Batch
from viceversa.data.cache import Skipped
from viceversa.data.images import Pixels, fitted, portable, to_tensor
from viceversa.data.ragged import Ragged
from viceversa.sizes import SizePx

HeldOutKind: TypeAlias = Literal["test", "held out", "training"]

_NAMED = 5  # skipped files
_CUDA_SHARE = 0.25  # of the free memory; a data set that takes more stays on the host
_CUDA_CHUNK, _CUDA_CHUNK_PIXELS = 1024, 2**26  # sent at once: images; pixels where images lie in one row

_order = functools.lru_cache(maxsize=8)(seeding.permutation)  # a batch or two of it are asked for again and again


class Pictures(Protocol):
    """What a trainer needs to know of a data set with domains a and b."""

    @property
    def epoch_images(self) -> int:
        """Images to be seen in one epoch: those of the larger domain, or the pairs."""
        ...

    @property
    def domains(self) -> dict[str, str]:
        """Names of the domains for people: ``{"a": "women", "b": "men"}``."""
        ...

    @property
    def counts(self) -> dict[str, int]:
        """Images of each domain that are trained on."""
        ...

    @property
    def content(self) -> dict[str, str]:
        """A hash of the images that are there for training, of each domain or of the pairs: equal wherever they lie.

        Not of those of a test folder.
        """
        ...

    @property
    def bits(self) -> int:
        """Of a value of the images as they are kept."""
        ...

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """Files that could not be used."""
        ...

    @property
    def remarks(self) -> tuple[str, ...]:
        """What of the files was not used, or changed, a sentence for each kind."""
        ...

    @property
    def held_out_count(self) -> int:
        """Images that `held_out` can give of each domain."""
        ...

    @property
    def held_out_kind(self) -> HeldOutKind:
        """Where they are from; ``"training"`` warns that they have been trained on."""
        ...

    def batch(self, positions: Tensor) -> Batch:
        """The samples at ``positions`` ``(N,)`` int64, best on the CPU: a and b, ``(N, C, H, W)`` float32 in [-1, 1].

        With the planes that lie over them. On the device, channels-last in memory. Each sample depends on the seed and
        on its own position, on nothing else.
        """
        ...

    def held_out(self, limit: int | None = None, start: int = 0) -> Batch:
        """Up to ``limit`` images from the ``start``-th on, as in `batch` but whole and always the same.

        Where domains are not paired one of the two may come out longer, if more than `held_out_count` are asked for.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Images (or pairs) that are shuffled anew for each epoch and drawn by position."""

    store: Pixels | Tensor | Ragged
    """``(N, H, W, C)`` uint8 or uint16, a memory map on the host; or on the device, as `images.portable` gives it; or
    images of different sides, out of which windows from anywhere are cut."""

    rows: NDArray[np.int64]
    """Those of the N that are trained on."""

    kept: Pixels | Ragged
    """``(M, H, W, C)`` uint8 or uint16, the images that may be held out; of images of different sides, the middle."""

    kept_rows: NDArray[np.int64]
    """Those of the M that are."""

    planes: tuple[Plane, ...]
    """How C is made up: of one image or of two."""

    size_px: SizePx
    """Of what comes out."""

    mirror: bool
    """Whether to mirror half of the samples."""

    seed: int
    """Of the run."""

    stream: str
    """A name of its own, for numbers of its own."""

    device: torch.device
    """Where samples are wanted."""

    augment: tuple[str, ...] = ()
    """Names of further augmentations."""

    kept_nearest: tuple[frozenset[int], ...] = ()
    """By image of C: which of the M are resized by nearest neighbor; the others are resized bicubically."""

    weights: NDArray[np.float64] | None = None
    """How often each of the rows is shown, with mean 1; None: all alike."""

    at_size: Callable[[NDArray[np.int64]], Pixels] | None = None
    """Images of the store by their rows, decoded from their files at ``size_px``, ``(N, H, W, C)``, a second
    image of C left out: those of the store were resized to be cut, and would be resized a second time."""

    @property
    def channels(self) -> tuple[int, ...]:
        """Those of each plane."""
        return tuple(plane.channels for plane in self.planes)

    @property
    def bits(self) -> int:
        """Of a value: 8 or 16."""
        kept = self.kept.pixels if isinstance(self.kept, Ragged) else self.kept
        return 8 * kept.dtype.itemsize

    def draw(self, positions: Tensor) -> Tensor:
        """``(N, C, H, W)`` float32 in [-1, 1]: the image that is at ``positions`` in an endless row of epochs."""
        rows = self.rows_at(positions)
        crop: dict[str, Any] = {"seed": self.seed, "stream": f"crop {self.stream}", "positions": positions}
        if isinstance(self.store, Ragged):
            windows = _moved(self.store.windows(rows, self.size_px, **crop, mirror=self.mirror), self.device)
        else:
            chosen = (
                self.store[_moved(torch.from_numpy(rows), self.device)]
                if isinstance(self.store, Tensor)
                else _sent(self.store, rows, self.device)
            )
            windows = crop_and_mirror(chosen, self.size_px, **crop, mirror=self.mirror)
        x = to_tensor(windows)
        drawn: dict[str, Any] = {"seed": self.seed, "stream": self.stream, "positions": positions}
        return augmented(x, self.augment, planes=self.planes, **drawn) if self.augment else x

    def held_out(self, limit: int | None, start: int) -> Tensor:
        """``(N, C, H, W)`` float32 in [-1, 1], whole images without any chance in them."""
        rows = self.kept_rows[start:][:limit]
        size = sizes.sides(self.size_px)
        edges = np.cumsum(self.channels)[:-1]
        pictures = [
            np.concatenate(
                [
                    fitted(part, self.size_px, nearest=half < len(self.kept_nearest) and row in self.kept_nearest[half])
                    for half, part in enumerate(np.split(self.kept[row], edges, axis=2))
                ],
                axis=2,
            )
            for row in rows.tolist()
        ]
        stacked = np.stack(pictures) if pictures else np.empty((0, *size, sum(self.channels)), np.uint8)
        return to_tensor(portable(stacked).to(self.device))

    def rows_at(self, positions: Tensor) -> NDArray[np.int64]:
        """``(N,)``: which of the store's images are at ``positions``."""
        count = len(self.rows)
        epochs, places = np.divmod(positions.cpu().numpy(), count)
        chosen = np.empty_like(places)
        for epoch in np.unique(epochs).tolist():
            within = epochs == epoch
            chosen[within] = _order(self.seed, self.stream, epoch, count)[places[within]]
            if self.weights is not None:
                chosen[within] = balance.repeated(self.weights, self.seed, self.stream, epoch)[chosen[within]]
        return self.rows[chosen]


@dataclass(frozen=True, kw_only=True)
class UnpairedPictures:
    """Two domains, each shuffled and drawn by itself; see `Pictures`."""

    a: Dataset
    """Domain A."""

    b: Dataset
    """Domain B."""

    domains: dict[str, str]
    """Names of the domains for people."""

    content: dict[str, str]
    """A hash of what is there for training; see `Pictures.content`."""

    skipped: tuple[Skipped, ...]
    """Files that could not be used."""

    held_out_kind: HeldOutKind
    """Where the held-out images are from."""

    remarks: tuple[str, ...] = ()
    """What of the files was not used, or changed, a sentence for each kind."""

    @property
    def epoch_images(self) -> int:
        """The number of images of the larger domain."""
        return max(self.counts.values())

    @property
    def counts(self) -> dict[str, int]:
        """Images of each domain that are trained on."""
        return {"a": len(self.a.rows), "b": len(self.b.rows)}

    @property
    def bits(self) -> int:
        """Of a value of the images as they are kept."""
        return self.a.bits

    @property
    def held_out_count(self) -> int:
        """Images that `held_out` can give of both domains."""
        return min(len(self.a.kept_rows), len(self.b.kept_rows))

    def batch(self, positions: Tensor) -> Batch:
        """A and B at ``positions``, each ``(N, C, H, W)`` float32 in [-1, 1]; see `Pictures.batch`."""
        return self._named(self.a.draw(positions), self.b.draw(positions))

    def held_out(self, limit: int | None = None, start: int = 0) -> Batch:
        """Images that are not trained on, of A and of B; see `Pictures.held_out`."""
        return self._named(self.a.held_out(limit, start), self.b.held_out(limit, start))

    def _named(self, *drawn: Tensor) -> Batch:
        images: list[Tensor] = []
        planes: dict[str, Tensor] = {}
        for side, dataset, x in zip("ab", (self.a, self.b), drawn, strict=True):
            image, *above = [x] if len(dataset.planes) == 1 else map(_channels_last, x.split(dataset.channels, dim=1))
            images.append(image)
            for plane, values in zip(dataset.planes[1:], above, strict=True):
                planes[f"{plane.name}_{side}"] = values if plane.is_image else (values + 1) / 2
        return Batch(images, planes)


@dataclass(frozen=True, kw_only=True)
class PairedPictures:
    """Pairs (source, target), cropped and mirrored alike; see `Pictures`."""

    pairs: Dataset
    """The pairs, A's channels before B's."""

    backwards: bool
    """Whether B is the source and A the target."""

    domains: dict[str, str]
    """Names of the domains for people."""

    content: dict[str, str]
    """A hash of what is there for training; see `Pictures.content`."""

    skipped: tuple[Skipped, ...]
    """Files that could not be used."""

    held_out_kind: HeldOutKind
    """Where the held-out pairs are from."""

    remarks: tuple[str, ...] = ()
    """What of the files was not used, or changed, a sentence for each kind."""

    side_by_side: tuple[float, float] | None = None
    """Where both halves lie in one image: the least and the greatest width as a multiple of its height."""

    @property
    def epoch_images(self) -> int:
        """The number of pairs."""
        return len(self.pairs.rows)

    @property
    def counts(self) -> dict[str, int]:
        """Images of each domain that are trained on."""
        return {"a": self.epoch_images, "b": self.epoch_images}

    @property
    def bits(self) -> int:
        """Of a value of the images as they are kept."""
        return self.pairs.bits

    @property
    def held_out_count(self) -> int:
        """Pairs that `held_out` can give."""
        return len(self.pairs.kept_rows)

    def batch(self, positions: Tensor) -> Batch:
        """Source and target at ``positions``, each ``(N, C, H, W)`` float32 in [-1, 1]; see `Pictures.batch`."""
        return self._parted(self.pairs.draw(positions))

    def held_out(self, limit: int | None = None, start: int = 0) -> Batch:
        """Pairs that are not trained on; see `Pictures.held_out`."""
        return self._parted(self.pairs.held_out(limit, start))

    def _parted(self, pairs: Tensor) -> Batch:
        a, b = map(_channels_last, pairs.split(self.pairs.channels, dim=1))
        return Batch((b, a) if self.backwards else (a, b))


def _channels_last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)


def _moved(pictures: Tensor, device: torch.device) -> Tensor:
    """To the device; on the way to a GPU nobody waits."""
    if device.type != "cuda" or pictures.is_cuda:
        return pictures.to(device)
    return pictures.pin_memory().to(device, non_blocking=True)


def _sent(store: Pixels, rows: NDArray[np.int64], device: torch.device) -> Tensor:
    """``store[rows]`` on the device; on the way to a GPU nobody waits."""
    if device.type != "cuda":
        return portable(store[rows]).to(device)
    if store.dtype != np.uint8:
        return _moved(portable(store[rows]), device)
    pinned = torch.empty((len(rows), *store.shape[1:]), dtype=torch.uint8, pin_memory=True)
    np.take(store, rows, axis=0, out=pinned.numpy(), mode="clip")  # "raise" would make a copy first
    return pinned.to(device, non_blocking=True)


def place(pictures: Pixels | Ragged, device: torch.device) -> Pixels | Tensor | Ragged:
    """The images as a tensor on a GPU that has room to spare, else as they are."""
    if isinstance(pictures, Ragged):
        return replace(pictures, pixels=_placed(np.asarray(pictures.pixels), device, _CUDA_CHUNK_PIXELS))
    return _placed(pictures, device, _CUDA_CHUNK)


def _placed(pictures: Pixels, device: torch.device, at_once: int) -> Pixels | Tensor:
    if device.type != "cuda" or pictures.nbytes > _CUDA_SHARE * torch.cuda.mem_get_info(device)[0]:
        return np.asarray(pictures)
    there = torch.empty(pictures.shape, dtype=portable(pictures[:1]).dtype, device=device)
    for start in range(0, len(pictures), at_once):
        there[start : start + at_once] = portable(np.array(pictures[start : start + at_once]))
    return there


def told(pictures: Pictures, more: str = "") -> list[str]:
    """Say what of the files was skipped, not used or changed, a line for each; ``more`` tells where all that is listed.

    Of skipped files five are named.
    """
    lines = [f"skipped {lost.path}: {lost.reason}" for lost in pictures.skipped[:_NAMED]]
    if len(pictures.skipped) > _NAMED:
        lines.append(f"and {len(pictures.skipped) - _NAMED} more skipped{more}")
    return [*lines, *pictures.remarks]


def hold_out(names: Sequence[str], count: int, groups: Sequence[str] | None = None) -> NDArray[np.bool_]:
    """Which ``count`` of the names are held out: those of the smallest hash, so that new ones hardly change it.

    Names of one of the ``groups`` (pages of one file) stay together: whole groups are taken as long as they are within
    the count; if none is, the first of them, as long as it is no more than a third of all.
    """
    members: dict[str, list[int]] = {}
    for row, group in enumerate(names if groups is None else groups):
        members.setdefault(group, []).append(row)
    # On disk names need not be valid UTF-8.
    order = sorted(members, key=lambda group: hashlib.blake2b(group.encode("utf-8", "surrogatepass")).digest())
    taken: list[int] = []
    for group in order:
        if len(taken) + len(members[group]) <= count:
            taken += members[group]
    if count and not taken:
        taken = next((members[group] for group in order if 3 * len(members[group]) <= len(names)), [])
    chosen = np.zeros(len(names), np.bool_)
    chosen[taken] = True
    return chosen
