"""What stays on this machine, and where: the cache folder, and libraries that would send something or write elsewhere.

They are told not to where they are used, before they are imported for the first time; importing viceversa changes
nothing. A variable that is set already stays as it is, and a library that is imported already is left alone.
"""

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

_VARIABLES = {
    "gradio": {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_DISABLE_TELEMETRY": "1"},
    "huggingface_hub": {"HF_HUB_DISABLE_TELEMETRY": "1"},
    # Without it a number of this machine and a data base lie in the user's cache, and each session is reported.
    "onnxruntime": {"ORT_DISABLE_TELEMETRY": "1"},
    "wandb": {"WANDB_ERROR_REPORTING": "false"},
}
# OpenVINO reports that it is imported, and keeps a number of the user in ~/intel; without this module it does not.
_WITHOUT = {"openvino": "openvino_telemetry"}


def user_folder() -> Path:
    """Return the folder of this user for caches, by the custom of the platform."""
    if given := os.environ.get("XDG_CACHE_HOME"):
        return Path(given, "viceversa")
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"), "viceversa", "Cache")
    return Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "viceversa"


@contextmanager
def importing(module: str) -> Generator[None]:
    """Within it, importing ``module`` for the first time sends nothing and writes nothing; nor does using it later."""
    package = module.partition(".")[0]
    for name, value in _VARIABLES.get(package, {}).items():
        os.environ.setdefault(name, value)
    unwanted = _WITHOUT.get(package)
    if unwanted is None or package in sys.modules:
        yield
        return
    before = sys.modules.get(unwanted)
    sys.modules[unwanted] = None  # pyright: ignore[reportArgumentType]  # an import of it fails, as Python defines it
    try:
        yield
    finally:
        del sys.modules[unwanted]
        if before is not None:
            sys.modules[unwanted] = before


def keep_compiled_code() -> None:
    """Let torch keep what it compiles in the cache of viceversa, not in the folder for temporary files.

    Its optimizers and its exporter make that folder even where nothing is compiled. For the command line only: where
    viceversa is a part of another program, that program has a say in it.
    """
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(user_folder() / "compiled"))
