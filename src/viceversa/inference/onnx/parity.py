"""The parity check: the same images through torch and through the exported file, compared in grey levels."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from viceversa.data.images import Array, resize
from viceversa.inference.onnx.precision import Dtype
from viceversa.sizes import SizePx, sides

LIMITS: dict[Dtype, tuple[float, float]] = {"fp32": (0.05, 1.0), "fp16": (1.0, 8.0), "int8": (3.0, 32.0)}
"""The most that may differ: the mean, and what 999 of 1000 values stay within; in grey levels of 0 to 255."""


@dataclass(frozen=True, kw_only=True)
class Parity:
    """How far an exported file is from torch, in grey levels of 0 to 255: the worst of the sizes that were compared."""

    mean: float
    """Mean absolute difference."""
    p999: float
    """999 of 1000 values differ by at most this."""
    largest: int
    """The largest difference of one value."""
    pictures: int
    """How many images were compared."""
    sizes: tuple[tuple[int, int], ...]
    """Their heights and widths."""

    def within(self, dtype: Dtype) -> bool:
        """Whether it is as near as such a file must be."""
        mean, p999 = LIMITS[dtype]
        return self.mean <= mean and self.p999 <= p999

    def __str__(self) -> str:
        """For a person: "mean 0.02, 99.9 % within 1, largest 2 grey levels (8 images, 4 sizes)"."""
        return (
            f"mean {self.mean:.2f}, 99.9 % within {self.p999:.3g}, largest {self.largest} grey levels "
            f"({self.pictures} images, {len(self.sizes)} sizes)"
        )

    def as_json(self) -> dict[str, Any]:
        """Plain values for the metadata."""
        return dataclasses.asdict(self) | {"mean": round(self.mean, 5), "p999": round(self.p999, 5)}


def compare(one: Callable[[Array], Array], other: Callable[[Array], Array], batches: Sequence[Array]) -> Parity:
    """Both on batches of images ``(N, H, W, C)`` uint8, each of a size of its own."""
    means, tails, largest = [0.0], [0.0], [0]
    for batch in batches:
        differences = np.abs(one(batch).astype(np.int16) - other(batch).astype(np.int16))
        means.append(float(differences.mean()))
        tails.append(float(np.percentile(differences, 99.9)))
        largest.append(int(differences.max()))
    return Parity(
        mean=max(means),
        p999=max(tails),
        largest=max(largest),
        pictures=sum(map(len, batches)),
        sizes=tuple((batch.shape[1], batch.shape[2]) for batch in batches),
    )


def batches_of(pictures: Sequence[Array], size_px: SizePx, dtype: Dtype) -> list[Array]:
    """The images ``(H, W, C)`` at the size of the training, and two of them at an odd size and at a very small one.

    Not at 1 px: that is one even area, of which instance normalisation leaves nothing but rounding, in torch too. And
    not very small in int8, whose ranges are those of images of the training's size.
    """
    height, width = sides(size_px)
    sizes = [(height, width), (height + 37, max(width - 27, 9)), (5, 7)]
    if dtype == "int8":
        del sizes[-1]
    batches: list[Array] = []
    for index, size in enumerate(sizes):
        chosen = pictures if index == 0 else pictures[:2]
        batches.append(np.stack([resize(picture, size) for picture in chosen]))
    return batches


def drawn(size_px: SizePx, channels: int, count: int = 4) -> list[Array]:
    """Images ``(H, W, channels)`` of ``size_px`` for want of real ones: soft patches of colour with some grain."""
    numbers = np.random.default_rng(0)
    found: list[Array] = []
    for _ in range(count):
        soft = [resize(numbers.integers(0, 256, (6, 6, 1), dtype=np.uint8), sides(size_px)) for _ in range(channels)]
        grain = numbers.integers(-12, 13, (*sides(size_px), channels))
        found.append(np.clip(np.concatenate(soft, axis=2) + grain, 0, 255).astype(np.uint8))
    return found
