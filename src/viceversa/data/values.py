"""Values without a usual range, such as Hounsfield units: which of them are black and white, and back again."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from viceversa.errors import ConfigError, PictureError

_MARKS = (-9999, -99999, -32768, -32767, -3.4028234663852886e38)  # what the lowest value often is where data is missing
_NEAR = 1e-3  # that much beyond [0, 1] is rounding


@dataclass(frozen=True, kw_only=True)
class Values:
    """How the numbers of a file become levels in [0, 1], and levels become numbers."""

    low: float | None = None
    """What becomes black; None with ``high``: the file's own range, which signed and wide numbers do not have."""

    high: float | None = None
    """What becomes white."""

    nodata: float | None = None
    """The number that stands for missing data, beside NaN; both become black."""

    def __post_init__(self) -> None:
        given = [value for value in (self.low, self.high, self.nodata) if value is not None]
        if not all(map(math.isfinite, given)) or (self.low is None) != (self.high is None):
            raise ConfigError(f"A range of values is two finite numbers; got {self.low} and {self.high}.")
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ConfigError(f"A range of values goes from the lower to the higher one; got {self.low} {self.high}.")

    def levels(self, values: NDArray[Any]) -> "Levels":
        """Numbers of any kind as float32 in [0, 1], clipped.

        Raises:
            PictureError: No range is given, and numbers of this kind have none.
        """
        missing = np.isnan(values) if values.dtype.kind == "f" else np.zeros(values.shape, bool)
        if self.nodata is not None:
            marked = np.asarray(self.nodata).astype(values.dtype) if values.dtype.kind == "f" else self.nodata
            missing |= values == marked
        there = values[~missing] if missing.any() else values
        low, high = self._range(values.dtype, there)
        with np.errstate(invalid="ignore", over="ignore"):
            scaled = (values.astype(np.float64) - low) / (high - low)
        outside = int(np.count_nonzero((scaled < -_NEAR) | (scaled > 1 + _NEAR)))  # NaN is neither
        if self.nodata is not None:
            outside -= int(np.count_nonzero(((scaled < -_NEAR) | (scaled > 1 + _NEAR)) & missing))
        levels = np.where(missing, 0, scaled.clip(0, 1)).astype(np.float32)
        return Levels(pixels=levels, missing=int(np.count_nonzero(missing)), outside=outside)

    def numbers(self, levels: NDArray[np.float32], dtype: "np.dtype[Any]") -> NDArray[Any]:
        """Levels in [0, 1] as numbers of ``dtype`` if it holds the range, else as float32; inverts `levels`."""
        low, high = (self.low or 0.0, self.high or 0.0) if self.low is not None else (0.0, _white(dtype))
        values = low + levels.astype(np.float64) * (high - low)
        if dtype.kind == "f":
            return values.astype(np.float32 if dtype.itemsize < 8 else dtype)
        bounds = np.iinfo(dtype)
        # So few steps of a kind would lose what the network tells apart.
        if bounds.min <= low and high <= bounds.max and (high - low >= 255 or (low, high) == (0, bounds.max)):
            return np.rint(values).astype(dtype)
        return values.astype(np.float32)

    def _range(self, dtype: "np.dtype[Any]", there: NDArray[Any]) -> tuple[float, float]:
        if self.low is not None and self.high is not None:
            return self.low, self.high
        if dtype.kind == "u" and dtype.itemsize <= 2:
            return 0.0, _white(dtype)
        if dtype.kind != "f" or (there.size and not (there.min() >= -_NEAR and there.max() <= 1 + _NEAR)):
            raise UnusualValues(there)
        return 0.0, 1.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Levels:
    """What `Values.levels` gives."""

    pixels: NDArray[np.float32]
    """In [0, 1]."""

    missing: int
    """Numbers that stood for missing data, and became black."""

    outside: int
    """Numbers outside the range, which became black or white."""


class UnusualValues(PictureError):
    """Values that have no usual range; the text gives the range that was found in them, and the options for it."""

    def __init__(self, values: NDArray[Any]) -> None:
        """Looks at all of the values."""
        super().__init__(_refusal(values))


def kind(dtype: "np.dtype[Any]") -> str:
    """What numbers are called: "signed whole numbers of 16 bits", "floats"."""
    if dtype.kind == "f":
        return "floats"
    signed = "signed " if dtype.kind == "i" else ""
    return f"{signed}whole numbers of {8 * dtype.itemsize} bits" if dtype.kind in "iu" else f"values of {dtype}"


def _refusal(values: NDArray[Any]) -> str:
    if values.dtype.kind not in "iuf":
        return f"an array of {values.dtype} is no image; save it as uint8, uint16, or floats in [0, 1]."
    within = spread(values)
    if within is None:
        return "not one of its values is a number (all are nan or infinite); remove it."
    found = f"from {within.low:g} to {within.high:g}"
    found += f", and {within.nodata:g} looks like missing data" if within.nodata is not None else ""
    found += f", and {within.undefined:,} of {values.size:,} values are NaN or infinite" if within.undefined else ""
    floats = values.dtype.kind == "f"
    what = (
        f"A float image lies in [0, 1]; this one goes {found}"
        if floats
        else f"{kind(values.dtype)} have no usual range; these go {found}"
    )
    if floats and within.low >= 0 and within.high <= 1:
        within = replace(within, low=0.0, high=1.0)
    instead = "scale it first" if floats else "save it with 8 or 16 bits, or as floats in [0, 1]"
    return (
        f"{what}: to translate such images, train with {within.options()} (of B: --range-b) on the files as they are; "
        f"for anything else, {instead}."
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Spread:
    """Between which numbers values lie, apart from those that look like missing data."""

    low: float
    """The lowest."""

    high: float
    """The highest."""

    nodata: float | None = None
    """What is below all others, and usually stands for missing data."""

    undefined: int = 0
    """How many are NaN or infinite."""

    def options(self, side: str = "a") -> str:
        """How the range of domain "a" or "b" is given to training: "--range-a -1000 412 --nodata-a -9999"."""
        values = self.values()
        option = f"--range-{side} {_typed(values.low or 0)} {_typed(values.high or 0)}"
        return option + (f" --nodata-{side} {_typed(self.nodata)}" if self.nodata is not None else "")

    def values(self) -> Values:
        """The same as a range, which is never empty."""
        high = self.high if self.high > self.low else self.low + max(1.0, abs(self.low) * 1e-6)
        return Values(low=self.low, high=high, nodata=self.nodata)


def spread(values: NDArray[Any]) -> Spread | None:
    """Between which numbers whole numbers or floats lie; None where not one is finite."""
    finite = values[np.isfinite(values)] if values.dtype.kind == "f" else values
    if not finite.size:
        return None
    mark, low, high = None, float(finite.min()), float(finite.max())
    if any(math.isclose(low, known, rel_tol=1e-6) for known in _MARKS) and (others := finite[finite != low]).size:
        mark, low, high = low, float(others.min()), float(others.max())
    return Spread(low=low, high=high, nodata=mark, undefined=values.size - finite.size)


def _typed(value: float) -> str:
    """As a person types it; argparse knows no -1e+20 for a number."""
    return f"{value:.0f}" if value == int(value) and abs(value) < 1e15 else f"{value:.6g}"


def _white(dtype: "np.dtype[Any]") -> float:
    return 1.0 if dtype.kind == "f" else float(np.iinfo(dtype).max)
