"""What `prepare` did, in numbers and in words."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from viceversa.counts import count
from viceversa.preparation.choose import REASONS
from viceversa.preparation.config import PrepareConfig
from viceversa.preparation.records import Record

_SHOWN = 5  # problems in full


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What became of the sources of one call, now or before."""

    root: Path
    """The data set."""
    label: str
    """"A", "B" or "pairs"."""
    sources: int
    """Videos, folders and archives gone through."""
    frames: int
    """Frames and images seen."""
    scenes: int
    """Scenes found in videos."""
    kept: int
    """Frames and images kept."""
    dropped: dict[str, int]
    """Frames and images dropped, by reason; with ``kept`` they are all that were seen."""
    left_out: dict[str, int]
    """Images that were cut out of what was kept, and left out after all, by reason."""
    train: int
    """Images, or pairs, written for training."""
    test: int
    """Images, or pairs, written for testing."""
    test_wanted: bool
    """Whether there was to be something for testing."""
    problems: tuple[str, ...]
    """What could not be read or used, and why."""
    notes: tuple[str, ...] = ()
    """How pairs were found, and what was not taken as it is, with the name of its source."""

    @property
    def pictures(self) -> int:
        """Images, or pairs, of these sources in the data set."""
        return self.train + self.test

    def __str__(self) -> str:
        """For a person."""
        scenes = f" in {count(self.scenes, 'scene')}" if self.scenes else ""
        what = "pair" if self.label == "pairs" else "image"
        lines = [
            f"{count(self.frames, 'frame' if self.scenes else 'image')} of {count(self.sources, 'source')} "
            f"seen{scenes}: {self.kept:,} kept, {sum(self.dropped.values()):,} dropped."
        ]
        if self.dropped:
            lines.append(f"dropped: {reasons(self.dropped)}")
        lines.append(f"{count(self.pictures, what)} made: {self.train:,} for training, {self.test:,} for testing.")
        if self.left_out:
            lines.append(f"cut out, then left out: {reasons(self.left_out)}")
        if self.test_wanted and not self.test and self.train:
            lines.append("None is for testing: no scene could be spared.")
        lines += [f"{note}." for note in self.notes[:_SHOWN]]
        if len(self.notes) > _SHOWN:
            lines.append(f"and {len(self.notes) - _SHOWN:,} more such notes")
        lines += [f"not used: {problem}" for problem in self.problems[:_SHOWN]]
        if len(self.problems) > _SHOWN:
            lines.append(f"and {len(self.problems) - _SHOWN:,} more that could not be used")
        lines.append(f"Look at {self.root / f'contact-{self.label}.jpg'}; where each image is from, and why it was")
        lines[-1] += f" kept, is in {self.root / f'manifest-{self.label}.jsonl'}."
        return "\n".join(lines)


def summarise(
    root: Path,
    config: PrepareConfig,
    found: Sequence[tuple[str, Record]],
    placed: Mapping[str, Any],
    rows: Sequence[Any],
) -> Summary:
    """Of sources that are in their place; ``found`` are their records with the names of their work folders."""
    names = {name for name, _ in found}
    dropped, left_out = Counter[str](), Counter[str]()
    for name, record in found:
        dropped.update(record.dropped)
        left_out.update(placed[name]["left_out"])
    sides = Counter(row["files"][0].startswith("test") for row in rows if row["work"] in names)
    return Summary(
        root=root,
        label=config.label,
        sources=len(found),
        frames=sum(record.frames for _, record in found),
        scenes=sum(record.scenes for _, record in found),
        kept=sum(record.kept for _, record in found),
        dropped=dict(sorted(dropped.items())),
        left_out=dict(sorted(left_out.items())),
        train=sides[False],
        test=sides[True],
        test_wanted=config.test_share > 0,
        problems=tuple(problem for _, record in found for problem in record.problems),
        notes=tuple(f"{record.source}: {'; '.join(record.notes)}" for _, record in found if record.notes),
    )


def reasons(counts: Mapping[str, int]) -> str:
    """``"700 near-duplicates, 120 dark"``, the most frequent first."""
    order = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    return ", ".join(f"{count:,} {REASONS[reason]}" for reason, count in order if count)
