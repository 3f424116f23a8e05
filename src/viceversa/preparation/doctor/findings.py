"""What is wrong with a data set, in words: what was found, what comes of it, what to do."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from viceversa.counts import are, count
from viceversa.data import outside
from viceversa.data.reading import gathered, in_words
from viceversa.data.values import Spread
from viceversa.preparation.doctor.duplicates import Group
from viceversa.preparation.doctor.measure import DARK, WORK_PX, Measurement
from viceversa.preparation.doctor.scan import Inspected, Picture
from viceversa.preparation.doctor.words import chosen, percent, some

Severity: TypeAlias = Literal["problem", "warning", "note"]

_FEW = 50
_ENLARGED = 0.5  # sharpness: what enlarging to twice the size leaves
_BLACK = 1 / 16  # of white: 12 bits that are stored in 16 reach no further
_POOR_JPEG = 50
_USUAL_PX = 256  # of a side in training, where an example of --size is given


@dataclass(frozen=True)
class Finding:
    """One thing that is worth knowing before training."""

    code: str
    """What it is about, for programs: "leak", "dark" ..."""
    severity: Severity
    """A problem spoils training or its measures, a warning will be learned, a note may be meant so."""
    what: str
    consequence: str
    remedy: str
    examples: tuple[str, ...] = ()
    """Names of some of the images."""

    def __str__(self) -> str:
        return f"{self.what}: {self.consequence}. {self.remedy}."


def within(inspected: Inspected, groups: Sequence[Group]) -> Iterator[Finding]:
    """What there is to say of files, of copies, and of each domain by itself."""
    yield from _of_files(inspected)
    yield from _of_copies(inspected, groups)
    for letter, title in inspected.layout.titles.items():
        pictures = inspected.of(letter, "train")
        if (number := len(pictures)) < _FEW and not (inspected.kind == "paired" and letter == "B"):
            what = count(number, "pair" if inspected.kind == "paired" else "image")
            of = f" of {title}" if inspected.kind == "unpaired" else ""
            too_few = number < 2
            yield Finding(
                "few",
                "problem" if too_few else "warning",
                f"There {are(number)} {'only ' if too_few else ''}{what}{of} to train on",
                "training takes two or more" if too_few else "a discriminator learns so few by heart",
                "Add more of the same kind; a few hundred are a start",
            )
        if pictures:
            yield from _of_shapes(pictures, f"the images of {title}")
            yield from _of_pixels(pictures, f"the images of {title}", bars=inspected.kind != "paired")


def _of_files(inspected: Inspected) -> Iterator[Finding]:
    """Files that cannot be read, and files of several pages."""
    if lost := inspected.broken:
        noun = "pair" if inspected.kind == "paired" else "file"
        yield Finding(
            "broken",
            "warning",
            f"{len(lost)} of {count(len(inspected.layout.jobs), noun)} cannot be read",
            "training leaves them out, or stops at them with --strict",
            "Replace or remove them",
            some(f"{one.name} ({one.reason.split(';')[0].rstrip('.')})" for one in lost),
        )
    if uneven := inspected.layout.uneven:
        yield Finding(
            "uneven-pages",
            "problem",
            f"{count(len(uneven), 'pair')} of files {are(len(uneven))} of different numbers of pages",
            "page n of A belongs to page n of B, so training refuses them",
            "Make them equally many, or take only the first of each with --pages first",
            some(line.partition(":")[0] for line in uneven),
        )
    if found := [job for job in inspected.layout.jobs if job.pages]:
        files = len({job.files for job in found})
        yield Finding(
            "pages",
            "note",
            f"{count(files, 'file')} {'has' if files == 1 else 'have'} several pages, {len(found):,} in all",
            "each page is trained on as an image of its own",
            "If that is not meant, train with --pages channels or first",
            some(job.name for job in found),
        )


def _of_copies(inspected: Inspected, groups: Sequence[Group]) -> Iterator[Finding]:
    """Images that are there more than once: in one part of a domain, in training and testing, in A and B."""
    for exact, words in (True, "byte for byte"), (False, "but for size, encoding or brightness"):
        found = [same for group in groups if group.is_exact == exact for same in group.within_one_part()]
        if extra := sum(len(same) - 1 for same in found):
            yield Finding(
                "copies" if exact else "near-copies",
                "warning",
                f"{count(extra, 'image')} {'is a copy of another' if extra == 1 else 'are copies of others'}, {words}",
                "what is there several times counts several times, and is learnt by heart",
                "Keep one of each; the report and --json list them all",
                some(" = ".join(picture.name for picture in same[:3]) for same in found),
            )
    titles = inspected.layout.titles
    paired = inspected.kind == "paired"
    for letter in ["A"] if paired else titles:
        if known := [pair for group in groups for pair in group.leaked(letter)]:
            of = "pairs" if paired else f"images of {titles[letter]}"
            yield Finding(
                "leak",
                "problem",
                f"{len(known)} of {len(inspected.of(letter, 'test'))} {of} for testing {are(len(known))} among those "
                "for training too",
                "what is measured on them is better than it will be on new images",
                "Take them out of one of the two",
                some(f"{test.name} = {twin.name}" for twin, test in known),
            )
    both = [pair for group in groups if (pair := group.across())] if inspected.kind == "unpaired" else []
    if both:
        yield Finding(
            "both",
            "problem",
            f"{count(len(both), 'image')} {are(len(both))} in {titles['A']} and in {titles['B']}",
            "they are shown as examples of both, so what tells the two apart is blurred",
            "Take each out of the domain where it does not belong",
            some(f"{one.name} = {other.name}" for one, other in both),
        )


def _of_shapes(pictures: Sequence[Picture], which: str) -> Iterator[Finding]:
    """Sizes and shapes of the images of one domain, which are called ``which``."""
    sides = np.array([(picture.measured.height, picture.measured.width) for picture in pictures])
    short = sides.min(1)
    usual = float(np.median(short))
    less = short < 0.6 * usual
    if less.any():
        yield Finding(
            "small",
            "note",
            f"{percent(less.mean())} of {which} are smaller than the rest, down to {short.min()} px on the short "
            f"side where {usual:.0f} is usual",
            f"training at a --size above {short.min()} leaves them out, or blurs them with --enlarge",
            "Replace them by larger ones, or remove them",
            chosen(pictures, less),
        )
    lost = outside.shares(sides, 1)
    if lost.mean() >= outside.NOTICEABLE:
        yield Finding(
            "elongated",
            "note",
            f"The middle square of {which} leaves out {percent(lost.mean())} of them",
            "at a square --size training never sees what is there",
            f"Cut them to what matters, or train in another way: {outside.remedy(sides, _USUAL_PX)}",
            chosen(pictures, lost >= np.median(lost)),
        )


def _of_pixels(pictures: Sequence[Picture], which: str, *, bars: bool) -> Iterator[Finding]:
    """What one domain's files hold; without ``bars`` borders are no fault."""

    def each(of: Callable[[Measurement], Any]) -> NDArray[Any]:
        return np.array([of(picture.measured) for picture in pictures])

    grey = each(lambda m: m.is_grey)
    if grey.sum() >= 3 and 0.05 <= grey.mean() <= 0.95:
        yield Finding(
            "grey",
            "note",
            f"{percent(grey.mean())} of {which} have no colour",
            "what comes out will be without colour now and then",
            "Remove them, or train in grey",
            chosen(pictures, grey),
        )
    brightness = each(lambda m: m.brightness)
    if (middle := np.median(brightness)) < _BLACK:
        yield Finding(
            "black",
            "warning",
            f"Half of {which} have {percent(middle)} of white or less on average",
            "networks see next to nothing in them, since values count from black to the most that the file could hold",
            "If they are 10 or 12 bits in 16, or floats that do not reach 1, scale them up to the whole range",
            chosen(pictures, brightness <= middle),
        )
    quality = each(lambda m: m.jpeg_quality or 100)
    if (middle := np.median(quality)) < _POOR_JPEG:
        yield Finding(
            "jpeg",
            "note",
            f"Half of {which} are JPEGs of quality {middle:.0f} or less",
            "blocks and rims around edges will be learned as part of the images",
            "Look for less compressed originals, or train at half their size",
            chosen(pictures, quality <= middle),
        )
    sharpness = each(lambda m: m.sharpness)
    known = sharpness[~np.isnan(sharpness)]
    if len(known) and (middle := np.median(known)) < _ENLARGED:
        half = max(32, round(np.median(each(lambda m: min(WORK_PX, m.width, m.height))) / 64) * 32)
        yield Finding(
            "enlarged",
            "note",
            f"Most of {which} are as soft as if they had been enlarged to twice their size or more",
            "fine detail cannot be learned, for there is none",
            # A U-Net of the recipes takes multiples of 32.
            f"Train at --size {half} for a quarter of the time, or look for sharper originals",
            chosen(pictures, sharpness <= middle),
        )
    spoilt = each(lambda m: m.labels == "lossy")
    if spoilt.mean() >= 0.5:  # of other label maps training says how they are resized
        yield Finding(
            "jpeg-labels",
            "warning",
            f"{percent(spoilt.mean())} of {which} look like label maps that were stored as JPEG",
            "JPEG has given them fringes of colors that are no class",
            "Take the lossless originals if there are any",
            chosen(pictures, spoilt),
        )
    yield from _ranges(pictures, which)
    counted = gathered((picture.name, 0, dict.fromkeys(picture.measured.remarks, 1)) for picture in pictures)
    for remark, line in zip(counted, in_words(counted), strict=True):
        yield Finding(
            f"file-{remark.kind}",
            "note",
            f"Of {which} {line.rpartition(' (')[0]}",
            "that is what training looks at",
            "Change the files if it is not meant so",
            chosen(pictures, np.array([remark.kind in picture.measured.remarks for picture in pictures])),
        )
    barred = each(lambda m: max(m.borders) > 0)
    if bars and barred.sum() >= 3 and barred.mean() >= 0.01:
        yield Finding(
            "borders",
            "warning",
            f"{percent(barred.mean())} of {which} have plain bars at their edges",
            "bars will be learned as a part of the images",
            "Cut them off; viceversa prepare does",
            chosen(pictures, barred),
        )


def _ranges(pictures: Sequence[Picture], which: str) -> Iterator[Finding]:
    """Values without a usual range, which training has to be told."""
    found = [picture.measured.spread for picture in pictures]
    known = [spread for spread in found if spread is not None]
    if not known:
        return
    marks = Counter(spread.nodata for spread in known if spread.nodata is not None)
    whole = Spread(
        low=min(spread.low for spread in known),
        high=max(spread.high for spread in known),
        nodata=marks.most_common(1)[0][0] if marks else None,
    )
    yield Finding(
        "range",
        "warning",
        f"Of {which} {len(known)} of {len(found)} have values without a usual range, in all from {whole.low:g} to "
        f"{whole.high:g}",
        "training does not know which of them are black and white, and refuses them; here each was measured scaled by "
        "its own range",
        f"Train with {whole.options(pictures[0].domain.lower())}, or with another range that says what matters",
        chosen(pictures, np.array([spread is not None for spread in found])),
    )


def share_dark(pictures: Sequence[Picture]) -> float:
    """How many of the images are dark."""
    return float(np.mean([picture.measured.brightness < DARK for picture in pictures])) if pictures else 0.0
