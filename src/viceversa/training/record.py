"""What a run folder tells of itself, read with tolerance: files may be missing, or be written at this moment."""

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, TypeVar, get_args

from viceversa.losses import Kind
from viceversa.training.log import METRICS_FILE, TIMING_FILE

T = TypeVar("T")
Curves: TypeAlias = dict[str, list[float | None]]

BEST_METRIC = "evaluation_error"
"""The metric by which the best translator of a run is chosen: the lowest."""


_FORMERLY: dict[str, Kind] = {
    r"()gan(_a2b|_b2a)?": "adversarial",
    r"(d(?:_[ab])?)(_real|_fake|_smoothed)?": "discriminator",
    r"(d(?:_[ab])?)(_penalty|_r1)": "penalty",
    r"()[qg]_(categorical|continuous)": "information",
    r"()cross_entropy": "classification",
    r"().*": "distance",
}
"""The kinds of loss terms of runs from before kinds were written down, by their names; first what they are part of."""


@dataclass(frozen=True)
class Losses:
    """The curves of a run's loss terms, with the kinds of the terms."""

    images: list[float]
    curves: Curves
    kinds: dict[str, tuple[str, str]]

    def of(self, *kinds: Kind) -> Curves:
        """The terms of some kinds, in order."""
        return {name: values for name, values in self.curves.items() if self.kinds[name][0] in kinds}

    def parts(self, kind: Kind) -> dict[str, list[str]]:
        """The terms of each discriminator, or of each critic: ``{"d_a": ["d_a_real", "d_a_fake"]}``."""
        found: dict[str, list[str]] = {}
        for name in self.of(kind):
            found.setdefault(self.kinds[name][1] or name, []).append(name)
        return found

    def sums(self, kind: Kind) -> Curves:
        """What each discriminator, or each critic, loses in all, without penalties."""
        found: Curves = {}
        for owner, names in self.parts(kind).items():
            rows = zip(*(self.curves[name] for name in names), strict=True)
            found[owner] = [None if None in row else sum(value or 0 for value in row) for row in rows]
        return found


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """A run folder as it stands; every part may be empty."""

    config: dict[str, Any]
    summary: dict[str, Any]
    truth: dict[str, Any]
    lines: list[dict[str, Any]]
    """The lines of metrics.jsonl, in order."""
    timing: list[dict[str, Any]]
    """The lines of timing.jsonl, in order."""
    samples: list[tuple[int, Path]]
    """(images seen, file), in order."""
    shown: dict[str, tuple[int, Path]]
    """The newest of what the method shows besides, by name."""
    best_images: int | None = None
    """Images that the translator in best/ has seen; None where there is none."""

    @property
    def images(self) -> int:
        """How many images have been seen."""
        return max((int(line["images"]) for line in (*self.lines[-1:], *self.timing[-1:])), default=0)

    @property
    def total_images(self) -> int:
        """How many are to be seen; 0 where nobody said."""
        return int(number(self.summary.get("total_images")) or 0)

    @property
    def finished(self) -> bool:
        """Whether all images have been seen, or --patience has ended it."""
        return 0 < self.total_images <= self.images or bool(self.summary.get("ended_early"))

    @property
    def losses(self) -> Losses:
        """The loss terms, by the kinds that the run wrote down."""
        return losses(self.lines, mapping(self.summary.get("terms")))

    @property
    def rest_seconds(self) -> float | None:
        """How long what is left takes at the newest speed."""
        speed = self.latest("images_per_second")
        return max(0, self.total_images - self.images) / speed if speed and self.total_images else None

    @property
    def peak_memory_bytes(self) -> float | None:
        """The most memory that was taken."""
        return max(
            (value for line in self.timing if (value := number(line.get("memory_bytes"))) is not None), default=None
        )

    def latest(self, key: str) -> float | None:
        """The newest number under ``key`` in the clock's log."""
        return next((value for line in reversed(self.timing) if (value := number(line.get(key))) is not None), None)


def read(run: Path) -> RunRecord:
    """Read all there is in ``run``; what cannot be read counts as not there."""
    return RunRecord(
        config=_object(run / "config.json"),
        summary=_object(run / "summary.json"),
        truth=_object(run / "truth.json"),
        lines=_lines(run / METRICS_FILE),
        timing=_lines(run / TIMING_FILE),
        best_images=None
        if (best := number(_object(run / "best" / "config.json").get("images"))) is None
        else int(best),
        shown={
            match[2]: (int(match[1]), path)
            for path in sorted((run / "samples").glob("*.jpg"))
            if (match := re.fullmatch(r"(\d+)-(.+)", path.stem))
        },
        samples=sorted((int(path.stem), path) for path in (run / "samples").glob("*.jpg") if path.stem.isdecimal()),
    )


def number(value: Any) -> float | None:
    """``value`` as a finite float, or None if it is something else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 1e300:
        return None
    return float(value) if math.isfinite(value) else None


def mapping(value: Any) -> dict[str, Any]:
    """``value`` if it is an object of JSON, else an empty one."""
    return value if isinstance(value, dict) else {}


def items(value: Any) -> list[Any]:
    """``value`` if it is an array of JSON, else an empty one."""
    return value if isinstance(value, list) else []


def series(lines: Iterable[Mapping[str, Any]], key: str) -> tuple[list[float], Curves]:
    """Images seen, and the values of each name in the object under ``key``; None where a name has no number."""
    chosen = [line for line in lines if mapping(line.get(key))]
    names = dict.fromkeys(name for line in chosen for name in line[key])
    images = [float(line["images"]) for line in chosen]
    return images, {name: [number(line[key].get(name)) for line in chosen] for name in names}


def losses(lines: Iterable[Mapping[str, Any]], told: Mapping[str, Any]) -> Losses:
    """The loss terms in the lines of a log, by the kinds that are told; by their names where none are."""
    images, curves = series(lines, "losses")
    kinds = {name: _kind(mapping(told.get(name)), name) for name in curves}
    # Formerly nobody told critics: no discriminator's loss is below 0, and a critic's soon is.
    critics = {kinds[name][1] for name in curves if any(value is not None and value < 0 for value in curves[name])}
    for name, (kind, of) in kinds.items():
        if kind == "discriminator" and name not in told and of in critics:
            kinds[name] = "critic", of
    return Losses(images, curves, kinds)


def _kind(told: Mapping[str, Any], name: str) -> tuple[str, str]:
    if told.get("kind") in get_args(Kind):
        return told["kind"], str(told.get("of", ""))
    return next((kind, match[1]) for form, kind in _FORMERLY.items() if (match := re.fullmatch(form, name, re.S)))


def thin_evenly(items: Sequence[T], most: int) -> list[T]:
    """At most ``most`` of ``items``: every 2nd, 4th, 8th ... and always the first and the last.

    Powers of two, since the choice then changes seldom as items are added: what was made small once is used again.
    """
    stride = 1
    while math.ceil((len(items) - 1) / stride) + 1 > most:
        stride *= 2
    kept = list(items[::stride])
    return kept if not items or (len(items) - 1) % stride == 0 else [*kept, items[-1]]


def _object(path: Path) -> dict[str, Any]:
    try:
        return mapping(json.loads(path.read_bytes()))
    except (OSError, ValueError, RecursionError):
        return {}


def _lines(path: Path) -> list[dict[str, Any]]:
    try:
        content = path.read_bytes()
    except OSError:
        return []
    lines: list[dict[str, Any]] = []
    for text in content.splitlines():
        try:
            line = mapping(json.loads(text))
        except (ValueError, RecursionError):
            continue
        if (images := number(line.get("images"))) is not None and images >= 0:
            lines.append(line)
    return lines
