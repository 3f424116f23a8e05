"""What goes wrong in a run, as its log shows it: each finding in words, with a remedy."""

from collections.abc import Mapping, Sequence
from typing import Any

from viceversa.training.record import losses, mapping, number, series

_TROUBLE_LINES = 10
_NEAR_ZERO = 0.02
_GROWN = 2.0
_COLLAPSED = 0.3  # of the distance that images should have
_EARLY_IMAGES = 10_000  # until then outputs may well be alike still


def findings(
    lines: Sequence[Mapping[str, Any]], total_images: int = 0, kinds: Mapping[str, Any] | None = None
) -> list[str]:
    """Trouble that the lines of metrics.jsonl show, each in words with a remedy.

    Args:
        lines: The log.
        total_images: How many images are to be seen; 0 where nobody said.
        kinds: The kinds of loss terms, as summary.json has them.
    """
    logged = [line for line in lines if mapping(line.get("losses"))]
    terms = losses(logged, kinds or {})
    found: list[str] = []
    for name in terms.curves:
        broken = next(
            (line for line in logged if name in line["losses"] and number(line["losses"][name]) is None), None
        )
        if broken is not None:
            found.append(
                f"Not a number: the term {name} was NaN or infinite at {int(broken['images']):,} images. Go on from a "
                "checkpoint before that with a lower learning rate, or train with precision 32-true."
            )
    found += _alike(lines, total_images)
    if len(logged) < _TROUBLE_LINES:
        return found
    for name, values in terms.sums("discriminator").items():
        last = _last_fifth(values)
        if last and all(0 <= value < _NEAR_ZERO for value in last):
            found.append(
                f"The discriminator wins: {name} stayed below {_NEAR_ZERO} in the last fifth of the log, so the "
                "generator has little left to learn from. Use more images, or a discriminator of fewer layers or "
                "less width."
            )
    for name, values in terms.of("distance", "classification").items():
        if (times := _growth(values)) > _GROWN:
            found.append(
                f"Training drifts apart: {name} is now {times:.1f} times its lowest level. Take an earlier checkpoint, "
                "and train with a lower learning rate."
            )
    return found


def _alike(lines: Sequence[Mapping[str, Any]], total_images: int) -> list[str]:
    """Whether outputs are all alike: again, where they once were not or should no longer be; or still."""
    images, metrics = series(lines, "metrics")
    rows = zip(images, metrics.get("diversity", ()), strict=False)
    varied = [(seen, value) for seen, value in rows if value is not None]
    if len(varied) < _TROUBLE_LINES or (now := max(value for _, value in varied[-3:])) >= _COLLAPSED:
        return []
    seen, last = varied[-1]
    best = max(value for _, value in varied)
    fallen = best >= _COLLAPSED and now < best / 2
    share = f"the outputs differ from one another only {last:.0%} as much as they should"
    if not fallen and seen < max(_EARLY_IMAGES, total_images / 2):
        return [
            f"Not varied yet: {share}, as may be at the start of a training. Train on, with more --images if need be."
        ]
    remedy = "Take an earlier checkpoint, and train" if fallen else "Train anew"
    return [
        f"Collapse: {share}, so the generator makes nearly the same image of everything. {remedy} with a lower "
        "learning rate, a larger batch, or another objective."
    ]


def _last_fifth(values: Sequence[float | None]) -> list[float]:
    return [value for value in values[-max(1, len(values) // 5) :] if value is not None]


def _growth(values: Sequence[float | None]) -> float:
    """The mean of the last fifth over the lowest mean of a fifth."""
    known = [value for value in values if value is not None]
    width = max(1, len(known) // 5)
    means = [sum(known[end - width : end]) / width for end in range(len(known), width - 1, -width)]
    return means[0] / min(means) if means and min(means) > 0 else 1.0
