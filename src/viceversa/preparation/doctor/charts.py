"""Histograms as inline SVG: how often each value comes in A and in B."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from viceversa.preparation.doctor.measure import HUES, Measurement
from viceversa.preparation.doctor.scan import Picture

Values: TypeAlias = NDArray[np.float64]

_WIDTH, _HEIGHT, _FOOT, _TOP = 360, 150, 20, 8
_BINS = 32


@dataclass(frozen=True, kw_only=True)
class Axis:
    """What a histogram counts."""

    title: str
    """Above it."""

    of: Callable[[Measurement], float]
    """The number of an image; NaN where it has none."""

    low: float | None = None
    """Where it begins; None: where the values do."""

    high: float | None = None
    """Where it ends; None: where the values do."""

    form: str = ".0f"
    """How its numbers are written."""


AXES = (
    Axis(title="Brightness, %", of=lambda m: 100 * m.brightness, low=0, high=100),
    Axis(title="Contrast, %", of=lambda m: 100 * m.contrast, low=0, high=50),
    Axis(title="Saturation, %", of=lambda m: 100 * m.saturation, low=0),
    Axis(title="Sharpness of edges", of=lambda m: m.sharpness, low=0.2, form=".1f"),
    Axis(title="Short side, px", of=lambda m: float(min(m.width, m.height))),
    Axis(title="Width : height", of=lambda m: m.width / m.height, form=".2f"),
    Axis(title="JPEG quality", of=lambda m: m.jpeg_quality or float("nan"), low=0, high=100),
)


def charts(domains: Mapping[str, Sequence[Picture]]) -> Iterator[str]:
    """A figure for each axis along which the images differ, and one for the hues; at most two domains."""
    for axis in AXES:
        values = {
            title: (some := np.array([axis.of(p.measured) for p in pictures], np.float64))[~np.isnan(some)]
            for title, pictures in domains.items()
        }
        together = np.concatenate(list(values.values()))
        if len(together) and together.min() < together.max():
            yield _histogram(axis, values, together)
    hues = {
        title: np.mean([p.measured.hues for p in pictures] or [[0.0] * HUES], axis=0)
        for title, pictures in domains.items()
    }
    if any(shares.any() for shares in hues.values()):
        yield _hues(hues)


def legend(titles: Sequence[str]) -> str:
    """Which colour is which domain."""
    keys = "".join(f'<span><i class="of-{place}"></i>{escape(title)}</span>' for place, title in enumerate(titles))
    return f'<p class="keys">{keys}</p>'


def _histogram(axis: Axis, values: dict[str, Values], together: Values) -> str:
    low = axis.low if axis.low is not None else float(together.min())
    high = axis.high if axis.high is not None else float(np.percentile(together, 99.5))
    high = high if high > low else low + 1
    counts = [
        np.histogram(np.clip(some, low, high), _BINS, (low, high))[0] / max(1, len(some)) for some in values.values()
    ]
    most = max(float(shares.max()) for shares in counts)
    areas = lines = ""
    for place, (shares, some) in enumerate(zip(counts, values.values(), strict=True)):
        if len(some):
            outline = "".join(f"V{_y(share / most):.1f}h{_WIDTH / _BINS:.2f}" for share in shares)
            x = _WIDTH * float(np.clip((np.median(some) - low) / (high - low), 0, 1))
            areas += f'<path class="of-{place}" d="M0 {_y(0)}{outline}V{_y(0)}"/>'
            lines += f'<line class="median of-{place}" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{_y(0)}"/>'
    ticks = "".join(
        _label(part, f"{low + part * (high - low):{axis.form}}", anchor)
        for part, anchor in ((0, "start"), (0.5, "middle"), (1, "end"))
    )
    medians = ", ".join(f"{title} {np.median(some):{axis.form}}" for title, some in values.items() if len(some))
    return _figure(axis.title, f"Medians: {medians}", areas + lines + ticks)


def _hues(hues: dict[str, Values]) -> str:
    most = max(float(shares.max()) for shares in hues.values())
    slot = _WIDTH / HUES
    width = (slot - 6) / len(hues)
    shapes = ""
    for place, (title, shares) in enumerate(hues.items()):
        for index, share in enumerate(shares):
            x, y = index * slot + 3 + place * width, _y(float(share) / most)
            colour = f"hsl({360 * index / HUES:.0f} 65% {'55' if place == 0 else '40'}%)"
            shapes += (
                f'<rect x="{x:.1f}" y="{y:.1f}" width="{width - 1:.1f}" height="{_y(0) - y:.1f}" fill="{colour}">'
                f"<title>{escape(title)}: {100 * share:.0f} %</title></rect>"
            )
    ticks = "".join(
        _label((index + 0.5) / HUES, word, "middle") for index, word in ((0, "red"), (4, "green"), (8, "blue"))
    )
    sides = list(hues)
    caption = f"Left bars {sides[0]}, right bars {sides[1]}" if len(sides) == 2 else "Share of the colour"
    return _figure("Colours", caption, shapes + ticks)


def _y(share: float) -> float:
    return _TOP + (_HEIGHT - _FOOT - _TOP) * (1 - share)


def _label(share: float, text: str, anchor: str) -> str:
    return f'<text x="{_WIDTH * share:.1f}" y="{_HEIGHT - 5}" text-anchor="{anchor}">{text}</text>'


def _figure(title: str, caption: str, shapes: str) -> str:
    drawing = f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}">{shapes}</svg>'
    words = f"<figcaption>{escape(caption)}</figcaption>"
    return f'<figure class="card histogram"><h3>{escape(title)}</h3>{drawing}{words}</figure>'
