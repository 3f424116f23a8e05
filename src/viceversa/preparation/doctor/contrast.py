"""What two domains differ in besides what they are meant to: all of it will be learned.

Two distributions are compared by how often an image of B has more of something than one of A (the Mann-Whitney
statistic): one half where they are alike, whatever their shape. A difference counts where it is large and cannot be
chance.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

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


class Domain(NamedTuple):
    """One of the two."""

    title: str
    """Its name."""

    pictures: Sequence[Picture]
    """Those that are trained on."""

    def values(self, of: Callable[[Measurement], float]) -> Values:
        """One number of each image that has it, (n,)."""
        values = np.array([of(picture.measured) for picture in self.pictures], np.float64)
        return values[~np.isnan(values)]


def between(inspected: Inspected) -> Iterator[Finding]:
    """What there is to say of two heaps side by side."""
    a, b = (Domain(title, inspected.of(letter, "train")) for letter, title in inspected.layout.titles.items())
    yield from unequal_counts(a, b)
    if min(len(a.pictures), len(b.pictures)) >= _FEWEST:
        for check in (brightness, contrast, saturation, hue, colour, sharpness, stored, sizes, shapes):
            yield from check(a, b)


def more_often(a: Values, b: Values) -> float:
    """How often a value of ``b`` is larger than one of ``a``, in [0, 1]; ties count half."""
    _, inverse, counts = np.unique(np.concatenate([a, b]), return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return float((ranks[len(a) :].sum() - len(b) * (len(b) + 1) / 2) / (len(a) * len(b)))


def differ(a: Values, b: Values) -> bool:
    """Whether one has more than the other in so many draws that it matters and is not chance."""
    chance = np.sqrt((len(a) + len(b) + 1) / (12 * len(a) * len(b)))
    return abs(more_often(a, b) - 0.5) - _DEVIATIONS * chance > _LARGE - 0.5


def shares_differ(a: Values, b: Values) -> bool:
    """The same of what is 1 in some images and 0 in others."""
    chance = np.sqrt(a.var() / len(a) + b.var() / len(b))
    return bool(abs(a.mean() - b.mean()) - _DEVIATIONS * chance > _APART)


def unequal_counts(a: Domain, b: Domain) -> Iterator[Finding]:
    """One domain is much larger."""
    more, less = sorted((a, b), key=lambda domain: -len(domain.pictures))
    many, few = len(more.pictures), len(less.pictures)
    if few and many > _UNBALANCED * few:
        yield Finding(
            code="counts",
            severity="note",
            what=f"There are {many:,} images of {more.title} to train on and {few:,} of {less.title}",
            consequence=f"each of {less.title} is seen {many / few:.0f} times as often, and learnt by heart sooner",
            remedy=f"More images of {less.title} help most",
        )


def brightness(a: Domain, b: Domain) -> Iterator[Finding]:
    """Night and day, or one brighter all over."""
    values = [domain.values(lambda m: m.brightness) for domain in (a, b)]
    dark = [(some < DARK).astype(np.float64) for some in values]
    if shares_differ(*dark):
        night, day = (0, 1) if dark[0].mean() > dark[1].mean() else (1, 0)
        titles = a.title, b.title
        yield Finding(
            code="dark",
            severity="warning",
            what=f"{percent(dark[night].mean())} of the images of {titles[night]} are dark, "
            f"{percent(dark[day].mean())} of those of {titles[day]}",
            consequence=f"the translator to {titles[night]} will learn to darken, the one to {titles[day]} to brighten",
            remedy=_BALANCE,
        )
    else:
        yield from _more(a, b, "brightness", lambda m: m.brightness, "brighter", ("brighten", "darken"), _BALANCE)


def contrast(a: Domain, b: Domain) -> Iterator[Finding]:
    """One has more of it."""
    yield from _more(a, b, "contrast", lambda m: m.contrast, "richer in contrast", ("add contrast", "remove it"))


def saturation(a: Domain, b: Domain) -> Iterator[Finding]:
    """One has more of it."""
    ways = ("strengthen colours", "weaken them")
    yield from _more(a, b, "saturation", lambda m: m.saturation, "more colourful", ways)


def hue(a: Domain, b: Domain) -> Iterator[Finding]:
    """Other colours prevail."""
    coloured = [[p.measured.hues for p in domain.pictures if any(p.measured.hues)] for domain in (a, b)]
    if not all(coloured):
        return
    means = [np.mean(hues, axis=0) for hues in coloured]
    if np.minimum(*means).sum() < _HUES_ALIKE:
        most = [f"{percent(mean.max())} {_HUE_NAMES[int(mean.argmax())]}" for mean in means]
        yield Finding(
            code="hue",
            severity="note",
            what=f"The colours of {a.title} are mostly others ({most[0]}) than those of {b.title} ({most[1]})",
            consequence="the translators will learn to change colours",
            remedy=_ALIKE,
        )


def colour(a: Domain, b: Domain) -> Iterator[Finding]:
    """One is in grey, or more of it."""
    grey = [domain.values(lambda m: m.is_grey) for domain in (a, b)]
    if shares_differ(*grey):
        pale, vivid = (a, b) if grey[0].mean() > grey[1].mean() else (b, a)
        shares = sorted((grey[0].mean(), grey[1].mean()))
        yield Finding(
            code="colour",
            severity="warning",
            what=f"{percent(shares[1])} of the images of {pale.title} have no colour, {percent(shares[0])} of those "
            f"of {vivid.title}",
            consequence=f"the translator to {pale.title} will learn to remove colour, the one to {vivid.title} to "
            "invent it",
            remedy="Fine if that is the task; else remove those without colour, or train in grey (--channels-a 1 "
            "--channels-b 1)",
        )


def sharpness(a: Domain, b: Domain) -> Iterator[Finding]:
    """One is blurred, or was enlarged."""
    edges = [domain.values(lambda m: m.sharpness) for domain in (a, b)]
    if not all(map(len, edges)):
        return
    medians = [float(np.median(some)) for some in edges]
    if differ(*edges) and max(medians) > _SHARPER * min(medians):
        soft, sharp = (a, b) if medians[0] < medians[1] else (b, a)
        yield Finding(
            code="sharpness",
            severity="warning",
            what=f"Edges are sharper in {sharp.title} ({max(medians):.2f}) than in {soft.title} ({min(medians):.2f}; 1 "
            "is as sharp as pixels allow, 0.5 as if enlarged to twice the size)",
            consequence=f"the translator to {soft.title} will learn to blur",
            remedy=f"Train at a smaller --size, where both are sharp, or replace the soft images of {soft.title}",
        )


def stored(a: Domain, b: Domain) -> Iterator[Finding]:
    """One is more strongly compressed."""
    quality = [float(np.median(domain.values(lambda m: m.jpeg_quality or 100.0))) for domain in (a, b)]
    if min(quality) < _GOOD_JPEG and max(quality) - min(quality) >= _JPEG_APART:
        poor, good = (a, b) if quality[0] < quality[1] else (b, a)
        yield Finding(
            code="jpeg-differs",
            severity="warning",
            what=f"{poor.title} is stored as JPEG of quality {min(quality):.0f}, {good.title} with less loss",
            consequence=f"the translator to {poor.title} will learn its blocks and rims",
            remedy=f"Look for less compressed originals of {poor.title}, or train at half their size",
        )


def sizes(a: Domain, b: Domain) -> Iterator[Finding]:
    """One is larger."""
    sides = [float(np.median(domain.values(lambda m: min(m.width, m.height)))) for domain in (a, b)]
    if max(sides) > _SIZES * min(sides):
        less, more = (a, b) if sides[0] < sides[1] else (b, a)
        yield Finding(
            code="sizes",
            severity="note",
            what=f"The images of {less.title} have {min(sides):.0f} px on their short side, those of {more.title} "
            f"{max(sides):.0f} (in the middle)",
            consequence=f"at a --size above that those of {less.title} are left out, or blurred by --enlarge",
            remedy=f"Train at --size {min(sides):.0f} or less",
        )


def shapes(a: Domain, b: Domain) -> Iterator[Finding]:
    """One is upright, the other wide."""
    ratios = [float(np.median(domain.values(lambda m: m.width / m.height))) for domain in (a, b)]
    if max(ratios) > _SHAPES * min(ratios):
        yield Finding(
            code="shapes",
            severity="note",
            what=f"The images of {a.title} are {_shape(ratios[0])}, those of {b.title} {_shape(ratios[1])}",
            consequence="brought to one shape, their middles show different parts of what they are of",
            remedy="Cut them alike, take --fit window, or see in the sheets whether --fit crop keeps what matters",
        )


def _shape(ratio: float) -> str:
    if 0.95 < ratio < 1.05:
        return "square"
    return f"{ratio:.1f} times as wide as high" if ratio > 1 else f"{1 / ratio:.1f} times as high as wide"


def _more(
    a: Domain,
    b: Domain,
    code: str,
    of: Callable[[Measurement], float],
    more: str,
    ways: tuple[str, str],
    remedy: str = _ALIKE,
) -> Iterator[Finding]:
    """That one domain has more of something; ``ways`` are what is done to an image by adding and by removing it."""
    values = [domain.values(of) for domain in (a, b)]
    if not differ(*values):
        return
    often = more_often(*values)
    high, low = (b, a) if often > 0.5 else (a, b)
    yield Finding(
        code=code,
        severity="warning" if remedy != _ALIKE else "note",
        what=f"An image of {high.title} is {more} than one of {low.title} {100 * max(often, 1 - often):.0f} times out "
        "of 100",
        consequence=f"the translator to {high.title} will learn to {ways[0]}, the one to {low.title} to {ways[1]}",
        remedy=remedy,
    )
