"""The whole examination: from folders to findings."""

from dataclasses import dataclass
from pathlib import Path

from viceversa.data.partners import Pairing
from viceversa.preparation.doctor import contrast, findings, layout, pairs
from viceversa.preparation.doctor.duplicates import Group, groups
from viceversa.preparation.doctor.findings import Finding
from viceversa.preparation.doctor.layout import Kind
from viceversa.preparation.doctor.scan import Inspected, Progress, scan

_ORDER = ("problem", "warning", "note")


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """What was measured and what was found."""

    inspected: Inspected
    """All measurements."""

    groups: tuple[Group, ...]
    """Pictures that are there more than once."""

    findings: tuple[Finding, ...]
    """The worst first."""


def examine(
    root: Path | None = None,
    a: Path | None = None,
    b: Path | None = None,
    *,
    kind: Kind | None = None,
    pair_suffix: str | None = None,
    progress: Progress | None = None,
) -> Diagnosis:
    """Looks at every picture of a data set, in each layout that training takes.

    Args:
        root: A data set or a folder; or else
        a: the folder of domain A, and
        b: that of domain B.
        kind: What it is, where that cannot be told from the layout; see `viceversa.preparation.doctor.layout.find`.
        pair_suffix: What names of pairs end in; see `viceversa.data.partners.Pairing`.
        progress: Called with the number of pictures done and the number of all.

    Raises:
        ConfigError: The folders are given in no way or in two.
        DataError: A folder is missing or empty, or no picture can be read.
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
