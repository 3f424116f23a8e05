"""Showing two domains so that both are equally often dark and bright; else the difference is learned with the style.

Each image gets a weight, and an epoch repeats and leaves out images by it. Which ones is a function of the seed and
the epoch alone, so a sample stays one of its position.
"""

from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from viceversa import seeding

Balance: TypeAlias = Literal["none", "brightness"]
Values: TypeAlias = NDArray[np.float64]

_LEVELS = 64  # of brightness that are told apart
_PASSES = 3
_SHARED = 0.1  # of each density is taken from both: so what only one domain has is weighed by finite numbers
_MOST = 8.0  # times as often as without weights
_STEP = 4  # one pixel in so many, each way, tells the brightness
_LUMA = np.array([299, 587, 114])  # ITU-R BT.601, in thousandths


class Pictures(Protocol):
    """``(N, H, W, C)``, or images of different sides."""

    def __getitem__(self, row: Any, /) -> NDArray[Any]:
        """One image, ``(H, W, C)``."""
        ...


def brightness(pictures: Pictures, rows: NDArray[np.int64], channels: int | None = None) -> Values:
    """Mean luminance of those ``rows`` of images ``(H, W, C)`` of whole numbers, ``(n,)`` in their own range.

    Of the first ``channels``, or all. Three are taken as RGB, others all alike. Sums of whole numbers: the same bits on
    every machine.
    """
    found: list[float] = []
    for row in rows:
        looked_at = pictures[row][::_STEP, ::_STEP, :channels]
        height, width, count = looked_at.shape
        weights = _LUMA if count == 3 else np.ones(count, np.int64)
        found.append(float(looked_at.sum((0, 1), dtype=np.int64) @ weights) / (height * width * int(weights.sum())))
    return np.array(found, np.float64)


def weights(a: Values, b: Values) -> tuple[Values, Values]:
    """How often to show each image of A ``(n,)`` and of B ``(m,)``, with mean 1, from how bright they are.

    Both are brought to the distribution that is closest to the two of them: its density is the root of the product of
    theirs (it has the least sum of Kullback-Leibler divergences to them), so an image's weight is the root of the
    ratio of the densities at its brightness. Densities are smoothed histograms, so a few passes are made. What only one
    domain has stays as it is, for there is nothing to match it by; nothing is shown more than about 8 times as often.
    """
    both = np.concatenate([a, b])
    low, extent = float(both.min()), float(np.ptp(both))
    if extent == 0:
        return np.ones(len(a)), np.ones(len(b))
    places = [np.minimum((values - low) * (_LEVELS / extent), _LEVELS - 1).astype(np.int64) for values in (a, b)]
    distances = np.arange(_LEVELS)[:, None] - np.arange(_LEVELS)
    blur = np.exp(-0.5 * (distances / max(0.5, *(_bandwidth(some) for some in places))) ** 2)
    blur /= blur.sum(axis=0)
    found = [np.ones(len(a)), np.ones(len(b))]
    for _ in range(_PASSES):
        one, other = (
            blur @ np.bincount(place, some, _LEVELS) / len(place) for place, some in zip(places, found, strict=True)
        )
        shared = _SHARED * (one + other) / 2 + 1e-12
        ratio = np.sqrt(((1 - _SHARED) * other + shared) / ((1 - _SHARED) * one + shared))
        found = [_at_most(found[0] * ratio[places[0]]), _at_most(found[1] / ratio[places[1]])]
    return found[0], found[1]


def _bandwidth(levels: NDArray[np.int64]) -> float:
    """Of a smoothed histogram (Silverman, Density Estimation, 1986, Eq. 3.31)."""
    quartiles = np.quantile(levels, (0.25, 0.75))
    spreads = [spread for spread in (float(levels.std()), float(np.ptp(quartiles)) / 1.34) if spread]
    return 0.9 * min(spreads, default=0.0) * len(levels) ** -0.2


def _at_most(values: Values) -> Values:
    values = np.minimum(values / values.mean(), _MOST)
    return np.round(values / values.mean(), 6)  # beyond that, machines differ


def repeated(weights: Values, seed: int, stream: str, epoch: int) -> NDArray[np.int64]:
    """The places ``(n,)`` of an epoch's images, in order: an image of weight 2.3 is in it twice or three times.

    Systematic sampling: over the epochs, each comes as often as its weight says.
    """
    count = len(weights)
    start = seeding.derive(seed, stream, "balance", epoch) / 2**63
    ends = np.cumsum(weights) * (count / weights.sum())
    return np.minimum(np.searchsorted(ends, np.arange(count) + start, side="right"), count - 1)
