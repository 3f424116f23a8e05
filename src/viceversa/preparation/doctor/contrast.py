"""What two domains differ in besides what they are meant to: all of it will be learned.

Two distributions are compared by how often an image of B has more of something than one of A (the Mann-Whitney
statistic): one half where they are alike, whatever their shape. A difference counts where it is large and cannot be
chance.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from viceversa.counts import are, count
from viceversa.preparation.doctor.findings import Finding
from viceversa.preparation.doctor.measure import DARK, Measurement
from viceversa.preparation.doctor.scan import Inspected, Picture
from viceversa.preparation.doctor.words import percent

_LARGE = 0.75  # of all draws
_DEVIATIONS = 2.0  # of chance
_FEWEST = 10
_APART = 0.2  # of the images
_UNBALANCED, _SIZES, _SHAPES, _SHARPER = 5, 1.5, 1.25, 1.33  # times
_HUES_ALIKE = 0.6
_GOOD_JPEG, _JPEG_APART = 75, 20
_HUE_NAMES = (
    "red", "orange", "yellow", "lime", "green", "sea green", "cyan", "azure", "blue", "violet", "magenta", "rose",
)  # fmt: skip
_ALIKE = "Fine if that is the style; else choose images that are more alike in it"
_BALANCE = (
    "Train with --balance brightness, thin it out with viceversa prepare --balance brightness, or add what is missing"
)

Values: TypeAlias = NDArray[np.float64]
Of: TypeAlias = Callable[[Measurement], float]

_MORE: tuple[tuple[str, Of, str, str, str], ...] = (
    ("brightness", lambda m: m.brightness, "brighter", "brighten", "darken"),
    ("contrast", lambda m: m.contrast, "richer in contrast", "add contrast", "remove it"),
    ("saturation", lambda m: m.saturation, "more colourful", "strengthen colours", "weaken them"),
)
"""What one domain can have more of, how that is said, and what the translators to it and from it learn."""


class Domain(NamedTuple):
    """One of the two."""

    title: str
    pictures: Sequence[Picture]
    """Those that are trained on."""

    def values(self, of: Of) -> Values:
        """One number of each image that has it, (n,)."""
        values = np.array([of(picture.measured) for picture in self.pictures], np.float64)
        return values[~np.isnan(values)]

    def median(self, of: Of) -> float:
        """Of `values`."""
        return float(np.median(self.values(of)))


def more_often(a: Values, b: Values) -> float:
    """How often a value of ``b`` is larger than one of ``a``, in [0, 1]; ties count half."""
    _, inverse, counts = np.unique(np.concatenate([a, b]), return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return float((ranks[len(a) :].sum() - len(b) * (len(b) + 1) / 2) / (len(a) * len(b)))


def differ(a: Values, b: Values) -> bool:
    """Whether one has more than the other in so many draws that it matters and is not chance."""
    chance = np.sqrt((len(a) + len(b) + 1) / (12 * len(a) * len(b)))
    return abs(more_often(a, b) - 0.5) - _DEVIATIONS * chance > _LARGE - 0.5


def _shares_differ(a: Values, b: Values) -> bool:
    """The same of what is 1 in some images and 0 in others."""
    chance = np.sqrt(a.var() / len(a) + b.var() / len(b))
    return bool(abs(a.mean() - b.mean()) - _DEVIATIONS * chance > _APART)


def between(inspected: Inspected) -> Iterator[Finding]:
    """What there is to say of two domains side by side."""
    a, b = (Domain(title, inspected.of(letter, "train")) for letter, title in inspected.layout.titles.items())
    less, more = sorted((a, b), key=lambda domain: len(domain.pictures))
    few, many = len(less.pictures), len(more.pictures)
    if few and many > _UNBALANCED * few:
        yield Finding(
            "counts",
            "note",
            f"There {are(many)} {count(many, 'image')} of {more.title} to train on and {few:,} of {less.title}",
            f"each of {less.title} is seen {many / few:.0f} times as often, and learnt by heart sooner",
            f"More images of {less.title} help most",
        )
    if few >= _FEWEST:
        yield from _light(a, b)
        yield from _colours(a, b)
        yield from _sharpness(a, b)
        yield from _files(a, b)


def _light(a: Domain, b: Domain) -> Iterator[Finding]:
    """Night and day, or one with more light, contrast or colour all over."""
    day, night = sorted((a, b), key=lambda domain: _dark(domain).mean())
    is_night = _shares_differ(_dark(day), _dark(night))
    if is_night:
        yield Finding(
            "dark",
            "warning",
            f"{percent(_dark(night).mean())} of the images of {night.title} are dark, {percent(_dark(day).mean())} of "
            f"those of {day.title}",
            f"the translator to {night.title} will learn to darken, the one to {day.title} to brighten",
            _BALANCE,
        )
    for code, of, more, add, remove in _MORE[is_night:]:
        values = a.values(of), b.values(of)
        if not differ(*values):
            continue
        often = more_often(*values)
        high, low = (b, a) if often > 0.5 else (a, b)
        yield Finding(
            code,
            "warning" if code == "brightness" else "note",
            f"An image of {high.title} is {more} than one of {low.title} {100 * max(often, 1 - often):.0f} times out "
            "of 100",
            f"the translator to {high.title} will learn to {add}, the one to {low.title} to {remove}",
            _BALANCE if code == "brightness" else _ALIKE,
        )


def _dark(domain: Domain) -> Values:
    return domain.values(lambda m: m.brightness < DARK)


def _colours(a: Domain, b: Domain) -> Iterator[Finding]:
    """Other colours prevail, or one has none."""
    coloured = [[p.measured.hues for p in domain.pictures if any(p.measured.hues)] for domain in (a, b)]
    if all(coloured):
        means = [np.mean(hues, axis=0) for hues in coloured]
        if np.minimum(*means).sum() < _HUES_ALIKE:
            most = [f"{percent(mean.max())} {_HUE_NAMES[int(mean.argmax())]}" for mean in means]
            yield Finding(
                "hue",
                "note",
                f"The colours of {a.title} are mostly others ({most[0]}) than those of {b.title} ({most[1]})",
                "the translators will learn to change colours",
                _ALIKE,
            )
    vivid, pale = sorted((a, b), key=lambda domain: _grey(domain).mean())
    if _shares_differ(_grey(vivid), _grey(pale)):
        yield Finding(
            "colour",
            "warning",
            f"{percent(_grey(pale).mean())} of the images of {pale.title} have no colour, "
            f"{percent(_grey(vivid).mean())} of those of {vivid.title}",
            f"the translator to {pale.title} will learn to remove colour, the one to {vivid.title} to invent it",
            "Fine if that is the task; else remove those without colour, or train in grey (--channels-a 1 "
            "--channels-b 1)",
        )


def _grey(domain: Domain) -> Values:
    return domain.values(lambda m: m.is_grey)


def _sharpness(a: Domain, b: Domain) -> Iterator[Finding]:
    """One is blurred, or was enlarged."""

    def of(measured: Measurement) -> float:
        return measured.sharpness

    if not len(a.values(of)) or not len(b.values(of)):
        return
    soft, sharp = sorted((a, b), key=lambda domain: domain.median(of))
    if differ(soft.values(of), sharp.values(of)) and sharp.median(of) > _SHARPER * soft.median(of):
        yield Finding(
            "sharpness",
            "warning",
            f"Edges are sharper in {sharp.title} ({sharp.median(of):.2f}) than in {soft.title} "
            f"({soft.median(of):.2f}; 1 is as sharp as pixels allow, 0.5 as if enlarged to twice the size)",
            f"the translator to {soft.title} will learn to blur",
            f"Train at a smaller --size, where both are sharp, or replace the soft images of {soft.title}",
        )


def _files(a: Domain, b: Domain) -> Iterator[Finding]:
    """One is more strongly compressed, larger, or of another shape."""
    (poor, worse), (good, better) = _by_median(a, b, lambda m: m.jpeg_quality or 100.0)
    if worse < _GOOD_JPEG and better - worse >= _JPEG_APART:
        yield Finding(
            "jpeg-differs",
            "warning",
            f"{poor.title} is stored as JPEG of quality {worse:.0f}, {good.title} with less loss",
            f"the translator to {poor.title} will learn its blocks and rims",
            f"Look for less compressed originals of {poor.title}, or train at half their size",
        )
    (less, low), (more, high) = _by_median(a, b, lambda m: min(m.width, m.height))
    if high > _SIZES * low:
        yield Finding(
            "sizes",
            "note",
            f"The images of {less.title} have {low:.0f} px on their short side, those of {more.title} {high:.0f} (in "
            "the middle)",
            f"at a --size above that those of {less.title} are left out, or blurred by --enlarge",
            f"Train at --size {low:.0f} or less",
        )
    ratios = [domain.median(lambda m: m.width / m.height) for domain in (a, b)]
    if max(ratios) > _SHAPES * min(ratios):
        yield Finding(
            "shapes",
            "note",
            f"The images of {a.title} are {_shape(ratios[0])}, those of {b.title} {_shape(ratios[1])}",
            "brought to one shape, their middles show different parts of what they are of",
            "Cut them alike, take --fit window, or see in the sheets whether --fit crop keeps what matters",
        )


def _by_median(a: Domain, b: Domain, of: Of) -> list[tuple[Domain, float]]:
    """Each domain with its median, the lower first."""
    return sorted(((domain, domain.median(of)) for domain in (a, b)), key=lambda found: found[1])


def _shape(ratio: float) -> str:
    if 0.95 < ratio < 1.05:
        return "square"
    return f"{ratio:.1f} times as wide as high" if ratio > 1 else f"{1 / ratio:.1f} times as high as wide"
