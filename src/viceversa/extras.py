"""Optional parts: imported where they are used, with the command that installs them in the error."""

import importlib
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
        raise MissingExtra(
            f"This needs {module.partition('.')[0]}, which is not installed. Install it: "
            f"pip install 'viceversa[{extra}]'"
        ) from None
    return found
