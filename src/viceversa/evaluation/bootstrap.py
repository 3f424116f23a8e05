"""95 % intervals: the same measure of images drawn anew from those that there are, many times (Efron 1979)."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from viceversa import seeding

MOST = 10_000
"""Resamples; more would take memory without end, and move the ends of an interval by nothing."""
_TAILS = (2.5, 97.5)
_Z = 1.959964  # of the normal distribution, for these tails


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A measured number and how sure it is."""

    value: float
    low: float | None = None
    """Lower end of the 95 % interval; None where nothing was resampled."""
    high: float | None = None
    """Upper end."""


def mean(values: NDArray[np.float64], resamples: int, seed: int) -> Figure:
    """The mean over images ``(N,)``."""
    if resamples < 1 or len(values) < 2:
        return Figure(value=float(values.mean()))
    rows = _random(seed, "mean").integers(0, len(values), (resamples, len(values)))
    low, high = np.percentile(values[rows].mean(1), _TAILS)
    return Figure(value=float(values.mean()), low=float(low), high=float(high))


def share(values: NDArray[np.float64], resamples: int) -> Figure:
    """The mean over images ``(N,)`` that are 0 or 1, with Wilson's interval (1927).

    Drawing anew from ten images that are all 1 gives ten that are all 1, an interval of no width.
    """
    value, count = float(values.mean()), len(values)
    if resamples < 1 or count < 2:
        return Figure(value=value)
    weight = _Z**2 / count
    middle = (value + weight / 2) / (1 + weight)
    half = (value * (1 - value) * weight + weight**2 / 4) ** 0.5 / (1 + weight)
    return Figure(value=value, low=max(0.0, middle - half), high=min(1.0, middle + half))


def between(
    value: float,
    again: Callable[[Tensor, Tensor], float],
    real: Tensor,
    fake: Tensor,
    resamples: int,
    seed: int,
    *,
    least: float = -np.inf,
) -> Figure:
    """A distance between two sets ``(N, D)`` and ``(M, D)``, of which both are drawn anew.

    ImageSets with images drawn twice lie further apart than the sets themselves, so the interval is the spread of the
    resampled distances about their mean, laid about ``value``.

    Args:
        value: The distance of the sets as they are.
        again: The distance of resampled sets.
        real: Features of one set.
        fake: Features of the other.
        resamples: How often; 0 for no interval.
        seed: Which images are drawn.
        least: The smallest distance that there can be.
    """
    if resamples < 1:
        return Figure(value=value)
    random = _random(seed, "between")
    found = np.empty(resamples)
    for index in range(resamples):
        rows = (torch.from_numpy(random.integers(0, len(images), len(images))) for images in (real, fake))
        found[index] = again(*(images[row] for images, row in zip((real, fake), rows, strict=True)))
    return about(value, found, least)


def about(value: float, found: NDArray[np.float64], least: float = -np.inf) -> Figure:
    """The interval of `between`, of the distances ``found`` ``(R,)`` of resampled sets."""
    if not len(found):
        return Figure(value=value)
    low, high = (max(least, value + end - found.mean()) for end in np.percentile(found, _TAILS))
    return Figure(value=value, low=float(low), high=float(high))


def times(count: int, resamples: int, seed: int, what: str) -> NDArray[np.float64]:
    """``(R, N)``: how often each of ``count`` images is drawn, as often as there are images, in each of R draws."""
    drawn = _random(seed, what).multinomial(count, np.full(count, 1 / count), resamples)
    return drawn.astype(np.float64)


def _random(seed: int, what: str) -> np.random.Generator:
    return np.random.default_rng(seeding.derive(seed, "bootstrap", what))
