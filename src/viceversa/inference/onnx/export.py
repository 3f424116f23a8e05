"""Writes a trained translator as one .onnx file that takes and gives images, checked against torch."""

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from torch import Tensor

from viceversa import sizes
from viceversa.data import formats, images
from viceversa.data.folders import find_pictures
from viceversa.data.images import Array
from viceversa.data.pages import are_channels, stacked
from viceversa.data.partners import shown
from viceversa.data.values import Values
from viceversa.errors import CheckpointError, ConfigError, DataError, PictureError
from viceversa.inference.conversion import levels_of
from viceversa.inference.folder import (
    FROM_NOISE,
    TranslatorConfig,
    config_to_json,
    read_translator,
)
from viceversa.inference.onnx import parity
from viceversa.inference.onnx.engines import CONFIG_KEY, EXPORT_KEY, EXPORT_VERSION, on_onnxruntime
from viceversa.inference.onnx.graph import network_graph, with_pictures
from viceversa.inference.onnx.parity import Parity
from viceversa.inference.onnx.precision import Dtype, to_fp16, to_int8
from viceversa.inference.translator import Translator, find_weights, pad_to_multiple
from viceversa.outputs import check_output, write_output
from viceversa.sizes import SizePx

__all__ = ["Dtype", "Exported", "export"]

FEWEST_PICTURES = 16
"""With fewer, the ranges of values that int8 needs are not known well enough."""
_MOST_PICTURES = 72
_MARK = b"\x12\x09viceversa"  # the field producer_name, which is the second in the file
_EVERY = 8  # for int8 every eighth is kept for the check, the others give the ranges
_INSTEAD: dict[Dtype, str] = {
    "fp32": "Translate with the folder itself, which torch computes.",
    "fp16": "Take more bits: --dtype fp32.",
    "int8": "Give --calibrate images that are more like those to be translated, or take more bits: --dtype fp16.",
}
_CHECKED = 8  # images that are enough for a check otherwise


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What `export` wrote."""

    file: Path
    """The .onnx file."""
    direction: str
    """"a2b" or "b2a"."""
    source: str
    """The name of the domain whose images go in."""
    target: str
    """The name of the domain that comes out."""
    dtype: Dtype
    """Of the weights."""
    channels: int
    """How many channels the images have that go in."""
    parity: Parity
    """How far it is from torch."""


def export(
    model: Path | str,
    out: Path | str,
    *,
    to: str | None = None,
    dtype: Dtype = "fp32",
    calibrate: Path | str | None = None,
    overwrite: bool = False,
) -> Exported:
    """Writes one direction of a translator as an .onnx file: uint8 images of any size in and out.

    Args:
        model: The folder of a run or of a translator.
        out: The file, which ends in .onnx.
        to: See :meth:`Translator.direction`.
        dtype: "fp32", "fp16" (half the size) or "int8" (a quarter; needs ``calibrate``).
        calibrate: A folder of images of the kind that will be translated; the check is done on them too.
        overwrite: Replace ``out``, if it is there and no file of this function.

    Raises:
        CheckpointError: There is no translator, or the file differs too much from torch: then none is written.
        ConfigError: A setting that cannot be.
        DataError: ``calibrate`` holds too few images.
        MissingExtra: An optional part is not installed.
    """
    out = Path(out)
    _check_settings(out, dtype, calibrate, overwrite)
    config, networks = read_translator(find_weights(Path(model)))
    if FROM_NOISE in networks:
        raise CheckpointError(
            f"{model} makes images from noise; only translators can be written as ONNX. "
            "It makes them with: viceversa sample"
        )
    translator = Translator(networks, domains=config.domains, size_px=config.size_px, device="cpu")
    direction = translator.direction(to)
    network: Any = translator.networks[direction]
    pictures = _pictures(calibrate, config.size_px, network, config.values.get(direction[0]))
    kept = slice(None, None, _EVERY) if dtype == "int8" else slice(_CHECKED)
    checked, learned = pictures[kept], [one for index, one in enumerate(pictures) if index % _EVERY]

    graph = network_graph(network)
    if dtype == "fp16":
        graph = to_fp16(graph)
    elif dtype == "int8":
        graph = to_int8(graph, [_padded(picture, network) for picture in learned])
    whole = with_pictures(graph, network)
    found = _parity(whole, translator, direction, parity.batches_of(checked, config.size_px, dtype))
    if not found.within(dtype):
        raise CheckpointError(
            f"Nothing was written: as {dtype} this translator differs too much from torch, {found}; it may be "
            f"{' and '.join(f'{limit:g}' for limit in parity.LIMITS[dtype])}. {_INSTEAD[dtype]}"
        )
    alone = dataclasses.replace(config, networks={direction: config.networks[direction]})
    _describe(whole, alone, network.multiple, dtype, found, len(learned) if dtype == "int8" else 0)
    write_output(out, whole.SerializeToString())
    source, target = (config.domains[letter] for letter in (direction[0], direction[-1]))
    return Exported(
        file=out, direction=direction, source=source, target=target, dtype=dtype, parity=found,
        channels=network.config.in_channels,
    )  # fmt: skip


def check_name(out: Path) -> None:
    """Refuses what cannot be the name of the file that `export` writes.

    Raises:
        ConfigError: ``out`` does not end in .onnx, or is a folder.
    """
    if out.suffix.lower() != ".onnx" or out.is_dir():
        raise ConfigError(f"{out} is no name for the file; give one that ends in .onnx.")


def _check_settings(out: Path, dtype: str, calibrate: Path | str | None, overwrite: bool) -> None:
    if dtype not in get_args(Dtype):
        raise ConfigError(f"There is no dtype {dtype!r}; choose one of {', '.join(get_args(Dtype))}.")
    check_name(out)
    check_output(out, "export", _MARK, overwrite=overwrite)
    if dtype == "int8" and calibrate is None:
        raise ConfigError("int8 needs images of the kind that will be translated: --calibrate FOLDER.")


def _pictures(folder: Path | str | None, size_px: SizePx, network: Any, source: Values | None) -> list[Array]:
    """Images ``(H, W, C)`` for calibration and check, spread evenly over the folder; drawn ones without a folder."""
    channels = network.config.in_channels
    if folder is None:
        return parity.drawn(size_px, channels)
    files = find_pictures(Path(folder), "--calibrate")
    if len(files) < FEWEST_PICTURES:
        count = "only one image" if len(files) == 1 else f"{len(files)} images"
        raise DataError(
            f"{shown(Path(folder))} holds {count}; --calibrate needs at least {FEWEST_PICTURES}: add some, or take "
            "--dtype fp16, which needs none."
        )
    step = max(len(files) / _MOST_PICTURES, 1.0)
    chosen = [files[int(index * step)] for index in range(min(len(files), _MOST_PICTURES))]
    read: list[Array] = []
    broken: list[PictureError] = []
    for file in chosen:
        try:
            read.append(images.fitted(_read(file, channels, source, max(sizes.sides(size_px))), size_px))
        except PictureError as error:
            broken.append(error)
    if broken:
        raise DataError(
            f"{len(broken)} of the {len(chosen)} images of {shown(Path(folder))} that --calibrate takes cannot be "
            f"used; the first is {broken[0]}"
        )
    return read


def _read(file: Path, channels: int, source: Values | None, at_least_px: int) -> Array:
    """A file as ``(H, W, channels)`` uint8, as the network was trained on it."""
    if are_channels(file, channels):
        picture = stacked(file, channels, raw=source is not None)
    else:
        picture = formats.read(file, at_least_px=at_least_px, raw=source is not None)
    with formats.named(file):
        return images.eight_bit(picture if source is None else levels_of(picture, source)[0], channels)


def _padded(picture: Array, network: Any) -> Tensor:
    return pad_to_multiple(images.to_tensor(picture[None]), network.multiple)[0]


def _parity(whole: Any, translator: Translator, direction: str, batches: Sequence[Array]) -> Parity:
    exported = on_onnxruntime(whole.SerializeToString())
    return parity.compare(lambda batch: translator(batch, direction[-1]), exported, batches)


def _describe(
    whole: Any, config: TranslatorConfig, multiple: int, dtype: str, found: Parity, calibrated_on: int
) -> None:
    """Writes into the metadata all that is needed to use the file, and how near it is to torch."""
    from importlib.metadata import version

    notes = {
        "version": EXPORT_VERSION,
        "dtype": dtype,
        "multiple": multiple,
        "calibrated_on_pictures": calibrated_on,
        "difference_from_torch_in_grey_levels": found.as_json(),
    }
    del whole.metadata_props[:]
    for key, text in {CONFIG_KEY: config_to_json(config), EXPORT_KEY: json.dumps(notes)}.items():
        whole.metadata_props.add(key=key, value=text)
    whole.producer_name, whole.producer_version = "viceversa", version("viceversa")
