"""The tables of a run's report: what was measured, what the run is made of, and its settings, as HTML."""

import re
from collections.abc import Callable, Mapping
from html import escape
from typing import Any

from viceversa.training.record import RunRecord, items, mapping, number, series
from viceversa.training.units import count

_LOWER_IS_BETTER = re.compile(r"(^|_)(f[ik]?d|kid|l1|l2|mae|mse|rmse|lpips|error|loss|distance)(_|$)")
_HIGHER_IS_BETTER = re.compile(r"(^|_)(psnr|ssim|judged|accuracy|precision|recall|score|agreement)(_|$)")
_SHARE = re.compile(r"(^|_)(share|rate|accuracy|fraction)s?(_|$)")


def results(record: RunRecord) -> str:
    """What was measured while it trained, and against the truth; nothing where nothing was."""
    html = ""
    images, metrics = series(record.lines, "metrics")
    rows = {name: row for name, values in metrics.items() if (row := _metric(name, images, values))}
    if rows:
        kept = (
            "" if record.best_images is None else f"<p>best/ holds the translator of {record.best_images:,} images.</p>"
        )
        early = record.summary.get("ended_early")
        ended = f"<p>Training ended early: {escape(str(early))}.</p>" if early else ""
        html += f"<section><h2>Metrics</h2>{_table(rows)}{kept}{ended}</section>"
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


def details(record: RunRecord) -> str:
    """Weights, pictures and machine; the files that were skipped; all settings."""
    summary = record.summary
    weights = {
        name: count(value) for name, given in mapping(summary.get("weights")).items() if (value := number(given))
    }
    domains = mapping(summary.get("domains"))
    pictures = {str(domains.get(key, key)): value for key, value in mapping(summary.get("pictures")).items()}
    machine = {key: summary[key] for key in ("device", "precision") if summary.get(key)}
    skipped = [entry for entry in items(summary.get("skipped")) if isinstance(entry, dict)]
    begun = {name: value for name, value in mapping(summary.get("initial")).items() if value}
    cards = {"Begun with": begun, "Weights": weights, "Pictures": pictures, "Machine": machine}
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
