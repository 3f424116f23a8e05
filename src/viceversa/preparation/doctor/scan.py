"""All images of a data set measured: what there is to judge."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from viceversa.errors import DataError, PictureError
from viceversa.preparation.doctor.layout import Job, Kind, Layout, Split
from viceversa.preparation.doctor.measure import Measurement, measure, measure_halves, measure_pair
from viceversa.preparation.parallel import team

Progress: TypeAlias = Callable[[int, int], None]
"""Called with the number of images done and the number of all."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """One image, or one half of a pair, and what it measures."""

    name: str
    """As `Job.name`."""
    domain: Literal["A", "B"]
    split: Split
    file: Path
    page: int = 0
    """Which page of the file it is, from 0."""
    half: Literal["left", "right"] | None
    """Which half of the file it is; None where it is all of it."""
    contents: bytes
    """Hash of the file's bytes."""
    measured: Measurement


@dataclass(frozen=True, slots=True)
class Pair:
    """Two halves, and how they lie on one another; see `PairMeasurement`."""

    name: str
    """As `Job.name`."""
    a: Picture
    b: Picture
    shift: tuple[float, float]
    gain: float


@dataclass(frozen=True)
class Broken:
    """A file that cannot be used."""

    name: str
    domain: str
    split: Split
    """As of the `Job`."""
    reason: str
    """Why not, and what to do."""


@dataclass(frozen=True, kw_only=True)
class Inspected:
    """Everything that findings are made from."""

    layout: Layout
    pictures: tuple[Picture, ...]
    """What could be measured; both halves of a pair, one behind the other."""
    pairs: tuple[Pair, ...]
    broken: tuple[Broken, ...]
    """What could not be measured."""

    @property
    def kind(self) -> Kind:
        """Two domains, pairs or one domain."""
        return self.layout.kind

    def of(self, domain: str, split: Split | None = None) -> list[Picture]:
        """The images of a domain."""
        return [p for p in self.pictures if p.domain == domain and split in (None, p.split)]


def scan(layout: Layout, progress: Progress | None = None) -> Inspected:
    """Measures every image, on all cores; of each, 2 KB stay in memory.

    Raises:
        DataError: None of the images of a domain can be read.
        MissingExtra: imagehash is not installed.
    """
    pictures: list[Picture] = []
    pairs: list[Pair] = []
    broken: list[Broken] = []
    with team(0) as threads:
        for done, found in enumerate(threads.map(_attempt, layout.jobs), 1):
            if isinstance(found, Broken):
                broken.append(found)
            elif isinstance(found, Pair):
                pairs.append(found)
                pictures += [found.a, found.b]
            else:
                pictures.append(found)
            if progress is not None:
                progress(done, len(layout.jobs))
    for domain in dict.fromkeys(job.domain for job in layout.jobs):
        lost = [one for one in broken if one.domain == domain]
        if len(lost) == sum(job.domain == domain for job in layout.jobs):
            of = layout.place if domain == "AB" or len(layout.titles) == 1 else layout.titles[domain]
            what = "pairs" if domain == "AB" else "images"
            raise DataError(f"None of the {len(lost)} {what} of {of} can be read; {lost[0].name}: {lost[0].reason}")
    return Inspected(layout=layout, pictures=tuple(pictures), pairs=tuple(pairs), broken=tuple(broken))


def _attempt(job: Job) -> Picture | Pair | Broken:
    """What a job measures, or why it cannot be measured."""
    try:
        return _measured(job)
    except PictureError as error:
        text = str(error)
        for file in job.files:
            if text.startswith(f"{file}: "):
                return Broken(_name(job, file), job.domain, job.split, text.removeprefix(f"{file}: "))
        return Broken(job.name, job.domain, job.split, text)
    except OSError as error:
        file = next((file for file in job.files if str(file) == error.filename), job.files[0])
        return Broken(_name(job, file), job.domain, job.split, f"it cannot be opened ({error.strerror}).")


def _name(job: Job, file: Path) -> str:
    """What one of the files of a job is called, as `Job.name` calls the first."""
    root = str(job.files[0]).removesuffix(job.name)
    return job.name if file == job.files[0] else str(file).removeprefix(root)


def _measured(job: Job) -> Picture | Pair:
    pages = job.pages or (0,) * len(job.files)
    # Pages of one file are no copies of one another.
    contents = [_contents(file) + str(page or "").encode() for file, page in zip(job.files, pages, strict=True)]

    def picture(
        domain: Literal["A", "B"], found: Measurement, place: int = 0, half: Literal["left", "right"] | None = None
    ) -> Picture:
        return Picture(
            name=job.name,
            domain=domain,
            split=job.split,
            file=job.files[place],
            page=pages[place],
            half=half,
            contents=contents[place],
            measured=found,
        )

    if job.domain != "AB":
        return picture(job.domain, measure(job.files[0], pages[0]))
    if len(job.files) == 1:
        found = measure_halves(job.files[0], pages[0])
        a, b = picture("A", found.a, half="left"), picture("B", found.b, half="right")
    else:
        found = measure_pair(job.files[0], job.files[1], pages[0], pages[1])
        a, b = picture("A", found.a), picture("B", found.b, place=1)
    return Pair(job.name, a, b, found.shift, found.gain)


def _contents(file: Path) -> bytes:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=16)).digest()
