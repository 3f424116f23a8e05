"""A model among others in a comparison: the translator, and what its run folder tells of its training."""

import dataclasses
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from viceversa import methods
from viceversa.config import flag, read_config
from viceversa.data.partners import Pairing
from viceversa.data.sources import PairedData, PictureData
from viceversa.errors import ConfigError
from viceversa.inference.translator import Translator, load
from viceversa.training import record
from viceversa.training.record import RunRecord, number

Places = tuple[Path | None, ...]

_WITHOUT_EFFECT = ("out", "cache", "keep", "checkpoint_minutes")


@dataclass(frozen=True, kw_only=True)
class Compared:
    """A model; None, or nothing, is what is not known of it."""

    name: str
    """Of its column; no other has it."""
    path: Path
    translator: Translator = field(repr=False)
    run: RunRecord | None = field(default=None, repr=False)
    """What its run folder tells, where it lies in one."""
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    """Its training's, as flags: ``{"--batch": 4}``."""
    data: PictureData | None = None
    """The images that it was trained on."""
    method: str | None = None
    images: int | None = None
    """Images that these weights have seen in training."""

    @property
    def generator(self) -> str:
        """Its network in words: "unet, width 32, levels 5"."""
        config: Any = next(iter(self.translator.networks.values())).config
        kind = type(config).__name__.removesuffix("Config").lower()
        parts = {part.name: getattr(config, part.name) for part in dataclasses.fields(config)}
        shown = [f"{name.replace('_', ' ')} {plain(value)}" for name, value in parts.items() if "channels" not in name]
        return ", ".join([kind, *shown])

    @property
    def generator_weights(self) -> int | None:
        """Of all its directions."""
        networks = self.translator.networks.values()
        return sum(p.numel() for network in networks for p in network.parameters()) or None  # an .onnx file shows none

    @property
    def training_weights(self) -> int | None:
        """Of all networks that were trained."""
        given = record.mapping(self.run.summary.get("weights")).values() if self.run else ()
        return int(sum(filter(None, map(number, given)))) or None

    @property
    def training_seconds(self) -> float | None:
        """Of the whole training so far."""
        return self.run.latest("seconds") if self.run else None

    @property
    def images_per_second(self) -> float | None:
        """Of training steps alone, without evaluations and sample sheets; of the last phase, if it has two.

        The median over the log, and of a log of one line all that there is.
        """
        clock = _clock(self.run) if self.run else []
        if not self.run or not clock:
            return None
        terms = {number(line.get("images")): set(found) for line in self.run.lines if (found := _losses(line))}
        last = next(reversed(terms.values()), set[str]())
        steps = [
            (after[1] - before[1]) / (after[0] - before[0])
            for before, after in pairwise(clock)
            # CartoonGAN's first phase has fewer terms, and is cheap.
            if after[0] > before[0]
            and after[1] > before[1]
            and all(terms.get(images, last) == last for images, _ in (before, after))
        ]
        images, seconds = clock[-1]
        step = statistics.median(steps) if steps else seconds / images if images else 0.0
        return 1 / step if step > 0 else None

    @property
    def epoch_images(self) -> float | None:
        """Images of one epoch."""
        for line in reversed(self.run.lines if self.run else []):
            if epoch := number(line.get("epoch")):
                return float(line["images"]) / epoch
        return None

    @property
    def memory_bytes(self) -> float | None:
        """The most that training took."""
        found = [number(line.get("memory_bytes")) for line in (self.run.timing if self.run else [])]
        return max(filter(None, found), default=None)

    @property
    def device(self) -> str | None:
        """What it was trained on."""
        found = self.run.summary.get("device") if self.run else None
        return str(found) if found else None


def open_all(models: Sequence[Path | str] | Mapping[str, Path | str], device: str) -> tuple[Compared, ...]:
    """Loads all models.

    Args:
        models: What `viceversa.load` takes of translators, or ``NAME=PATH``; or a mapping of names to such.
        device: Where to compute.

    Raises:
        CheckpointError: There is no translator, or it is a sampler.
        ConfigError: There are fewer than two models, or there is no such device.
    """
    if isinstance(models, Mapping):
        given = [(str(name), Path(path)) for name, path in models.items()]
    else:
        given = [_named(model) for model in ([models] if isinstance(models, str | Path) else models)]
    if len(given) < 2:
        raise ConfigError(
            f"A comparison takes two or more models; got {len(given)}. For one alone: viceversa evaluate RUN."
        )
    names = _unique([name or _default_name(path) for name, path in given], [path for _, path in given])
    return tuple(_open(name, path, device) for name, (_, path) in zip(names, given, strict=True))


def places(data: PictureData) -> Places:
    """Where its images are, so that it can be compared."""
    return tuple(place and place.resolve() for place in (data.root, data.a, data.b))


def pairing_of(asked: Pairing | None, run: PictureData | None) -> dict[str, Any]:
    """Return the settings by which pairs are found: those that were asked for, or those of a run."""
    if (asked is None or asked == Pairing()) and isinstance(run, PairedData):
        return {part.name: getattr(run, part.name) for part in dataclasses.fields(Pairing)}
    return dataclasses.asdict(asked or Pairing())


def differences(models: Sequence[Compared]) -> dict[str, list[str | None]]:
    """By setting, what each model was trained with, for the settings that differ.

    "—" is of a method that has no such setting, None of a model whose settings are not known.
    """
    known = [model for model in models if model.settings]
    found: dict[str, list[str | None]] = {}
    for name in dict.fromkeys(name for model in known for name in model.settings):
        values = {_comparable(model.settings[name]) if name in model.settings else "—" for model in known}
        if len(values) > 1:
            found[name] = [
                plain(model.settings[name]) if name in model.settings else "—" if model.settings else None
                for model in models
            ]
    return found


def plain(value: Any) -> str:
    """A setting's value for people."""
    if value is None:
        return "left out"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _comparable(value: Any) -> str:
    return str(value.resolve()) if isinstance(value, Path) else plain(value)


def _losses(line: Mapping[str, Any]) -> dict[str, Any]:
    return record.mapping(line.get("losses"))


def _clock(run: RunRecord) -> list[tuple[float, float]]:
    """Images seen, and seconds of training by then."""
    read = [(number(line.get("images")), number(line.get("seconds"))) for line in run.timing]
    return [(images, seconds) for images, seconds in read if images is not None and seconds is not None]


def _named(model: Path | str) -> tuple[str, Path]:
    """The name, if one is given, and the path of ``NAME=PATH``; a path may have an equals sign of its own."""
    name, equals, path = str(model).partition("=")
    named = bool(equals and name.strip() and path) and not Path(model).exists()
    return (name.strip(), Path(path)) if named else ("", Path(model))


def _default_name(path: Path) -> str:
    path = path.resolve()
    if path.name == "best":
        return f"{path.parent.name} best"
    return path.parent.name if path.name == "translator" else path.name


def _unique(names: list[str], paths: list[Path]) -> list[str]:
    """Equal names get the folder above before them, and those that are still equal a number."""
    often = Counter(names)
    longer = [
        f"{path.resolve().parent.name}/{name}" if often[name] > 1 else name
        for name, path in zip(names, paths, strict=True)
    ]
    seen: set[str] = set()
    for index, name in enumerate(longer):
        count = 1
        while longer[index] in seen:
            count += 1
            longer[index] = f"{name} ({count})"
        seen.add(longer[index])
    return longer


def _open(name: str, path: Path, device: str) -> Compared:
    translator = load(path, device)
    if path.suffix == ".onnx":
        return Compared(name=name, path=path, translator=translator)
    folder = path.parent if path.is_file() else path
    folder = folder if (folder / "model.safetensors").is_file() else folder / "translator"
    about = record.read(folder).config  # a translator's folder tells of itself in a file of the same name
    images, method = number(about.get("images")), about.get("method")
    known = Compared(
        name=name,
        path=path,
        translator=translator,
        images=None if images is None else int(images),
        method=method if isinstance(method, str) else None,
    )
    file = folder.parent / "config.json"
    try:
        config = read_config(file, folder.parent)
    except ConfigError:  # no run, or one of another version: less is known, and no more
        return known
    data = config.method.data
    return dataclasses.replace(
        known,
        run=record.read(folder.parent),
        settings={"method": methods.of(config.method).name, **_settings(config)},
        data=data if isinstance(data, PictureData) else None,
    )


def _settings(config: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part in dataclasses.fields(config):
        value = getattr(config, part.name)
        if dataclasses.is_dataclass(value):
            found |= _settings(value)
        elif part.name not in _WITHOUT_EFFECT:
            found[flag(part)] = value
    return found
