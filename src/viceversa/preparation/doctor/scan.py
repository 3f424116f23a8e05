"""All images of a data set measured: what there is to judge."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from viceversa.errors import DataError, PictureError
from viceversa.preparation.doctor.layout import Job, Kind, Layout, Split
from viceversa.preparation.doctor.measure import Measurement, PairMeasurement, measure, measure_halves, measure_pair
from viceversa.preparation.parallel import team

Progress: TypeAlias = Callable[[int, int], None]
"""Called with the number of images done and the number of all."""

Side: TypeAlias = Literal["A", "B"]
Half: TypeAlias = Literal["left", "right"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """One image, or one half of a pair, and what it measures."""

    name: str
    """As `Job.name`."""

    domain: Side
    """Where it belongs."""

    split: Split
    """What it is for."""

    file: Path
    """The file."""

    half: Half | None
    """Which half of the file it is; None where it is all of it."""

    contents: bytes
    """Hash of the file's bytes."""

    measured: Measurement
    """What it measures."""

    page: int = 0
    """Which page of the file it is, from 0."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """How the halves of a pair lie on one another; see `PairMeasurement`."""

    name: str
    """As `Job.name`."""

    split: Split
    """What it is for."""

    a: int
    """Place of A's half in `Inspected.pictures`."""

    b: int
    """Place of B's half."""

    shift: tuple[float, float]
    """How far B lies to the right of and below A, as shares of width and height."""

    gain: float
    """What shifting it back brings."""


@dataclass(frozen=True, kw_only=True)
class Broken:
    """A file that cannot be used."""

    name: str
    """As `Job.name`."""

    domain: str
    """As `Job.domain`."""

    split: Split
    """What it would be for."""

    reason: str
    """Why not, and what to do."""


@dataclass(frozen=True, kw_only=True)
class Inspected:
    """Everything that findings are made from."""

    layout: Layout
    """What was looked at."""

    pictures: tuple[Picture, ...]
    """What could be measured; both halves of a pair, one behind the other."""

    pairs: tuple[Pair, ...]
    """What could be measured of pairs."""

    broken: tuple[Broken, ...]
    """What could not."""

    @property
    def kind(self) -> Kind:
        """Two heaps, pairs or one heap."""
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
        results = threads.map(_attempt, layout.jobs)
        for done, (job, result) in enumerate(zip(layout.jobs, results, strict=True), 1):
            if isinstance(result, _Fault):
                broken.append(
                    Broken(name=_name(job, result.place), domain=job.domain, split=job.split, reason=result.reason)
                )
            else:
                contents, measured = result
                pictures += _pictures(job, contents, measured)
                if isinstance(measured, PairMeasurement):
                    at = len(pictures)
                    pairs.append(
                        Pair(
                            name=job.name,
                            split=job.split,
                            a=at - 2,
                            b=at - 1,
                            shift=measured.shift,
                            gain=measured.gain,
                        )
                    )
            if progress is not None:
                progress(done, len(layout.jobs))
    for domain in {job.domain: None for job in layout.jobs}:
        lost = [one for one in broken if one.domain == domain]
        if len(lost) == sum(job.domain == domain for job in layout.jobs):
            of = layout.place if domain == "AB" or len(layout.titles) == 1 else layout.titles[domain]
            what = "pairs" if domain == "AB" else "images"
            raise DataError(f"None of the {len(lost)} {what} of {of} can be read; {lost[0].name}: {lost[0].reason}")
    return Inspected(layout=layout, pictures=tuple(pictures), pairs=tuple(pairs), broken=tuple(broken))


@dataclass(frozen=True)
class _Fault:
    """Why a job cannot be measured, and which of its files is to blame."""

    reason: str
    place: int = 0


_Result: TypeAlias = tuple[list[bytes], Measurement | PairMeasurement] | _Fault


def _name(job: Job, place: int) -> str:
    """What one of the files of a job is called, as `Job.name` calls the first."""
    root = str(job.files[0]).removesuffix(job.name)
    return str(job.files[place]).removeprefix(root) if place else job.name


def _attempt(job: Job) -> _Result:
    """What a job measures, or why it cannot be measured."""
    try:
        pages = job.pages or (0,) * len(job.files)
        # Pages of one file are no copies of one another.
        contents = [_contents(file) + str(page or "").encode() for file, page in zip(job.files, pages, strict=True)]
        if job.domain != "AB":
            return contents, measure(job.files[0], pages[0])
        if len(job.files) == 1:
            return contents, measure_halves(job.files[0], pages[0])
        return contents, measure_pair(job.files[0], job.files[1], pages[0], pages[1])
    except PictureError as error:
        text = str(error)
        for place, file in enumerate(job.files):
            if text.startswith(f"{file}: "):
                return _Fault(text.removeprefix(f"{file}: "), place)
        return _Fault(text)
    except OSError as error:
        named = [place for place, file in enumerate(job.files) if str(file) == error.filename]
        return _Fault(f"it cannot be opened ({error.strerror}).", *named[:1])


def _contents(file: Path) -> bytes:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=16)).digest()


def _pictures(job: Job, contents: list[bytes], measured: Measurement | PairMeasurement) -> list[Picture]:
    def picture(domain: Side, place: int, half: Half | None, found: Measurement) -> Picture:
        return Picture(
            name=job.name,
            domain=domain,
            split=job.split,
            file=job.files[place],
            page=job.pages[place] if job.pages else 0,
            half=half,
            contents=contents[place],
            measured=found,
        )

    if isinstance(measured, Measurement):
        return [picture("B" if job.domain == "B" else "A", 0, None, measured)]
    if len(job.files) == 1:
        return [picture("A", 0, "left", measured.a), picture("B", 0, "right", measured.b)]
    return [picture("A", 0, None, measured.a), picture("B", 1, None, measured.b)]
