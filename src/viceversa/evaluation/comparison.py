"""`compare`: several translators held to one statistics, on one page beside each other."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from viceversa import sizes
from viceversa.data.folders import are_pairs
from viceversa.data.images import Array, to_tensor, to_uint8
from viceversa.data.partners import Pairing
from viceversa.data.pictures import HeldOutKind
from viceversa.data.sources import PairedData, PictureData, UnpairedData, as_settings
from viceversa.errors import ConfigError
from viceversa.evaluation import bootstrap, features, held_out
from viceversa.evaluation.compared import Compared, open_all, pairing_of, places
from viceversa.evaluation.image_sets import ImageSets, image_sets, open_pictures
from viceversa.evaluation.translation import Evaluation, Translate, measure, reference_statistics
from viceversa.extras import need
from viceversa.inference.translator import Translator
from viceversa.outputs import check_output, page_mark, write_output
from viceversa.sizes import SizePx
from viceversa.training import machine

_ALL = 10**9  # images to hold out: as many as may be, a tenth
_CALLS, _CALLS_SECONDS = 25, 30.0  # of each model, and of all together, to find the time that an image takes
_NO_NAMES = ("A", "B")


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """The same held-out images through each model, in one direction."""

    name: str
    """ "a2b" or "b2a"."""
    source: str
    """The domain's name for people."""
    target: str
    columns: tuple[tuple[str, Array], ...] = field(repr=False)
    """A title and ``(N, H, W, C)`` uint8: the input, with pairs the truth, then each model's translations."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What was found; the figures of all models are by one statistics."""

    models: tuple[Compared, ...]
    evaluations: tuple[Evaluation, ...]
    """One for each of the models."""
    seconds: tuple[float, ...]
    """What each of the models takes to translate one image, here."""
    machine: str
    """Where that was measured."""
    sheets: tuple[Sheet, ...]
    warnings: tuple[str, ...]
    """What may make the comparison unfair."""


def compare(
    models: Sequence[Path | str] | Mapping[str, Path | str],
    data: Path | str | None = None,
    *,
    out: Path | str,
    a: Path | str | None = None,
    b: Path | str | None = None,
    to: str | None = None,
    paired: bool | None = None,
    pairing: Pairing | None = None,
    pictures: int = 12,
    size: SizePx | None = None,
    resamples: int = 200,
    seed: int = 0,
    device: str = "auto",
    overwrite: bool = False,
    say: Callable[[str], None] | None = None,
) -> Comparison:
    """Writes one page with the same held-out images through each model, figures, speed, and what differs.

    Args:
        models: Two or more of what `viceversa.load` takes, or ``NAME=PATH``; or a mapping of names to such.
        data: A data set with training and, best, test images; left out: that of the runs, as they were trained.
        out: The page, an .html file.
        a: Instead of ``data``: the folder of domain a.
        b: The folder of domain b.
        to: The domain to translate to: a, b or its name; left out: every direction that all models have.
        paired: Whether the images of a and b belong together; left out: as in the runs, or by the layout of ``data``.
        pairing: How pairs are found; left out: as in the first run.
        pictures: How many are shown; measured are all.
        size: Pixels of a side, or height and width; left out: the largest that a model was trained at.
        resamples: For the 95 % intervals; 0 leaves them out.
        seed: Of the domain classifier and of the intervals.
        device: Where to compute: auto, cpu, cuda or mps.
        overwrite: Replace ``out``, if it is there and no page of this function.
        say: Is told what takes long.

    Raises:
        CheckpointError: One of the models is none, or makes images from noise.
        ConfigError: There are fewer than two models, they have no direction in common, the images are named in no way
            or in two, or ``out`` cannot be written.
        DataError: The images cannot be used.
        MissingExtra: torchmetrics is not installed.
    """
    page = Path(out)
    say = say or (lambda _: None)
    _check(page, overwrite, pictures, resamples)
    need("torchmetrics", "evaluate")
    opened = open_all(models, device)
    names = _directions(opened, to)
    settings = _settings(opened, names, (data, a, b), paired, pairing, size)
    runs = {model.name: model.data for model in opened if model.data and places(model.data) == places(settings)}
    shown, seen = held_out.by_all(open_pictures(settings, seed, say), settings, runs)
    sets = replace(image_sets(shown), domains=_domains(opened))
    say("The classifier of both domains: trained here, or found in the cache")
    classifier = features.domain_classifier(sets, seed, str(opened[0].translator.device))
    statistics = reference_statistics(sets, classifier, features.best_of(classifier, opened[0].translator.device))
    evaluations: list[Evaluation] = []
    for model in opened:
        say(f"Measuring {model.name} on {' and '.join(str(len(images)) for images in sets.test.values())} images")
        translate = {name: _leading(model.translator, name[-1]) for name in names}
        found = measure(translate, statistics, resamples=resamples, seed=seed, model=str(model.path))
        evaluations.append(found)
    comparison = Comparison(
        models=opened,
        evaluations=tuple(evaluations),
        seconds=_seconds(opened, names[0], sets),
        machine=_machine(opened[0].translator),
        sheets=tuple(_sheet(opened, name, sets, pictures) for name in names),
        warnings=(*_warnings(opened, settings, sets.kind), *_seen(seen, sets)),
    )
    from viceversa.evaluation.comparison_page import to_html

    write_output(page, to_html(comparison))
    return comparison


def _check(page: Path, overwrite: bool, pictures: int, resamples: int) -> None:
    """Before anything that takes long."""
    check_output(page, "compare", page_mark("compare"), overwrite=overwrite)
    if pictures < 1 or not 0 <= resamples <= bootstrap.MOST:
        got = f"got {pictures} and {resamples}."
        raise ConfigError(f"Take 1 or more --pictures and 0 to {bootstrap.MOST} --resamples; {got}")


def _directions(models: Sequence[Compared], to: str | None) -> list[str]:
    """Those that all models have; with ``to`` the one that leads there."""
    if to is not None:
        letter = next((letter for letter, name in _domains(models).items() if name == to), to)
        found: list[str] = []
        for model in models:
            try:
                found.append(model.translator.direction(letter))
            except ConfigError as error:
                raise ConfigError(f"{model.name}: {error}") from None
        return found[:1]
    common = [name for name in ("a2b", "b2a") if all(name in model.translator.directions for model in models)]
    if not common:
        each = "; ".join(f"{model.name}: {' and '.join(model.translator.directions)}" for model in models)
        raise ConfigError(f"These models have no direction in common ({each}); compare those that lead the same way.")
    return common


def _domains(models: Sequence[Compared]) -> dict[str, str]:
    """Names for people, by the first model that has some."""
    all_names = [model.translator.domains for model in models]
    return next((names for names in all_names if tuple(names.values()) != _NO_NAMES), all_names[0])


def _settings(
    models: Sequence[Compared],
    names: Sequence[str],
    where: tuple[Path | str | None, ...],
    paired: bool | None,
    pairing: Pairing | None,
    size: SizePx | None,
) -> PairedData | UnpairedData:
    """Those of the images, as the first run has them, at the size of the largest model."""
    runs = {model.name: model.data for model in models if model.data is not None}
    known: dict[str, Any] = {"enlarge": True}
    if runs:
        first = next(iter(runs.values()))
        known = {part.name: getattr(first, part.name) for part in fields(PictureData)}
        known["enlarge"] = any(data.enlarge for data in runs.values())
    if any(place is not None for place in where):
        known |= dict(zip(("root", "a", "b"), (None if place is None else Path(place) for place in where), strict=True))
    elif not runs:
        raise ConfigError("Name the images: a data set with --data, or two folders with --a and --b.")
    elif len({places(data) for data in runs.values()}) > 1:
        each = "; ".join(f"{name}: {data.root or f'{data.a} and {data.b}'}" for name, data in runs.items())
        raise ConfigError(
            f"These runs were trained on different images ({each}). Name those to compare on: --data, or --a and --b."
        )
    trained_at = [model.translator.size_px for model in models]
    size_px = max(trained_at, key=sizes.pixels) if size is None else sizes.checked(size, "--size")
    if size_px != known.get("size_px"):
        # Images that were large enough for the runs need not be so for the largest model.
        known |= {"load_size_px": None, "enlarge": known["enlarge"] or not sizes.covers(known["size_px"], size_px)}
    if paired is None:
        root = known.get("root")
        paired = any(isinstance(data, PairedData) for data in runs.values()) if runs else are_pairs(root)
    if len({tuple(sorted(model.translator.values.items())) for model in models}) > 1:
        raise ConfigError(
            "These models were trained on different ranges of values (--range-a, --range-b), so no images are the same "
            "to all of them. Compare models of one range."
        )
    known |= {**_channels(models, names), "size_px": size_px, **as_settings(models[0].translator.values)}
    first_paired = next((data for data in runs.values() if isinstance(data, PairedData)), None)
    made = PairedData(**known, **pairing_of(pairing, first_paired)) if paired else UnpairedData(**known)
    # To begin with; what any of the runs has trained on is found out with the images.
    held_out = [data.hold_out for data in runs.values() if places(data) == places(made)]
    if not held_out:
        return replace(made, hold_out=_ALL, load_size_px=size_px)
    return replace(made, hold_out=min(held_out))


def _channels(models: Sequence[Compared], names: Sequence[str]) -> dict[str, int]:
    """As the networks take and give them, all of them alike."""
    found: dict[str, int] = {}
    for model in models:
        for name in names:
            applied = model.translator.applied(name[-1])
            for letter, channels in ((name[0], applied.takes), (name[-1], applied.gives)):
                if found.setdefault(f"channels_{letter}", channels) != channels:
                    raise ConfigError(
                        f"{model.name} takes or gives images of {channels} channels where {models[0].name} has "
                        f"{found[f'channels_{letter}']}; compare colour with colour, and grey with grey."
                    )
    return found


def _leading(translator: Translator, to: str) -> Translate:
    def translate(pictures: Tensor) -> Tensor:
        return translator(pictures, to=to)

    return translate


def _sheet(models: Sequence[Compared], name: str, sets: ImageSets, most: int) -> Sheet:
    source, target = name[0], name[-1]
    rows = np.unique(np.linspace(0, len(sets.test[source]) - 1, most).astype(np.int64))
    inputs = sets.test[source][rows]
    columns = [("input", inputs)] + ([("truth", sets.test[target][rows])] if sets.paired else [])
    for model in models:
        columns.append((model.name, to_uint8(_leading(model.translator, target)(to_tensor(inputs)))))
    return Sheet(name=name, source=sets.domains[source], target=sets.domains[target], columns=tuple(columns))


def _seconds(models: Sequence[Compared], name: str, sets: ImageSets) -> tuple[float, ...]:
    """The fastest of some calls with one image, taken in turns: what slows the machine down slows all of them.

    Other programs only ever add to the time, so the least is what the same network comes back to.
    """
    picture = to_tensor(sets.test[name[0]][:1])
    calls = [_leading(model.translator, name[-1]) for model in models]
    for call in calls:
        call(picture)
    taken: list[list[float]] = [[] for _ in calls]
    start = time.perf_counter()
    for _ in range(_CALLS):
        for call, found in zip(calls, taken, strict=True):
            before = time.perf_counter()
            call(picture)  # comes back to the CPU, so that it has been waited for
            found.append(time.perf_counter() - before)
        if time.perf_counter() - start > _CALLS_SECONDS:
            break
    return tuple(map(min, taken))


def _machine(translator: Translator) -> str:
    return machine.describe(translator.device.type, "32-true", 1).partition(", 32-true")[0]


def _warnings(models: Sequence[Compared], data: PictureData, kind: HeldOutKind) -> list[str]:
    """What may make it unfair."""
    found = ["Nothing is held out: models were trained on these images, so figures flatter."] * (kind == "training")
    names, used = _domains(models), places(data)
    for model in models:
        own = model.translator.domains
        if tuple(own.values()) not in (_NO_NAMES, tuple(names.values())):
            called = " and ".join(f"{name} for {letter}" for letter, name in own.items())
            found.append(f"{model.name} has other names for the domains: {called}. Is it of the same kind?")
        if model.translator.size_px != data.size_px:
            found.append(
                f"{model.name} was trained at {sizes.words(model.translator.size_px)} px, and is used at "
                f"{sizes.words(data.size_px)} px."
            )
        if model.data is None:
            found.append(f"It is not known what {model.name} was trained on; if on these images, its figures flatter.")
        elif places(model.data) != used:
            where = f"{model.name} was trained on images of another folder than those it is measured on"
            sure = kind == "test"
            found.append(f"{where}." if sure else f"{where}; if on these too, its figures flatter.")
    return found


def _seen(counts: Mapping[str, int], sets: ImageSets) -> list[str]:
    """Who was trained on how many of the held-out images, which no choice of them could help."""
    if sets.kind == "training":
        return []
    measured = len(sets.test["a"]) if sets.paired else sum(map(len, sets.test.values()))
    return [
        f"{name} was trained on {count} of the {measured} images that all are measured on, since the runs held out "
        "different ones: its figures flatter. Measure them on a folder of images that is kept for that (--data)."
        for name, count in counts.items()
        if count
    ]
