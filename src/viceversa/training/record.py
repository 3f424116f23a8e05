"""What a run folder tells of itself, read with tolerance: files may be missing, or be written at this moment.

Beside reading, the two judgements that the report needs: which loss terms belong on one chart, and which numbers mean
trouble.
"""

import json
import math
import re
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from viceversa.training.progress import METRICS_FILE, TIMING_FILE

T = TypeVar("T")

_DISCRIMINATOR = re.compile(r"^(d|dis|discriminator|critic|real|fake|r1|gp|gradient|penalty)(_|$)")
_GENERATOR = re.compile(r"^(g|gan|gen|generator|adv|adversarial)(_|$)")
_PENALTY = re.compile(r"(^|_)(penalty|gp|r1)$")

KEPT_BY = "evaluation_error"
"""The metric by which the best translator of a run is chosen: the lowest."""
_NO_CHART = ("judge_accuracy",)  # always the same
_METRIC_TITLES = {
    "diversity": "How much outputs differ from one another (1: as much as real pictures)",
    KEPT_BY: "What best/ is chosen by: the mean Frechet distance, or with pairs the mean L1 (lower is better)",
    "classifier_fd": "Frechet distance by a domain classifier trained here, not the published FID (lower is better)",
    "classifier_kid": "Kernel distance by a domain classifier trained here, not the published KID (lower is better)",
    "judged_share": "Share of translations that this classifier takes for the target domain",
    "kept_structure": "Structural similarity of inputs and translations (1: equal)",
    "kept_edges": "How well edges of inputs and translations agree (1: equal)",
    "cycle_error": "There and back again: grey levels off the input",
    "truth_l1": "Grey levels off the truth (lower is better)",
    "truth_ssim": "Structural similarity with the truth (1: equal)",
    "truth_psnr": "Signal-to-noise ratio to the truth in dB (higher is better)",
}
_DIRECTION = re.compile(r"_(a2b|b2a)$")
_MOST_POINTS = 1000
_TROUBLE_LINES = 10
_NEAR_ZERO = 0.02
_GROWN = 2.0
_COLLAPSED = 0.3  # of the distance that pictures should have


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
        """Whether all images have been seen."""
        return 0 < self.total_images <= self.images

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


def series(lines: Iterable[Mapping[str, Any]], key: str) -> tuple[list[float], dict[str, list[float | None]]]:
    """Images seen, and the values of each name in the object under ``key``; None where a name has no number."""
    chosen = [line for line in lines if mapping(line.get(key))]
    names = dict.fromkeys(name for line in chosen for name in line[key])
    images = [float(line["images"]) for line in chosen]
    return images, {name: [number(line[key].get(name)) for line in chosen] for name in names}


def is_discriminator(term: str) -> bool:
    """Whether a loss term of this name trains a discriminator or critic."""
    return bool(_DISCRIMINATOR.match(term))


def is_adversarial(term: str) -> bool:
    """Whether a loss term is a side of the game, not a distance between pictures."""
    return is_discriminator(term) or bool(_GENERATOR.match(term))


def charts(record: RunRecord) -> list[dict[str, Any]]:
    """The charts of a run, for the script of the page: title, images seen, curves; at most 1000 points a curve."""
    images, terms = series(record.lines, "losses")
    whole = _discriminators(terms)
    game = {**{name: values for name, values in terms.items() if _GENERATOR.match(name)}, **whole}
    parts = {name: values for name, values in terms.items() if is_discriminator(name) and name not in whole}
    others = {name: values for name, values in terms.items() if not is_adversarial(name)}
    rated = [line for line in record.lines if "learning_rate" in line]
    seen, metrics = series(record.lines, "metrics")
    made = [
        _chart("Generators against discriminators", images, game, dashed=whole),
        _chart("Distances between pictures", images, others),
        _chart("Discriminators, term by term", images, parts),
        _chart("Learning rate", *_curve(rated, "learning_rate", "learning rate"), smooth=False),
        _chart("Images per second", *_curve(record.timing, "images_per_second", "images/s")),
        *_metric_charts(seen, metrics),
    ]
    return [chart for chart in made if chart["curves"] and len(chart["images"]) > 1]


def _metric_charts(images: list[float], metrics: Mapping[str, Sequence[float | None]]) -> list[dict[str, Any]]:
    """One for each metric, with a curve for each direction."""
    grouped: dict[str, dict[str, Sequence[float | None]]] = {}
    for name, values in metrics.items():
        if name not in _NO_CHART:
            grouped.setdefault(_DIRECTION.sub("", name), {})[name] = values
    made: list[dict[str, Any]] = []
    for stem, curves in grouped.items():
        rows = [row for row in range(len(images)) if any(values[row] is not None for values in curves.values())]
        there = {name: [values[row] for row in rows] for name, values in curves.items()}
        made.append(
            _chart(_METRIC_TITLES.get(stem, f"Metric: {stem}"), [images[row] for row in rows], there, smooth=False)
        )
    return made


def findings(lines: Sequence[Mapping[str, Any]]) -> list[str]:
    """Trouble that the lines of metrics.jsonl show, each in words with a remedy."""
    logged = [line for line in lines if mapping(line.get("losses"))]
    _, terms = series(logged, "losses")
    found: list[str] = []
    for name in terms:
        broken = next(
            (line for line in logged if name in line["losses"] and number(line["losses"][name]) is None), None
        )
        if broken is not None:
            found.append(
                f"Not a number: the term {name} was NaN or infinite at {int(broken['images']):,} images. Go on from a "
                "checkpoint before that with a lower learning rate, or train with precision 32-true."
            )
    _, metrics = series(lines, "metrics")
    varied = [value for value in metrics.get("diversity", []) if value is not None]
    if len(varied) >= _TROUBLE_LINES and max(varied[-3:]) < _COLLAPSED:  # early outputs are all alike
        found.append(
            f"Collapse: the outputs differ from one another only {varied[-1]:.0%} as much as they should, so the "
            "generator makes nearly the same picture of everything. Take an earlier checkpoint, and train with a lower "
            "learning rate, a larger batch, or another objective."
        )
    if len(logged) < _TROUBLE_LINES:
        return found
    for name, values in _discriminators(terms).items():
        last = _last_fifth(values)
        if last and all(0 <= value < _NEAR_ZERO for value in last):
            found.append(
                f"The discriminator wins: {name} stayed below {_NEAR_ZERO} in the last fifth of the log, so the "
                "generator has little left to learn from. Use more pictures, or a discriminator of fewer layers or "
                "less width."
            )
    for name, values in terms.items():
        if not is_adversarial(name) and (times := _growth(values)) > _GROWN:
            found.append(
                f"Training drifts apart: {name} is now {times:.1f} times its lowest level. Take an earlier checkpoint, "
                "and train with a lower learning rate."
            )
    return found


def thin_evenly(items: Sequence[T], most: int) -> list[T]:
    """At most ``most`` of ``items``: every 2nd, 4th, 8th ... and always the first and the last.

    Powers of two, since the choice then changes seldom as items are added: what was made small once is used again.
    """
    stride = 1
    while math.ceil((len(items) - 1) / stride) + 1 > most:
        stride *= 2
    kept = list(items[::stride])
    return kept if not items or (len(items) - 1) % stride == 0 else [*kept, items[-1]]


def _discriminators(terms: Mapping[str, Sequence[float | None]]) -> dict[str, list[float | None]]:
    """What each discriminator loses in all: its terms on real and on fake pictures summed, its penalties left out."""
    whole: dict[str, list[float | None]] = {}
    for name, values in terms.items():
        if not is_discriminator(name) or _PENALTY.search(name):
            continue
        owner = re.sub(r"_(real|fake)$", "", name)
        known = whole.get(owner, [0.0] * len(values))
        whole[owner] = [a + b if a is not None and b is not None else None for a, b in zip(known, values, strict=True)]
    return whole


def _last_fifth(values: Sequence[float | None]) -> list[float]:
    return [value for value in values[-max(1, len(values) // 5) :] if value is not None]


def _growth(values: Sequence[float | None]) -> float:
    """The mean of the last fifth over the lowest mean of a fifth."""
    known = [value for value in values if value is not None]
    width = max(1, len(known) // 5)
    means = [sum(known[end - width : end]) / width for end in range(len(known), width - 1, -width)]
    return means[0] / min(means) if means and min(means) > 0 else 1.0


def _curve(
    lines: Iterable[Mapping[str, Any]], key: str, name: str
) -> tuple[list[float], dict[str, list[float | None]]]:
    lines = list(lines)
    return [float(line["images"]) for line in lines], {name: [number(line.get(key)) for line in lines]}


def _chart(
    title: str,
    images: Sequence[float],
    curves: Mapping[str, Sequence[float | None]],
    *,
    smooth: bool = True,
    dashed: Container[str] = (),
) -> dict[str, Any]:
    width = math.ceil(len(images) / _MOST_POINTS) or 1
    return {
        "title": title,
        "smooth": smooth,
        "images": _averages(images, width),
        "curves": [
            {"name": name, "dashed": name in dashed, "values": _averages(values, width)}
            for name, values in curves.items()
            if any(value is not None for value in values)
        ],
    }


def _averages(values: Sequence[float | None], width: int) -> list[float | None]:
    means: list[float | None] = []
    for start in range(0, len(values), width):
        known = [value for value in values[start : start + width] if value is not None]
        # Six digits are more than a chart can show, and half the size of all sixteen.
        means.append(float(f"{sum(known) / len(known):.6g}") if known else None)
    return means


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
