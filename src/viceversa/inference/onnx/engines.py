"""Exported files in use: a Translator on onnxruntime or OpenVINO instead of torch."""

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from viceversa import bfloat16
from viceversa.errors import CheckpointError, ConfigError, MissingExtra
from viceversa.extras import need
from viceversa.inference.folder import DIRECTIONS, Channels, TranslatorConfig, config_from_json
from viceversa.inference.onnx.graph import cut
from viceversa.inference.translator import Translator, made_of

Engine: TypeAlias = Literal["auto", "onnxruntime", "openvino"]
Run: TypeAlias = Callable[[NDArray[Any]], NDArray[Any]]

CONFIG_KEY, EXPORT_KEY, EXPORT_VERSION = "viceversa_config", "viceversa_export", 1
_LARGEST_BYTES = 1 << 30
_LARGEST_MULTIPLE = 4096
_OWN_SIZES = 4


class OnnxNetwork(nn.Module):
    """The network of an exported file in a Translator: ``(N, C, H, W)`` in [-1, 1] to the same, computed elsewhere.

    It is a module without parameters, so that the Translator treats it as any other network.
    """

    def __init__(self, config: Channels, multiple: int, run: Run):
        super().__init__()
        self.config = config
        self.multiple = multiple
        self.run = run

    def forward(self, x: Tensor) -> Tensor:
        """``(N, in_channels, H, W)`` float32 to ``(N, out_channels, H, W)``; H, W multiples of ``multiple``."""
        if not isinstance(x, Tensor):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigError("An .onnx file cannot be applied in tiles; take the translator's folder for this image.")
        try:
            answer = self.run(np.ascontiguousarray(x.numpy()))
        except Exception as error:  # onnxruntime's are of no common kind
            if "alloc" in str(error).lower():
                raise MemoryError(str(error)) from error
            raise
        return torch.from_numpy(answer)


def load_onnx(path: Path, device: str | torch.device = "auto", engine: str = "auto") -> Translator:
    """The translator in a file that `export` wrote; it leads in one direction.

    Args:
        path: The .onnx file.
        device: "auto" or "cpu": both engines compute on the CPU.
        engine: "onnxruntime", "openvino", or "auto": OpenVINO where it is installed, else onnxruntime.

    Raises:
        CheckpointError: The file is missing, damaged, no export of viceversa, or refers to other files.
        ConfigError: There is no such engine or device.
        MissingExtra: The engine is not installed.
    """
    if engine not in get_args(Engine):
        raise ConfigError(f"There is no engine {engine!r}; choose one of {', '.join(get_args(Engine))}.")
    if str(device) not in ("auto", "cpu"):
        raise ConfigError(
            f"An .onnx file is computed on the CPU; leave the device {str(device)!r} out, or use its run."
        )
    model = _read(path)
    config, multiple = _described(model, path)
    ((direction, channels),) = config.networks.items()
    try:
        alone: bytes = cut(model, (channels.in_channels, channels.out_channels)).SerializeToString()
    except (KeyError, ValueError) as error:
        raise CheckpointError(f"{path} is damaged: its network is not whole ({error}); export it again.") from error
    openvino = engine == "openvino" or (engine == "auto" and _there("openvino"))
    try:
        run = on_openvino(alone) if openvino else on_onnxruntime(alone)
    except MissingExtra:
        raise
    except Exception as error:  # the engines raise errors of their own kinds
        reason = str(error).strip().splitlines()[0] if str(error) else type(error).__name__
        taken, other = ("openvino", "onnxruntime") if openvino else ("onnxruntime", "openvino")
        raise CheckpointError(
            f"{path} cannot be computed by {taken} ({reason}): the file is damaged, or that engine cannot do it; try "
            f"--engine {other}, or export it again."
        ) from error
    networks = {direction: OnnxNetwork(channels, multiple, run)}
    return made_of(config, networks, "cpu")


def _read(path: Path) -> Any:
    """The file as a model; only if it is plain: nothing outside it, no operations but ONNX's own, no programs."""
    onnx = need("onnx", "export")
    from google.protobuf.message import DecodeError

    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise CheckpointError(f"{path} is larger than {_LARGEST_BYTES >> 30} GiB, which no translator is.")
        model = onnx.load_model_from_string(path.read_bytes())
    except FileNotFoundError:
        raise CheckpointError(f"There is no file {path}.") from None
    except OSError as error:
        raise CheckpointError(
            f"{path} cannot be read ({error.strerror or error}); name a file that viceversa export wrote."
        ) from None
    except DecodeError as error:
        raise CheckpointError(f"{path} is damaged or no .onnx file ({error}); export it again.") from None
    graph = model.graph
    attributes = [attribute for node in graph.node for attribute in node.attribute]
    nested = [one for one in attributes if one.HasField("g") or one.graphs or one.tensors]
    foreign = {node.domain for node in graph.node} - {"", "ai.onnx"}
    external = [one for one in (*graph.initializer, *(attribute.t for attribute in attributes)) if one.external_data]
    if nested or foreign or external or model.functions or graph.sparse_initializer:
        what = "data of other files" if external else "operations that no export of viceversa has"
        raise CheckpointError(f"{path} uses {what}, and is not opened; export it with: viceversa export.")
    return model


def _described(model: Any, path: Path) -> tuple[TranslatorConfig, int]:
    """What the metadata says: the translator's config, and the multiple that its sides must have."""
    texts = {entry.key: entry.value for entry in model.metadata_props}
    if CONFIG_KEY not in texts or EXPORT_KEY not in texts:
        raise CheckpointError(f"{path} is no translator of viceversa; one is made with: viceversa export.")
    config = config_from_json(texts[CONFIG_KEY], str(path), elsewhere=True)
    try:
        notes: Any = json.loads(texts[EXPORT_KEY])
        version, multiple = int(notes["version"]), int(notes["multiple"])
    except (ValueError, TypeError, KeyError, RecursionError):
        raise CheckpointError(f"{path}: the notes on its export are damaged; export it again.") from None
    if version > EXPORT_VERSION:
        raise CheckpointError(f"{path} was written by a newer viceversa (export format {version}): upgrade it.")
    if len(config.networks) != 1 or next(iter(config.networks)) not in DIRECTIONS:
        raise CheckpointError(f"{path} must lead in one direction; it tells of {', '.join(config.networks)}.")
    if not 1 <= multiple <= _LARGEST_MULTIPLE:
        raise CheckpointError(f"{path}: sides cannot be multiples of {multiple}; export it again.")
    return config, multiple


def _there(module: str) -> bool:
    try:
        need(module, "export")
    except MissingExtra:
        return False
    return True


def on_onnxruntime(model: bytes) -> Run:
    """A model of one input and one output on onnxruntime, as a function of arrays; any threads may call it."""
    onnxruntime = need("onnxruntime", "export")
    onnxruntime.disable_telemetry_events()  # of its builds that know no variable for it, as older ones for Windows
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what it warns of is for its own authors
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda x: session.run(None, {name: x})[0]


def on_openvino(model: bytes, precision: str | None = None) -> Run:
    """The same on OpenVINO.

    Args:
        model: The ONNX model.
        precision: "f32" or "bf16"; None is bf16 where the processor is faster in it.
    """
    openvino = need("openvino", "export")
    core = openvino.Core()
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": "1",
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "INFERENCE_PRECISION_HINT": precision or ("bf16" if bfloat16.pays("cpu") else "f32"),
    }
    read = core.read_model(model)
    any_size = core.compile_model(read, "CPU", settings).create_infer_request()
    seen: set[tuple[int, ...]] = set()
    requests: dict[tuple[int, ...], Any] = {}
    lock = threading.Lock()  # a request is for one caller at a time

    def run(x: NDArray[Any]) -> NDArray[Any]:
        with lock:
            if x.shape in seen and x.shape not in requests and len(requests) < _OWN_SIZES:
                # A size that comes again (video, a folder of one size) is compiled for: about a twentieth faster.
                fixed = read.clone()
                fixed.reshape(x.shape)
                requests[x.shape] = core.compile_model(fixed, "CPU", settings).create_infer_request()
            seen.add(x.shape)
            return np.array(requests.get(x.shape, any_size).infer([x])[0])

    return run
