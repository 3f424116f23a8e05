"""The doctor's page: one file that opens from disk, fetches nothing and runs nothing; see `viceversa.pages`."""

import base64
from collections.abc import Iterable, Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import numpy as np
from markupsafe import Markup
from PIL import Image

from viceversa import pages
from viceversa.data.images import Array, encode, look
from viceversa.errors import PictureError
from viceversa.preparation.doctor import text
from viceversa.preparation.doctor.charts import SIZE_PX, charts
from viceversa.preparation.doctor.contrast import Domain, Of
from viceversa.preparation.doctor.diagnosis import Diagnosis
from viceversa.preparation.doctor.measure import THUMB_PX
from viceversa.preparation.doctor.pairs import moved
from viceversa.preparation.doctor.scan import Pair, Picture
from viceversa.preparation.doctor.summary import table

_SAMPLES, _EXTREMES, _GROUPS, _OF_A_GROUP = 24, 12, 24, 6
_SIDE_PX, _MEAN_PX = 144, 128
_QUALITY = 78


class Tile(NamedTuple):
    """A small image in the page."""

    uri: str
    width: int
    height: int
    name: str = ""
    note: str = ""


class Section(NamedTuple):
    """Sheets of images under a title."""

    title: str
    about: str
    sheets: Sequence[tuple[str, Sequence[Tile]]]
    """Each with a heading, which may be empty."""
    kind: str = "sides"
    """Class of styles: the domains side by side, "groups" of the same image, or "mean"."""


def to_html(diagnosis: Diagnosis) -> str:
    """The whole page. Small copies of the images are in it; the images are read anew for them."""
    inspected = diagnosis.inspected
    titles, place = list(inspected.layout.titles.values()), inspected.layout.place
    domains = [Domain(title, inspected.of(letter, "train")) for letter, title in inspected.layout.titles.items()]
    paired = inspected.kind == "paired"
    samples = _of_pairs(inspected.pairs) if paired else [_samples(domains)]
    page = pages.render(
        "viceversa.preparation.doctor",
        "doctor",
        None,
        base_style=Markup(files("viceversa.training").joinpath("report.css").read_text("utf-8")),
        title=Path(place).resolve().name if titles == ["A", "B"] else " and ".join(titles),
        eyebrow=f"viceversa inspect · {text.KINDS[inspected.kind]} · {place}",
        verdict=text.verdict(diagnosis),
        guess=text.guess(diagnosis),
        findings=diagnosis.findings,
        titles=titles,
        first=[*samples, *_repeated(diagnosis)],
        chart_px=SIZE_PX,
        charts=charts(domains),
        rows=table(diagnosis),
        last=[_means(domains), *([] if paired else _extremes(domains))],
    )
    return page.decode()


def _samples(domains: Sequence[Domain]) -> Section:
    def spread_out(pictures: Sequence[Picture]) -> list[Picture]:
        places = np.linspace(0, len(pictures) - 1, min(_SAMPLES, len(pictures))).round().astype(int)
        return [pictures[place] for place in places]

    shown = [(domain.title, spread_out(domain.pictures)) for domain in domains]
    return _section("Samples", "Evenly over the images to train on.", shown)


def _of_pairs(pairs: Sequence[Pair]) -> Iterator[Section]:
    def sheets(pairs: Iterable[Pair], note: str = "") -> list[tuple[str, list[Tile]]]:
        return [("", _tiles((p.a, p.b), note.format(*(100 * share for share in p.shift)))) for p in pairs]

    samples = sheets(pairs[:: max(1, len(pairs) // _SAMPLES)][:_SAMPLES])
    yield Section("Samples", "A on the left, B on the right.", samples, "groups")
    if away := moved(pairs)[:_GROUPS]:
        about = "How far the edges of B lie from those of A, as shares of the sides."
        shown = sheets(away, "{:+.0f} % right, {:+.0f} % down")
        yield Section("Halves that lie beside one another", about, shown, "groups")


def _repeated(diagnosis: Diagnosis) -> Iterator[Section]:
    groups, letters = diagnosis.groups, diagnosis.inspected.layout.titles
    leaks = [pair for group in groups for letter in letters for pair in group.leaked(letter)]
    both = [pair for group in groups if (pair := group.across())]
    copies = [same for group in groups for same in group.within_one_part()]
    for title, about, found in (
        ("In training and in testing", "On the left the training image, on the right the one for testing.", leaks),
        ("In both domains", "The same image on either side.", both),
        ("The same image several times", "Equal, or but for size, encoding or brightness.", copies),
    ):
        if found:
            more = f" {len(found) - _GROUPS:,} more are not shown." if len(found) > _GROUPS else ""
            sheets = [("", _tiles(group[:_OF_A_GROUP])) for group in found[:_GROUPS]]
            yield Section(title, about + more, sheets, "groups")


def _means(domains: Sequence[Domain]) -> Section:
    sheets: list[tuple[str, list[Tile]]] = []
    for domain in domains:
        if domain.pictures:
            mean = _thumbs(domain.pictures).mean(0).round().astype(np.uint8).reshape(THUMB_PX, THUMB_PX, 3)
            large = Image.fromarray(mean).resize((_MEAN_PX, _MEAN_PX), Image.Resampling.BICUBIC)
            sheets.append((domain.title, [Tile(_uri(np.asarray(large)), _MEAN_PX, _MEAN_PX)]))
    return Section("The mean image", "What all of them have in common will be learned too.", sheets, "sides mean")


def _extremes(domains: Sequence[Domain]) -> Iterator[Section]:
    def most(of: Of, sign: int) -> list[tuple[str, list[Picture]]]:
        return [
            (domain.title, sorted(known, key=lambda picture: sign * of(picture.measured))[:_EXTREMES])
            for domain in domains
            if (known := [picture for picture in domain.pictures if not np.isnan(of(picture.measured))])
        ]

    yield _section("The darkest", "By mean luminance.", most(lambda m: m.brightness, 1))
    yield _section("The brightest", "By mean luminance.", most(lambda m: m.brightness, -1))
    about = "Edges that rise most slowly: blurred, or enlarged."
    yield _section("The softest", about, most(lambda m: m.sharpness, 1))
    odd = [(domain.title, _outliers(domain.pictures)) for domain in domains if len(domain.pictures) > _EXTREMES]
    if odd:
        yield _section("The least usual", "Farthest from the mean image.", odd)


def _outliers(pictures: Sequence[Picture]) -> list[Picture]:
    """Those that are least like the rest of their domain: at 16 px, far from the mean in how they look."""
    thumbs = _thumbs(pictures).astype(np.float32)
    distance = ((thumbs - thumbs.mean(0)) ** 2).mean(1)
    return [pictures[place] for place in np.argsort(-distance)[:_EXTREMES]]


def _thumbs(pictures: Sequence[Picture]) -> Array:
    return np.stack([np.frombuffer(picture.measured.thumb, np.uint8) for picture in pictures])


def _section(title: str, about: str, shown: Sequence[tuple[str, Sequence[Picture]]]) -> Section:
    """The images of each domain, under its title where there are two."""
    return Section(title, about, [(name if len(shown) > 1 else "", _tiles(pictures)) for name, pictures in shown])


def _tiles(pictures: Iterable[Picture], note: str = "") -> list[Tile]:
    """Each small and with its name; images that are gone by now are left out."""
    found: list[Tile] = []
    for picture in pictures:
        try:
            pixels = look(picture.file, at_least_px=2 * _SIDE_PX, page=picture.page)
        except PictureError:
            continue
        middle = pixels.shape[1] // 2
        pixels = {"left": pixels[:, :middle], "right": pixels[:, middle:], None: pixels}[picture.half]
        small = Image.fromarray(pixels)
        scale = min(1.0, _SIDE_PX / max(small.size))
        small = small.resize([max(1, round(side * scale)) for side in small.size], Image.Resampling.BOX)
        found.append(Tile(_uri(np.asarray(small)), *small.size, picture.name, note))
    return found


def _uri(pixels: Array) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(encode(pixels, ".jpg", _QUALITY)).decode()
