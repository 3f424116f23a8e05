"""The images that an evaluation needs: of both domains those that were trained on, and those held out."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from viceversa import sizes
from viceversa.data.colour import eight_bit
from viceversa.data.images import Array, Pixels, resize
from viceversa.data.pictures import Dataset, HeldOutKind, PairedPictures, UnpairedPictures, told
from viceversa.data.ragged import Ragged
from viceversa.data.sources import PairedData, UnpairedData
from viceversa.errors import DataError
from viceversa.sizes import SizePx

MOST = 4000
"""Training images of a domain that an evaluation looks at; more make it slower and hardly better."""


@dataclass(frozen=True, kw_only=True)
class ImageSets:
    """Images ``(N, H, W, C)`` of one size by domain, "a" and "b": uint8, which those of 16 bits are rounded to."""

    train: dict[str, Array]
    """Images for training; none of them is held out."""
    test: dict[str, Array]
    """Held-out images: what is translated, and what real ones look like. Where nothing is held out (``kind``), those
    are images that the translator was trained on; they are not in ``train`` all the same."""
    domains: dict[str, str]
    """Names for people."""
    kind: HeldOutKind
    """Where the held-out images are from."""
    paired: bool
    """Whether the held-out images of a and b belong together, one for one."""


def open_pictures(
    settings: UnpairedData | PairedData, seed: int, say: Callable[[str], None]
) -> UnpairedPictures | PairedPictures:
    """Opens the images of a run or others, and says what of their files is not used or changed, as training does.

    Errors as of `UnpairedData.open`.
    """
    pictures = settings.open(seed, "cpu")
    if lines := told(pictures):
        say("Of the images (options are those of viceversa train):")
    for line in lines:
        say(f"  {line}")
    return pictures


def image_sets(pictures: UnpairedPictures | PairedPictures, most: int | None = None) -> ImageSets:
    """The opened images of a run as an evaluation takes them: whole, at the run's size.

    Args:
        pictures: As `open` of their settings gives them.
        most: Images of each set at most.

    Raises:
        DataError: Fewer than two images of a domain are held out.
    """
    paired = isinstance(pictures, PairedPictures)
    datasets = [pictures.pairs] if paired else [pictures.a, pictures.b]
    if pictures.held_out_kind == "training":
        datasets = [_halved(dataset) for dataset in datasets]
    train = [_whole(dataset, min(most or MOST, MOST)) for dataset in datasets]
    test = [_held_out(dataset, most) for dataset in datasets]
    if paired:
        edge = datasets[0].channels[0]
        train, test = (
            [np.ascontiguousarray(part) for part in np.split(images[0], [edge], 3)] for images in (train, test)
        )
    else:  # masks and CartoonGAN's twins lie behind the images
        train, test = (
            [images[..., : dataset.channels[0]] for dataset, images in zip(datasets, sets, strict=True)]
            for sets in (train, test)
        )
    if min(map(len, test)) < 2:
        raise DataError(_too_few(pictures, [len(images) for images in test]))
    return ImageSets(
        train=dict(zip("ab", train, strict=True)),
        test=dict(zip("ab", test, strict=True)),
        domains=pictures.domains,
        kind=pictures.held_out_kind,
        paired=paired,
    )


def _too_few(pictures: UnpairedPictures | PairedPictures, counts: list[int]) -> str:
    """Say of what there is too little, and the first file that was skipped, which may be why."""
    least = min(counts)
    number = "is only one" if least else "is none"
    if isinstance(pictures, PairedPictures):
        found = f"An evaluation takes two or more held-out pairs, and there {number}."
    else:
        name = pictures.domains["ab"[counts.index(least)]]
        found = f"An evaluation takes two or more held-out images of each domain, and of {name} there {number}."
    lost = [one for one in pictures.skipped if one.path.is_file()]
    if lost:
        found += f" {len(lost)} skipped, the first is {lost[0].path}: {lost[0].reason}"
    return f"{found} Add images to the test folders, or so many to the others that a tenth is two."


def _halved(dataset: Dataset) -> Dataset:
    """Every second image is kept from the others: else real ones would be measured against themselves."""
    return replace(dataset, rows=dataset.rows[::2], kept_rows=dataset.rows[1::2], weights=None)


def _whole(dataset: Dataset, most: int) -> Array:
    """Up to ``most`` of the images that are trained on, spread evenly over them all, at the dataset's size."""
    rows = dataset.rows[spread(len(dataset.rows), most)]
    if (
        isinstance(dataset.store, torch.Tensor)
        and dataset.store.dtype == torch.uint8
        and _has_size(dataset.store, dataset)
    ):
        return dataset.store[torch.from_numpy(rows).to(dataset.device)].cpu().numpy()
    return _at_size(dataset, dataset.store, rows)


def spread(count: int, most: int) -> NDArray[np.int64]:
    """Up to ``most`` of the numbers below ``count``, spread evenly over them all."""
    return np.unique(np.linspace(0, count - 1, min(most, count)).astype(np.int64))


def _held_out(dataset: Dataset, most: int | None) -> Array:
    """Up to ``most`` of the held-out images, at the dataset's size."""
    return _at_size(dataset, dataset.kept, dataset.kept_rows[:most])


def _at_size(dataset: Dataset, pictures: Pixels | torch.Tensor | Ragged, rows: NDArray[np.int64]) -> Array:
    """Resized once, as a test folder's are and as a translator is given them, so that all go one way to the features.

    Held-out images of another size are the store's own, for want of a test folder. Of images that windows are cut
    out of, it is the middle.
    """
    if isinstance(pictures, np.ndarray) and _has_size(pictures, dataset):
        return eight_bit(pictures[rows])
    if dataset.at_size is None:
        raise DataError("These images cannot be decoded at the size that they are trained at.")
    return eight_bit(np.array(dataset.at_size(rows)))


def _has_size(pictures: Pixels | torch.Tensor, dataset: Dataset) -> bool:
    return tuple(pictures.shape[1:3]) == sizes.sides(dataset.size_px)


def resized(pictures: Array, size_px: SizePx) -> Array:
    """``(N, H, W, C)`` uint8 at ``size_px``."""
    size = sizes.sides(size_px)
    if pictures.shape[1:3] == size:
        return pictures
    return np.stack([resize(picture, size) for picture in pictures])
