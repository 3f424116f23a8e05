"""The translator folder, which describes itself: config.json, model.safetensors and README.md.

model.safetensors carries the text of config.json within it, and that copy is the one that is read: it is one file,
replaced in one go, so nobody ever sees the weights of one moment with the config of another. The config.json beside
it is for people and for other programs.
"""

import dataclasses
import importlib.metadata
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args, get_origin, get_type_hints

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from viceversa.errors import CheckpointError, ConfigError
from viceversa.networks import GENERATORS, ResNetConfig, UNetConfig

FORMAT, VERSION = "viceversa-translator", 1
CONFIG_FILE, WEIGHTS_FILE, CARD_FILE = "config.json", "model.safetensors", "README.md"
DIRECTIONS = ("a2b", "b2a")
_METADATA_KEY = "config"

GeneratorConfig: TypeAlias = ResNetConfig | UNetConfig


@dataclass(frozen=True, kw_only=True)
class TranslatorConfig:
    """What config.json says."""

    method: str
    """The method that trained it, or "imported"."""
    domains: dict[str, str]
    """The names of the two kinds of pictures: ``{"a": "women", "b": "men"}``."""
    size_px: int
    """The side of the pictures that it was trained on; it translates pictures of any size."""
    images: int
    """Images seen in training."""
    networks: dict[str, GeneratorConfig]
    """The generator of each direction, "a2b" and "b2a" or one of them."""


def save_translator(
    folder: Path | str,
    generators: Mapping[str, nn.Module],
    *,
    method: str,
    domains: Mapping[str, str],
    size_px: int,
    images: int,
) -> None:
    """Writes a translator folder; one that is there is replaced, each file in one go.

    Args:
        folder: Made if it is not there.
        generators: A network of ``viceversa.networks.GENERATORS`` for "a2b", "b2a" or both; left as they are.
        method: The name of the method that trained them.
        domains: Names for "a" and "b".
        size_px: The side of the pictures they were trained on.
        images: Images seen in training.

    Raises:
        CheckpointError: The folder cannot be written, for instance because the disk is full.
    """
    folder = Path(folder)
    networks: dict[str, Any] = {direction: network.config for direction, network in generators.items()}
    config = TranslatorConfig(
        method=method, domains=dict(domains), size_px=size_px, images=images, networks=dict(networks)
    )
    text = _to_json(config)
    tensors = {
        f"{direction}.{key}": _plain(value)
        for direction, network in generators.items()
        for key, value in network.state_dict().items()
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _replace(folder / WEIGHTS_FILE, save(tensors, {_METADATA_KEY: text}))
        _replace(folder / CONFIG_FILE, text.encode())
        _replace(folder / CARD_FILE, _card(config).encode())
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
        with safe_open(file, framework="pt", device="cpu") as opened:
            shapes = {key: tuple(opened.get_slice(key).get_shape()) for key in opened.keys()}  # noqa: SIM118
            config = _from_json((opened.metadata() or {}).get(_METADATA_KEY, ""), str(file))
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
    most = max((max(shape, default=1) for shape in shapes.values()), default=0)
    for direction, network_config in config.networks.items():
        # Sizes that the file cannot hold end here, before a module is made: config files may come from strangers.
        values = dataclasses.asdict(network_config)
        wide = max(values[name] for name in ("in_channels", "out_channels", "width"))
        if wide > most or values.get("blocks", 0) > len(shapes):
            raise CheckpointError(f"{where} does not hold the weights of the network it tells of: {network_config}.")
        with torch.device("meta"):
            network = GENERATORS[_kind_of(network_config)](network_config)  # pyright: ignore[reportArgumentType]
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


def _to_json(config: TranslatorConfig) -> str:
    tree: dict[str, Any] = {"format": FORMAT, "version": VERSION, **dataclasses.asdict(config)}
    del tree["networks"]
    tree["directions"] = {
        direction: {"network": _kind_of(network), **dataclasses.asdict(network)}
        for direction, network in config.networks.items()
    }
    tree["viceversa"] = importlib.metadata.version("viceversa")
    return json.dumps(tree, indent=2, ensure_ascii=False) + "\n"


def _from_json(text: str, where: str) -> TranslatorConfig:
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
    domains = _entry(tree, "domains", dict, where)
    directions = _entry(tree, "directions", dict, where)
    if set(domains) != {"a", "b"} or not all(isinstance(name, str) for name in domains.values()):
        raise CheckpointError(f"{where}: domains must name a and b; got {domains}.")
    if not directions or not set(directions) <= set(DIRECTIONS):
        raise CheckpointError(f"{where}: directions must be a2b, b2a or both; got {', '.join(directions) or 'none'}.")
    return TranslatorConfig(
        method=_entry(tree, "method", str, where),
        domains=domains,
        size_px=_entry(tree, "size_px", int, where),
        images=_entry(tree, "images", int, where),
        networks={name: _network(values, f"{where}: {name}") for name, values in directions.items()},
    )


def _entry(tree: dict[str, Any], key: str, kind: type, where: str) -> Any:
    value = tree.get(key)
    if type(value) is not kind:  # exactly: JSON's true is no number
        raise CheckpointError(f"{where}: {key} must be a {kind.__name__}; got {value!r}.")
    return value


def _network(values: Any, where: str) -> GeneratorConfig:
    kind = values.get("network") if isinstance(values, dict) else None
    if not isinstance(kind, str) or kind not in GENERATORS:
        raise CheckpointError(
            f"{where}: there is no network {kind!r} in this version, only {', '.join(GENERATORS)}; upgrade viceversa."
        )
    cls = GENERATORS[kind].Config
    types = get_type_hints(cls)
    given = {key: value for key, value in values.items() if key != "network"}
    for key, value in given.items():
        wanted = types.get(key)
        choices = get_args(wanted) if get_origin(wanted) is Literal else ()
        if (value not in choices if choices else type(value) is not wanted) or type(value) not in (str, int, bool):
            raise CheckpointError(f"{where}: a {kind} network has no {key} = {value!r}.")
    try:
        return cls(**given)
    except ConfigError as error:
        raise CheckpointError(f"{where}: {error}") from None


def _kind_of(config: GeneratorConfig) -> str:
    return next(kind for kind, network in GENERATORS.items() if network.Config is type(config))


def _plain(tensor: Tensor) -> Tensor:
    """On the CPU, in float32 unless it counts, in dense memory; safetensors keeps no strides."""
    dtype = torch.float32 if tensor.is_floating_point() else tensor.dtype
    return tensor.detach().to("cpu", dtype).contiguous()


def _replace(path: Path, content: bytes) -> None:
    beside = path.with_name(f".{path.name}.partial")  # what a kill leaves is overwritten by the next attempt
    try:
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # else a power cut could leave an empty file under the final name
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def _card(config: TranslatorConfig) -> str:
    a, b = config.domains["a"], config.domains["b"]
    ways = " and ".join(f"{a} → {b}" if name == "a2b" else f"{b} → {a}" for name in config.networks)
    networks = "\n".join(f"- {name}: `{network}`" for name, network in config.networks.items())
    trained = f"Trained with `{config.method}` on {config.images} images of {config.size_px} px."
    origin = "Imported weights." if config.method == "imported" else trained
    return f"""---
library_name: viceversa
pipeline_tag: image-to-image
tags: [gan, image-to-image, {json.dumps(config.method)}]
---

# {ways}

A translator of pictures, for viceversa. {origin}

```python
import viceversa as vv

translator = vv.load("FOLDER")  # the folder of this file
translator("picture.jpg", to="{next(iter(config.networks))[-1]}").save("translated.png")
```

{networks}

The weights and a copy of `config.json` are in `{WEIGHTS_FILE}`, which is the file that is read.
"""
