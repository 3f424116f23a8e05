"""The report of a run: ``report.html``, one file that opens from disk and fetches nothing.

The numbers and pictures are in the page itself, so it can be copied, mailed and kept. A content security policy with
the hash of our own script makes sure that nothing else in it can run, whatever the names of domains and files are.
"""

import base64
import hashlib
import io
import json
import math
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from PIL import Image

from viceversa.training.charts import charts
from viceversa.training.findings import findings
from viceversa.training.progress import replace_file
from viceversa.training.record import RunRecord, items, mapping, number, read, series, thin_evenly
from viceversa.training.units import count, duration, size

_MOST_SAMPLES = 60
_PICTURES_BYTES = 10_500_000  # 14 MB as base64
_NEWEST_BYTES = 2_000_000
_OTHER_BYTES = (_PICTURES_BYTES - _NEWEST_BYTES) // _MOST_SAMPLES
_RENEW_SECONDS = 60

_LOWER_IS_BETTER = re.compile(r"(^|_)(f[ik]?d|kid|l1|l2|mae|mse|rmse|lpips|error|loss|distance)(_|$)")
_HIGHER_IS_BETTER = re.compile(r"(^|_)(psnr|ssim|judged|accuracy|precision|recall|score|agreement)(_|$)")
_SHARE = re.compile(r"(^|_)(share|rate|accuracy|fraction)s?(_|$)")


def write_report(run: Path) -> Path:
    """Write ``run/report.html`` from what is in ``run``, in one move, and return its path.

    Any file of the run may be missing or be written at this moment. The page renews itself while training goes on.

    Raises:
        TrainingError: The page cannot be written.
    """
    record = read(run)
    pictures = _pictures(record.samples)
    live = not record.finished and record.summary.get("state") not in ("finished", "stopped")
    data = {
        "charts": charts(record),
        "columns": _columns(record),
        "samples": pictures,
        "renewSeconds": _RENEW_SECONDS if live else 0,
    }
    style, script = _asset("report.css"), _asset("report.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    parts = {
        "policy": f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'",
        "refresh": f'<noscript><meta http-equiv="refresh" content="{_RENEW_SECONDS}"></noscript>' if live else "",
        "title": escape(_title(record)),
        "eyebrow": escape(_eyebrow(record)),
        "style": style,
        "script": script,
        "data": _json_for_html(data),
        "header": _header(record, live),
        "findings": "".join(f"<li>{escape(text)}</li>" for text in findings(record.lines, record.total_images)),
        "samples_of": escape(_samples_of(record)),
        "samples_hidden": "" if pictures else "hidden",
        "charts_hidden": "" if data["charts"] else "hidden",
        "results": _results(record),
        "details": _details(record),
    }
    # In one pass, so that a name that looks like a placeholder is not filled in.
    page = re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], _asset("report.html"))
    path = run / "report.html"
    replace_file(path, page.encode(errors="replace"))
    return path


def _title(record: RunRecord) -> str:
    names = [str(name) for name in mapping(record.summary.get("domains")).values()]
    if len(names) != 2:
        return names[0] if names else "A training run"
    direction = _data(record).get("direction")
    if direction == "b2a":
        names.reverse()
    _, terms = series(record.lines, "losses")
    both_ways = direction is None and (not terms or any("b2a" in name for name in terms))
    return f" {'⇄' if both_ways else '→'} ".join(names)


def _eyebrow(record: RunRecord) -> str:
    given = record.config.get("method")
    method = record.summary.get("method") or mapping(given).get("name", given)
    pixels = _data(record).get("size_px")
    return " · ".join(str(part) for part in ("viceversa", method, pixels and f"{pixels} px") if part)


def _data(record: RunRecord) -> dict[str, Any]:
    return mapping(mapping(record.config.get("method")).get("data"))


def _header(record: RunRecord, live: bool) -> str:
    images, total, elapsed = record.images, record.total_images, record.latest("seconds")
    epoch = next((value for line in reversed(record.lines) if (value := number(line.get("epoch"))) is not None), None)
    speed = record.latest("images_per_second")
    rest = _rest_seconds(record)
    state = "finished" if record.finished else "training" if live else str(record.summary.get("state"))
    of = f" of {total:,}" if total else ""
    percent = f" · {100 * images / total:.1f} %" if total else ""
    epochs = f" · epoch {epoch:.1f}" if epoch is not None else ""
    bar = f'<progress max="{total}" value="{min(images, total)}">{percent}</progress>' if total else ""
    now = datetime.now().astimezone()
    tiles = {
        "State": f'<span class="state {state if state.isalpha() else ""}">{escape(state)}</span>',
        "Elapsed": duration(elapsed) if elapsed is not None else "",
        "Left": duration(rest) if live and rest is not None else "",
        "Speed": f"{speed:.3g} images/s" if speed is not None else "",
        "Memory": size(memory) if (memory := _peak_memory(record)) else "",
        "Renewed": f'<time id="renewed" datetime="{now.isoformat()}">{now:%d %b %Y, %H:%M:%S}</time>',
    }
    shown = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in tiles.items() if value)
    seen = f'<p class="seen"><strong>{images:,}</strong>{of} images{percent}{epochs}</p>'
    return f'{seen}{bar}<dl class="tiles">{shown}</dl>'


def _rest_seconds(record: RunRecord) -> float | None:
    speed = record.latest("images_per_second")
    return max(0, record.total_images - record.images) / speed if speed and record.total_images else None


def _peak_memory(record: RunRecord) -> float | None:
    return max(
        (value for line in record.timing if (value := number(line.get("memory_bytes"))) is not None), default=None
    )


def _columns(record: RunRecord) -> list[str]:
    titles = [str(title) for title in items(record.summary.get("sample_columns"))]
    return titles or ["input", "output", "back again"]


def _samples_of(record: RunRecord) -> str:
    """Which pictures the sheets show; nothing where there is no input to be seen."""
    if _columns(record)[0] != "input":
        return "Made of always the same noise."
    said = {
        "test": "Pictures of the test folder, which are not trained on.",
        "held out": "Pictures that were held out of training.",
        "training": "Pictures that are trained on: none were there to be held out.",
    }
    return said.get(str(record.summary.get("held_out")), "")


def _results(record: RunRecord) -> str:
    html = ""
    images, metrics = series(record.lines, "metrics")
    rows = {name: row for name, values in metrics.items() if (row := _metric(name, images, values))}
    if rows:
        kept = (
            "" if record.best_images is None else f"<p>best/ holds the translator of {record.best_images:,} images.</p>"
        )
        html += f"<section><h2>Metrics</h2>{_table(rows)}{kept}</section>"
    if record.truth:
        html += f"<section><h2>Against the truth</h2>{_table(record.truth, _share)}</section>"
    return html


def _metric(name: str, images: list[float], values: list[float | None]) -> dict[str, str]:
    known = [(value, seen) for value, seen in zip(values, images, strict=True) if value is not None]
    if not known:
        return {}
    shown = {"last": f"{known[-1][0]:.4g}", "best": "–", "at": "–"}
    for best, pattern in ((min(known), _LOWER_IS_BETTER), (max(known), _HIGHER_IS_BETTER)):
        if pattern.search(name.lower()):
            return {**shown, "best": f"{best[0]:.4g}", "at": f"{int(best[1]):,} images"}
    return shown


def _details(record: RunRecord) -> str:
    summary = record.summary
    weights = {
        name: count(value) for name, given in mapping(summary.get("weights")).items() if (value := number(given))
    }
    domains = mapping(summary.get("domains"))
    pictures = {str(domains.get(key, key)): value for key, value in mapping(summary.get("pictures")).items()}
    machine = {key: summary[key] for key in ("device", "precision") if summary.get(key)}
    skipped = [entry for entry in items(summary.get("skipped")) if isinstance(entry, dict)]
    cards = {"Weights": weights, "Pictures": pictures, "Machine": machine, "Estimate": _estimate(record)}
    html = "".join(f'<div class="card"><h3>{name}</h3>{_table(rows)}</div>' for name, rows in cards.items() if rows)
    html = f'<section><h2>The run</h2><div class="cards">{html}</div></section>' if html else ""
    if skipped:
        lines = "".join(
            f"<li><code>{escape(str(entry.get('path', '?')))}</code> {escape(str(entry.get('reason', '')))}</li>"
            for entry in skipped
        )
        files = sum(_files(str(entry.get("reason", ""))) for entry in skipped)
        title = "1 file was skipped" if files == 1 else f"{files:,} files were skipped"
        html += f'<details id="skipped"><summary>{title}</summary><ul>{lines}</ul></details>'
    if record.config:
        table = _table(_flat(record.config), name_of=str)
        html += f'<details id="config"><summary>Configuration</summary>{table}</details>'
    return html


def _files(reason: str) -> int:
    """How many files one entry of the skipped ones stands for: those of other kinds share one (`data.others`)."""
    match = re.match(r"holds (\d+) files? of ", reason)
    return int(match[1]) if match else 1


def _estimate(record: RunRecord) -> dict[str, dict[str, str]]:
    estimate = mapping(record.summary.get("estimate"))
    elapsed, rest = record.latest("seconds"), _rest_seconds(record)
    actual = None if elapsed is None else elapsed if record.finished else rest and elapsed + rest
    pairs: dict[str, tuple[float | None, float | None, Callable[[float], str]]] = {
        "time": (number(estimate.get("seconds")), actual, duration),
        "memory": (number(estimate.get("memory_bytes")), _peak_memory(record), size),
    }
    return {
        name: {
            "estimate": words(guessed),
            "measured" if record.finished else "now": words(real) if real else "–",
        }
        for name, (guessed, real, words) in pairs.items()
        if guessed
    }


def _flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """``{"method.networks.width": 64}``: every setting by its whole name, as it is looked for."""
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) and value else {prefix + name: value}
    return flat


def _table(
    rows: Mapping[str, Any],
    show: Callable[[str, Any], str] | None = None,
    name_of: Callable[[str], str] | None = None,
) -> str:
    """Rows of name and value; equal objects as values make columns, others tables within the table."""
    show = show or (lambda _, value: _plain(value))
    name_of = name_of or _words
    inner = [value for value in rows.values() if isinstance(value, dict) and value]
    flat = all(not isinstance(cell, dict | list) for value in inner for cell in value.values())
    if len(inner) == len(rows) and flat and len({tuple(value) for value in inner}) == 1:
        head = "".join(f'<th scope="col">{escape(name_of(name))}</th>' for name in inner[0])
        body = "".join(
            f'<tr><th scope="row">{escape(name_of(row))}</th>'
            + "".join(f"<td>{escape(show(f'{row}_{name}', cell))}</td>" for name, cell in value.items())
            + "</tr>"
            for row, value in rows.items()
        )
        return f'<div class="scroll"><table><thead><tr><td></td>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    body = "".join(
        f'<tr><th scope="row">{escape(name_of(name))}</th><td>'
        + (_table(value, show, name_of) if isinstance(value, dict) and value else escape(show(name, value)))
        + "</td></tr>"
        for name, value in rows.items()
    )
    return f'<div class="scroll"><table><tbody>{body}</tbody></table></div>'


def _words(name: str) -> str:
    return name.replace("_", " ")


def _plain(value: Any) -> str:
    if value is None or value == {}:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(_plain(item) for item in value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _share(name: str, value: Any) -> str:
    """As a percentage where the name says that it is one."""
    known = number(value)
    if known is not None and "percent" in name.lower():
        return f"{known:.1f} %"
    if known is not None and 0 <= known <= 1 and _SHARE.search(name.lower()):
        return f"{100 * known:.1f} %"
    return f"{known:.4g}" if isinstance(value, float) and known is not None else _plain(value)


def _pictures(samples: list[tuple[int, Path]]) -> list[dict[str, Any]]:
    """The samples that go into the page: images seen, size in pixels, and the picture as a data URI."""
    chosen = thin_evenly(samples, _MOST_SAMPLES)
    too_much = sum(path.stat().st_size for _, path in chosen if path.exists()) > _PICTURES_BYTES
    shown: list[dict[str, Any]] = []
    for index, (images, path) in enumerate(chosen):
        most = _NEWEST_BYTES if index == len(chosen) - 1 else _OTHER_BYTES
        try:
            status = path.stat()
            content, width, height = (
                _smaller(path, status.st_size, status.st_mtime_ns, most) if too_much else _unchanged(path)
            )
        except (OSError, SyntaxError, Image.DecompressionBombError):  # gone again, or no picture (yet)
            continue
        uri = "data:image/jpeg;base64," + base64.b64encode(content).decode()
        shown.append({"images": images, "file": path.name, "width": width, "height": height, "uri": uri})
    return shown


def _unchanged(path: Path) -> tuple[bytes, int, int]:
    content = path.read_bytes()
    with Image.open(io.BytesIO(content)) as picture:
        return content, *picture.size


@lru_cache(maxsize=_MOST_SAMPLES)
def _smaller(path: Path, file_bytes: int, modified_ns: int, most: int) -> tuple[bytes, int, int]:
    """The picture in at most ``most`` bytes; remembered, since pages are renewed far more often than samples change."""
    content, width, height = _unchanged(path)
    side = 1.25 * math.sqrt(most / max(1, len(content)))  # the lower quality below saves too
    while len(content) > most:
        with Image.open(path) as picture:
            wanted = max(1, round(width * min(1, side))), max(1, round(height * min(1, side)))
            picture.draft("RGB", wanted)  # JPEG decodes at a half, a quarter ... for a fraction of the time
            made = io.BytesIO()
            picture.convert("RGB").resize(wanted, Image.Resampling.BICUBIC, reducing_gap=2).save(
                made, "JPEG", quality=82
            )
        content, side = made.getvalue(), side * 0.8
    return content, width, height


def _json_for_html(data: Any) -> str:
    """JSON that cannot end the script element it stands in."""
    text = json.dumps(data, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


@lru_cache
def _asset(name: str) -> str:
    return files("viceversa.training").joinpath(name).read_text("utf-8")
