"""The numbers of a data set: as a table for people, and as JSON for programs."""

import json
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from viceversa.preparation.doctor.diagnosis import Diagnosis
from viceversa.preparation.doctor.findings import share_dark
from viceversa.preparation.doctor.measure import Measurement
from viceversa.preparation.doctor.scan import Picture
from viceversa.preparation.doctor.words import percent

_FORMAT = 1  # of the JSON


def table(diagnosis: Diagnosis) -> dict[str, list[str]]:
    """Rows of the table: a name, and a cell for each domain; what is measured is of the images to train on."""
    inspected = diagnosis.inspected
    columns: list[dict[str, str]] = []
    for letter in inspected.layout.titles:
        train, test = inspected.of(letter, "train"), inspected.of(letter, "test")
        cells = {"images to train on": f"{len(train):,}", "images to test on": f"{len(test):,}"}
        if train:
            cells |= _cells(train)
        if inspected.kind == "paired":  # a plain part of a label map is no bar
            cells.pop("with bars", None)
        columns.append(cells)
    names = max(columns, key=len)  # where none of the images to train on can be read, a domain has but counts
    return {name: [cells.get(name, "–") for cells in columns] for name in names}


def to_json(diagnosis: Diagnosis) -> str:
    """Everything that was found, and what every image measures, as strict JSON."""
    inspected = diagnosis.inspected
    domains = {
        letter: {
            "title": title,
            "train": len(inspected.of(letter, "train")),
            "test": len(inspected.of(letter, "test")),
            "dark_share": share_dark(inspected.of(letter, "train")),
        }
        for letter, title in inspected.layout.titles.items()
    }
    found = {
        "format": _FORMAT,
        "made_by": "viceversa inspect",
        "place": inspected.layout.place,
        "kind": inspected.kind,
        "domains": domains,
        "findings": [asdict(finding) for finding in diagnosis.findings],
        "broken": [asdict(one) for one in inspected.broken],
        "without_partner": inspected.layout.lonely,
        "copies": [
            {"exact": group.is_exact, "names": [picture.name for picture in group.pictures]}
            for group in diagnosis.groups
        ],
        "pairs": [{"name": pair.name, "shift": pair.shift, "gain": pair.gain} for pair in inspected.pairs],
        "pictures": [_picture(picture) for picture in inspected.pictures],
    }
    return json.dumps(found, indent=1, allow_nan=False) + "\n"


def _picture(picture: Picture) -> dict[str, Any]:
    measured = asdict(picture.measured)
    del measured["thumb"]
    measured["hash"] = f"{picture.measured.hash:016x}"
    about = {"name": picture.name, "domain": picture.domain, "split": picture.split, "half": picture.half}
    return {**about, **{name: _strict(value) for name, value in measured.items()}}


def _strict(value: Any) -> Any:
    """Rounded to what is meant; JSON has no NaN."""
    if isinstance(value, tuple):
        return [_strict(part) for part in value]
    if not isinstance(value, float):
        return value
    return round(value, 4) if math.isfinite(value) else None


def _cells(pictures: Sequence[Picture]) -> dict[str, str]:
    def spread(of: Callable[[Measurement], float], form: str, factor: float = 1) -> str:
        """The median, and between what nine of ten lie."""
        values = np.array([of(picture.measured) for picture in pictures], np.float64)
        values = values[~np.isnan(values)] * factor
        if not len(values):
            return "–"
        low, middle, high = (f"{value:{form}}" for value in np.percentile(values, (5, 50, 95)))
        return middle if low == high else f"{middle}  ({low} to {high})"

    def share(of: Callable[[Measurement], bool]) -> str:
        return percent(float(np.mean([of(picture.measured) for picture in pictures])))

    kinds = Counter(f"{p.measured.format or 'other'} {p.measured.mode}".strip() for p in pictures).most_common(3)
    return {
        "short side, px": spread(lambda m: min(m.width, m.height), ".0f"),
        "width : height": spread(lambda m: m.width / m.height, ".2f"),
        "brightness, %": spread(lambda m: m.brightness, ".0f", 100),
        "dark": percent(share_dark(pictures)),
        "contrast, %": spread(lambda m: m.contrast, ".0f", 100),
        "saturation, %": spread(lambda m: m.saturation, ".0f", 100),
        "without colour": share(lambda m: m.is_grey),
        "sharpness of edges": spread(lambda m: m.sharpness, ".2f"),
        "with bars": share(lambda m: max(m.borders) > 0),
        "kinds of file": ", ".join(f"{number:,} {kind}" for kind, number in kinds),
        "JPEG quality": spread(lambda m: math.nan if m.jpeg_quality is None else m.jpeg_quality, ".0f"),
    }
