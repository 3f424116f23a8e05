"""A new run that begins with the weights of a model: ``--from MODEL``.

What the networks are made of is taken from the model where a person did not say it (`settings`); what they did say must
fit (`check`); then the weights are put into the new networks (`take`). Image counter, optimizers and averages are new:
an average of weights begins at these weights. What cannot be taken over starts anew and is said.
"""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lightning_fabric import Fabric
from torch import nn

from viceversa import methods
from viceversa.config import TrainConfig, differing, read_config, values
from viceversa.data.sources import as_settings
from viceversa.errors import ConfigError
from viceversa.inference.folder import DIRECTIONS, FROM_NOISE
from viceversa.methods import Method, MethodConfig
from viceversa.training import checkpoint
from viceversa.training.guards import Together
from viceversa.training.model import ANY, Model, Network, read_model, short, shown

_GROUPS = ("networks", "latents")
_HOW_DRAWN = ("init", "init_gain")
_FURTHER = ("channels_a", "channels_b", "channels", "direction", "q_width", "categories", "codes", "init_epochs")
_RANGES = ("range_a", "range_b", "nodata_a", "nodata_b")
_NO_WEIGHTS = ("dropout", "dropout_rate", "init_epochs", *_RANGES)  # what may be another with the same weights
_OTHERS = ("discriminator_", "q_width", "pieces")  # of networks that can start anew
_NAMED = dict.fromkeys(
    ("classes", "categories", "codes", "latent", "prior", "size_px", "hidden")
)  # of networks from noise
_FLAGS = {"in_channels": "--channels-a", "classes": "--categories", "out_channels": "--channels-b", "size_px": "--size"}


def settings(name: str, initial: Sequence[Path], out: Path) -> dict[str, Any]:
    """The settings, by flat names, that a run of the method ``name`` takes from the model it begins with.

    A run that is there in ``out`` and began with the same model has them already: it goes on without the model.

    Raises:
        ViceversaError: There is no such model, or it is damaged.
    """
    config = methods.find(name).Config()
    if (former := _former(out)) and former.initial == tuple(initial) and methods.of(former.method).name == name:
        return _of_settings(former.method)
    return _of_model(config, read_model(initial))


def shared_model(config: TrainConfig[Any], fabric: Fabric, together: Together) -> Model | None:
    """The model that a run begins with, the same in all processes; None where it begins otherwise or goes on.

    Raises:
        ViceversaError: There is no such model, or the settings do not fit it; then all processes raise one.
    """
    if not config.initial or checkpoint.complete(config.out / "checkpoints"):
        return None

    def read() -> Model | None:
        if not fabric.is_global_zero:
            return None
        model = read_model(config.initial)
        check(config, model)
        return model

    return fabric.broadcast(together.each(read))  # read once: a run that is trained may be saved at this moment


def check_place(config: TrainConfig[Any]) -> None:
    """Refuses to begin a run with itself.

    Raises:
        ConfigError: The model lies in the run's own folder.
    """
    out = config.out.resolve()
    if any(path.resolve().is_relative_to(out) for path in config.initial):
        raise ConfigError(
            f"--from {shown(config.initial)} lies in the run's own folder, {config.out}. Leave --from out to go on "
            "with that run, or name a new folder with --out."
        )


def check(config: TrainConfig[Any], model: Model) -> None:
    """Refuses settings that the model's generators were not made with.

    Raises:
        ConfigError: The message names both values.
    """
    wanted = {
        name: value
        for name, value in _of_model(config.method, model).items()
        if name not in _NO_WEIGHTS and not name.startswith(_OTHERS)
    }
    if wrong := differing(config.method, wanted):
        theirs, ours = (" ".join(typed) for typed in zip(*wrong, strict=True))
        raise ConfigError(
            f"The weights of {model.name} are of {theirs}, and this run asks for {ours}. Leave that out to take what "
            "the model has, or leave --from out to begin with new weights."
        )


def take(method: Method, model: Model) -> dict[str, Any]:
    """Puts the model's weights into the networks of ``method``; which ones, for the run's summary.

    Returns:
        "from", "method" and "images" say what the model is; "taken" names networks, "anew" holds phrases for the rest.

    Raises:
        ConfigError: The model has no generator that this method trains, or one that is made otherwise.
    """
    generators = method.generators()
    taken: list[str] = []
    anew: list[str] = []
    for direction, network in generators.items():
        found = model.generators.get(direction) or (model.generators.get(ANY) if not taken else None)
        if found is None:
            anew.append(f"{direction} starts anew: {model.name} holds {_listed(model.generators)} alone")
            continue
        _check_generator(network, found, model.name)
        network.load_state_dict(found.state)
        taken.append(direction)
    if not taken:
        raise ConfigError(
            f"{model.name} holds {_listed(model.generators)}, and {method.name} trains {' and '.join(generators)}: "
            "there is nothing to begin with."
        )
    others, words = _take_others(method, model)
    return {
        "from": model.name,
        "method": methods.of(model.config.method).name if model.config else None,
        "images": model.images,
        "taken": taken + others,
        "anew": anew + words,
    }


def short_name(config: TrainConfig[Any]) -> str:
    """The model's name, for a card that goes to others; empty where there was none."""
    return short(config.initial)


def remarks(begun: dict[str, Any]) -> list[str]:
    """What is said when such a run begins; nothing of another."""
    if not begun:
        return []
    after = f" ({begun['images']:,} images)" if begun["images"] else ""
    return [f"begins with the weights of {begun['from']}{after}: {', '.join(begun['taken'])}", *begun["anew"]]


def _former(out: Path) -> TrainConfig[Any] | None:
    try:
        return read_config(out / "config.json", out) if (out / "config.json").exists() else None
    except ConfigError:
        return None  # it is refused later, in a sentence that is about the folder


def _of_settings(config: MethodConfig) -> dict[str, Any]:
    """What a run's networks are made of, of its settings."""
    names = {*_FURTHER, *_RANGES} | ({"size_px"} if hasattr(config, "latents") else set())
    for group in _GROUPS:
        if dataclasses.is_dataclass(inner := getattr(config, group, None)):
            names |= {part.name for part in dataclasses.fields(inner)}
    return {
        name: value
        for name, value in values(config).items()
        if name in names and name not in _HOW_DRAWN and value not in (None, ())
    }


def _of_model(config: MethodConfig, model: Model) -> dict[str, Any]:
    """What the model's networks are made of, as settings that the method of ``config`` has."""
    found: dict[str, Any] = {}
    if model.config is not None and type(model.config.method) is type(config):
        found = _of_settings(model.config.method)
    for network in model.others.values():
        if network.kind == "patchgan":
            found["discriminator_width"], found["discriminator_layers"] = network.config.width, network.config.layers
            found["discriminator_norm"] = network.config.norm
    direction, generator = next(iter(model.generators.items()))
    _check_kind(config, model, direction)
    made: dict[str, Any] = dataclasses.asdict(generator.config)
    inward, outward = made.pop("in_channels", None), made.pop("out_channels")
    found |= {"generator": generator.kind, **made}
    if not found.get("dropout"):
        found.pop("dropout_rate", None)
    if found.get("discriminator_norm") == found.get("norm"):
        found.pop("discriminator_norm", None)
    if direction == FROM_NOISE:
        found |= {"channels": outward, "categories": made.get("classes")}
        found.pop("classes")
    else:
        backward = (direction if direction != ANY else getattr(config.data, "direction", "a2b")) == "b2a"
        found["channels_a"], found["channels_b"] = (outward, inward) if backward else (inward, outward)
        if len(model.generators) == 1 and direction in DIRECTIONS:
            found["direction"] = direction
    if generator.kind == "cartoon":
        found["init_epochs"] = 0.0  # the generator has been through it: the content alone would undo the drawing
    found |= as_settings(model.values)  # else the same images would be other tensors
    all_of_them = values(config)
    further = [f"{name}={json.dumps(value)}" for name, value in made.items() if name not in all_of_them | _NAMED]
    found["generator_options"] = tuple(further) or None
    has = set(all_of_them) - (set() if direction == FROM_NOISE else {"size_px"})
    return {name: value for name, value in found.items() if name in has and value is not None}


def _check_kind(config: MethodConfig, model: Model, direction: str) -> None:
    name = methods.of(config).name
    if (direction == FROM_NOISE) != hasattr(config, "latents"):
        does = "makes images from noise" if direction == FROM_NOISE else "translates images"
        raise ConfigError(f"{model.name} {does}, which {name} does not: it cannot begin with these weights.")


def _check_generator(network: nn.Module, found: Network, name: str) -> None:
    """What `check` cannot see before the data is known, and what a config that was made by hand says."""
    ours: dict[str, Any] = dataclasses.asdict(network.config)  # pyright: ignore[reportArgumentType, reportCallIssue]
    theirs: dict[str, Any] = dataclasses.asdict(found.config)
    if type(network.config) is not type(found.config):
        raise ConfigError(
            f"{name} holds a generator of the kind {found.kind}, and this method and its settings train another."
        )
    differ = [key for key in ours if ours[key] != theirs.get(key) and key not in _NO_WEIGHTS]
    if not differ and _shapes(network) != {key: value.shape for key, value in found.state.items()}:
        differ = ["dropout"]  # in a ResNet it moves the layers after it
    if differ:
        flags = [(_FLAGS.get(key, f"--{key.replace('_', '-')}"), key) for key in differ]
        raise ConfigError(
            f"The weights of {name} are of {' '.join(f'{flag} {theirs[key]}' for flag, key in flags)}, and this run "
            f"asks for {' '.join(f'{flag} {ours[key]}' for flag, key in flags)}."
        )


def _take_others(method: Method, model: Model) -> tuple[list[str], list[str]]:
    """Discriminators and what is trained with them: those that were taken, and words for those that were not."""
    trained = {id(network) for members in method.groups().values() for network in members}
    generators = {id(network) for network in method.generators().values()}
    wanted = {n: child for n, child in method.named_children() if id(child) in trained and id(child) not in generators}
    theirs = model.others
    if model.config is not None and type(model.config.method) is not type(method.config):
        theirs = {}
    if "d" in theirs and "d" not in wanted and "d_b" not in theirs:  # one file, of a name that says no more
        theirs = {**theirs, "d_b": theirs["d"]}
    taken: list[str] = []
    other: list[str] = []
    for name, network in wanted.items():
        found = theirs.get(name)
        if found is None:
            continue
        if _shapes(network) == {key: value.shape for key, value in found.state.items()} and _same(network, found):
            network.load_state_dict(found.state)
            taken.append(name)
        else:
            other.append(name)
    words: list[str] = []
    if other:
        words.append(
            f"{_start(other)} anew: what {model.name} holds is made otherwise (width, layers, norm or channels)"
        )
    if missing := [name for name in wanted if name not in theirs]:
        if model.others and not theirs and model.config is not None:
            why = f"those of {model.name} were trained by {methods.of(model.config.method).name}"
        else:
            why = f"the {model.kind} {model.name} holds none" if not theirs else f"{model.name} holds no such"
        words.append(f"{_start(missing)} anew: {why}")
    return taken, words


def _same(network: nn.Module, found: Network) -> bool:
    """Whether it is made as the one that was found, whose shapes alone do not tell its normalisation."""
    config: Any = getattr(network, "config", None)
    return found.config is None or config == found.config


def _shapes(network: nn.Module) -> dict[str, Any]:
    return {key: value.shape for key, value in network.state_dict().items()}


def _start(names: list[str]) -> str:
    return f"{' and '.join(names)} start{'s' if len(names) == 1 else ''}"


def _listed(generators: dict[str, Network]) -> str:
    return " and ".join(direction or "one generator" for direction in generators)
