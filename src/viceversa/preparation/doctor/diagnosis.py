"""The whole examination: from folders to findings."""

from dataclasses import dataclass
from pathlib import Path

from viceversa.data.partners import Pairing
from viceversa.preparation.doctor import contrast, findings, layout, pairs
from viceversa.preparation.doctor.duplicates import Group, groups
from viceversa.preparation.doctor.findings import Finding
from viceversa.preparation.doctor.layout import Kind, Split
from viceversa.preparation.doctor.scan import Inspected, Progress, scan

_ORDER = ("problem", "warning", "note")
_FEWEST: dict[Split, int] = {"train": 2, "test": 1}


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """What was measured and what was found."""

    inspected: Inspected
    groups: tuple[Group, ...]
    """Images that are there more than once."""
    findings: tuple[Finding, ...]
    """The worst first."""


def unusable(inspected: Inspected) -> str:
    """Return why training would refuse what was looked at, in a sentence; empty where it would not.

    It takes two images of each domain to train on, and in a folder for testing one that can be read.
    """
    for letter, title in inspected.layout.titles.items():
        for split, least in _FEWEST.items():
            jobs = [job for job in inspected.layout.jobs if letter in job.domain and job.split == split]
            readable = len(inspected.of(letter, split))
            if not jobs or readable >= least:
                continue
            lost = [one for one in inspected.broken if letter in one.domain and one.split == split]
            first = f" {len(lost)} cannot be read, the first is {lost[0].name}: {lost[0].reason}" if lost else ""
            what, of = ("pair", "") if inspected.kind == "paired" else ("image", f" of {title}")
            count = "only one" if readable else "no"
            takes = "two or more" if least > 1 else "one or more, or no folder for testing"
            where = f"{inspected.layout.place} to {split} on"
            return f"There is {count} {what}{of} in {where}; training takes {takes}.{first}"
    return ""


def examine(
    root: Path | None = None,
    a: Path | None = None,
    b: Path | None = None,
    *,
    kind: Kind | None = None,
    pair_suffix: str | None = None,
    progress: Progress | None = None,
) -> Diagnosis:
    """Looks at every image of a data set, in each layout that training takes.

    Args:
        root: A data set or a folder; or else
        a: the folder of domain A, and
        b: that of domain B.
        kind: What it is, where that cannot be told from the layout; see `viceversa.preparation.doctor.layout.find`.
        pair_suffix: What names of pairs end in; see `viceversa.data.partners.Pairing`.
        progress: Called with the number of images done and the number of all.

    Raises:
        ConfigError: The folders are given in no way or in two.
        DataError: A folder is missing or empty, or no image can be read.
        MissingExtra: imagehash is not installed.
    """
    inspected = scan(layout.find(root, a, b, kind, Pairing(pair_suffix=pair_suffix)), progress)
    same = groups(inspected)
    found = list(findings.within(inspected, same))
    if inspected.kind == "unpaired":
        found += contrast.between(inspected)
    elif inspected.kind == "paired":
        found += pairs.of_pairs(inspected)
    found.sort(key=lambda finding: _ORDER.index(finding.severity))
    return Diagnosis(inspected=inspected, groups=tuple(same), findings=tuple(found))
