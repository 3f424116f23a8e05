"""What can be wrong with pairs: halves of unequal size, without partner, beside one another, or of different things."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from viceversa.data.halves import fitting
from viceversa.preparation.doctor.findings import Finding
from viceversa.preparation.doctor.measure import THUMB_PX
from viceversa.preparation.doctor.scan import Inspected, Pair
from viceversa.preparation.doctor.words import count, percent, some

_MOVED = 0.02  # of a side; less is a pixel or so of what was measured
_CLEAR, _LIKELY = 0.1, 0.05  # gains: of 260 good pairs none had 0.1, and one in forty 0.05
_SHARE = 0.05
_FEWEST = 50
_OTHERS = 8  # with how many wrong partners the right one is compared
_DEVIATIONS = 2.0  # of chance


def of_pairs(inspected: Inspected) -> Iterator[Finding]:
    """What there is to say of a data set of pairs."""
    for check in (matched, lonely, unequal, misaligned, unrelated):
        yield from check(inspected)


def matched(inspected: Inspected) -> Iterator[Finding]:
    """By what names pairs were found, where they are not simply equal."""
    if (rule := inspected.layout.rule) != "equal names":
        yield Finding(
            code="matched",
            severity="note",
            what=f"Pairs were found by {rule}",
            consequence="training finds them in the same way",
            remedy="Look at them in the report",
        )


def lonely(inspected: Inspected) -> Iterator[Finding]:
    """Halves without a partner."""
    if alone := inspected.layout.lonely:
        yield Finding(
            code="lonely",
            severity="problem",
            what=f"{count(len(alone), 'image')} {'has' if len(alone) == 1 else 'have'} no partner of the same name",
            consequence="training refuses them, since it cannot tell what belongs together",
            remedy="Rename or remove them, or train on the others with --skip-unpaired",
            examples=some(alone),
        )


def unequal(inspected: Inspected) -> Iterator[Finding]:
    """Halves that are not equally large: one a multiple of the other, or unfit for training."""
    found: dict[bool, list[str]] = {True: [], False: []}
    for pair in inspected.pairs:
        a, b = (inspected.pictures[place].measured for place in (pair.a, pair.b))
        if (fits := fitting((a.height, a.width), (b.height, b.width))) != "equal":
            found[fits == "multiple"].append(f"{pair.name} ({a.width} x {a.height} and {b.width} x {b.height} px)")
    if pairs := found[False]:
        yield Finding(
            code="unequal",
            severity="problem",
            what=f"The halves of {count(len(pairs), 'pair')} are not equally large",
            consequence="training leaves these pairs out",
            remedy="Make both equally large, or train with --fit stretch; a pair side by side needs an even width",
            examples=some(pairs),
        )
    if pairs := found[True]:
        yield Finding(
            code="multiple",
            severity="note",
            what=f"In {count(len(pairs), 'pair')} one half is a multiple of the other",
            consequence="training enlarges the smaller one to the size of the larger",
            remedy="That is right for super-resolution",
            examples=some(pairs),
        )


def misaligned(inspected: Inspected) -> Iterator[Finding]:
    """Halves whose edges fit better when one is moved."""
    found = moved(inspected.pairs)
    if not found:
        return
    right, down = np.median([pair.shift for pair in found], axis=0)
    way = [
        f"{percent(abs(by))} {word}"
        for by, word in ((right, "right" if right > 0 else "left"), (down, "down" if down > 0 else "up"))
        if abs(by) >= _MOVED / 2
    ]
    where = f" (B lies {' and '.join(way)} of A, in the middle)" if way else ""
    yield Finding(
        code="misaligned",
        severity="warning",
        what=f"In {len(found)} of {count(len(inspected.pairs), 'pair')} the edges of B lie beside those of A{where}",
        consequence="the loss compares pixel with pixel, so the result will be blurred or moved",
        remedy="Look at them in the report, and align or remove them",
        examples=some(f"{p.name} ({percent(max(map(abs, p.shift)))} of a side)" for p in found),
    )


def moved(pairs: Sequence[Pair]) -> list[Pair]:
    """The pairs that are misaligned, the clearest first; none where there are no more than chance brings."""
    away = [pair for pair in pairs if max(map(abs, pair.shift)) >= _MOVED]
    likely = [pair for pair in away if pair.gain >= _LIKELY]
    if len(likely) < max(3, _SHARE * len(pairs)):
        likely = [pair for pair in away if pair.gain >= _CLEAR]
    return sorted(likely, key=lambda pair: -pair.gain)


def unrelated(inspected: Inspected) -> Iterator[Finding]:
    """Halves that fit no better than any two."""
    if len(inspected.pairs) < _FEWEST:
        return
    a, b = (
        np.stack([_outline(inspected.pictures[place].measured.thumb) for place in places])
        for places in ([pair.a for pair in inspected.pairs], [pair.b for pair in inspected.pairs])
    )
    own = (a * b).sum(1)
    wins = np.mean([own > (a * np.roll(b, by, axis=0)).sum(1) for by in range(1, _OTHERS + 1)], axis=0)
    if wins.mean() < 0.5 + _DEVIATIONS * wins.std() / np.sqrt(len(wins)):
        yield Finding(
            code="unrelated",
            severity="warning",
            what="The outlines of A fit those of their own B no better than those of any other",
            consequence="if they do not belong together, there is nothing that could be learned",
            remedy="Look at the pairs in the report; check that file names are numbered alike",
        )


def _outline(thumb: bytes) -> NDArray[np.float64]:
    """Where a thumb has edges, (n,) of mean 0 and norm 1; all 0 where it has none."""
    grey = np.frombuffer(thumb, np.uint8).reshape(THUMB_PX, THUMB_PX, 3).mean(2)
    edges = np.hypot(*np.gradient(grey)).ravel()
    edges -= edges.mean()
    return edges / max(float(np.linalg.norm(edges)), 1e-9)
