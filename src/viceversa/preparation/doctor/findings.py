"""What is wrong with a data set, in words: what, what comes of it, what to do. Each check is a function by itself."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from viceversa.data import outside
from viceversa.data.reading import gathered, in_words
from viceversa.data.values import Spread
from viceversa.preparation.doctor.duplicates import Group
from viceversa.preparation.doctor.measure import DARK, WORK_PX
from viceversa.preparation.doctor.scan import Inspected, Picture
from viceversa.preparation.doctor.words import are, chosen, count, percent, some

Severity: TypeAlias = Literal["problem", "warning", "note"]

_FEW = 50
_ENLARGED = 0.5  # sharpness: what enlarging to twice the size leaves
_BLACK = 1 / 16  # of white: 12 bits that are stored in 16 reach no further
_POOR_JPEG = 50
_USUAL_PX = 256  # of a side in training, where an example of --size is given


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that is worth knowing before training."""

    code: str
    """What it is about, for programs: "leak", "dark" ..."""

    severity: Severity
    """A problem spoils training or its measures, a warning will be learned, a note may be meant so."""

    what: str
    """What was found."""

    consequence: str
    """What comes of it."""

    remedy: str
    """What to do."""

    examples: tuple[str, ...] = ()
    """Names of some of the images."""

    def __str__(self) -> str:
        return f"{self.what}: {self.consequence}. {self.remedy}."


def within(inspected: Inspected, groups: Sequence[Group]) -> Iterator[Finding]:
    """What there is to say of each domain by itself, and of files."""
    yield from broken(inspected)
    yield from pages(inspected)
    yield from copies(groups)
    yield from leaks(inspected, groups)
    if inspected.kind == "unpaired":
        yield from in_both(inspected, groups)
    for letter, title in inspected.layout.titles.items():
        pictures = inspected.of(letter, "train")
        if inspected.kind == "unpaired":
            yield from few(pictures, f"image of {title}", f"images of {title}")
        elif letter == "A":
            yield from few(pictures, *(("pair", "pairs") if inspected.kind == "paired" else ("image", "images")))
        for check in (small, elongated, partly_grey, black, poorly_stored, enlarged, label_maps, ranges, changed):
            yield from check(pictures, f"the images of {title}")
        if inspected.kind != "paired":  # a plain part of a label map is no bar
            yield from bordered(pictures, f"the images of {title}")


def broken(inspected: Inspected) -> Iterator[Finding]:
    """Files that cannot be read."""
    if lost := inspected.broken:
        total, noun = len(inspected.layout.jobs), "pair" if inspected.kind == "paired" else "file"
        yield Finding(
            code="broken",
            severity="warning",
            what=f"{len(lost)} of {count(total, noun)} cannot be read",
            consequence="training leaves them out, or stops at them with --strict",
            remedy="Replace or remove them",
            examples=some(f"{one.name} ({one.reason.split(';')[0].rstrip('.')})" for one in lost),
        )


def pages(inspected: Inspected) -> Iterator[Finding]:
    """Files of several pages."""
    if uneven := inspected.layout.uneven:
        yield Finding(
            code="uneven-pages",
            severity="problem",
            what=f"{count(len(uneven), 'pair')} of files {are(len(uneven))} of different numbers of pages",
            consequence="page n of A belongs to page n of B, so training refuses them",
            remedy="Make them equally many, or take only the first of each with --pages first",
            examples=some(line.partition(":")[0] for line in uneven),
        )
    found = [job for job in inspected.layout.jobs if job.pages]
    if found:
        files = len({job.files for job in found})
        yield Finding(
            code="pages",
            severity="note",
            what=f"{count(files, 'file')} {'has' if files == 1 else 'have'} several pages, {len(found):,} in all",
            consequence="each page is trained on as an image of its own",
            remedy="If that is not meant, train with --pages channels or first",
            examples=some(job.name for job in found),
        )


def label_maps(pictures: Sequence[Picture], which: str) -> Iterator[Finding]:
    """Label maps that JPEG has spoilt; of others training says how they are resized."""
    is_so = np.array([picture.measured.labels == "lossy" for picture in pictures], bool)
    if len(is_so) and is_so.mean() >= 0.5:
        yield Finding(
            code="jpeg-labels",
            severity="warning",
            what=f"{percent(is_so.mean())} of {which} look like label maps that were stored as JPEG",
            consequence="JPEG has given them fringes of colors that are no class",
            remedy="Take the lossless originals if there are any",
            examples=chosen(pictures, is_so),
        )


def ranges(pictures: Sequence[Picture], which: str) -> Iterator[Finding]:
    """Values without a usual range, which training has to be told."""
    found = [picture.measured.spread for picture in pictures]
    known = [spread for spread in found if spread is not None]
    if known:
        marks = Counter(spread.nodata for spread in known if spread.nodata is not None)
        whole = Spread(
            low=min(spread.low for spread in known),
            high=max(spread.high for spread in known),
            nodata=marks.most_common(1)[0][0] if marks else None,
        )
        side = pictures[0].domain.lower()
        yield Finding(
            code="range",
            severity="warning",
            what=f"Of {which} {len(known)} of {len(found)} have values without a usual range, in all from "
            f"{whole.low:g} to {whole.high:g}",
            consequence="training does not know which of them are black and white, and refuses them; here each was "
            "measured scaled by its own range",
            remedy=f"Train with {whole.options(side)}, or with another range that says what matters",
            examples=chosen(pictures, np.array([spread is not None for spread in found], bool)),
        )


def changed(pictures: Sequence[Picture], which: str) -> Iterator[Finding]:
    """What of the files training does not use, or changes."""
    counted = gathered((picture.name, 0, dict.fromkeys(picture.measured.remarks, 1)) for picture in pictures)
    for remark, line in zip(counted, in_words(counted), strict=True):
        has = np.array([remark.kind in picture.measured.remarks for picture in pictures], bool)
        yield Finding(
            code=f"file-{remark.kind}",
            severity="note",
            what=f"Of {which} {line.rpartition(' (')[0]}",
            consequence="that is what training looks at",
            remedy="Change the files if it is not meant so",
            examples=chosen(pictures, has),
        )


def copies(groups: Sequence[Group]) -> Iterator[Finding]:
    """Images that are in the same part of a domain more than once."""
    for exact, words in (True, "byte for byte"), (False, "but for size, encoding or brightness"):
        found = [same for group in groups if group.is_exact == exact for same in within_one_part(group)]
        extra = sum(len(same) - 1 for same in found)
        if not extra:
            continue
        yield Finding(
            code="copies" if exact else "near-copies",
            severity="warning",
            what=f"{count(extra, 'image')} {'is a copy of another' if extra == 1 else 'are copies of others'}, {words}",
            consequence="what is there several times counts several times, and is learnt by heart",
            remedy="Keep one of each; the report and --json list them all",
            examples=some(" = ".join(picture.name for picture in same[:3]) for same in found),
        )


def leaks(inspected: Inspected, groups: Sequence[Group]) -> Iterator[Finding]:
    """Test images that are trained on."""
    for letter, title in inspected.layout.titles.items():
        known = [(twin, test) for group in groups for twin, test in leaked(group, letter)]
        if not known or (inspected.kind == "paired" and letter == "B"):
            continue
        of = "pairs" if inspected.kind == "paired" else f"images of {title}"
        total = len(inspected.of(letter, "test"))
        yield Finding(
            code="leak",
            severity="problem",
            what=f"{len(known)} of {total} {of} for testing {are(len(known))} among those for training too",
            consequence="what is measured on them is better than it will be on new images",
            remedy="Take them out of one of the two",
            examples=some(f"{test.name} = {twin.name}" for twin, test in known),
        )


def leaked(group: Group, domain: str) -> Iterator[tuple[Picture, Picture]]:
    """Of one domain, each test image of the group and a training image that is the same."""
    members = [picture for picture in group.pictures if picture.domain == domain]
    twin = next((picture for picture in members if picture.split == "train"), None)
    if twin is not None:
        yield from ((twin, picture) for picture in members if picture.split == "test")


def in_both(inspected: Inspected, groups: Sequence[Group]) -> Iterator[Finding]:
    """Images that are in A and in B."""
    found = [pair for group in groups if (pair := across(group))]
    if found:
        a, b = inspected.layout.titles["A"], inspected.layout.titles["B"]
        yield Finding(
            code="both",
            severity="problem",
            what=f"{count(len(found), 'image')} {are(len(found))} in {a} and in {b}",
            consequence="they are shown as examples of both, so what tells the two apart is blurred",
            remedy="Take each out of the domain where it does not belong",
            examples=some(f"{one.name} = {other.name}" for one, other in found),
        )


def across(group: Group) -> tuple[Picture, Picture] | None:
    """An image of A and one of B that are the same."""
    sides = [next((picture for picture in group.pictures if picture.domain == letter), None) for letter in "AB"]
    return (sides[0], sides[1]) if sides[0] and sides[1] else None


def few(pictures: Sequence[Picture], one: str, several: str) -> Iterator[Finding]:
    """Too few images to train on; ``one`` and ``several`` are what they are called."""
    number = len(pictures)
    if number < _FEW:
        none = number < 2
        yield Finding(
            code="few",
            severity="problem" if none else "warning",
            what=f"There {are(number)} {'only ' if none else ''}{number} {one if number == 1 else several} to train on",
            consequence="training takes two or more" if none else "a discriminator learns so few by heart",
            remedy="Add more of the same kind; a few hundred are a start",
        )


def small(pictures: Sequence[Picture], which: str) -> Iterator[Finding]:
    """Some images are much smaller than the others."""
    sides = np.array([min(picture.measured.width, picture.measured.height) for picture in pictures])
    usual = float(np.median(sides)) if len(sides) else 0
    less = sides < 0.6 * usual
    if less.any():
        yield Finding(
            code="small",
            severity="note",
            what=f"{percent(less.mean())} of {which} are smaller than the rest, down to {sides.min()} px on the short "
            f"side where {usual:.0f} is usual",
            consequence=f"training at a --size above {sides.min()} leaves them out, or blurs them with --enlarge",
            remedy="Replace them by larger ones, or remove them",
            examples=chosen(pictures, less),
        )


def elongated(pictures: Sequence[Picture], which: str) -> Iterator[Finding]:
    """The middle square leaves much out."""
    sides = np.array([(picture.measured.height, picture.measured.width) for picture in pictures])
    lost = outside.shares(sides, 1) if len(sides) else np.empty(0)
    if len(lost) and lost.mean() >= outside.NOTICEABLE:
        yield Finding(
            code="elongated",
            severity="note",
            what=f"The middle square of {which} leaves out {percent(lost.mean())} of them",
            consequence="at a square --size training never sees what is there",
            remedy=f"Cut them to what matters, or train in another way: {outside.remedy(sides, _USUAL_PX)}",
            examples=chosen(pictures, lost >= np.median(lost)),
        )


def bordered(pictures: Sequence[Picture], which: str) -> Iterator[Finding]:
    """Bars around the image."""
    has = np.array([max(picture.measured.borders) > 0 for picture in pictures], bool)
    if has.sum() >= 3 and has.mean() >= 0.01:
        yield Finding(
            code="borders",
            severity="warning",
            what=f"{percent(has.mean())} of {which} have plain bars at their edges",
            consequence="bars will be learned as a part of the images",
            remedy="Cut them off; viceversa prepare does",
            examples=chosen(pictures, has),
        )


def partly_grey(pictures: Sequence[Picture], which: str) -> Iterator[Finding]:
    """Some are without colour."""
    grey = np.array([picture.measured.is_grey for picture in pictures], bool)
    if grey.sum() >= 3 and 0.05 <= grey.mean() <= 0.95:
        yield Finding(
            code="grey",
            severity="note",
            what=f"{percent(grey.mean())} of {which} have no colour",
            consequence="what comes out will be without colour now and then",
            remedy="Remove them, or train in grey",
            examples=chosen(pictures, grey),
        )


def black(pictures: Sequence[Picture], which: str) -> Iterator[Finding]:
    """Values that fill a corner of their range."""
    brightness = np.array([picture.measured.brightness for picture in pictures])
    if len(brightness) and np.median(brightness) < _BLACK:
        yield Finding(
            code="black",
            severity="warning",
            what=f"Half of {which} have {percent(np.median(brightness))} of white or less on average",
            consequence="networks see next to nothing in them, since values count from black to the most that the file "
            "could hold",
            remedy="If they are 10 or 12 bits in 16, or floats that do not reach 1, scale them up to the whole range",
            examples=chosen(pictures, brightness <= np.median(brightness)),
        )


def poorly_stored(pictures: Sequence[Picture], which: str) -> Iterator[Finding]:
    """Strongly compressed JPEGs."""
    quality = np.array([picture.measured.jpeg_quality or 100 for picture in pictures])
    if len(quality) and np.median(quality) < _POOR_JPEG:
        yield Finding(
            code="jpeg",
            severity="note",
            what=f"Half of {which} are JPEGs of quality {np.median(quality):.0f} or less",
            consequence="blocks and rims around edges will be learned as part of the images",
            remedy="Look for less compressed originals, or train at half their size",
            examples=chosen(pictures, quality <= np.median(quality)),
        )


def enlarged(pictures: Sequence[Picture], which: str) -> Iterator[Finding]:
    """Blurred, or made larger than they were."""
    sharpness = np.array([picture.measured.sharpness for picture in pictures])
    known = sharpness[~np.isnan(sharpness)]
    if len(known) and np.median(known) < _ENLARGED:
        sides = [min(WORK_PX, picture.measured.width, picture.measured.height) for picture in pictures]
        half = max(32, round(np.median(sides) / 64) * 32)  # a U-Net of the recipes takes multiples of 32
        yield Finding(
            code="enlarged",
            severity="note",
            what=f"Most of {which} are as soft as if they had been enlarged to twice their size or more",
            consequence="fine detail cannot be learned, for there is none",
            remedy=f"Train at --size {half} for a quarter of the time, or look for sharper originals",
            examples=chosen(pictures, sharpness <= np.median(known)),
        )


def share_dark(pictures: Sequence[Picture]) -> float:
    """How many of the images are dark."""
    return float(np.mean([picture.measured.brightness < DARK for picture in pictures])) if pictures else 0.0


def within_one_part(group: Group) -> Iterator[list[Picture]]:
    """The images of a group that are in the same part of the same domain, where there are several."""
    parts: dict[tuple[str, str], list[Picture]] = {}
    for picture in group.pictures:
        parts.setdefault((picture.domain, picture.split), []).append(picture)
    yield from (part for part in parts.values() if len(part) > 1)
