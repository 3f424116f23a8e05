"""Optional parts: imported where they are used, with the command that installs them in the error."""

import importlib
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from viceversa import privacy
from viceversa.errors import MissingExtra


def need(module: str, extra: str) -> Any:
    """Import the module called ``module``, which comes with ``viceversa[extra]``; it sends nothing by itself.

    Raises:
        MissingExtra: It is not installed; the message says how to install it.
    """
    try:
        with privacy.importing(module):
            found: ModuleType = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != module.partition(".")[0]:
            raise  # the module is there, and something that it needs itself is not
        raise missing(module, extra) from None
    return found


def missing(module: str, extra: str) -> MissingExtra:
    """The error that says how to install what ``module`` is part of."""
    name = module.partition(".")[0]
    return MissingExtra(f"This needs {name}, which is not installed. Install it: pip install 'viceversa[{extra}]'")


def folder_of(package: str) -> Path | None:
    """Where the installed ``package`` lies, which is not imported; None where there is none."""
    spec = find_spec(package)
    return Path(spec.origin).parent if spec is not None and spec.origin else None
