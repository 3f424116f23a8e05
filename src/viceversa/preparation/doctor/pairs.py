"""What can be wrong with pairs: halves of unequal size, without partner, beside one another, or of different things."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from viceversa.counts import count
from viceversa.data.halves import fitting
from viceversa.preparation.doctor.findings import Finding
from viceversa.preparation.doctor.measure import THUMB_PX
from viceversa.preparation.doctor.scan import Inspected, Pair, Picture
from viceversa.preparation.doctor.words import percent, some

_MOVED = 0.02  # of a side; less is a pixel or so of what was measured
_CLEAR, _LIKELY = 0.1, 0.05  # gains: of 260 good pairs none had 0.1, and one in forty 0.05
_SHARE = 0.05
_FEWEST = 50
_OTHERS = 8  # with how many wrong partners the right one is compared
_DEVIATIONS = 2.0  # of chance


def of_pairs(inspected: Inspected) -> Iterator[Finding]:
    """What there is to say of a data set of pairs."""
    if (rule := inspected.layout.rule) != "equal names":
        yield Finding(
            "matched",
            "note",
            f"Pairs were found by {rule}",
            "training finds them in the same way",
            "Look at them in the report",
        )
    if alone := inspected.layout.lonely:
        yield Finding(
            "lonely",
            "problem",
            f"{count(len(alone), 'image')} {'has' if len(alone) == 1 else 'have'} no partner of the same name",
            "training refuses them, since it cannot tell what belongs together",
            "Rename or remove them, or train on the others with --skip-unpaired",
            some(alone),
        )
    yield from _unequal(inspected.pairs)
    yield from _misaligned(inspected.pairs)
    if _are_unrelated(inspected.pairs):
        yield Finding(
            "unrelated",
            "warning",
            "The outlines of A fit those of their own B no better than those of any other",
            "if they do not belong together, there is nothing that could be learned",
            "Look at the pairs in the report; check that file names are numbered alike",
        )


def _unequal(pairs: Sequence[Pair]) -> Iterator[Finding]:
    """Halves that are not equally large: unfit for training, or one a multiple of the other."""
    unfit, multiple = list[str](), list[str]()
    for pair in pairs:
        a, b = pair.a.measured, pair.b.measured
        if (fits := fitting((a.height, a.width), (b.height, b.width))) != "equal":
            named = f"{pair.name} ({a.width} x {a.height} and {b.width} x {b.height} px)"
            (multiple if fits == "multiple" else unfit).append(named)
    if unfit:
        yield Finding(
            "unequal",
            "problem",
            f"The halves of {count(len(unfit), 'pair')} are not equally large",
            "training leaves these pairs out",
            "Make both equally large, or train with --fit stretch; a pair side by side needs an even width",
            some(unfit),
        )
    if multiple:
        yield Finding(
            "multiple",
            "note",
            f"In {count(len(multiple), 'pair')} one half is a multiple of the other",
            "training enlarges the smaller one to the size of the larger",
            "That is right for super-resolution",
            some(multiple),
        )


def _misaligned(pairs: Sequence[Pair]) -> Iterator[Finding]:
    """Halves whose edges fit better when one is moved."""
    found = moved(pairs)
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
        "misaligned",
        "warning",
        f"In {len(found)} of {count(len(pairs), 'pair')} the edges of B lie beside those of A{where}",
        "the loss compares pixel with pixel, so the result will be blurred or moved",
        "Look at them in the report, and align or remove them",
        some(f"{p.name} ({percent(max(map(abs, p.shift)))} of a side)" for p in found),
    )


def moved(pairs: Sequence[Pair]) -> list[Pair]:
    """The pairs that are misaligned, the clearest first; none where there are no more than chance brings."""
    away = [pair for pair in pairs if max(map(abs, pair.shift)) >= _MOVED]
    likely = [pair for pair in away if pair.gain >= _LIKELY]
    if len(likely) < max(3, _SHARE * len(pairs)):
        likely = [pair for pair in away if pair.gain >= _CLEAR]
    return sorted(likely, key=lambda pair: -pair.gain)


def _are_unrelated(pairs: Sequence[Pair]) -> bool:
    """Whether halves fit no better than any two."""
    if len(pairs) < _FEWEST:
        return False
    a, b = (np.stack(list(map(_outline, side))) for side in zip(*((pair.a, pair.b) for pair in pairs), strict=True))
    own = (a * b).sum(1)
    wins = np.mean([own > (a * np.roll(b, by, axis=0)).sum(1) for by in range(1, _OTHERS + 1)], axis=0)
    return wins.mean() < 0.5 + _DEVIATIONS * wins.std() / np.sqrt(len(wins))


def _outline(picture: Picture) -> NDArray[np.float64]:
    """Where its thumb has edges, (n,) of mean 0 and norm 1; all 0 where it has none."""
    grey = np.frombuffer(picture.measured.thumb, np.uint8).reshape(THUMB_PX, THUMB_PX, 3).mean(2)
    edges = np.hypot(*np.gradient(grey)).ravel()
    edges -= edges.mean()
    return edges / max(float(np.linalg.norm(edges)), 1e-9)
