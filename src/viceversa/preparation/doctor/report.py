"""The doctor's page: one file that opens from disk, fetches nothing and runs nothing."""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from html import escape
from importlib.resources import files
from pathlib import Path

from viceversa.preparation.doctor import sheets, text
from viceversa.preparation.doctor.charts import charts, legend
from viceversa.preparation.doctor.diagnosis import Diagnosis
from viceversa.preparation.doctor.findings import Finding, across, leaked, within_one_part
from viceversa.preparation.doctor.pairs import moved
from viceversa.preparation.doctor.scan import Inspected, Picture
from viceversa.preparation.doctor.summary import table

_SAMPLES, _EXTREMES, _GROUPS, _OF_A_GROUP = 24, 12, 24, 6


def to_html(diagnosis: Diagnosis) -> str:
    """The whole page. Small copies of the images are in it; the images are read anew for them."""
    titles, place = list(diagnosis.inspected.layout.titles.values()), diagnosis.inspected.layout.place
    parts = {
        "title": escape(Path(place).resolve().name if titles == ["A", "B"] else " and ".join(titles)),
        "eyebrow": escape(f"viceversa inspect · {text.KINDS[diagnosis.inspected.kind]} · {place}"),
        "style": _asset("viceversa.training", "report.css") + _asset("viceversa.preparation.doctor", "doctor.css"),
        "verdict": escape(text.verdict(diagnosis)),
        "guess": "".join(f"<p>{escape(line)}</p>" for line in text.guess(diagnosis)),
        "findings": _findings(diagnosis.findings),
        "sections": "".join(_sections(diagnosis)),
    }
    # In one pass, so that a name that looks like a placeholder is not filled in.
    template = _asset("viceversa.preparation.doctor", "report.html")
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], template)


def _findings(findings: Sequence[Finding]) -> str:
    lines = ""
    for finding in findings:
        examples = "".join(f"<span>{escape(example)}</span>" for example in finding.examples)
        lines += (
            f'<li class="{finding.severity}"><b>{finding.severity}</b><strong>{escape(finding.what)}</strong>'
            f"<p>{escape(_sentence(finding.consequence))} {escape(finding.remedy)}.</p>"
            f"{f'<p class=examples>{examples}</p>' if examples else ''}</li>"
        )
    return f'<ul class="diagnoses" aria-label="Findings">{lines}</ul>' if lines else ""


def _sections(diagnosis: Diagnosis) -> Iterator[str]:
    inspected = diagnosis.inspected
    domains = {title: inspected.of(letter, "train") for letter, title in inspected.layout.titles.items()}
    if inspected.kind == "paired":
        yield from _pairs(inspected)
    else:
        samples = {title: sheets.sheet(sheets.spread_out(pictures, _SAMPLES)) for title, pictures in domains.items()}
        yield _section("Samples", "Evenly over the images to train on.", _sides(samples))
    yield from _repeated(diagnosis)
    keys = legend(list(domains)) if len(domains) > 1 else ""
    yield _section(
        "Distributions",
        "How many of the images to train on have how much; dashed lines are medians.",
        f'{keys}<div class="cards">{"".join(charts(domains))}</div>',
    )
    yield _section("Numbers", "Medians of the images to train on, and between what nine of ten lie.", _table(diagnosis))
    means = {title: sheets.mean_picture(pictures) for title, pictures in domains.items() if pictures}
    yield _section("The mean image", "What all of them have in common will be learned too.", _sides(means))
    if inspected.kind != "paired":
        yield from _extremes(domains)


def _extremes(domains: dict[str, list[Picture]]) -> Iterator[str]:
    def best(title: str, about: str, choose: dict[str, list[Picture]]) -> str:
        return _section(title, about, _sides({name: sheets.sheet(some) for name, some in choose.items() if some}))

    for least, title in ((True, "The darkest"), (False, "The brightest")):
        some = {
            name: sheets.extremes(pictures, lambda m: m.brightness, _EXTREMES, least=least)
            for name, pictures in domains.items()
        }
        yield best(title, "By mean luminance.", some)
    soft = {
        name: sheets.extremes(pictures, lambda m: m.sharpness, _EXTREMES, least=True)
        for name, pictures in domains.items()
    }
    yield best("The softest", "Edges that rise most slowly: blurred, or enlarged.", soft)
    odd = {name: sheets.outliers(pictures, _EXTREMES) for name, pictures in domains.items()}
    if any(odd.values()):
        yield best("The least usual", "Farthest from the mean image.", odd)


def _repeated(diagnosis: Diagnosis) -> Iterator[str]:
    letters = diagnosis.inspected.layout.titles
    leaks = [pair for group in diagnosis.groups for letter in letters for pair in leaked(group, letter)]
    both = [pair for group in diagnosis.groups if (pair := across(group))]
    copies = [same for group in diagnosis.groups for same in within_one_part(group)]
    for title, about, found in (
        ("In training and in testing", "On the left the training image, on the right the one for testing.", leaks),
        ("In both domains", "The same image on either side.", both),
        ("The same image several times", "Equal, or but for size, encoding or brightness.", copies),
    ):
        if found:
            shown = "".join(sheets.sheet(group[:_OF_A_GROUP]) for group in found[:_GROUPS])
            more = f" {len(found) - _GROUPS:,} more are not shown." if len(found) > _GROUPS else ""
            yield _section(title, about + more, f'<div class="groups">{shown}</div>')


def _pairs(inspected: Inspected) -> Iterator[str]:
    def shown(places: Sequence[tuple[int, int]], notes: Sequence[str]) -> str:
        halves = (
            "".join(sheets.tile(inspected.pictures[place], note) for place in pair)
            for pair, note in zip(places, notes, strict=True)
        )
        return f'<div class="groups">{"".join(f"<div class=sheet>{two}</div>" for two in halves)}</div>'

    every = max(1, len(inspected.pairs) // _SAMPLES)
    samples = inspected.pairs[::every][:_SAMPLES]
    yield _section(
        "Samples", "A on the left, B on the right.", shown([(p.a, p.b) for p in samples], [""] * len(samples))
    )
    if away := moved(inspected.pairs)[:_GROUPS]:
        notes = [f"{100 * p.shift[0]:+.0f} % right, {100 * p.shift[1]:+.0f} % down" for p in away]
        yield _section(
            "Halves that lie beside one another",
            "How far the edges of B lie from those of A, as shares of the sides.",
            shown([(p.a, p.b) for p in away], notes),
        )


def _table(diagnosis: Diagnosis) -> str:
    head = "".join(f'<th scope="col">{escape(title)}</th>' for title in diagnosis.inspected.layout.titles.values())
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th>' + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"
        for name, cells in table(diagnosis).items()
    )
    return f'<div class="scroll"><table><thead><tr><td></td>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _sides(halves: dict[str, str]) -> str:
    if len(halves) == 1:
        return next(iter(halves.values()))
    return (
        '<div class="sides">'
        + "".join(f"<div><h3>{escape(title)}</h3>{half}</div>" for title, half in halves.items())
        + "</div>"
    )


def _section(title: str, about: str, content: str) -> str:
    return f"<section><h2>{escape(title)}</h2><p>{escape(about)}</p>{content}</section>"


def _sentence(part: str) -> str:
    return f"{part[0].upper()}{part[1:]}."


@lru_cache
def _asset(package: str, name: str) -> str:
    return files(package).joinpath(name).read_text("utf-8")
