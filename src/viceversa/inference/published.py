"""Weights of the published PyTorch CycleGAN and pix2pix code: recognised, and made a translator folder.

What a network is made of is read from the keys and shapes of its weights alone. Two things leave no trace there:

- Dropout in a U-Net. It is assumed where there is batch normalisation, as in the published pix2pix, and not otherwise;
  it only matters to ``noise=True``.
- Whether convolutions with a bias are followed by instance normalisation or by nothing. The published code writes the
  biases of these layers with instance normalisation only, so that is what they mean.
"""

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import Tensor, nn

from viceversa.errors import CheckpointError, ConfigError
from viceversa.inference.folder import CARD_FILE, CONFIG_FILE, DIRECTIONS, WEIGHTS_FILE, save_translator
from viceversa.networks import DISCRIMINATORS, GENERATORS, PatchGANConfig, ResNetConfig, UNetConfig
from viceversa.networks.layers import Norm
from viceversa.networks.pth import read_pth
from viceversa.sizes import SizePx

State: TypeAlias = dict[str, Tensor]
NetworkConfig: TypeAlias = ResNetConfig | UNetConfig | PatchGANConfig

_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


class Recognised(NamedTuple):
    """A published network in our terms."""

    kind: str
    """"resnet", "unet" or "patchgan" (its 1x1 form too)."""
    config: NetworkConfig
    state: State
    """The weights under our names, which the network of ``config`` loads strictly."""


def recognise(state: Mapping[str, Tensor]) -> Recognised:
    """What network the published code's ``state`` belongs to.

    A "module." that DataParallel put before the keys, statistics that PyTorch 0.3 kept for instance normalisation and
    biases that instance normalisation cancels are dropped.

    Raises:
        CheckpointError: These are no weights of a network of that code.
    """
    state = _without_module(state)
    for readers in (_resnet, _unet, _patchgan):
        try:
            found = readers(state)
        except (KeyError, IndexError, ConfigError):  # a tensor that the kind needs is missing, or has odd dimensions
            found = None
        if found is not None:
            kind, config, renamed = found
            return Recognised(kind, config, _fitted(kind, config, renamed))
    raise CheckpointError("These are not the weights of a published CycleGAN or pix2pix network.")


def import_files(
    paths: Mapping[str, Path | str],
    out: Path | str,
    *,
    domains: Mapping[str, str] | None = None,
    size_px: SizePx | None = None,
) -> None:
    """Makes a translator folder of published weights.

    Args:
        paths: A .pth file for each direction: ``{"a2b": "latest_net_G_A.pth", "b2a": "latest_net_G_B.pth"}``, or one.
        out: The translator folder; it must not hold a translator, nor other files of the names that are written.
        domains: Names for "a" and "b".
        size_px: The side of the images they were trained on, or height and width; by default 256, or
            what brings a U-Net down to 1 px.

    Raises:
        CheckpointError: A file is missing or damaged, or is not what it should be.
        ConfigError: A direction is neither "a2b" nor "b2a", or ``out`` holds such files.
    """
    if not paths or not set(paths) <= set(DIRECTIONS):
        raise ConfigError(f"Directions are a2b and b2a; got {', '.join(paths) or 'none'}.")
    if (Path(out) / WEIGHTS_FILE).exists():
        raise ConfigError(f"{out} already holds a translator; choose another --out or remove that folder.")
    for name in (CONFIG_FILE, CARD_FILE):
        if os.path.lexists(Path(out) / name):
            raise ConfigError(f"{out} holds a {name} of other origin, which would be replaced; choose another --out.")
    generators = {direction: _generator(Path(path)) for direction, path in paths.items()}
    config = next(iter(generators.values())).config
    usual = 2**config.levels if isinstance(config, UNetConfig) else 256
    named = domains or {"a": "a", "b": "b"}
    save_translator(out, generators, method="imported", domains=named, size_px=size_px or usual, images=0)


def import_file(
    path: Path | str,
    out: Path | str,
    *,
    to: str = "b",
    domains: Mapping[str, str] | None = None,
    size_px: SizePx | None = None,
) -> None:
    """Makes a translator folder of one published .pth file, whose network leads to domain ``to``: "b" or "a".

    The published CycleGAN's ``latest_net_G_A.pth`` leads to b and ``latest_net_G_B.pth`` to a. See
    :func:`import_files` for the rest.
    """
    if to not in ("a", "b"):
        raise ConfigError(f"--to must be a or b; got {to!r}.")
    import_files({"a2b" if to == "b" else "b2a": path}, out, domains=domains, size_px=size_px)


def read_state(path: Path) -> State:
    """The tensors of a .pth file; nothing in it is executed.

    Raises:
        CheckpointError: It is missing, damaged, or holds anything else.
    """
    advice = "; give a .pth file that the published code saved, such as latest_net_G_A.pth."
    return read_pth(path, advice, nothing_else=True)


def read_network(path: Path) -> Recognised:
    """What network a .pth file of the published code holds.

    Raises:
        CheckpointError: It is missing, damaged, or holds anything else; the message begins with its name.
    """
    published = read_state(path)
    try:
        return recognise(published)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from None


def _generator(path: Path) -> Any:
    kind, config, state = read_network(path)
    if kind not in GENERATORS:
        raise CheckpointError(f"{path} is a discriminator; give a generator, such as latest_net_G_A.pth.")
    network = _empty(kind, config)
    network.load_state_dict(state, assign=True)
    return network


def _empty(kind: str, config: Any) -> nn.Module:
    with torch.device("meta"):  # no memory for weights: they are assigned
        return (GENERATORS | DISCRIMINATORS)[kind](config)


def _without_module(state: Mapping[str, Tensor]) -> State:
    return {key.removeprefix("module."): value for key, value in state.items()}


def _norm(state: Mapping[str, Tensor], probe: str) -> Norm:
    """``probe`` is the bias of a convolution before a normalisation: the published code omits it with batch norm."""
    if any(key.endswith(".weight") and value.dim() == 1 for key, value in state.items()):
        return "batch"
    return "instance" if probe in state else "none"


def _renamed(state: Mapping[str, Tensor], pattern: str, name: Callable[..., str | None]) -> State:
    """The state under new names; ``name`` gets what the pattern's groups matched. Other keys keep theirs."""
    new: State = {}
    for key, value in state.items():
        match = re.fullmatch(pattern, key)
        new[(name(*match.groups()) if match else None) or key] = value
    return new


_Found: TypeAlias = tuple[str, NetworkConfig, State] | None


def _resnet(state: State) -> _Found:
    indices = {int(match[1]) for key in state if (match := re.match(r"model\.(\d+)\.conv_block\.", key))}
    if not indices:
        return None
    first, after = state["model.1.weight"].shape, 10 + len(indices)
    second = "model.10.conv_block.6.weight"  # a dropout layer moves the second convolution from 5 to 6
    config = ResNetConfig(
        in_channels=first[1],
        out_channels=state[f"model.{after + 7}.weight"].shape[0],
        width=first[0],
        blocks=len(indices),
        norm=_norm(state, "model.4.bias"),
        dropout=second in state and state[second].dim() == 4,
    )

    def name(index: str, rest: str) -> str:
        number = int(index)
        if number < 10:
            return f"encoder.{number}.{rest}"
        if number >= after:
            return f"decoder.{number - after}.{rest}"
        return f"blocks.{number - 10}.body.{rest.removeprefix('conv_block.')}"

    return "resnet", config, _renamed(state, r"model\.(\d{1,4})\.(.+)", name)


def _unet(state: State) -> _Found:
    pattern = r"model\.((?:model\.\d\.)*)model\.(\d)\.(\w+)"  # a level lies within the level above it
    levels = 1 + max((match[1].count("model") for key in state if (match := re.fullmatch(pattern, key))), default=0)
    if levels == 1:
        return None
    first, norm = state["model.model.0.weight"].shape, _norm(state, "model.model.1.model.1.bias")
    config = UNetConfig(
        in_channels=first[1],
        out_channels=state["model.model.3.weight"].shape[1],
        width=first[0],
        levels=levels,
        norm=norm,
        dropout=norm == "batch",
    )
    outermost = {"0": "down.{}", "3": "up.{}"}
    middle = {"1": "down.{}.0", "2": "down.{}.1", "5": "up.{}.0", "6": "up.{}.1"}
    innermost = {"1": "down.{}", "3": "up.{}.0", "4": "up.{}.1"}

    def name(within: str, index: str, rest: str) -> str | None:
        level = within.count("model")
        part = (outermost if level == 0 else innermost if level == levels - 1 else middle).get(index)
        return part and f"{part.format(level)}.{rest}"

    return "unet", config, _renamed(state, pattern, name)


def _patchgan(state: State) -> _Found:
    part = "net" if "net.0.weight" in state else "model"
    first = state[f"{part}.0.weight"].shape
    convolutions = sum(value.dim() == 4 for value in state.values())
    config = PatchGANConfig(
        in_channels=first[1],
        width=first[0],
        layers=0 if part == "net" else convolutions - 2,
        norm=_norm(state, f"{part}.2.bias"),
    )
    return "patchgan", config, _renamed(state, rf"{part}\.(\d+\.\w+)", "body.{}".format)


def _fitted(kind: str, config: NetworkConfig, state: State) -> State:
    """Drops and adds what makes no difference, then insists that every key and shape is the network's own."""
    expected: Mapping[str, Tensor] = _empty(kind, config).state_dict()
    fitted = dict(state)
    for key in state:
        cancelled = key.endswith(".bias") and config.norm == "instance"
        unused = key.endswith(_STATISTICS) and config.norm != "batch"
        if key not in expected and (cancelled or unused):
            del fitted[key]
    for key, value in expected.items():
        # Without normalisation the published code has no biases; before PyTorch 0.4.1 batch norm did not count.
        counts = key.endswith("num_batches_tracked")
        if key not in fitted and (counts or (key.endswith(".bias") and config.norm == "none")):
            fitted[key] = torch.zeros(value.shape, dtype=value.dtype)
    for key in {**expected, **fitted}:
        here, there = _described(fitted.get(key)), _described(expected.get(key))
        if here != there:
            raise CheckpointError(
                f"This looks like a published {kind} network, but {key} is {here} instead of {there}."
            )
    return fitted


def _described(tensor: Tensor | None) -> str:
    if tensor is None:
        return "absent"
    return f"{'floats' if tensor.is_floating_point() else 'integers'} of shape {tuple(tensor.shape)}"
