"""The charts of a run's report: which curves belong on one chart, and what it is called."""

import math
import re
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any

from viceversa.training.record import BEST_METRIC, Curves, Losses, RunRecord, mapping, number, series

_NO_CHART = ("judge_accuracy",)  # always the same
_METRIC_TITLES = {
    "diversity": "How much outputs differ from one another (1: as much as real images)",
    BEST_METRIC: "What best/ is chosen by: the mean distance to the target, or with pairs the mean L1 (lower: better)",
    "kernel_distance": "Kernel distance by EfficientNet-Lite2 (lower is better; dashed: doing nothing)",
    "classifier_fd": "Frechet distance by a domain classifier trained here, not the published FID (lower is better)",
    "classifier_kid": "Kernel distance by a domain classifier trained here, not the published KID (lower is better)",
    "judged_share": "Share of translations that this classifier takes for the target domain",
    "kept_structure": "Structural similarity of inputs and translations (1: equal)",
    "kept_edges": "How well edges of inputs and translations agree (1: equal)",
    "cycle_error": "There and back again: grey levels off the input",
    "truth_l1": "Grey levels off the truth (lower is better)",
    "truth_ssim": "Structural similarity with the truth (1: equal)",
    "truth_psnr": "Signal-to-noise ratio to the truth in dB (higher is better)",
    "augment_probability": "How likely each change of what discriminators see is (--augment-d-adaptive)",
    "sign_on_real": "How sure discriminators are of real images: mean sign of their answers (-1 to 1)",
}
_SHOWN_WITH = {"untranslated_distance": "kernel_distance"}
"""Metrics that are dashed curves on the chart of others."""
_SIDE = re.compile(r"^d(_[ab])?_|_(a2b|b2a)$")
_OWN_RATE = re.compile(r"^(\w+)_learning_rate$")
_MOST_POINTS = 1000


def charts(record: RunRecord) -> list[dict[str, Any]]:
    """The charts of a run, for the script of the page: title, images seen, curves; at most 1000 points a curve."""
    terms = record.losses
    game_title, game, dashed = _game(terms)
    parts_title, parts = _parts(terms)
    of_losses = {
        "Distances between images": terms.of("distance"),
        "Information in the codes: how surely they are read back (lower: surer)": terms.of("information"),
        "Cross-entropy of the classes (lower is better)": terms.of("classification"),
        "Other losses": terms.of("other"),
        parts_title: parts,
    }
    made = [
        _chart(game_title, terms.images, game, dashed=dashed),
        *(_chart(title, terms.images, curves) for title, curves in of_losses.items()),
        *_charts_of_each("Logged", *series(record.lines, "scalars")),
        _chart("Learning rate", *_learning_rates(record), smooth=False),
        _chart("Images per second", *_curve(record.timing, "images_per_second", "images/s")),
        *_charts_of_each("Metric", *series(record.lines, "metrics")),
    ]
    return [chart for chart in made if chart["curves"] and len(chart["images"]) > 1]


def _game(terms: Losses) -> tuple[str, Curves, Container[str]]:
    """Title, curves and dashed ones of the chart on top: who wins, or how far a critic says both sides are apart."""
    if parts := terms.parts("critic"):
        estimates: Curves = {
            f"-({' + '.join(parts[critic])})": [None if value is None else -value for value in values]
            for critic, values in terms.sums("critic").items()
        }
        return "The critic's estimate of the distance from real images (to fall)", estimates, ()
    sums = terms.sums("discriminator")
    return "Generators against discriminators", {**terms.of("adversarial"), **sums}, sums


def _parts(terms: Losses) -> tuple[str, Curves]:
    """Title and curves of the chart of single terms."""
    if terms.of("critic"):  # whose level means nothing, so the generator's share, which has the same, is among them
        both = terms.of("adversarial", "critic", "discriminator", "penalty")
        return "Critic and generator, term by term (levels mean nothing)", both
    sums = terms.sums("discriminator")
    parts = terms.of("discriminator", "penalty")
    return "Discriminators, term by term", {name: values for name, values in parts.items() if name not in sums}


def _learning_rates(record: RunRecord) -> tuple[list[float], Curves]:
    """The logged rate, and those that a group has for itself."""
    rated = [line for line in record.lines if "learning_rate" in line]
    images, curves = _curve(rated, "learning_rate", "learning rate")
    common, shares = curves["learning rate"], _shares_of_the_rate(record)
    of_groups = [mapping(line.get("learning_rates")) for line in rated]
    for group in dict.fromkeys([*(name for rates in of_groups for name in rates), *shares]):
        own: list[float | None] = []
        for rates, rate in zip(of_groups, common, strict=True):
            share = shares.get(group)
            derived = None if rate is None or share is None else rate * share
            own.append(number(rates[group]) if group in rates else derived)
        if any(value is not None and value != rate for value, rate in zip(own, common, strict=True)):
            curves[f"{group}'s learning rate"] = own
    return images, curves


def _shares_of_the_rate(record: RunRecord) -> dict[str, float]:
    """By the settings, for logs from before each group's rate was in them: all follow one schedule, so it stays."""
    settings = mapping(mapping(record.config.get("method")).get("optimizer"))
    base = number(settings.get("learning_rate"))
    given = {match[1]: number(value) for name, value in settings.items() if (match := _OWN_RATE.match(name))}
    return {group: own / base for group, own in given.items() if own is not None and base}


def _charts_of_each(what: str, images: list[float], curves: Curves) -> list[dict[str, Any]]:
    """A chart for each name, with a curve for each direction or discriminator."""
    grouped: dict[str, Curves] = {}
    for name, values in curves.items():
        if name not in _NO_CHART:
            stem = _SIDE.sub("", name)
            grouped.setdefault(_SHOWN_WITH.get(stem, stem), {})[name] = values
    made: list[dict[str, Any]] = []
    for stem, group in grouped.items():
        rows = [row for row in range(len(images)) if any(values[row] is not None for values in group.values())]
        there = {name: [values[row] for row in rows] for name, values in group.items()}
        title = _METRIC_TITLES.get(stem, f"{what}: {stem}")
        dashed = [name for name in group if _SIDE.sub("", name) in _SHOWN_WITH]
        made.append(_chart(title, [images[row] for row in rows], there, smooth=what == "Logged", dashed=dashed))
    return made


def _curve(lines: Iterable[Mapping[str, Any]], key: str, name: str) -> tuple[list[float], Curves]:
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
