"""What a run says of itself when it begins: the lines in the terminal, and summary.json, which the report reads."""

from collections.abc import Iterable
from typing import Any

from viceversa.data.pictures import Pictures
from viceversa.training.estimate import Estimate
from viceversa.training.record import mapping, number
from viceversa.training.trainer import Trainer
from viceversa.training.units import count, duration, size


def announcement(
    trainer: Trainer, pictures: Pictures, expected: Estimate | None, remarks: Iterable[str] = ()
) -> list[str]:
    """The lines: with what, how long, in how much memory."""
    lines = [
        f"{' and '.join(f'{number} {pictures.domains[side]}' for side, number in pictures.counts.items())} "
        f"at {trainer.config.method.data.size_px} px{_depth(pictures)} to train on, {pictures.held_out_count}"
        f"{' of each' if len(pictures.counts) > 1 else ''} to look at ({pictures.held_out_kind}); weights: "
        + ", ".join(f"{count(number)} {group}" for group, number in _weights(trainer).items())
    ]
    lines += [f"skipped {lost.path}: {lost.reason}" for lost in pictures.skipped[:5]]
    if len(pictures.skipped) > 5:
        lines.append(f"and {len(pictures.skipped) - 5} more skipped; the report lists them")
    lines += filter(None, remarks)
    seen = f"{trainer.total_images:,} images to see, {trainer.images_seen:,} seen"
    if expected:
        seconds = _seconds_per_image(trainer, expected) * max(0, trainer.total_images - trainer.images_seen)
        seen += f"; about {duration(seconds)} and {size(expected.memory_bytes)} of memory (estimated)"
    return [*lines, seen]


def begun(
    trainer: Trainer, pictures: Pictures, where: str, expected: Estimate | None, former: dict[str, Any]
) -> dict[str, Any]:
    """The summary of a run that begins or goes on; ``former`` is the one that is there, else empty."""
    return {
        "state": "training",
        "method": trainer.method.name,
        "domains": pictures.domains,
        "size_px": trainer.config.method.data.size_px,
        "total_images": trainer.total_images,
        "weights": _weights(trainer),
        "device": where,
        "precision": trainer.config.precision,
        "pictures": pictures.counts,
        "content": pictures.content,
        "held_out": pictures.held_out_kind,
        "skipped": [{"path": str(lost.path), "reason": lost.reason} for lost in pictures.skipped],
        "estimate": _first_estimate(former, trainer.total_images) or _estimate(trainer, expected),
        "sample_columns": former.get("sample_columns", []),
    }


def _depth(pictures: Pictures) -> str:
    """Said where it is another than 8 bits."""
    return f" and {pictures.bits} bits" if pictures.bits != 8 else ""


def _weights(trainer: Trainer) -> dict[str, int]:
    return {group: sum(p.numel() for p in params) for group, params in trainer.parameters.items()}


def _seconds_per_image(trainer: Trainer, expected: Estimate) -> float:
    return expected.seconds_per_step / trainer.images_per_step


def _estimate(trainer: Trainer, expected: Estimate | None) -> dict[str, float]:
    if expected is None:
        return {}
    seconds = _seconds_per_image(trainer, expected) * trainer.total_images
    return {"seconds": seconds, "memory_bytes": expected.memory_bytes}


def _first_estimate(former: dict[str, Any], total_images: int) -> dict[str, float]:
    """The first session's, since it is there to be compared with what came; for as many images as are planned now."""
    first, planned = mapping(former.get("estimate")), number(former.get("total_images"))
    seconds = number(first.get("seconds"))
    return {**first, "seconds": seconds * total_images / planned} if seconds and planned else {}
