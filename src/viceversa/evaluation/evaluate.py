"""`evaluate`: from a model and a data set to figures."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor

from viceversa.config import read_config
from viceversa.data.folders import are_pairs
from viceversa.data.partners import Pairing
from viceversa.data.sources import PairedData, PictureData, UnpairedData, as_settings
from viceversa.errors import ConfigError
from viceversa.evaluation import bootstrap, features
from viceversa.evaluation.compared import pairing_of, places
from viceversa.evaluation.image_sets import image_sets, open_pictures
from viceversa.evaluation.translation import Evaluation, Translate, measure, reference_statistics
from viceversa.extras import need
from viceversa.inference.translator import Translator, load

_ALL = 10**9  # images to hold out: as many as may be, a tenth
_TENTH = (
    "There is no test folder, so a tenth of the images was taken as held out; whether this model was trained on them "
    "is not known."
)


def evaluate(
    model: Path | str | Translator,
    data: Path | str | None = None,
    *,
    a: Path | str | None = None,
    b: Path | str | None = None,
    paired: bool | None = None,
    pairing: Pairing | None = None,
    inception: Path | str | None = None,
    pictures: int | None = None,
    resamples: int = 200,
    seed: int = 0,
    device: str = "auto",
    say: Callable[[str], None] | None = None,
) -> Evaluation:
    """Measures a translator on held-out images.

    The classifier of the two domains that it needs is trained on the training images at the first call, and found in
    the user's cache after that.

    Args:
        model: What `viceversa.load` takes, or a translator.
        data: A data set with training and, best, test images; left out: that of the run, as it was trained on.
        a: Instead of ``data``: the folder of domain a.
        b: The folder of domain b.
        paired: Whether the images of a and b belong together. Left out: as in the run; else by the layout of
            ``data``: train/ and images side by side are pairs.
        pairing: How pairs are found; left out: as in the run.
        inception: The weights of the published FID's Inception, or "download". Left out: the kernel distance by
            EfficientNet-Lite2 where viceversa[features] is installed, else distances by the features of the
            domain classifier.
        pictures: Only so many of each domain.
        resamples: For the 95 % intervals; 0 leaves them out.
        seed: Of the domain classifier and of the resampling.
        device: Where to compute: auto, cpu, cuda or mps.
        say: Is told what takes long.

    Raises:
        CheckpointError: There is no translator, or the weights of ``inception`` are none.
        ConfigError: The folders are given in no way or in two, or there is no such device.
        DataError: The images cannot be used.
        MissingExtra: torchmetrics is not installed.
    """
    need("torchmetrics", "evaluate")
    if (pictures is not None and pictures < 2) or not 0 <= resamples <= bootstrap.MOST:
        got = f"got {pictures} and {resamples}."
        raise ConfigError(f"Take 2 or more --pictures and 0 to {bootstrap.MOST} --resamples; {got}")
    say = say or (lambda _: None)
    translator = model if isinstance(model, Translator) else load(model, device)
    settings, given = _settings(model, translator, data, a, b, paired, pairing)
    opened = open_pictures(settings, seed, say)
    sets = image_sets(opened, pictures)
    sets = dataclasses.replace(sets, domains=translator.domains)
    published = None if inception is None else features.by_inception(Path(inception), translator.device, quiet=False)
    counts = " and ".join(f"{len(images)} {translator.domains[side]}" for side, images in sets.train.items())
    say(f"A classifier that tells {counts} apart, trained here or found in the cache")
    classifier = features.domain_classifier(sets, seed, str(translator.device))
    extractor = published or features.best_of(classifier, translator.device)
    say(f"Measuring by {extractor.about}")
    found = measure(
        {name: _leading(translator, name[-1]) for name in translator.directions},
        reference_statistics(sets, classifier, extractor),
        resamples=resamples,
        seed=seed,
        model=str(model),
        data=" and ".join(str(place) for place in (settings.root, settings.a, settings.b) if place),
    )
    tenth = given and sets.kind == "held out"
    return dataclasses.replace(found, notes=(*found.notes, _TENTH)) if tenth else found


def _leading(translator: Translator, to: str) -> Translate:
    def translate(pictures: Tensor) -> Tensor:
        return translator(pictures, to=to)

    return translate


def _settings(
    model: Path | str | Translator,
    translator: Translator,
    root: Path | str | None,
    a: Path | str | None,
    b: Path | str | None,
    paired: bool | None,
    pairing: Pairing | None = None,
) -> tuple[PairedData | UnpairedData, bool]:
    """The settings of the images, and whether they are others than the run's own."""
    run = None if isinstance(model, Translator) else _of_run(Path(model))
    given = not (root is None and a is None and b is None)
    if not given and run is None:
        raise ConfigError("Name the images: a data set with --data, or two folders with --a and --b.")
    known: dict[str, Any]
    if run is not None:
        known = {part.name: getattr(run, part.name) for part in dataclasses.fields(PictureData)}
    else:
        known = {
            "size_px": translator.size_px,
            **_channels(translator),
            "enlarge": True,
            **as_settings(translator.values),
        }
        if not {known.get("channels_a", 3), known.get("channels_b", 3)} <= {1, 3}:
            known["pages"] = "channels"  # as translate takes them: a page of so many channels is read as it is, too
    if given:
        there: dict[str, Any] = {"root": root and Path(root), "a": a and Path(a), "b": b and Path(b)}
        known |= there
        given = run is None or places(dataclasses.replace(run, **there)) != places(run)
        if given:  # of its own images, named once more, a run was trained on all but those that it held out
            known |= {"hold_out": _ALL, "load_size_px": known["size_px"]}
    if paired is None:
        paired = isinstance(run, PairedData) if run is not None else are_pairs(known["root"])
    return (PairedData(**known, **pairing_of(pairing, run)) if paired else UnpairedData(**known)), given


def _of_run(path: Path) -> PictureData | None:
    """The settings of the images of the run that ``path`` is, or that it lies in; None if it is no run's."""
    folder = path.parent if path.name in ("best", "translator") or path.is_file() else path
    file = folder / "config.json"
    try:
        tree: Any = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    if not isinstance(tree, dict) or "method" not in tree or "directions" in tree:  # a translator's own
        return None
    data = read_config(file, folder).method.data
    return data if isinstance(data, PictureData) else None


def _channels(translator: Translator) -> dict[str, int]:
    """As its networks take and give them."""
    found: dict[str, int] = {}
    for name in translator.directions:
        applied = translator.applied(name[-1])
        found |= {f"channels_{name[0]}": applied.takes, f"channels_{name[-1]}": applied.gives}
    return found
