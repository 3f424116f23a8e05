"""The charts of a run's report: which curves belong on one chart, and what it is called."""

import math
import re
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from typing import Any

from viceversa.training import terms as kinds
from viceversa.training.record import KEPT_BY, RunRecord, mapping, number, series

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
_OWN_RATE = re.compile(r"^(\w+)_learning_rate$")
_MOST_POINTS = 1000

_Curves = dict[str, list[float | None]]


def charts(record: RunRecord) -> list[dict[str, Any]]:
    """The charts of a run, for the script of the page: title, images seen, curves; at most 1000 points a curve."""
    images, terms = series(record.lines, "losses")
    seen, metrics = series(record.lines, "metrics")
    title, game, dashed = _game(terms)
    parts_title, parts = _parts(terms)
    made = [
        _chart(title, images, game, dashed=dashed),
        _chart("Distances between pictures", images, _of(terms, kinds.is_distance)),
        _chart(
            "Information in the codes: how surely they are read back (lower: surer)",
            images,
            _of(terms, kinds.is_information),
        ),
        _chart("Cross-entropy of the classes (lower is better)", images, _of(terms, kinds.is_cross_entropy)),
        _chart(parts_title, images, parts),
        _chart("Learning rate", *_learning_rates(record), smooth=False),
        _chart("Images per second", *_curve(record.timing, "images_per_second", "images/s")),
        *_metric_charts(seen, metrics),
    ]
    return [chart for chart in made if chart["curves"] and len(chart["images"]) > 1]


def _of(terms: _Curves, kind: Callable[[str], bool]) -> _Curves:
    return {name: values for name, values in terms.items() if kind(name)}


def _game(terms: _Curves) -> tuple[str, _Curves, Container[str]]:
    """Title, curves and dashed ones of the chart on top: who wins, or how far a critic says the two heaps are apart."""
    if critics := kinds.critics(terms):
        owned = kinds.owners(terms)
        estimates: _Curves = {
            f"-({' + '.join(owned[owner])})": [None if value is None else -value for value in values]
            for owner, values in critics.items()
        }
        return "The critic's estimate of the distance from real pictures (to fall)", estimates, ()
    whole = kinds.discriminators(terms)
    return "Generators against discriminators", {**_of(terms, kinds.is_generator), **whole}, whole


def _parts(terms: _Curves) -> tuple[str, _Curves]:
    """Title and curves of the chart of single terms."""
    if kinds.critics(terms):  # whose level means nothing, so the generator's share, which has the same, is among them
        both = _of(terms, lambda name: kinds.is_generator(name) or kinds.is_discriminator(name))
        return "Critic and generator, term by term (levels mean nothing)", both
    whole = kinds.discriminators(terms)
    return "Discriminators, term by term", _of(terms, lambda name: kinds.is_discriminator(name) and name not in whole)


def _learning_rates(record: RunRecord) -> tuple[list[float], _Curves]:
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


def _curve(lines: Iterable[Mapping[str, Any]], key: str, name: str) -> tuple[list[float], _Curves]:
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
