"""Which images of a folder none of several runs has trained on.

What a run holds out, for want of a test folder, follows from the names of the images that it could use: at another
size those are others, so two runs on one folder may each train on what the other holds out.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from viceversa.data.pictures import Dataset, PairedPictures, UnpairedPictures
from viceversa.data.sources import Decoded, PairedData, PictureData, UnpairedData, held_out

Opened = UnpairedPictures | PairedPictures
_FEWEST = 2  # of a domain, to be measured


@dataclass(frozen=True, kw_only=True)
class Use:
    """What a run made of the files of a folder."""

    trained_on: frozenset[Path]
    held_out: frozenset[Path]

    @classmethod
    def of(cls, data: PictureData) -> "Use":
        """From the settings of its images, which are in the cache as it trained on them, or are decoded again."""
        parts = _parts(data)
        trained_on, kept = set[Path](), set[Path]()
        for part, apart in zip(parts, held_out(data, parts), strict=True):
            for files, away in zip(_files(part), apart, strict=True):
                (kept if away else trained_on).update(files)
        return cls(trained_on=frozenset(trained_on), held_out=frozenset(kept))


def by_all(
    pictures: Opened, data: UnpairedData | PairedData, runs: Mapping[str, PictureData]
) -> tuple[Opened, dict[str, int]]:
    """The images, of which those are held out that a run has held out and none has trained on, if there are enough.

    Args:
        pictures: Those of ``data``, opened.
        data: The folder, and how it is looked at.
        runs: By name, how runs trained on the same folder.

    Returns:
        The images; and by run, on how many of the held-out ones it was trained all the same.
    """
    if pictures.held_out_kind == "test" or not runs:
        return pictures, {}
    uses = {run: Use.of(given) for run, given in runs.items()}
    datasets = [pictures.pairs] if isinstance(pictures, PairedPictures) else [pictures.a, pictures.b]
    files = [
        None if part.test else _files(part) for part in _parts(data)
    ]  # what is in a test folder, nobody trained on
    agreed = [
        _agreed(dataset, each, uses.values()) if each else dataset
        for dataset, each in zip(datasets, files, strict=True)
    ]
    if pictures.held_out_kind == "held out" and min(len(dataset.kept_rows) for dataset in agreed) >= _FEWEST:
        return _with(pictures, agreed), dict.fromkeys(runs, 0)
    kept = [each[row] for dataset, each in zip(datasets, files, strict=True) if each for row in dataset.kept_rows]
    return pictures, {run: sum(not use.trained_on.isdisjoint(each) for each in kept) for run, use in uses.items()}


def _agreed(dataset: Dataset, files: list[tuple[Path, ...]], uses: Iterable[Use]) -> Dataset:
    trained_on = frozenset[Path]().union(*(use.trained_on for use in uses))
    kept = frozenset[Path]().union(*(use.held_out for use in uses)) - trained_on
    apart = np.array([kept.issuperset(each) for each in files])
    return dataclasses.replace(dataset, rows=np.flatnonzero(~apart), kept_rows=np.flatnonzero(apart), weights=None)


def _with(pictures: Opened, datasets: list[Dataset]) -> Opened:
    if isinstance(pictures, PairedPictures):
        return dataclasses.replace(pictures, pairs=datasets[0])
    return dataclasses.replace(pictures, a=datasets[0], b=datasets[1])


def _parts(data: PictureData) -> list[Decoded]:
    if isinstance(data, PairedData):
        return data.parts(None)
    names = [part.name for part in dataclasses.fields(UnpairedData)]  # of cartoons without their smoothed twins
    return UnpairedData(**{name: getattr(data, name) for name in names}).parts(None)


def _files(part: Decoded) -> list[tuple[Path, ...]]:
    """Of each training image; folders are resolved, once each."""
    places: dict[Path, Path] = {}
    return [
        tuple(places.setdefault(file.parent, file.parent.resolve()) / file.name for file in part.files[name])
        for name in part.train.names
    ]
