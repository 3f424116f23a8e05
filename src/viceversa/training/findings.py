"""What goes wrong in a run, as its log shows it: each finding in words, with a remedy."""

from collections.abc import Mapping, Sequence
from typing import Any

from viceversa.training import terms as kinds
from viceversa.training.record import mapping, number, series

_TROUBLE_LINES = 10
_NEAR_ZERO = 0.02
_GROWN = 2.0
_COLLAPSED = 0.3  # of the distance that pictures should have


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
    for name, values in kinds.discriminators(terms).items():
        last = _last_fifth(values)
        if last and all(0 <= value < _NEAR_ZERO for value in last):
            found.append(
                f"The discriminator wins: {name} stayed below {_NEAR_ZERO} in the last fifth of the log, so the "
                "generator has little left to learn from. Use more pictures, or a discriminator of fewer layers or "
                "less width."
            )
    for name, values in terms.items():
        if (kinds.is_distance(name) or kinds.is_cross_entropy(name)) and (times := _growth(values)) > _GROWN:
            found.append(
                f"Training drifts apart: {name} is now {times:.1f} times its lowest level. Take an earlier checkpoint, "
                "and train with a lower learning rate."
            )
    return found


def _last_fifth(values: Sequence[float | None]) -> list[float]:
    return [value for value in values[-max(1, len(values) // 5) :] if value is not None]


def _growth(values: Sequence[float | None]) -> float:
    """The mean of the last fifth over the lowest mean of a fifth."""
    known = [value for value in values if value is not None]
    width = max(1, len(known) // 5)
    means = [sum(known[end - width : end]) / width for end in range(len(known), width - 1, -width)]
    return means[0] / min(means) if means and min(means) > 0 else 1.0
