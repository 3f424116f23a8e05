"""The web page that translates by itself: onnxruntime-web inside, the .onnx file beside it."""

import base64
import gzip
import json
import re
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template

from viceversa.errors import ConfigError
from viceversa.inference.onnx.export import Exported, check_name
from viceversa.outputs import check_output, page_mark, write_output

_SCRIPT = "ort.webgpu.bundle.min.mjs"
_WASM = re.compile(rb"ort-wasm-simd-threaded[a-z.]*\.wasm")


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """What of onnxruntime-web goes into the page."""

    script: bytes
    """The module, which speaks WebGPU and WebAssembly."""
    wasm: bytes
    """The program that it loads."""


def read_runtime(dist: Path) -> Runtime:
    """The two files of onnxruntime-web that are needed.

    Args:
        dist: ``node_modules/onnxruntime-web/dist``, or the folder above it.

    Raises:
        ConfigError: They are not there.
    """
    folder = dist if (dist / _SCRIPT).is_file() else dist / "dist"
    try:
        script = (folder / _SCRIPT).read_bytes()
        named = _WASM.search(script)
        return Runtime(script=script, wasm=(folder / (named.group().decode() if named else "")).read_bytes())
    except OSError:
        raise ConfigError(
            f"{dist} holds no {_SCRIPT} with its .wasm. Get them by: npm install onnxruntime-web, and give --browser "
            "node_modules/onnxruntime-web/dist."
        ) from None


def write_page(exported: Exported, runtime: Runtime) -> Path:
    """Writes ``model.html`` beside ``model.onnx``: one file, which asks nobody for anything but that model."""
    model, source, target = exported.file, exported.source, exported.target
    about = {"file": model.name, "target": target, "dtype": exported.dtype, "takes": exported.channels}
    parts = {name: files(__name__).joinpath(name).read_text("utf-8") for name in _PARTS}
    text = Template(parts["page.html"]).substitute(
        title=escape(f"{source} → {target}"),
        source=escape(source),
        target=escape(target),
        file=escape(model.name),
        style=parts["page.css"],
        script=parts["page.js"],
        worker=parts["worker.js"],
        about=json.dumps(about).replace("<", "\\u003c"),
        runtime=_packed(runtime.script),
        wasm=_packed(runtime.wasm),
    )
    page = page_of(model)
    write_output(page, text.encode())
    return page


def page_of(model: Path) -> Path:
    """Where the page lies: ``model.html`` beside ``model.onnx``."""
    return model.with_suffix(".html")


def check_page(model: Path, *, overwrite: bool) -> None:
    """Asks before the work whether the page may be written.

    Raises:
        ConfigError: ``model`` is no name for a model, or as of `viceversa.outputs.check_output`.
    """
    check_name(model)
    check_output(page_of(model), "export", page_mark("export"), overwrite=overwrite)


_PARTS = ("page.html", "page.css", "page.js", "worker.js")


def _packed(content: bytes) -> str:
    return base64.b64encode(gzip.compress(content, 9, mtime=0)).decode()
