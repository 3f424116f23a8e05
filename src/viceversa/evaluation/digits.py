"""What samples of digits show: which digits there are, whether they are those asked for, what a code does to them."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from viceversa.errors import DataError
from viceversa.extras import need

Floats = NDArray[np.float64]
_BACKGROUND = 0.25  # what is darker than this share of white is no ink


def shares(probabilities: Tensor) -> Floats:
    """``(N, classes)`` to the share of the N that each class is the likeliest for: ``(classes,)``, together 1."""
    named = probabilities.argmax(1)
    return np.bincount(named.numpy(), minlength=probabilities.shape[1]) / max(1, len(named))


def agreement(probabilities: Tensor, asked: Tensor) -> float:
    """The share of the N samples that are of the class ``asked`` ``(N,)`` of them."""
    return float((probabilities.argmax(1) == asked.cpu()).double().mean())


def best_match(probabilities: Tensor, codes: Tensor) -> tuple[float, tuple[int, ...]]:
    """How well a ten-way code names the digit, when each value stands for another digit, chosen as suits it best.

    Args:
        probabilities: ``(N, classes)``.
        codes: ``(N,)`` int64, the values that the samples were made with, of as many kinds as there are classes.

    Returns:
        The share of the samples that are of their code's class, and the class of each code value.
    """
    classes = probabilities.shape[1]
    if codes.min() < 0 or codes.max() >= classes:
        raise DataError(f"Codes must be 0 to {classes - 1} to stand for {classes} classes; got {codes.max()}.")
    table = torch.zeros(classes, classes, dtype=torch.int64)
    table.index_put_((codes.cpu(), probabilities.argmax(1)), torch.tensor(1), accumulate=True)
    rows, columns = need("scipy.optimize", "digits").linear_sum_assignment(table.numpy(), maximize=True)
    return float(table[rows, columns].sum()) / len(codes), tuple(int(column) for column in columns)


def slant_degrees(pictures: Tensor) -> Floats:
    """How far each digit ``(N, 1, S, S)`` in [-1, 1], light on dark, leans to the right of upright, by its moments.

    Of a thin straight stroke it is the stroke's angle; NaN for an image without ink.
    """
    _, xy, yy = _moments(pictures)
    return np.degrees(np.arctan2(-xy, yy))  # rows are counted downwards


def width_px(pictures: Tensor) -> Floats:
    """How wide each digit ``(N, 1, S, S)`` is, made upright: the width of a bar of equal spread, in pixels."""
    xx, xy, yy = _moments(pictures)
    return np.sqrt(12 * np.maximum(xx - xy**2 / yy, 0))


@dataclass(frozen=True, kw_only=True)
class Effect:
    """What turning a code up does to one property of an image, with all else fixed."""

    correlation: float
    """Of the code with the property's deviation from its mean over the sweep of the same sample, -1 to 1."""
    change: float
    """The property's mean at the code's highest value, less that at its lowest."""
    sd: float
    """The statistics deviation of the property between samples whose code stands in the middle."""


def effect(values: Floats, measured: Floats) -> Effect:
    """The effect of a code on a property.

    Args:
        values: ``(V,)``, rising: the values that the code was given.
        measured: ``(V, N)``: the property of N samples at each; a sample with a NaN is left out.
    """
    measured = measured[:, np.isfinite(measured).all(axis=0)]
    if measured.shape[0] != len(values) or measured.shape[1] < 2 or len(values) < 2:
        raise DataError(f"An effect needs two values of the code and two samples or more; got {measured.shape}.")
    deviations = measured - measured.mean(axis=0)
    against = np.repeat((values - values.mean())[:, None], measured.shape[1], axis=1)
    scale = np.sqrt((deviations**2).sum() * (against**2).sum())
    return Effect(
        correlation=float((deviations * against).sum() / scale) if scale else 0.0,
        change=float(measured[-1].mean() - measured[0].mean()),
        sd=float(measured[len(values) // 2].std()),
    )


def _moments(pictures: Tensor) -> tuple[Floats, Floats, Floats]:
    """The ink's variance across, its covariance and its variance down; NaN where there is none."""
    ink = ((pictures[:, 0].detach().cpu().double().numpy() + 1) / 2 - _BACKGROUND).clip(min=0)
    mass = ink.sum(axis=(1, 2))
    weights = ink / np.where(mass > 0, mass, np.nan)[:, None, None]
    y, x = np.mgrid[: ink.shape[1], : ink.shape[2]].astype(np.float64)
    dx = x - (weights * x).sum(axis=(1, 2))[:, None, None]
    dy = y - (weights * y).sum(axis=(1, 2))[:, None, None]
    # A pixel is a square, not a point: its own spread of 1/12 in both directions keeps a thin line's from being 0.
    xx, yy = ((weights * d**2).sum(axis=(1, 2)) + 1 / 12 for d in (dx, dy))
    return xx, (weights * dx * dy).sum(axis=(1, 2)), yy
