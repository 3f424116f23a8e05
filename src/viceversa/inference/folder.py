"""The translator folder, which describes itself: config.json, model.safetensors and README.md.

It holds generators of images from images, "a2b" and "b2a"; or one of images from noise, "z2a" (z is the noise).

model.safetensors carries the text of config.json within it, and that copy is the one that is read: it is one file,
replaced in one go, so nobody ever sees the weights of one moment with the config of another. The config.json beside
it is for people and for other programs.
"""

import dataclasses
import importlib.metadata
import json
import math
import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias, get_type_hints

import torch
from safetensors import SafetensorError
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from viceversa import plugins, sizes
from viceversa.data.values import Values
from viceversa.errors import CheckpointError, ConfigError
from viceversa.inference.card import model_card
from viceversa.networks import GENERATORS, SAMPLERS
from viceversa.networks.registry import as_tuples, fits, generator_name
from viceversa.replacing import replace_file
from viceversa.sizes import SizePx
from viceversa.weights import open_weights

FORMAT, VERSION = "viceversa-translator", 1
CONFIG_FILE, WEIGHTS_FILE, CARD_FILE = "config.json", "model.safetensors", "README.md"
DIRECTIONS = ("a2b", "b2a")
FROM_NOISE = "z2a"
_METADATA_KEY = "config"
_ANEW = 4  # how often a network may register a parameter: one that is parametrised is registered again

GeneratorConfig: TypeAlias = Any  # the Config of a registered generator


@dataclass(frozen=True)
class Channels:
    """What is to be known of a network that is computed elsewhere, as that of an .onnx file."""

    in_channels: int
    out_channels: int


@dataclass(frozen=True, kw_only=True)
class TranslatorConfig:
    """What config.json says."""

    method: str
    """The method that trained it, or "imported"."""
    domains: dict[str, str]
    """The names of the kinds of images: ``{"a": "women", "b": "men"}``, or ``{"a": "digits"}`` of noise."""
    size_px: SizePx
    """The side of the images that it was trained on, or height and width; a translator takes images of any size."""
    images: int
    """Images seen in training."""
    networks: dict[str, GeneratorConfig]
    """The generator of each direction: "a2b" and "b2a" or one of them; or "z2a"."""
    classes: tuple[str, ...] = ()
    """Of a generator from noise: the names of the one-hot entries that it takes."""
    values: dict[str, Values] = field(default_factory=dict[str, Values])
    """By domain, which values are black and white, where it was trained on a range of them."""
    begun_with: str = ""
    """The model whose weights the training began with; empty where it began with new ones."""
    side_by_side: tuple[float, float] | None = None
    """Where it was trained on pairs in one image each, A on the left: the least and the greatest width of these images
    as a multiple of their height."""
    pages_as_channels: bool = False
    """Whether it was trained on files whose pages are the channels of one image."""


def save_translator(
    folder: Path | str,
    generators: Mapping[str, nn.Module],
    *,
    method: str,
    domains: Mapping[str, str],
    size_px: SizePx,
    images: int,
    classes: Sequence[str] = (),
    values: Mapping[str, Values] | None = None,
    begun_with: str = "",
    side_by_side: tuple[float, float] | None = None,
    pages_as_channels: bool = False,
) -> None:
    """Writes a translator folder; one that is there is replaced, each file in one go.

    Args:
        folder: Made if it is not there.
        generators: A network of ``viceversa.networks.GENERATORS`` for "a2b", "b2a" or both, or one of ``SAMPLERS``
            for "z2a"; left as they are.
        method: The name of the method that trained them.
        domains: Names for "a" and "b"; of "z2a" for "a" alone.
        size_px: The side of the images they were trained on, or height and width.
        images: Images seen in training.
        classes: Names for the one-hot entries that a "z2a" generator takes: all of them, or none.
        values: By "a" or "b": which values are black and white, where they were trained on a range of them.
        begun_with: The model whose weights the training began with.
        side_by_side: See `TranslatorConfig.side_by_side`.
        pages_as_channels: See `TranslatorConfig.pages_as_channels`.

    Raises:
        CheckpointError: The folder cannot be written, for instance because the disk is full.
        ConfigError: There are more or fewer names of classes than the network takes.
    """
    folder = Path(folder)
    networks: dict[str, Any] = {direction: network.config for direction, network in generators.items()}
    taken = _classes_of(networks)
    if len(classes) not in (0, taken):
        raise ConfigError(f"The network takes {taken} classes; got names for {len(classes)}: {', '.join(classes)}.")
    config = TranslatorConfig(
        method=method,
        domains=dict(domains),
        size_px=size_px,
        images=images,
        networks=dict(networks),
        classes=tuple(classes),
        values=dict(values or {}),
        begun_with=begun_with,
        side_by_side=side_by_side,
        pages_as_channels=pages_as_channels,
    )
    text = config_to_json(config)
    tensors = {
        f"{direction}.{key}": _plain(value)
        for direction, network in generators.items()
        for key, value in network.state_dict().items()
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        replace_file(folder / WEIGHTS_FILE, save(tensors, {_METADATA_KEY: text}))
        replace_file(folder / CONFIG_FILE, text.encode())
        replace_file(folder / CARD_FILE, model_card(config).encode())
    except OSError as error:
        raise CheckpointError(
            f"The translator {folder} could not be written ({error.strerror or error}): free some space or allow "
            "writing there, then try again."
        ) from error


def read_translator(file: Path) -> tuple[TranslatorConfig, dict[str, nn.Module]]:
    """The config and the networks, on the CPU, of a model.safetensors.

    Raises:
        CheckpointError: The file is missing, damaged, of a newer version, or holds other weights than it says.
    """
    try:
        with open_weights(file) as opened:
            shapes = {key: tuple(opened.get_slice(key).get_shape()) for key in sorted(opened.keys())}
            config = config_from_json((opened.metadata() or {}).get(_METADATA_KEY, ""), str(file))
            networks = _build(config, shapes, str(file))
            for direction, network in networks.items():
                state = {
                    # Copied: what safetensors gives is the file itself, mapped into memory, and that may change.
                    key: torch.empty(empty.shape, dtype=empty.dtype).copy_(opened.get_tensor(f"{direction}.{key}"))
                    for key, empty in network.state_dict().items()
                }
                network.load_state_dict(state, assign=True)
    except FileNotFoundError:
        raise CheckpointError(f"There is no {file}.") from None
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{file} is damaged or cut short ({error}); write or fetch it again.") from None
    return config, networks


def _build(config: TranslatorConfig, shapes: dict[str, tuple[int, ...]], where: str) -> dict[str, nn.Module]:
    """The networks without memory for their weights, once it is sure that the file holds exactly those."""
    networks: dict[str, nn.Module] = {}
    expected: dict[str, tuple[int, ...]] = {}
    for direction, network_config in config.networks.items():
        unfit = CheckpointError(f"{where} does not hold the weights of the network it tells of: {network_config}.")
        try:
            with torch.device("meta"), _no_more_than(shapes):
                network = (GENERATORS | SAMPLERS)[generator_name(network_config)](network_config)
        except (_TooMuch, RuntimeError, TypeError, ValueError, OverflowError):  # sizes that no tensor can have
            raise unfit from None
        networks[direction] = network.eval().requires_grad_(False)
        expected |= {f"{direction}.{key}": tuple(value.shape) for key, value in network.state_dict().items()}
    wrong = [key for key in {**expected, **shapes} if expected.get(key) != shapes.get(key)]
    if wrong:
        key = wrong[0]
        raise CheckpointError(
            f"{where} does not hold the weights it tells of: {key} should be {expected.get(key, 'absent')} and is "
            f"{shapes.get(key, 'absent')}; write or fetch it again."
        )
    return networks


class _TooMuch(Exception):
    """More parameters than there are in the file."""


@contextmanager
def _no_more_than(shapes: dict[str, tuple[int, ...]]) -> Generator[None]:
    """Let no more parameters be made within it than ``shapes`` has, however large the numbers in a stranger's config.

    Raises:
        _TooMuch: At the first parameter beyond.
    """
    thread = threading.get_ident()
    tensors, elements = _ANEW * len(shapes), _ANEW * sum(map(math.prod, shapes.values()))

    def count(_module: nn.Module, _name: str, parameter: nn.Parameter) -> None:
        nonlocal tensors, elements
        if threading.get_ident() != thread:
            return
        tensors, elements = tensors - 1, elements - parameter.numel()
        if min(tensors, elements) < 0:
            raise _TooMuch

    hook = register_module_parameter_registration_hook(count)
    try:
        yield
    finally:
        hook.remove()


def config_to_json(config: TranslatorConfig) -> str:
    """What config.json says, and what is written into model.safetensors and .onnx files."""
    tree: dict[str, Any] = {"format": FORMAT, "version": VERSION, **dataclasses.asdict(config)}
    del tree["networks"], tree["values"]
    if config.values:
        tree["values"] = {side: [each.low, each.high, each.nodata] for side, each in config.values.items()}
    for name in ("classes", "begun_with", "side_by_side", "pages_as_channels"):
        if not tree[name]:
            del tree[name]
    tree["directions"] = {
        direction: {"network": generator_name(network), **_said(network)}
        for direction, network in config.networks.items()
    }
    if imports := plugins.needed(None, config.networks):
        tree["imports"] = imports
    tree["viceversa"] = importlib.metadata.version("viceversa")
    return json.dumps(tree, indent=2, ensure_ascii=False) + "\n"


def _said(network: GeneratorConfig) -> dict[str, Any]:
    """Its settings but those that are as they were before they could be said: older programs can read the rest."""
    values = dataclasses.asdict(network)
    usual = {
        part.name: part.metadata["formerly"] for part in dataclasses.fields(network) if "formerly" in part.metadata
    }
    return {name: value for name, value in values.items() if name not in usual or usual[name] != value}


def config_from_json(text: str, where: str, *, elsewhere: bool = False) -> TranslatorConfig:
    """Reads what `config_to_json` wrote; ``where`` begins the text of a CheckpointError.

    Where the networks are computed ``elsewhere``, only their `Channels` are read; no code that defines them is needed.
    """
    try:
        tree: Any = json.loads(text)
    except (ValueError, RecursionError):
        tree = None
    if not isinstance(tree, dict) or tree.get("format") != FORMAT:
        raise CheckpointError(f"{where} is no translator of viceversa: the config within it is missing or damaged.")
    version = _entry(tree, "version", int, where)
    if version > VERSION:
        raise CheckpointError(
            f"{where} was written by a newer viceversa (format {version}; this one reads up to {VERSION}): upgrade it."
        )
    if not elsewhere and (advice := plugins.missing(tree.get("imports"))):
        raise CheckpointError(f"{where.removesuffix(f'/{WEIGHTS_FILE}')} {advice}")
    directions = _entry(tree, "directions", dict, where)
    if not directions or not (set(directions) <= set(DIRECTIONS) or set(directions) == {FROM_NOISE}):
        raise CheckpointError(
            f"{where}: directions must be a2b, b2a or both, or {FROM_NOISE} alone; got "
            f"{', '.join(directions) or 'none'}."
        )
    domains = _entry(tree, "domains", dict, where)
    letters = "a" if FROM_NOISE in directions else "ab"
    if set(domains) != set(letters) or not all(isinstance(name, str) for name in domains.values()):
        raise CheckpointError(f"{where}: domains must name {' and '.join(letters)}; got {domains}.")
    networks = {
        name: _channels(values, f"{where}: {name}") if elsewhere else _network(name, values, f"{where}: {name}")
        for name, values in directions.items()
    }
    return TranslatorConfig(
        method=_entry(tree, "method", str, where),
        domains=domains,
        size_px=_size(tree, where),
        images=_entry(tree, "images", int, where),
        networks=networks,
        classes=_classes(tree, networks, where),
        values=_values(tree, where),
        begun_with=_entry({"begun_with": "", **tree}, "begun_with", str, where),
        side_by_side=_side_by_side(tree, where),
        pages_as_channels=_entry({"pages_as_channels": False, **tree}, "pages_as_channels", bool, where),
    )


def _classes(tree: dict[str, Any], networks: dict[str, GeneratorConfig], where: str) -> tuple[str, ...]:
    names: Any = tree.get("classes", [])
    taken = _classes_of(networks)
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names) or len(names) not in (0, taken):
        raise CheckpointError(f"{where}: classes must name the {taken} classes that the network takes; got {names!r}.")
    return tuple(names)


def _values(tree: dict[str, Any], where: str) -> dict[str, Values]:
    found: Any = tree.get("values", {})
    try:
        numbers = [number for each in found.values() for number in each]
        if not set(found) <= set("ab") or any(type(number) not in (int, float, type(None)) for number in numbers):
            raise ValueError
        return {side: Values(low=low, high=high, nodata=nodata) for side, (low, high, nodata) in found.items()}
    except (ConfigError, ValueError, TypeError, AttributeError):
        raise CheckpointError(
            f"{where}: values must give the lower, the upper and the missing one of a or b; got {found!r}."
        ) from None


def _side_by_side(tree: dict[str, Any], where: str) -> tuple[float, float] | None:
    found: Any = tree.get("side_by_side")
    if found is None:
        return None
    if (
        not isinstance(found, list)
        or len(found) != 2
        or any(type(number) not in (int, float) for number in found)
        or not 0 < found[0] <= found[1] < math.inf
    ):
        raise CheckpointError(
            f"{where}: side_by_side must be the least and the greatest width of pairs as a multiple of their height; "
            f"got {found!r}."
        )
    return float(found[0]), float(found[1])


def _classes_of(networks: Mapping[str, GeneratorConfig]) -> int:
    return getattr(networks.get(FROM_NOISE), "classes", 0)


def _entry(tree: dict[str, Any], key: str, kind: type, where: str) -> Any:
    value = tree.get(key)
    if type(value) is not kind:  # exactly: JSON's true is no number
        raise CheckpointError(f"{where}: {key} must be a {kind.__name__}; got {value!r}.")
    return value


def _size(tree: dict[str, Any], where: str) -> SizePx:
    """A number, or a list of height and width."""
    if not isinstance(tree.get("size_px"), list):
        return _entry(tree, "size_px", int, where)
    try:
        return sizes.checked(tree["size_px"], "size_px")
    except ConfigError as error:
        raise CheckpointError(f"{where}: {error}") from None


def _channels(values: Any, where: str) -> Channels:
    given: dict[str, Any] = values if isinstance(values, dict) else {}
    counts = Channels(*(_entry(given, name, int, where) for name in ("in_channels", "out_channels")))
    if min(dataclasses.astuple(counts)) < 1:
        raise CheckpointError(f"{where}: in_channels and out_channels must be at least 1; got {counts}.")
    return counts


def _network(direction: str, values: Any, where: str) -> GeneratorConfig:
    networks = SAMPLERS if direction == FROM_NOISE else GENERATORS
    kind = values.get("network") if isinstance(values, dict) else None
    if not isinstance(kind, str) or kind not in networks:
        raise CheckpointError(
            f"{where}: there is no network {kind!r} in this version, only {', '.join(networks)}; upgrade viceversa, or "
            "give the file that defines it with --import FILE."
        )
    cls = networks[kind].Config
    types = get_type_hints(cls)
    given = {key: value for key, value in values.items() if key != "network"}
    for key, value in given.items():
        if key not in types or not fits(value, types[key]):
            raise CheckpointError(f"{where}: a {kind} network has no {key} = {value!r}.")
    try:
        return cls(**{key: as_tuples(value) for key, value in given.items()})
    except ConfigError as error:
        raise CheckpointError(f"{where}: {error}") from None


def _plain(tensor: Tensor) -> Tensor:
    """On the CPU, in float32 unless it counts, in dense memory; safetensors keeps no strides."""
    dtype = torch.float32 if tensor.is_floating_point() else tensor.dtype
    return tensor.detach().to("cpu", dtype).contiguous()
