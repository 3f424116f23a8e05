"""The networks of a model that a new run may begin with: of a run, a translator, or the published PyTorch code.

The generators are those that the model translates with; discriminators are in the checkpoints of a run and in
published files. Everything is only read.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from viceversa.config import TrainConfig, read_config
from viceversa.data.sources import values_of
from viceversa.data.values import Values
from viceversa.errors import CheckpointError, ConfigError, ViceversaError
from viceversa.inference import hub
from viceversa.inference.folder import read_translator
from viceversa.inference.published import Recognised, read_network
from viceversa.inference.translator import find_weights
from viceversa.networks import GENERATORS, SAMPLERS
from viceversa.networks.registry import generator_name
from viceversa.training import checkpoint

State = dict[str, Tensor]
_PUBLISHED = re.compile(r"latest_net_[GD](_[AB])?\.pth")
_LETTER = re.compile(r"_([AB])\.pth$")
# The published CycleGAN's G_A makes B of A, and its D_A judges what G_A makes.
_GENERATORS, _DISCRIMINATORS = {"A": "a2b", "B": "b2a"}, {"A": "d_b", "B": "d_a"}
ANY = ""
"""The direction of a published generator whose file name does not say it."""


@dataclass(frozen=True, kw_only=True)
class Network:
    """A network's weights, and what it is made of."""

    kind: str
    """A key of ``viceversa.networks.GENERATORS``, or "patchgan"; empty where only the run's settings tell."""
    config: Any
    """Its dataclass of settings; None where ``kind`` is empty."""
    state: State


@dataclass(frozen=True, kw_only=True)
class Model:
    """What a model holds."""

    name: str
    """As a person typed it."""
    generators: dict[str, Network]
    """By direction: "a2b", "b2a", "z2a", or `ANY`."""
    others: dict[str, Network] = field(default_factory=dict[str, Network])
    """Discriminators and the like, by the name that methods give them."""
    config: TrainConfig[Any] | None = None
    """The settings of the run that it is."""
    values: dict[str, Values] = field(default_factory=dict[str, Values])
    """By domain, which values are black and white, where it was trained on a range of them."""
    images: int | None = None
    """Images seen in training, where that is known."""
    kind: str = "run"
    """In words."""


def read_model(paths: Sequence[Path]) -> Model:
    """Reads a run, a translator folder, an address of a model hub, or published .pth files.

    Raises:
        ConfigError: Several things are named that are not all .pth files, or two files are the same network.
        CheckpointError: There is no model, or it is damaged.
        HubError: The hub has no such model, or it cannot be reached.
    """
    files = _files(paths)
    name = shown(paths)
    if files:
        model = _published(files, name)
    elif len(paths) > 1:
        raise ConfigError(f"--from takes one run or translator, or several .pth files; got {name}.")
    elif checkpoint.complete(paths[0] / "checkpoints"):
        model = _run(paths[0], name)
    else:
        model = _translator(paths[0], name)
    for network in (*model.generators.values(), *model.others.values()):
        for key, value in network.state.items():
            if value.is_floating_point() and not bool(torch.isfinite(value).all()):
                raise CheckpointError(f"{name} holds weights that are no finite numbers ({key}); name another model.")
    return model


def shown(paths: Sequence[Path]) -> str:
    """The model as a person typed it; a Path has made one slash of the two in hf://."""
    return " ".join(
        f"{hub.PREFIX}{path.as_posix().removeprefix('hf:').lstrip('/')}" if hub.is_address(path) else str(path)
        for path in paths
    )


def short(paths: Sequence[Path]) -> str:
    """A name of the model for cards that go to others: no folders of this machine's."""
    if any(map(hub.is_address, paths)):
        return shown(paths)
    names = [path.resolve() for path in paths]
    return ", ".join(
        f"{path.parent.name}/{path.name}" if path.name in ("best", "translator") else path.name for path in names
    )


def _files(paths: Sequence[Path]) -> list[Path]:
    """The .pth files that are named, one by one or by the folder of a training of the published code."""
    if len(paths) == 1 and paths[0].is_dir():
        return sorted(path for path in paths[0].iterdir() if _PUBLISHED.fullmatch(path.name))
    return list(paths) if paths and all(path.suffix in (".pth", ".pt") for path in paths) else []


def _published(files: Sequence[Path], name: str) -> Model:
    generators: dict[str, Network] = {}
    others: dict[str, Network] = {}
    for path in files:
        found: Recognised = read_network(path)
        letter, judges = _LETTER.search(path.name), found.kind not in GENERATORS | SAMPLERS
        by_letter = _DISCRIMINATORS if judges else _GENERATORS
        place = by_letter[letter[1]] if letter else "d" if judges else ANY
        part = others if judges else generators
        if place in part:
            raise ConfigError(
                f"Two of the files of --from are the same {'discriminator' if judges else 'generator'}, by their "
                f"names: {name}. Name each once; _A.pth and _B.pth at the end tell the directions apart."
            )
        part[place] = Network(kind=found.kind, config=found.config, state=found.state)
    if not generators:
        raise CheckpointError(f"{name} holds discriminators alone; give a generator too, such as latest_net_G_A.pth.")
    return Model(name=name, generators=generators, others=others, kind="published file")


def _translator(path: Path, name: str) -> Model:
    if path.suffix == ".onnx":
        raise CheckpointError(f"{path} cannot be trained further; give the run or translator that it was exported of.")
    config, networks = read_translator(find_weights(path))
    return Model(
        name=name,
        generators={direction: _network(network) for direction, network in networks.items()},
        values=config.values,
        images=config.images or None,
        kind="translator folder",
    )


def _run(path: Path, name: str) -> Model:
    """The newest checkpoint of a run: averaged generators, and all else as it is."""
    config = read_config(path / "config.json", path)
    try:
        _, networks = read_translator(find_weights(path))
    except ViceversaError as error:
        raise CheckpointError(f"--from {path}: {error}") from None
    images, tensors = checkpoint.newest_networks(path / "checkpoints")
    generators = {
        direction: Network(
            kind=_network(network).kind,
            config=network.config,
            state=_part(tensors, f"averaged.averages.{direction}."),
        )
        for direction, network in networks.items()
    }
    names = dict.fromkeys(key.split(".")[1] for key in tensors if key.startswith("method."))
    others = {child: Network(kind="", config=None, state=_part(tensors, f"method.{child}.")) for child in names}
    values = values_of(config.method.data)
    return Model(name=name, generators=generators, others=others, config=config, values=values, images=images)


def _network(network: Any) -> Network:
    return Network(kind=generator_name(network), config=network.config, state=dict(network.state_dict()))


def _part(tensors: State, prefix: str) -> State:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
