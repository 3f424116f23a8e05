"""The frozen dataclass is the API: the command line and ``config.json`` are views of it."""

import dataclasses
import difflib
import functools
import json
import math
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, TypeVar, get_args, get_origin

import cattrs
import cattrs.preconf.json
import tyro
from cattrs.errors import BaseValidationError, ForbiddenExtraKeysError

from viceversa import methods, plugins, recipes, sizes
from viceversa.errors import ConfigError
from viceversa.methods import MethodConfig

FORMAT = 1
PrecisionName = Literal["auto", "32-true", "bf16-mixed", "64-true"]
DeviceName = Literal["auto", "cpu", "cuda", "mps"]
M = TypeVar("M", bound=MethodConfig)
_MOST_BYTES = 2**20
_MAY_DIFFER = {"may_differ": True}
_IN_WORDS = {int: "whole number", float: "number", bool: "true or false", str: "text", Path: "path"}


@dataclass(frozen=True, kw_only=True)
class TrainConfig(Generic[M]):
    """A whole training run: the method with its data and settings, and how it is carried out."""

    method: M
    out: Annotated[Path, tyro.conf.arg(metavar="RUN")] = field(metadata=_MAY_DIFFER)
    """The run's folder. If it holds a run of these settings, that goes on where it stopped."""
    initial: Annotated[
        tuple[Path, ...], tyro.conf.arg(name="from", metavar="MODEL", help_behavior_hint="(default: new weights)")
    ] = ()
    """Begin a new run with the weights of a run, a translator, hf://user/name, or one or more published .pth files."""
    seed: int = 0
    """All randomness is a function of this number and of the position of a sample."""
    precision: PrecisionName = "auto"
    """bf16-mixed computes in bfloat16 with float32 weights; auto takes it where the device is faster in it."""
    accumulate: int = 1
    """Batches whose gradients are summed before a step: a larger batch in less memory."""
    ema_images: float = 1000
    """Half-life, in images, of the moving average of the generators; 0 takes their weights as they are."""
    compile: bool = field(default=False, metadata=_MAY_DIFFER)
    """Compile the generators with torch.compile: slower to start, then faster on some machines."""
    deterministic: bool = field(default=True, metadata=_MAY_DIFFER)
    """On a GPU, compute with algorithms that always give the same bits; CPUs do anyway. --no-deterministic may be
    faster, and lets a method use what has no such algorithm."""
    device: DeviceName = field(default="auto", metadata=_MAY_DIFFER)
    """Where to compute; auto takes a GPU when there is one."""
    keep: int = field(default=2, metadata=_MAY_DIFFER)
    """Checkpoints kept; older ones are deleted."""
    checkpoint_minutes: float = field(default=10, metadata=_MAY_DIFFER)
    """Minutes between checkpoints."""
    samples: int = 40
    """Sample sheets over the whole run, closer together at its start."""
    sample_pictures: int = 8
    """Held-out images of each domain on a sample sheet."""
    evaluate_every: int | None = field(default=None, metadata=_MAY_DIFFER)
    """Images between two evaluations on held-out images; the best translator is kept in RUN/best. Left out: none."""
    patience: int | None = field(default=None, metadata=_MAY_DIFFER)
    """End the run when so many evaluations in a row were no better than the best before. Left out: never."""
    logger: Literal["tensorboard", "wandb", "both", "none"] = field(default="tensorboard", metadata=_MAY_DIFFER)
    """Where curves and sample sheets are shown besides the report: TensorBoard, Weights & Biases, both, or nowhere."""
    log_every: int | None = None
    """Images between two lines of metrics.jsonl; left out: so many that there are about 2000 lines."""

    def __post_init__(self) -> None:
        for part, value in _settings(self):
            if isinstance(value, float) and not math.isfinite(value):
                raise ConfigError(f"{flag(part)} must be a finite number; got {value}.")
            if part.name == "init_gain" and value < 0:  # here once: several methods have it in groups of their own
                raise ConfigError(f"--init-gain must not be negative; got {value}.")
        at_least = {"accumulate": 1, "ema_images": 0, "keep": 1, "samples": 1, "sample_pictures": 1}
        at_least |= {"evaluate_every": 1, "patience": 1, "log_every": 1}
        for name, least in at_least.items():
            value = getattr(self, name)
            if value is not None and value < least:
                raise ConfigError(f"--{name.replace('_', '-')} must be at least {least}; got {value}.")
        if self.patience is not None and self.evaluate_every is None:
            raise ConfigError("--patience counts evaluations: say with --evaluate-every how often there is one.")
        if self.checkpoint_minutes < 0:
            raise ConfigError(f"--checkpoint-minutes must not be negative; got {self.checkpoint_minutes}.")


def to_json(config: TrainConfig[Any]) -> str:
    """The config as text for ``config.json``; everything but the run's own folder, so that it can be moved."""
    tree = _converter().unstructure(config)
    del tree["out"]
    tree["method"] = {"name": methods.of(config.method).name, **tree["method"]}
    if imports := plugins.needed(methods.of(config.method), config):
        tree["imports"] = imports
    return json.dumps({"format": FORMAT, **tree}, indent=2, ensure_ascii=False) + "\n"


def from_json(text: str, out: Path, *, source: str = "config.json") -> TrainConfig[Any]:
    """The config that :func:`to_json` wrote.

    Raises:
        ConfigError: The text is no such config: the message names the key, and the nearest one that there is.
    """
    try:
        tree: Any = json.loads(text)
        if not isinstance(tree, dict):
            raise ValueError("it holds no object of settings")
        if not isinstance(version := tree.pop("format"), int):
            raise ValueError(f"it is of the kind {version!r}")
        if version != FORMAT:
            raise ConfigError(f"{source} was written by another version of viceversa; install that to read it.")
        if advice := plugins.missing(tree.pop("imports", None)):
            raise ConfigError(f"{source.removesuffix('/config.json')} {advice}")
        method = methods.find(tree["method"].pop("name"))
        if isinstance(data := tree["method"].get("data"), dict):
            formerly = {part.name: part.metadata.get("formerly") for part in dataclasses.fields(method.Config().data)}
            tree["method"]["data"] = {name: value for name, value in formerly.items() if value is not None} | data
        return _converter().structure({**tree, "out": str(out)}, TrainConfig[method.Config])
    except BaseValidationError as error:
        raise ConfigError(f"{source}: {_explain(error)}") from None
    except (ValueError, KeyError, AttributeError, TypeError, IndexError, RecursionError) as error:
        reason = f"lacks {error}" if isinstance(error, KeyError) else str(error)
        raise ConfigError(f"{source} is no training config: {reason}.") from None


def read_config(path: Path, out: Path) -> TrainConfig[Any]:
    """The config in the file ``path``, of a run in ``out``.

    Raises:
        ConfigError: It is no such config, or cannot be read.
    """
    return from_json(_read(path), out, source=str(path))


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ConfigError(f"{path} is no training config: it is larger than {_MOST_BYTES:,} bytes.")
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is no training config: it is no text in UTF-8.") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror or error}); mend that, and try again.") from None


def changed_code(path: Path, config: TrainConfig[Any]) -> list[str]:
    """Phrases for the imported code of ``config`` that is no longer what the config in the file ``path`` says."""
    now = plugins.needed(methods.of(config.method), config)
    return plugins.changed(json.loads(_read(path)).get("imports"), now) if now else []


def difference(old: TrainConfig[Any], new: TrainConfig[Any]) -> list[str]:
    """Phrases such as ``--batch 1, now 4`` for the settings that a run cannot go on with when they change."""
    names = [methods.of(config.method).name for config in (old, new)]
    if names[0] != names[1]:
        return [f"method {names[0]}, now {names[1]}"]
    pairs = zip(_settings(old), _settings(new), strict=True)
    return [
        f"{_typed(part, before)}, now {_typed(part, after, short=True)}"
        for (part, before), (_, after) in pairs
        if before != after and not part.metadata.get("may_differ")
    ]


def values(config: Any) -> dict[str, Any]:
    """All settings by their flat names, those of inner groups among them."""
    return {part.name: value for part, value in _settings(config)}


def differing(config: Any, wanted: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The settings of ``config`` that are others than those ``wanted``, by flat names, as a person types both.

    First what is wanted: ``("--width 64", "--width 32")``. What ``config`` leaves out is no other.
    """
    return [
        (_typed(part, wanted[part.name]), _typed(part, value))
        for part, value in _settings(config)
        if part.name in wanted and value is not None and value != wanted[part.name]
    ]


def as_options(config: Any, given: Mapping[str, Any]) -> list[str]:
    """``given`` settings of ``config``, by flat names, as words of a command."""
    words = [_typed(part, given[part.name]) for part, _ in _settings(config) if part.name in given]
    return [word for option in words for word in shlex.split(option)]


def flag(part: dataclasses.Field[Any]) -> str:
    """A setting's name as a person types it: ``--size`` for ``size_px``."""
    given = [mark.name for mark in getattr(part.type, "__metadata__", ()) if getattr(mark, "name", None)]
    return f"--{(given or [part.name])[0].replace('_', '-')}"


def _typed(part: dataclasses.Field[Any], value: Any, *, short: bool = False) -> str:
    """A setting and its value as a person types them; ``short`` without the name where the value says enough."""
    name = flag(part)
    if isinstance(value, bool):
        return name if value else f"--no-{name.removeprefix('--')}"
    words = "left out" if value in (None, ()) else _as_words(part, value)
    return words if short else f"{name} {words}"


def _as_words(part: dataclasses.Field[Any], value: Any) -> str:
    if isinstance(value, tuple):
        return sizes.words(value) if part.name.endswith("size_px") else shlex.join(map(str, value))
    return shlex.quote(str(value))


def _settings(config: Any) -> Iterator[tuple[dataclasses.Field[Any], Any]]:
    """All settings with their values, those of inner groups among them."""
    for part in dataclasses.fields(config):
        value = getattr(config, part.name)
        if dataclasses.is_dataclass(value):
            yield from _settings(value)
        else:
            yield part, value


@functools.cache
def _converter() -> cattrs.Converter:
    converter = cattrs.preconf.json.make_converter(forbid_extra_keys=True)
    # JSON types stay what they are: "12" is no number, and 1 is no truth value.
    for kind in (int, bool, str):
        converter.register_structure_hook(kind, _exactly(kind))
    converter.register_structure_hook(float, lambda value, _: float(_exactly((int, float))(value, float)))
    converter.register_unstructure_hook(Path, str)
    converter.register_structure_hook(Path, lambda value, _: Path(_exactly(str)(value, Path)))
    converter.register_structure_hook_func(lambda kind: get_origin(kind) is Literal, _one_of)
    converter.register_structure_hook_func(
        lambda kind: set(get_args(sizes.SizePx)) <= set(get_args(kind)),
        lambda value, kind: None if value is None and type(None) in get_args(kind) else sizes.from_plain(value),
    )
    converter.register_structure_hook_func(lambda kind: kind == tuple[Path, ...], _several(Path))
    converter.register_structure_hook_func(lambda kind: kind == tuple[str, ...], _several(str))
    return converter


def _exactly(kind: Any) -> Any:
    def hook(value: Any, wanted: Any) -> Any:
        if not isinstance(value, kind) or (isinstance(value, bool) and wanted is not bool):
            raise ValueError(f"{value!r} is no {_IN_WORDS[wanted]}")
        return value

    return hook


def _several(kind: type[Any]) -> Any:
    """One path or word, or a list of them."""

    def hook(value: Any, _: Any) -> tuple[Any, ...]:
        return tuple(kind(_exactly(str)(one, kind)) for one in (value if isinstance(value, list) else [value]))

    return hook


def _one_of(value: Any, kind: Any) -> Any:
    choices = get_args(kind)
    if not any(value == choice and type(value) is type(choice) for choice in choices):
        raise ValueError(f"{value!r} is none of {', '.join(map(str, choices))}")
    return value


def _explain(error: BaseException) -> str:
    """The first cause in a tree of validation errors, as a sentence."""
    where: list[str] = []
    while isinstance(error, BaseValidationError):
        if isinstance(error, ForbiddenExtraKeysError):
            break
        inner = error.exceptions[0]
        note = " ".join(getattr(inner, "__notes__", []))
        where += re.findall(r"attribute (\w+)", note)
        error = inner
    if isinstance(error, ForbiddenExtraKeysError):
        key = sorted(error.extra_fields)[0]
        near = difflib.get_close_matches(key, [part.name for part in dataclasses.fields(error.cl)], 1)
        hint = f" Perhaps you meant {near[0]!r}." if near else " Take it out."
        return f"unknown key {key!r}{' in ' + where[-1] if where else ''}.{hint}"
    if isinstance(error, KeyError):
        return f"the key {error} is missing{' in ' + where[-1] if where else ''}."
    # Anything but an object where there should be one fails with whatever cattrs tried to do with it.
    reason = str(error).rstrip(".") if isinstance(error, ValueError | ConfigError) else "it is no object of settings"
    return f"{'.'.join(where) or 'value'}: {reason}."


def configure(method: str, *, out: Path | str, **settings: Any) -> TrainConfig[Any]:
    """A config from flat names: ``configure("cyclegan", out="runs/x", a="women", b="men", size_px=64)``.

    Instead of a method's name that of a recipe can be given, whose settings come after ``settings``; or a file of
    Python that defines a method: ``my_method.py``, or ``my_method.py:Name`` if it defines several. With ``initial``,
    what the networks are made of is the model's, unless ``settings`` say it.

    Raises:
        ConfigError: There is no such method, recipe or setting, or its value cannot be.
    """
    recipe = recipes.find(method)
    left, names = recipe.combined(settings), list[str]()
    if initial := settings.get("initial"):
        from viceversa.training import initial as beginning

        paths = [initial] if isinstance(initial, str | Path) else initial
        left |= {**beginning.settings(recipe.method, [Path(path) for path in paths], Path(out)), **settings}
    config = methods.find(recipe.method).Config()
    tree: dict[str, Any] = json.loads(to_json(TrainConfig(method=config, out=Path(out))))

    def fill(branch: dict[str, Any]) -> None:
        for key, value in branch.items():
            if isinstance(value, dict):
                fill(value)
            elif key not in ("format", "name", "imports"):  # these are of the file, not settings
                names.append(key)
                branch[key] = left.pop(key, value)

    fill(tree)
    if left:
        unknown = next(iter(left))
        near = difflib.get_close_matches(unknown, names, 1)
        raise ConfigError(f"{method} has no setting {unknown!r}.{f' Perhaps you meant {near[0]!r}.' if near else ''}")
    # The same strictness as for a file: a word that is no choice, or text for a number, is found here and now.
    return from_json(json.dumps(tree, default=str), Path(out), source=f"configure({method!r})")
