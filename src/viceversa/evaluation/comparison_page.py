"""A comparison as one HTML page that opens from disk and fetches nothing; pictures are in it.

A content security policy with the hash of our own script makes sure that nothing else in it can run, whatever the names
of models and domains are.
"""

import base64
import hashlib
import io
import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from html import escape
from importlib.resources import files

from PIL import Image

from viceversa import sizes
from viceversa.data.images import Array, visible
from viceversa.evaluation.bootstrap import Figure
from viceversa.evaluation.compared import Compared, differences
from viceversa.evaluation.comparison import Comparison, Sheet
from viceversa.evaluation.translation import Scores
from viceversa.training.units import count, duration, size

_PICTURES_BYTES = 6_500_000  # 8.7 MB as base64
_SMALLEST_PX = 64
_QUALITIES = (None, 95, 85, 75)  # None is PNG, the others WebP
_UNKNOWN = '<span class="unknown">not known</span>'
_KINDS = {"test": "of the test folder", "held out": "held out", "training": "that were trained on"}
_FIGURES = {
    "frechet": ("Fréchet distance ↓", "{:.2f}"),
    "kernel": ("Kernel distance ↓", "{:.3f}"),
    "rate": ("Taken for the target ↑", "{:.0%}"),
    "ssim": ("SSIM with the input", "{:.2f}"),
    "edges": ("Edges as in the input", "{:.2f}"),
    "cycle": ("There and back ↓", "{:.1f}"),
    "truth_l1": ("L1 to the truth ↓", "{:.1f}"),
    "truth_ssim": ("SSIM with the truth ↑", "{:.2f}"),
    "truth_psnr": ("PSNR to the truth ↑", "{:.1f}"),
}


def to_html(comparison: Comparison) -> str:
    """The whole page."""
    domains = comparison.evaluations[0].directions
    both = len(domains) > 1
    title = f"{domains[0].source} {'⇄' if both else '→'} {domains[0].target}"
    script = _asset("viceversa.evaluation", "comparison.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    uris, how = _encoded(comparison.sheets)
    parts = {
        "policy": f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'",
        "title": escape(title),
        "style": _asset("viceversa.training", "report.css") + _asset("viceversa.evaluation", "comparison.css"),
        "script": script,
        "about": escape(_about(comparison)),
        "warnings": "".join(f"<li>{escape(text)}</li>" for text in comparison.warnings),
        "how": escape(how),
        "sheets": "".join(_sheet(sheet, uris[sheet.name]) for sheet in comparison.sheets),
        "figures": "".join(_figures(comparison, index) for index in range(len(domains))),
        "notes": "".join(f"<li>{escape(note)}</li>" for note in _notes(comparison)),
        "count": str(len(comparison.models)),
        "models": _models(comparison),
        "speed": escape(
            "Speed and memory of training are as the runs have recorded them, each on what it was trained on. "
            f"Translating one picture of {sizes.words(comparison.evaluations[0].size_px)} px was measured when this "
            f"page was made, on {comparison.machine}: the fastest of some calls, the models taking turns."
        ),
        "settings": _settings(comparison.models),
    }
    # In one pass, so that a name that looks like a placeholder is not filled in.
    template = _asset("viceversa.evaluation", "comparison.html")
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], template)


def _about(comparison: Comparison) -> str:
    first = comparison.evaluations[0]
    pictures = " and ".join(f"{direction.pictures} {direction.source}" for direction in first.directions)
    trained_at = {model.translator.size_px for model in comparison.models}
    why = "as all were trained" if trained_at == {first.size_px} else ""
    if not why:
        why = "the largest training size" if first.size_px == max(trained_at, key=sizes.pixels) else "as asked for"
    return (
        f"{len(comparison.models)} models on the same pictures: {pictures}, {_KINDS[first.held_out]}, at "
        f"{sizes.words(first.size_px)} px ({why})."
    )


def _encoded(sheets: Sequence[Sheet]) -> tuple[dict[str, list[list[str]]], str]:
    """Data URIs by sheet, column and row, within the budget: without loss if that fits; and how, for the reader."""
    shrink = 1
    largest = max(column.shape[1] for sheet in sheets for _, column in sheet.columns)
    while True:
        for quality in _QUALITIES if shrink == 1 else _QUALITIES[-1:]:
            made = {
                sheet.name: [[_file(picture, quality, shrink) for picture in column] for _, column in sheet.columns]
                for sheet in sheets
            }
            total = sum(len(content) for columns in made.values() for column in columns for content in column)
            if total <= _PICTURES_BYTES or (quality == _QUALITIES[-1] and largest // (2 * shrink) < _SMALLEST_PX):
                kind = "png" if quality is None else "webp"
                uris = {name: [[_uri(kind, one) for one in column] for column in made[name]] for name in made}
                how = "without loss" if quality is None else f"as WebP of quality {quality}"
                return uris, how + (f", made {shrink} times smaller" if shrink > 1 else "")
        shrink *= 2


def _file(picture: Array, quality: int | None, shrink: int) -> bytes:
    image = Image.fromarray(picture[..., 0] if picture.shape[2] == 1 else visible(picture))
    if shrink > 1:
        image = image.reduce(shrink)
    content = io.BytesIO()
    if quality is None:
        image.save(content, "PNG")
    else:
        image.save(content, "WEBP", quality=quality)
    return content.getvalue()


def _uri(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def _sheet(sheet: Sheet, uris: list[list[str]]) -> str:
    titles = [title for title, _ in sheet.columns]
    side = sheet.columns[0][1].shape[1]
    shots = ""
    for index, row in enumerate(zip(*uris, strict=True)):
        cells = ""
        for title, uri in zip(titles, row, strict=True):
            alt = f"{sheet.source} {index + 1}: {title}"
            cells += (
                f'<button type="button" class="cell" title="{escape(title)}">'
                f'<img src="{uri}" width="{side}" height="{side}" alt="{escape(alt)}">'
                f"<span>{escape(title)}</span></button>"
            )
        shots += f'<li class="shot">{cells}</li>'
    name = escape(f"{sheet.source} → {sheet.target}")
    return (
        f'<section class="sheet-of"><h2>{name}</h2><div class="scroll"><ol class="shots" data-direction="{name}" '
        f'style="--columns: {len(titles)}">{shots}</ol></div></section>'
    )


def _figures(comparison: Comparison, index: int) -> str:
    directions = [evaluation.directions[index] for evaluation in comparison.evaluations]
    first = directions[0]
    around: dict[str, Scores | None] = {"doing nothing": first.untranslated, "real pictures": first.real}
    if first.mean is not None:
        around["average picture"] = first.mean
    names = [model.name for model in comparison.models]
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in names)
    head += "".join(f'<th scope="col" class="base">{name}</th>' for name in around)
    body = ""
    for key, (label, form) in _FIGURES.items():
        found = [_figure(direction.translated, key) for direction in directions]
        if not any(found):
            continue
        best = clearly_best(found, lower="↓" in label) if label[-1] in "↓↑" else None
        cells = "".join(_cell(figure, form, "better" if place == best else "") for place, figure in enumerate(found))
        cells += "".join(_cell(_figure(scores, key), form, "base") for scores in around.values())
        body += f'<tr><th scope="row">{label}</th>{cells}</tr>'
    return (
        f"<h3>{escape(first.source)} → {escape(first.target)}</h3>"
        f'<div class="scroll"><table class="figures"><thead><tr><td></td>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def clearly_best(figures: Sequence[Figure | None], *, lower: bool) -> int | None:
    """Which one is better than all others beyond its 95 % interval and theirs; None if there is no such one."""
    known = [(place, figure) for place, figure in enumerate(figures) if figure is not None]
    if len(known) < 2:
        return None
    best, figure = (min if lower else max)(known, key=lambda one: one[1].value)
    ends = [(other.low, other.high) for place, other in known if place != best]
    for low, high in ends:
        if low is None or high is None or figure.low is None or figure.high is None:
            return None
        if (figure.high >= low) if lower else (figure.low <= high):
            return None
    return best


def _figure(scores: Scores | None, key: str) -> Figure | None:
    return getattr(scores, key, None)


def _cell(figure: Figure | None, form: str, kind: str) -> str:
    if figure is None:
        return f'<td class="{kind}"></td>'
    text = form.format(figure.value)
    if figure.low is not None and figure.high is not None:
        text += f"<small>{form.format(figure.low)} – {form.format(figure.high)}</small>"
    mark = '<span class="mark">better</span>' if kind == "better" else ""
    return f'<td class="{kind}">{text}{mark}</td>'


def _notes(comparison: Comparison) -> Iterator[str]:
    yield "Small figures are 95 % intervals; arrows say which way is better."
    yield (
        "“Better” stands only where the interval of the best model overlaps with that of no other. Without it, the "
        "pictures here do not settle which model is better."
    )
    yield (
        "Doing nothing: the inputs as they are. Real pictures: held-out ones of the target domain. There and back, L1: "
        "grey levels, 0 to 255. PSNR: dB."
    )
    yield from dict.fromkeys(note for evaluation in comparison.evaluations for note in evaluation.notes)


def _models(comparison: Comparison) -> str:
    models = comparison.models
    rows = {
        "Method": [_known(model.method) for model in models],
        "Generator": [escape(model.generator) for model in models],
        "Trained at": [f"{sizes.words(model.translator.size_px)} px" for model in models],
        "Images seen in training": [_images(model) for model in models],
        "Weights of the generators": [_in_words(model.generator_weights, count) for model in models],
        "Weights of all networks in training": [_in_words(model.training_weights, count) for model in models],
        "Seconds an epoch": [_epoch_seconds(model) for model in models],
        "Images a second in training": [_in_words(model.images_per_second, "{:.3g}".format) for model in models],
        "Time of training": [_in_words(model.training_seconds, duration) for model in models],
        "Most memory in training": [_in_words(model.memory_bytes, size) for model in models],
        "Trained on": [_known(model.device) for model in models],
        "Translating one picture, here": [f"{1000 * seconds:.3g} ms" for seconds in comparison.seconds],
    }
    return _table([model.name for model in models], rows)


def _images(model: Compared) -> str:
    if model.images is None:
        return _UNKNOWN
    total = model.run.total_images if model.run else 0
    of = f" of {total:,}" if total > model.images else ""
    epochs = f" ({model.images / model.epoch_images:.1f} epochs)" if model.epoch_images else ""
    return f"{model.images:,}{of}{epochs}"


def _epoch_seconds(model: Compared) -> str:
    if model.epoch_images is None or model.images_per_second is None:
        return _UNKNOWN
    return f"{model.epoch_images / model.images_per_second:.3g} s<small>{model.epoch_images:,.0f} images</small>"


def _in_words(value: float | None, words: Callable[[float], str]) -> str:
    return _UNKNOWN if value is None else escape(words(value))


def _known(text: str | None) -> str:
    return _UNKNOWN if text is None else escape(text)


def _settings(models: Sequence[Compared]) -> str:
    known = [model.name for model in models if model.settings]
    if len(known) < 2:
        only = f"only those of {known[0]} are known" if known else "none are known"
        return f"<p>There is nothing to compare: {escape(only)}.</p>"
    rows = differences(models)
    if not rows:
        return "<p>All settings that are known are equal.</p>"
    shown = {name: [_UNKNOWN if value is None else escape(value) for value in row] for name, row in rows.items()}
    return _table([model.name for model in models], shown)


def _table(names: Sequence[str], rows: dict[str, list[str]]) -> str:
    """``rows`` are HTML but for their titles."""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in names)
    body = "".join(
        f'<tr><th scope="row">{escape(title)}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'
        for title, cells in rows.items()
    )
    head = f"<thead><tr><td></td>{head}</tr></thead>"
    return f'<div class="scroll"><table class="facts">{head}<tbody>{body}</tbody></table></div>'


@lru_cache
def _asset(package: str, name: str) -> str:
    return files(package).joinpath(name).read_text("utf-8")
