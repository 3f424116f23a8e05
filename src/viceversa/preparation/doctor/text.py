"""What the doctor says in a terminal."""

import textwrap
from collections import Counter

from viceversa.counts import count
from viceversa.preparation.doctor.diagnosis import Diagnosis
from viceversa.preparation.doctor.summary import table

KINDS = {"unpaired": "two domains without pairs", "paired": "pairs", "single": "one domain"}
_MARKS = {"problem": "PROBLEM", "warning": "WARNING", "note": "note"}


def to_text(diagnosis: Diagnosis, columns: int = 100) -> str:
    """The table and the findings, in lines of at most ``columns`` characters where words allow it."""
    inspected = diagnosis.inspected
    lines = [f"{inspected.layout.place}: {KINDS[inspected.kind]}", *filter(None, [guess(diagnosis)]), ""]
    rows = {"": list(inspected.layout.titles.values()), **table(diagnosis)}
    widths = [max(map(len, column)) for column in zip(*([name, *cells] for name, cells in rows.items()), strict=True)]
    for name, cells in rows.items():
        lines.append("  ".join(cell.ljust(width) for cell, width in zip((name, *cells), widths, strict=True)).rstrip())
    lines.append("")
    for finding in diagnosis.findings:
        said = f"{_MARKS[finding.severity]}  {finding}"
        lines += textwrap.wrap(said, columns, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
        lines += [f"    {example}" for example in finding.examples[:3]]
    lines.append(verdict(diagnosis))
    return "\n".join(lines)


def guess(diagnosis: Diagnosis) -> str:
    """What was assumed about the layout, and how to say otherwise; empty where nothing was."""
    if not diagnosis.inspected.layout.is_guessed:
        return ""
    return (
        "Taken as pairs side by side, A on the left, since the images are twice as wide as high; if they are not: "
        "--kind single"
    )


def verdict(diagnosis: Diagnosis) -> str:
    """How many findings of each kind there are."""
    counts = Counter(finding.severity for finding in diagnosis.findings)
    if not counts:
        return "Nothing stands out."
    return ", ".join(count(counts[severity], severity) for severity in _MARKS if counts[severity])
