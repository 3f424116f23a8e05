"""What a run says of itself when it begins: the lines in the terminal, and summary.json, which the report reads."""

from collections.abc import Iterable
from typing import Any

from viceversa import sizes
from viceversa.data.pictures import Pictures, told
from viceversa.training.record import mapping
from viceversa.training.trainer import Trainer
from viceversa.training.units import count


def announcement(trainer: Trainer, pictures: Pictures, remarks: Iterable[str] = ()) -> list[str]:
    """The lines: with what, and how much is planned."""
    lines = [
        f"{' and '.join(f'{number} {pictures.domains[side]}' for side, number in pictures.counts.items())} "
        f"at {sizes.words(trainer.config.method.data.size_px)} px{_depth(pictures)} to train on, "
        f"{pictures.held_out_count}"
        f"{' of each' if len(pictures.counts) > 1 else ''} to look at ({pictures.held_out_kind}); weights: "
        + ", ".join(f"{count(number)} {group}" for group, number in _weights(trainer).items())
    ]
    lines += told(pictures, "; the report lists them")
    lines += filter(None, remarks)
    minutes = trainer.config.method.schedule.minutes
    if minutes is not None:
        over = f"{trainer.seconds / 60:.3g} of them over"
        return [*lines, f"{minutes:g} minutes to train, {over}; {trainer.images_seen:,} images seen"]
    return [*lines, f"{trainer.total_images:,} images to see, {trainer.images_seen:,} seen"]


def begun(trainer: Trainer, pictures: Pictures, where: str, former: dict[str, Any]) -> dict[str, Any]:
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
        "remarks": list(pictures.remarks),
        "skipped": [{"path": str(lost.path), "reason": lost.reason} for lost in pictures.skipped],
        "sample_columns": former.get("sample_columns", []),
        "terms": mapping(former.get("terms")),
    }


def _depth(pictures: Pictures) -> str:
    """Said where it is another than 8 bits."""
    return f" and {pictures.bits} bits" if pictures.bits != 8 else ""


def _weights(trainer: Trainer) -> dict[str, int]:
    return {group: sum(p.numel() for p in params) for group, params in trainer.parameters.items()}
