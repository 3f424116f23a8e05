"""Histograms for the page: how often each value comes in A and in B, in units of a drawing of `SIZE_PX`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from viceversa.preparation.doctor.contrast import Domain, Of, Values
from viceversa.preparation.doctor.measure import HUES

SIZE_PX = 360, 150

_FOOT, _TOP = 20, 8
_BINS = 32


class Chart(NamedTuple):
    """A histogram, to be drawn by the page's template."""

    title: str
    caption: str
    ticks: Sequence[tuple[float, str, str]]
    """Place, anchor and text."""
    areas: Sequence[tuple[int, str, float]] = ()
    """The place of the domain, the outline of its shares, and where its median is."""
    bars: Sequence[dict[str, Any]] = ()


@dataclass(frozen=True)
class Axis:
    """What a histogram counts."""

    title: str
    of: Of
    """The number of an image; NaN where it has none."""
    low: float | None = None
    high: float | None = None
    """Where it begins and ends; None: where the values do."""
    form: str = ".0f"
    """How its numbers are written."""


AXES = (
    Axis("Brightness, %", lambda m: 100 * m.brightness, 0, 100),
    Axis("Contrast, %", lambda m: 100 * m.contrast, 0, 50),
    Axis("Saturation, %", lambda m: 100 * m.saturation, 0),
    Axis("Sharpness of edges", lambda m: m.sharpness, 0.2, form=".1f"),
    Axis("Short side, px", lambda m: min(m.width, m.height)),
    Axis("Width : height", lambda m: m.width / m.height, form=".2f"),
    Axis("JPEG quality", lambda m: m.jpeg_quality or float("nan"), 0, 100),
)


def charts(domains: Sequence[Domain]) -> Iterator[Chart]:
    """One for each axis along which the images differ, and one for the hues; at most two domains."""
    for axis in AXES:
        values = {domain.title: domain.values(axis.of) for domain in domains}
        together = np.concatenate(list(values.values()))
        if len(together) and together.min() < together.max():
            yield _histogram(axis, values, together)
    hues = {
        domain.title: np.mean([p.measured.hues for p in domain.pictures] or [[0.0] * HUES], axis=0)
        for domain in domains
    }
    if any(shares.any() for shares in hues.values()):
        yield _hues(hues)


def _histogram(axis: Axis, values: Mapping[str, Values], together: Values) -> Chart:
    low = float(together.min()) if axis.low is None else axis.low
    high = float(np.percentile(together, 99.5)) if axis.high is None else axis.high
    high = high if high > low else low + 1
    counts = [np.histogram(some.clip(low, high), _BINS, (low, high))[0] / max(1, len(some)) for some in values.values()]
    most = max(float(shares.max()) for shares in counts)
    width = SIZE_PX[0]
    areas: list[tuple[int, str, float]] = []
    for place, (shares, some) in enumerate(zip(counts, values.values(), strict=True)):
        if len(some):
            steps = "".join(f"V{_y(share / most)}h{width / _BINS:.2f}" for share in shares)
            median = width * float(np.clip((np.median(some) - low) / (high - low), 0, 1))
            areas.append((place, f"M0 {_y(0)}{steps}V{_y(0)}", round(median, 1)))
    ticks = [
        (width * part, anchor, f"{low + part * (high - low):{axis.form}}")
        for part, anchor in ((0, "start"), (0.5, "middle"), (1, "end"))
    ]
    medians = ", ".join(f"{title} {np.median(some):{axis.form}}" for title, some in values.items() if len(some))
    return Chart(axis.title, f"Medians: {medians}", ticks, areas)


def _hues(hues: Mapping[str, Values]) -> Chart:
    most = max(float(shares.max()) for shares in hues.values())
    slot = SIZE_PX[0] / HUES
    width = (slot - 6) / len(hues)
    bars = [
        {
            "x": round(index * slot + 3 + place * width, 1),
            "y": _y(share / most),
            "width": round(width - 1, 1),
            "height": round(_y(0) - _y(share / most), 1),
            "colour": f"hsl({360 * index / HUES:.0f} 65% {'55' if place == 0 else '40'}%)",
            "title": f"{title}: {100 * share:.0f} %",
        }
        for place, (title, shares) in enumerate(hues.items())
        for index, share in enumerate(shares)
    ]
    ticks = [((index + 0.5) * slot, "middle", word) for index, word in ((0, "red"), (4, "green"), (8, "blue"))]
    sides = list(hues)
    caption = f"Left bars {sides[0]}, right bars {sides[1]}" if len(sides) == 2 else "Share of the colour"
    return Chart("Colours", caption, ticks, bars=bars)


def _y(share: float) -> float:
    return round(_TOP + (SIZE_PX[1] - _FOOT - _TOP) * (1 - share), 1)
