"""One file a paper. A method is found here by the name that the command line gives it."""

import difflib
import importlib
import pkgutil
from typing import Any

import torch

from viceversa import plugins, seeding
from viceversa.errors import ConfigError
from viceversa.methods.base import METHODS, Batch, Iteration, Method, MethodConfig, Preview, Update

_FIRST = ("cyclegan", "pix2pix", "cartoongan", "gan", "cgan", "dcgan", "infogan", "wgan", "wgan-gp", "vgg")
"""Wherever methods are listed: what most people want, then the family in the order of its papers, then the helper.

Whatever is not named here follows, so a new method need not be."""

for _module in pkgutil.iter_modules(__path__):  # a new file is a new method
    importlib.import_module(f"{__name__}.{_module.name}")
for _name in sorted(METHODS, key=lambda name: _FIRST.index(name) if name in _FIRST else len(_FIRST)):
    METHODS[_name] = METHODS.pop(_name)


def find(name: str) -> type[Method]:
    """The method called ``name``, here or in an installed package.

    Raises:
        ConfigError: There is none; the message says which there are, and the nearest.
    """
    if name in METHODS or (plugins.find("method", name) and name in METHODS):
        return METHODS[name]
    near = difflib.get_close_matches(name, METHODS, 1)
    hint = f" Perhaps you meant {near[0]}." if near else ""
    raise ConfigError(f"There is no method {name!r}; there are {', '.join(METHODS)}.{hint}")


def of_code(code: str) -> type[Method]:
    """The method in a file of Python: ``my_method.py``, or ``my_method.py:Name`` if it defines several.

    Raises:
        ConfigError: It cannot be imported, or defines no method, or several and none is named.
    """
    file, _, wanted = code.partition(".py:")
    module = plugins.import_code(f"{file}.py" if wanted else code)
    there = [method for method in METHODS.values() if method.__module__ == module.__name__]
    found = [method for method in there if not wanted or wanted in (method.__name__, method.name)]
    if len(found) == 1:
        return found[0]
    if not there:
        raise ConfigError(
            f"{code} defines no method, which is a subclass of viceversa.methods.Method with a name. Networks and the "
            f"like are used with a method that there is: viceversa train METHOD --import {code}"
        )
    names = " or ".join(f"{file.removesuffix('.py')}.py:{method.__name__}" for method in there)
    raise ConfigError(f"{code} defines {'no such method' if wanted else f'{len(there)} methods'}; name one: {names}.")


def of(config: MethodConfig) -> type[Method]:
    """The method that ``config`` holds the settings of."""
    return next(method for method in METHODS.values() if type(config) is method.Config)


def make(config: MethodConfig, pictures: Any, seed: int) -> Method:
    """The method of ``config`` for the opened ``pictures``, its weights drawn as a function of ``seed``."""
    with torch.random.fork_rng(devices=[]):
        # For whatever `initialise` does not draw: it has the value that it was constructed with.
        torch.manual_seed(seeding.derive(seed, "construction"))
        method = of(config)(config.fitted(pictures))
    method.names = method.class_names(pictures)
    method.initialise(seed)
    return method


__all__ = [
    "METHODS",
    "Batch",
    "Iteration",
    "Method",
    "MethodConfig",
    "Preview",
    "Update",
    "find",
    "make",
    "of",
    "of_code",
]
