"""Measured figures for a model card, out of a JSON file: what `viceversa evaluate` wrote, or any object of numbers."""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from viceversa import sizes
from viceversa.errors import ConfigError

EVALUATION = "viceversa-evaluation"
_MOST_ROWS, _MOST_BYTES = 60, 2**20
_COLUMNS = ("translated", "untranslated", "real")
_MEASURES = {
    "frechet": "Frechet distance ↓",
    "kernel": "kernel distance ↓",
    "rate": "share taken for the target ↑",
    "ssim": "SSIM with the input",
    "edges": "edges as in the input",
    "cycle": "there and back, in grey levels ↓",
    "truth_l1": "L1 to the truth, in grey levels ↓",
    "truth_ssim": "SSIM with the truth ↑",
    "truth_psnr": "PSNR to the truth, in dB ↑",
}
_LEGEND = (
    "Untranslated: the inputs as they are. Real: held-out images of the target domain. In brackets: 95 % intervals."
)


@dataclass(frozen=True, kw_only=True)
class Figures:
    """A table, as plain text."""

    rows: tuple[tuple[str, ...], ...]
    """All of one length; the first one is the head."""
    notes: tuple[str, ...] = ()
    """What to mind when reading them."""


def read_figures(file: Path) -> Figures:
    """The figures in a JSON file.

    Raises:
        ConfigError: There is no such file, or no numbers in it.
    """
    try:
        content = file.read_bytes() if file.stat().st_size <= _MOST_BYTES else b""
        tree: Any = json.loads(content)
        evaluation = isinstance(tree, dict) and tree.get("format") == EVALUATION
        found = _of_evaluation(tree) if evaluation else Figures(rows=(("measured", "value"), *_numbers(tree, ())))
    except OSError as error:
        raise ConfigError(f"{file} cannot be read ({error.strerror}); name the JSON file of an evaluation.") from None
    except (ValueError, RecursionError):
        raise ConfigError(f"{file} is no JSON of at most 1 MiB; name the JSON file of an evaluation.") from None
    if not 1 < len(found.rows) <= _MOST_ROWS + 1:
        count = len(found.rows) - 1
        raise ConfigError(f"{file} holds {count} figures; give a JSON object with 1 to {_MOST_ROWS} of them.")
    return found


def _of_evaluation(tree: Any) -> Figures:
    rows: list[tuple[str, ...]] = [("measured", *_COLUMNS)]
    for direction in _list(tree, "directions"):
        leads = f"{_get(direction, 'source')} → {_get(direction, 'target')}"
        for key, name in _MEASURES.items():
            cells = [_figure(_get(_get(direction, column), key)) or "" for column in _COLUMNS]
            if any(cells):
                rows.append((f"{leads}: {name}", *cells))
    where = "images that were trained on" if _get(tree, "held_out") == "training" else "held-out images"
    about = f"Measured on {where}, at {sizes.told(_get(tree, 'size_px'))} px. {_LEGEND}"
    return Figures(rows=tuple(rows), notes=(about, *(str(note) for note in _list(tree, "notes")[:10])))


def _numbers(tree: Any, names: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Every number by the names that lead to it."""
    figure = _figure(tree) if names else None
    if figure is not None:
        yield ", ".join(names), figure
    elif isinstance(tree, dict):
        for name, value in tree.items():
            yield from _numbers(value, (*names, str(name)))


def _figure(value: Any) -> str | None:
    """A number; one with an interval, as evaluations write it; or two numbers, a range."""
    if _is_number(value):
        return f"{value:.4g}"
    if _is_number(_get(value, "value")):
        low, high = _get(value, "low"), _get(value, "high")
        return f"{value['value']:.4g}" + (f" ({low:.4g} to {high:.4g})" if _is_number(low) and _is_number(high) else "")
    if isinstance(value, list) and len(value) == 2 and all(map(_is_number, value)):
        return f"{value[0]:.4g} to {value[1]:.4g}"
    return None


def _is_number(value: Any) -> bool:
    # An int beyond all floats is none: neither isfinite nor format takes it.
    return type(value) in (int, float) and (-1e300 < value < 1e300) and math.isfinite(value)


def _get(tree: Any, key: str) -> Any:
    return tree.get(key) if isinstance(tree, dict) else None


def _list(tree: Any, key: str) -> list[Any]:
    found = _get(tree, key)
    return found if isinstance(found, list) else []
