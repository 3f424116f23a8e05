"""The measure against the truth: what must change, changed; what must stay, stayed.

Where the image that a translator should have made is known, as with the built-in avatars, three questions have an
answer: how far the outputs are from the truth, beside how far the inputs are (doing nothing is the baseline to beat);
which share of the pixels that must change came nearer to the truth than to the input; and which attributes of a person
changed, or stayed, as they should.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from viceversa.data.avatars import CHANGING, STAYING
from viceversa.errors import DataError

Pictures = NDArray[np.uint8]
Mask = NDArray[np.bool_]

DIFFERENT = 24
"""Grey levels that a channel of a pixel must differ by, for the pixel to count as another one."""
KEPT = 16
"""Grey levels of mean difference from the input up to which an attribute counts as unchanged."""
_SMALLEST = 4
"""Pixels: a region smaller than that says nothing about a person."""


@dataclass(frozen=True, kw_only=True)
class RegionError:
    """Mean absolute error to the truth over one region of all images, in grey levels (0 to 255)."""

    share: float
    """Of all pixels, those in the region."""
    error: float
    nothing: float
    """The error of doing nothing: of the inputs themselves."""
    closed: float | None
    """The share of the gap that the outputs closed: 1 is the truth, 0 no better than nothing, below 0 worse."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One attribute over all the people for whom it can be read."""

    name: str
    must: Literal["change", "stay"]
    rate: float
    """The share of people for whom it did as it must."""
    people: int


@dataclass(frozen=True, kw_only=True)
class TruthReport:
    """What ``measure`` found."""

    pictures: int
    changed: float | None
    """Of the pixels that must change, those nearer to the truth than to the input."""
    stayed: float | None
    """Of the pixels that must stay, those that no channel takes further than ``DIFFERENT`` from the input."""
    changing: RegionError
    staying: RegionError
    whole: RegionError
    attributes: tuple[Reading, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """As plain values for JSON."""
        return asdict(self)


def measure(
    inputs: Pictures, outputs: Pictures, truths: Pictures, regions: Sequence[Mapping[str, Mask]] = ()
) -> TruthReport:
    """Compare ``outputs`` with ``truths``, both made from ``inputs``: uint8 ``(N, H, W, 3)`` in the same order.

    A pixel must change where input and truth differ by more than ``DIFFERENT`` in any channel, and one pixel around it;
    all others must stay. ``regions``, one for each image from ``avatars.attribute_regions``, asks for the attributes.

    Raises:
        DataError: The three do not match, or there is nothing to measure.
    """
    if not inputs.shape == outputs.shape == truths.shape or inputs.ndim != 4 or inputs.size == 0:
        shapes = f"{inputs.shape}, {outputs.shape} and {truths.shape}"
        raise DataError(f"Inputs, outputs and truths must be equally many images of equal size; got {shapes}.")
    if len(regions) not in (0, len(inputs)):
        raise DataError(f"Regions must be given for each image or none; got {len(regions)} for {len(inputs)}.")
    nothing, error, moved = _distance(inputs, truths), _distance(outputs, truths), _distance(outputs, inputs)
    different = _different(inputs, truths)
    changing = _dilated(different)
    return TruthReport(
        pictures=len(inputs),
        changed=_share(error[different] < moved[different]),
        stayed=_share(~_different(inputs, outputs)[~changing]),
        changing=_region_error(changing, error, nothing),
        staying=_region_error(~changing, error, nothing),
        whole=_region_error(np.ones_like(changing), error, nothing),
        attributes=_attributes(regions, error, moved, different, changing),
    )


def _attributes(
    regions: Sequence[Mapping[str, Mask]],
    error: NDArray[np.float32],
    moved: NDArray[np.float32],
    different: Mask,
    changing: Mask,
) -> tuple[Reading, ...]:
    """An attribute changed when its region is nearer to the truth than to the input, read where these two differ."""
    readings: list[Reading] = []
    for name in (*CHANGING, *STAYING):
        must = "change" if name in CHANGING else "stay"
        right: list[bool] = []
        for position, region in enumerate(regions):
            where = region[name] & (different[position] if must == "change" else ~changing[position])
            if where.sum() < _SMALLEST:
                continue
            to_input, to_truth = float(moved[position][where].mean()), float(error[position][where].mean())
            right.append(to_truth < to_input if must == "change" else to_input <= KEPT)
        if right:
            readings.append(Reading(name=name, must=must, rate=sum(right) / len(right), people=len(right)))
    return tuple(readings)


def _region_error(region: Mask, error: NDArray[np.float32], nothing: NDArray[np.float32]) -> RegionError:
    if not region.any():
        return RegionError(share=0.0, error=0.0, nothing=0.0, closed=None)
    ours, baseline = (float(distance[region].mean(dtype=np.float64)) for distance in (error, nothing))
    closed = 1 - ours / baseline if baseline > 0 else None
    return RegionError(share=float(region.mean()), error=ours, nothing=baseline, closed=closed)


def _distance(first: Pictures, second: Pictures) -> NDArray[np.float32]:
    """``(N, H, W)``: mean absolute difference over the channels."""
    return np.abs(first.astype(np.int16) - second).mean(axis=-1, dtype=np.float32)


def _different(first: Pictures, second: Pictures) -> Mask:
    return np.abs(first.astype(np.int16) - second).max(axis=-1) > DIFFERENT


def _dilated(mask: Mask) -> Mask:
    """Grown by one pixel in all eight directions."""
    height, width = mask.shape[1:]
    padded = np.pad(mask, ((0, 0), (1, 1), (1, 1)))
    shifts = [padded[:, y : y + height, x : x + width] for y in range(3) for x in range(3)]
    return np.logical_or.reduce(shifts)


def _share(flags: Mask) -> float | None:
    return float(flags.mean()) if flags.size else None
