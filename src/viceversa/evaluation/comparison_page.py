"""A comparison as one HTML page that opens from disk and fetches nothing; see `viceversa.pages`."""

import base64
import io
from collections.abc import Callable, Iterator, Sequence
from importlib.resources import files
from typing import NamedTuple

from markupsafe import Markup
from PIL import Image

from viceversa import pages, sizes
from viceversa.data.images import Array, visible
from viceversa.evaluation.bootstrap import Figure
from viceversa.evaluation.compared import Compared, differences
from viceversa.evaluation.comparison import Comparison, Sheet
from viceversa.evaluation.table import MEASURES, ORIGINS
from viceversa.evaluation.translation import Scores
from viceversa.training.units import count, duration, size

_IMAGES_BYTES = 6_500_000  # 8.7 MB as base64
_SMALLEST_PX = 64
_QUALITIES = (None, 95, 85, 75)  # None is PNG, the others WebP


class _Cell(NamedTuple):
    """Of a table: a text, a smaller one below, and the cell's class of styles."""

    text: str = ""
    small: str = ""
    kind: str = ""


_UNKNOWN = _Cell("not known", kind="unknown")
_Rows = dict[str, list[_Cell]]


def to_html(comparison: Comparison) -> bytes:
    """Return the whole page."""
    first, *others = comparison.evaluations[0].directions
    uris, how = _encoded(comparison.sheets)
    return pages.render(
        "viceversa.evaluation",
        "comparison",
        None,
        title=f"{first.source} {'⇄' if others else '→'} {first.target}",
        base_style=Markup(files("viceversa.training").joinpath("report.css").read_text("utf-8")),
        comparison=comparison,
        names=[model.name for model in comparison.models],
        about=_about(comparison),
        how=how,
        sheets=[(sheet, list(zip(*uris[sheet.name], strict=True))) for sheet in comparison.sheets],
        figures=[_figures(comparison, index) for index in range(1 + len(others))],
        notes=dict.fromkeys(note for evaluation in comparison.evaluations for note in evaluation.notes),
        models=dict(_models(comparison)),
        size=sizes.words(comparison.evaluations[0].size_px),
        settings={
            name: [_UNKNOWN if value is None else _Cell(value) for value in row]
            for name, row in differences(comparison.models).items()
        },
        known=[model.name for model in comparison.models if model.settings],
    )


def _about(comparison: Comparison) -> str:
    first = comparison.evaluations[0]
    images = " and ".join(f"{direction.pictures} {direction.source}" for direction in first.directions)
    trained_at = {model.translator.size_px for model in comparison.models}
    why = "as asked for"
    if first.size_px == max(trained_at, key=sizes.pixels):
        why = "as all were trained" if len(trained_at) == 1 else "the largest training size"
    return (
        f"{len(comparison.models)} models on the same images: {images}, {ORIGINS[first.held_out]}, at "
        f"{sizes.words(first.size_px)} px ({why})."
    )


def _encoded(sheets: Sequence[Sheet]) -> tuple[dict[str, list[list[str]]], str]:
    """Data URIs by sheet, column and row, within the budget: without loss if that fits; and how, for the reader."""
    shrink = 1
    largest = max(column.shape[1] for sheet in sheets for _, column in sheet.columns)
    while True:
        for quality in _QUALITIES if shrink == 1 else _QUALITIES[-1:]:
            made = {
                sheet.name: [[_uri(image, quality, shrink) for image in column] for _, column in sheet.columns]
                for sheet in sheets
            }
            total = sum(len(uri) for columns in made.values() for column in columns for uri in column)
            if total <= _IMAGES_BYTES * 4 / 3 or (quality == _QUALITIES[-1] and largest // (2 * shrink) < _SMALLEST_PX):
                how = "without loss" if quality is None else f"as WebP of quality {quality}"
                return made, how + (f", made {shrink} times smaller" if shrink > 1 else "")
        shrink *= 2


def _uri(pixels: Array, quality: int | None, shrink: int) -> str:
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else visible(pixels)).reduce(shrink)
    content = io.BytesIO()
    kind, options = ("png", {}) if quality is None else ("webp", {"quality": quality})
    image.save(content, kind, **options)
    return f"data:image/{kind};base64,{base64.b64encode(content.getvalue()).decode()}"


def _figures(comparison: Comparison, index: int) -> tuple[str, list[str], _Rows]:
    """One direction's title, the columns beside the models, and the rows."""
    directions = [evaluation.directions[index] for evaluation in comparison.evaluations]
    first = directions[0]
    around: dict[str, Scores] = {"doing nothing": first.untranslated, "real images": first.real}
    if first.mean is not None:
        around["average image"] = first.mean
    rows: _Rows = {}
    for key, (label, form) in MEASURES.items():
        found: list[Figure | None] = [getattr(direction.translated, key) for direction in directions]
        if not any(found):
            continue
        best = clearly_best(found, lower="↓" in label) if label[-1] in "↓↑" else None
        cells = [_cell(figure, form, "better" if place == best else "") for place, figure in enumerate(found)]
        cells += [_cell(getattr(scores, key), form, "base") for scores in around.values()]
        rows[label[0].upper() + label[1:]] = cells
    return f"{first.source} → {first.target}", list(around), rows


def clearly_best(figures: Sequence[Figure | None], *, lower: bool) -> int | None:
    """Return which one is better than all others beyond its 95 % interval and theirs; None if there is no such one."""
    known = [(place, figure) for place, figure in enumerate(figures) if figure is not None]
    if len(known) < 2:
        return None
    best, figure = (min if lower else max)(known, key=lambda one: one[1].value)
    for place, other in known:
        if None in (figure.low, figure.high, other.low, other.high):
            return None
        worse, better = (other, figure) if lower else (figure, other)
        if place != best and not (better.high or 0.0) < (worse.low or 0.0):
            return None
    return best


def _cell(figure: Figure | None, form: str, kind: str) -> _Cell:
    if figure is None:
        return _Cell(kind=kind)
    known = figure.low is not None and figure.high is not None
    interval = f"{form.format(figure.low)} – {form.format(figure.high)}" if known else ""
    return _Cell(form.format(figure.value), interval, kind)


def _models(comparison: Comparison) -> Iterator[tuple[str, list[_Cell]]]:
    models = comparison.models

    def row(title: str, value: Callable[[Compared], object], words: Callable[..., str] = str):
        found = [value(model) for model in models]
        return title, [_UNKNOWN if one is None else _Cell(words(one)) for one in found]

    yield row("Method", lambda model: model.method)
    yield row("Generator", lambda model: model.generator)
    yield row("Trained at", lambda model: f"{sizes.words(model.translator.size_px)} px")
    yield row("Images seen in training", _images)
    yield row("Weights of the generators", lambda model: model.generator_weights, count)
    yield row("Weights of all networks in training", lambda model: model.training_weights, count)
    yield "Seconds an epoch", [_epoch_seconds(model) for model in models]
    yield row("Images a second in training", lambda model: model.images_per_second, "{:.3g}".format)
    yield row("Time of training", lambda model: model.training_seconds, duration)
    yield row("Most memory in training", lambda model: model.memory_bytes, size)
    yield row("Trained on", lambda model: model.device)
    yield "Translating one image, here", [_Cell(f"{1000 * seconds:.3g} ms") for seconds in comparison.seconds]


def _images(model: Compared) -> str | None:
    if model.images is None:
        return None
    total = model.run.total_images if model.run else 0
    of = f" of {total:,}" if total > model.images else ""
    epochs = f" ({model.images / model.epoch_images:.1f} epochs)" if model.epoch_images else ""
    return f"{model.images:,}{of}{epochs}"


def _epoch_seconds(model: Compared) -> _Cell:
    if model.epoch_images is None or model.images_per_second is None:
        return _UNKNOWN
    return _Cell(f"{model.epoch_images / model.images_per_second:.3g} s", f"{model.epoch_images:,.0f} images")
