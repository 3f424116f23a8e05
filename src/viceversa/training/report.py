"""The report of a run: ``report.html``, one file that opens from disk and fetches nothing; see `viceversa.pages`."""

import base64
import io
import math
import re
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from PIL import Image

from viceversa import pages, sizes
from viceversa.training.charts import charts
from viceversa.training.findings import findings
from viceversa.training.log import replace_file
from viceversa.training.record import RunRecord, items, mapping, number, read, series, thin_evenly
from viceversa.training.units import count, duration, size

_MOST_SAMPLES = 60
_IMAGES_BYTES = 10_500_000  # 14 MB as base64
_NEWEST_BYTES = 2_000_000
_OTHER_BYTES = (_IMAGES_BYTES - _NEWEST_BYTES) // _MOST_SAMPLES
_RENEW_SECONDS = 60
_HELD_OUT = {
    "test": "Images of the test folder, which are not trained on.",
    "held out": "Images that were held out of training.",
    "training": "Images that are trained on: none were there to be held out.",
}
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
    live = not record.finished and record.summary.get("state") not in ("finished", "stopped")
    columns = [str(title) for title in items(record.summary.get("sample_columns"))] or ["input", "output", "back again"]
    samples, drawn = _images(record.samples), charts(record)
    data = {"charts": drawn, "columns": columns, "samples": samples, "renewSeconds": _RENEW_SECONDS if live else 0}
    images, metrics = series(record.lines, "metrics")
    skipped = [entry for entry in items(record.summary.get("skipped")) if isinstance(entry, dict)]
    page = pages.render(
        "viceversa.training",
        "report",
        data,
        renew_seconds=data["renewSeconds"],
        record=record,
        title=_title(record),
        eyebrow=_eyebrow(record),
        tiles=_tiles(record, live),
        epoch=next((at for line in reversed(record.lines) if (at := number(line.get("epoch"))) is not None), None),
        findings=findings(record.lines, record.total_images, mapping(record.summary.get("terms"))),
        samples_of=_HELD_OUT.get(str(record.summary.get("held_out")), "")
        if columns[0] == "input"
        else "Made of always the same noise.",
        samples=samples,
        charts=drawn,
        shown=[{"name": name, **entry} for name, sheet in record.shown.items() for entry in _images([sheet])],
        metrics={name: row for name, values in metrics.items() if (row := _metric(name, images, values))},
        cards=_cards(record),
        skipped=skipped,
        skipped_files=sum(_files(str(entry.get("reason", ""))) for entry in skipped),
        config=_flat(record.config),
        columns_of=_columns_of,
        words=_words,
        same=str,
        plain=_plain,
        share=_share,
    )
    replace_file(run / "report.html", page)
    return run / "report.html"


def _title(record: RunRecord) -> str:
    names = [str(name) for name in mapping(record.summary.get("domains")).values()]
    if len(names) != 2:
        return names[0] if names else "A training run"
    direction = _data(record).get("direction")
    if direction == "b2a":
        names.reverse()
    terms = record.losses.curves
    both_ways = direction is None and (not terms or any("b2a" in name for name in terms))
    return f" {'⇄' if both_ways else '→'} ".join(names)


def _eyebrow(record: RunRecord) -> str:
    given = record.config.get("method")
    method = record.summary.get("method") or mapping(given).get("name", given)
    pixels = _data(record).get("size_px")
    return " · ".join(str(part) for part in ("viceversa", method, pixels and f"{sizes.told(pixels)} px") if part)


def _data(record: RunRecord) -> dict[str, Any]:
    return mapping(mapping(record.config.get("method")).get("data"))


def _tiles(record: RunRecord, live: bool) -> dict[str, Any]:
    elapsed, speed, rest = record.latest("seconds"), record.latest("images_per_second"), record.rest_seconds
    return {
        "State": "finished" if record.finished else "training" if live else str(record.summary.get("state")),
        "Elapsed": duration(elapsed) if elapsed is not None else "",
        "Left": duration(rest) if live and rest is not None else "",
        "Speed": f"{speed:.3g} images/s" if speed is not None else "",
        "Memory": size(memory) if (memory := record.peak_memory_bytes) else "",
        "Renewed": datetime.now().astimezone(),
    }


def _cards(record: RunRecord) -> dict[str, dict[str, Any]]:
    """What a run is made of: tables by title."""
    summary = record.summary
    domains, weights = mapping(summary.get("domains")), mapping(summary.get("weights"))
    cards = {
        "Begun with": {name: value for name, value in mapping(summary.get("initial")).items() if value},
        "Weights": {name: count(value) for name, given in weights.items() if (value := number(given))},
        "Images": {str(domains.get(key, key)): value for key, value in mapping(summary.get("pictures")).items()},
        "Machine": {key: summary[key] for key in ("device", "precision") if summary.get(key)},
    }
    return {title: rows for title, rows in cards.items() if rows}


def _metric(name: str, images: list[float], values: list[float | None]) -> dict[str, str]:
    known = [(value, seen) for value, seen in zip(values, images, strict=True) if value is not None]
    if not known:
        return {}
    shown = {"last": f"{known[-1][0]:.4g}", "best": "–", "at": "–"}
    for best, pattern in ((min(known), _LOWER_IS_BETTER), (max(known), _HIGHER_IS_BETTER)):
        if pattern.search(name.lower()):
            return {**shown, "best": f"{best[0]:.4g}", "at": f"{int(best[1]):,} images"}
    return shown


def _files(reason: str) -> int:
    """How many files one entry of the skipped ones stands for: those of other kinds share one (`data.others`)."""
    match = re.match(r"holds (\d+) files? of ", reason)
    return int(match[1]) if match else 1


def _flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """``{"method.networks.width": 64}``: every setting by its whole name, as it is looked for."""
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) and value else {prefix + name: value}
    return flat


def _columns_of(rows: Mapping[str, Any]) -> list[str]:
    """The columns of a table whose values are objects of the same flat keys; none where they are not."""
    inner = [mapping(value) for value in rows.values()]
    flat = all(not isinstance(cell, dict | list) for value in inner for cell in value.values())
    return list(inner[0]) if flat and len({tuple(value) for value in inner}) == 1 else []


def _words(name: str) -> str:
    return name.replace("_", " ")


def _plain(_: str, value: Any) -> str:
    if value is None or value == {}:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(_plain("", item) for item in value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _share(name: str, value: Any) -> str:
    """As a percentage where the name says that it is one."""
    known = number(value)
    if known is not None and "percent" in name.lower():
        return f"{known:.1f} %"
    if known is not None and 0 <= known <= 1 and _SHARE.search(name.lower()):
        return f"{100 * known:.1f} %"
    return f"{known:.4g}" if isinstance(value, float) and known is not None else _plain(name, value)


def _images(sheets: list[tuple[int, Path]]) -> list[dict[str, Any]]:
    """The sheets that go into the page: images seen, size in pixels, and the sheet as a data URI."""
    chosen = thin_evenly(sheets, _MOST_SAMPLES)
    too_much = sum(path.stat().st_size for _, path in chosen if path.exists()) > _IMAGES_BYTES
    shown: list[dict[str, Any]] = []
    for index, (images, path) in enumerate(chosen):
        most = _NEWEST_BYTES if index == len(chosen) - 1 else _OTHER_BYTES
        try:
            status = path.stat()
            content, width, height = (
                _smaller(path, status.st_size, status.st_mtime_ns, most) if too_much else _unchanged(path)
            )
        except (OSError, SyntaxError, Image.DecompressionBombError):  # gone again, or no image (yet)
            continue
        uri = "data:image/jpeg;base64," + base64.b64encode(content).decode()
        shown.append({"images": images, "file": path.name, "width": width, "height": height, "uri": uri})
    return shown


def _unchanged(path: Path) -> tuple[bytes, int, int]:
    content = path.read_bytes()
    with Image.open(io.BytesIO(content)) as image:
        return content, *image.size


@lru_cache(maxsize=_MOST_SAMPLES)
def _smaller(path: Path, file_bytes: int, modified_ns: int, most: int) -> tuple[bytes, int, int]:
    """The image in at most ``most`` bytes; remembered, since pages are renewed far more often than samples change."""
    content, width, height = _unchanged(path)
    side = 1.25 * math.sqrt(most / max(1, len(content)))  # the lower quality below saves too
    while len(content) > most:
        with Image.open(path) as image:
            wanted = max(1, round(width * min(1, side))), max(1, round(height * min(1, side)))
            image.draft("RGB", wanted)  # JPEG decodes at a half, a quarter ... for a fraction of the time
            made = io.BytesIO()
            small = image.convert("RGB").resize(wanted, Image.Resampling.BICUBIC, reducing_gap=2)
            small.save(made, "JPEG", quality=82)
        content, side = made.getvalue(), side * 0.8
    return content, width, height
