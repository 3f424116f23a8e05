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
from datetime import datetime
from functools import lru_cache
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from PIL import Image

from viceversa import sizes
from viceversa.training import tables
from viceversa.training.charts import charts
from viceversa.training.findings import findings
from viceversa.training.log import replace_file
from viceversa.training.record import RunRecord, items, mapping, number, read, series, thin_evenly
from viceversa.training.units import duration, size

_MOST_SAMPLES = 60
_PICTURES_BYTES = 10_500_000  # 14 MB as base64
_NEWEST_BYTES = 2_000_000
_OTHER_BYTES = (_PICTURES_BYTES - _NEWEST_BYTES) // _MOST_SAMPLES
_RENEW_SECONDS = 60


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
    found = findings(record.lines, record.total_images, mapping(record.summary.get("terms")))
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
        "findings": "".join(f"<li>{escape(text)}</li>" for text in found),
        "samples_of": escape(_samples_of(record)),
        "samples_hidden": "" if pictures else "hidden",
        "charts_hidden": "" if data["charts"] else "hidden",
        "results": tables.results(record),
        "details": tables.details(record),
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
    return " · ".join(str(part) for part in ("viceversa", method, pixels and f"{sizes.told(pixels)} px") if part)


def _data(record: RunRecord) -> dict[str, Any]:
    return mapping(mapping(record.config.get("method")).get("data"))


def _header(record: RunRecord, live: bool) -> str:
    images, total, elapsed = record.images, record.total_images, record.latest("seconds")
    epoch = next((value for line in reversed(record.lines) if (value := number(line.get("epoch"))) is not None), None)
    speed = record.latest("images_per_second")
    rest = record.rest_seconds
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
        "Memory": size(memory) if (memory := record.peak_memory_bytes) else "",
        "Renewed": f'<time id="renewed" datetime="{now.isoformat()}">{now:%d %b %Y, %H:%M:%S}</time>',
    }
    shown = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in tiles.items() if value)
    seen = f'<p class="seen"><strong>{images:,}</strong>{of} images{percent}{epochs}</p>'
    return f'{seen}{bar}<dl class="tiles">{shown}</dl>'


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
