"""One file a paper. A method is found here by the name that the command line gives it."""

import difflib
import importlib
import pkgutil

from viceversa.errors import ConfigError
from viceversa.methods.base import METHODS, Batch, Iteration, Method, MethodConfig, Preview, Update

for _module in pkgutil.iter_modules(__path__):  # a new file is a new method: nothing else lists them
    importlib.import_module(f"{__name__}.{_module.name}")


def find(name: str) -> type[Method]:
    """The method called ``name``.

    Raises:
        ConfigError: There is none; the message says which there are, and the nearest.
    """
    if name in METHODS:
        return METHODS[name]
    near = difflib.get_close_matches(name, METHODS, 1)
    hint = f" Perhaps you meant {near[0]}." if near else ""
    raise ConfigError(f"There is no method {name!r}; there are {', '.join(METHODS)}.{hint}")


def of(config: MethodConfig) -> type[Method]:
    """The method that ``config`` holds the settings of."""
    return next(method for method in METHODS.values() if type(config) is method.Config)


__all__ = ["METHODS", "Batch", "Iteration", "Method", "MethodConfig", "Preview", "Update", "find", "of"]
