"""Networks by name: a class enters itself, and whoever needs one asks here.

A network is a module that is made from one frozen dataclass, its ``Config``:

>>> @generator("toy")  # doctest: +SKIP
... class Toy(nn.Module):
...     Config = ToyConfig  # with in_channels and out_channels
...     multiple = 4  # height and width have to be multiples of it
"""

import dataclasses
import difflib
import json
from collections.abc import Callable, Mapping, Sequence
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from torch import nn

from viceversa import sizes
from viceversa.errors import ConfigError, check
from viceversa.sizes import SizePx

N = TypeVar("N", bound=nn.Module)


class Registry(dict[str, type[Any]]):
    """Classes of networks by name."""

    def __init__(self, kind: str):
        super().__init__()
        self.kind = kind

    def register(self, name: str) -> Callable[[type[N]], type[N]]:
        """Enter a class of networks under ``name``.

        Raises:
            ConfigError: There is such a name already, or the class has no ``Config`` that is a dataclass.
        """

        def enter(cls: type[N]) -> type[N]:
            config: Any = getattr(cls, "Config", None)
            check(
                dataclasses.is_dataclass(config), f"{cls.__name__} needs a Config: the dataclass that it is made from."
            )
            there = self.get(name, cls)
            check(
                there.__module__ == cls.__module__,
                f"There is a {self.kind} {name} already, in {there.__module__}; name yours differently.",
            )
            self[name] = cls
            return cls

        return enter

    def find(self, name: str) -> type[Any]:
        """Return the class called ``name``, importing the installed package that announces it.

        Raises:
            ConfigError: There is none; the message says which there are.
        """
        from viceversa import plugins

        if name in self or (plugins.find(self.kind, name) and name in self):
            return self[name]
        near = difflib.get_close_matches(name, self, 1)
        hint = f" Perhaps you meant {near[0]}." if near else " One of your own comes with --import FILE."
        raise ConfigError(f"There is no {self.kind} {name!r}; there are {', '.join(self)}.{hint}")

    def name_of(self, network: Any) -> str | None:
        """Return the name of a network, or of the dataclass that one is made from; None where it is not entered."""
        return next((name for name, cls in self.items() if isinstance(network, (cls, cls.Config))), None)


GENERATORS = Registry("generator")
"""From images to images: ``(N, in_channels, H, W)`` in [-1, 1] to ``(N, out_channels, H, W)`` in [-1, 1]."""
SAMPLERS = Registry("sampler")
"""From noise to images."""
DISCRIMINATORS = Registry("discriminator")
"""From images to logits of any shape, or to a list of them (several scales)."""

generator, sampler, discriminator = GENERATORS.register, SAMPLERS.register, DISCRIMINATORS.register


def generator_name(network: Any) -> str:
    """Return the name of a generator of either kind, or of the dataclass that one is made from.

    Raises:
        ConfigError: It is not entered under a name.
    """
    name = GENERATORS.name_of(network) or SAMPLERS.name_of(network)
    if name is None:
        raise ConfigError(
            f'{type(network).__name__} is no registered generator; put @generator("NAME") of viceversa.networks '
            "before its class."
        )
    return name


def make(
    registry: Registry,
    name: str,
    settings: Mapping[str, Any],
    options: Sequence[str],
    size_px: SizePx,
    **channels: int,
) -> Any:
    """Return a network for images of ``size_px``; its weights are not drawn yet.

    Args:
        registry: Where it is found.
        name: Its name there.
        settings: Values for the fields of its Config that have these names; None leaves a field at its default.
        options: More such values, as "NAME=VALUE"; they must be fields.
        size_px: The side of the images, or height and width. A class may have ``for_size(values, size_px)``, a static
            method that completes the values for this size or refuses it.
        channels: ``in_channels``, ``out_channels``.

    Raises:
        ConfigError: There is no such network or option, or it cannot be made for this size.
    """
    cls = registry.find(name)
    names = {part.name for part in dataclasses.fields(cls.Config)}
    given = {**settings, "size_px": size_px, **channels}
    values = {key: value for key, value in given.items() if key in names and value is not None}
    values |= _parsed(cls.Config, options, f"--{registry.kind}-options", name)
    if hasattr(cls, "for_size"):
        values = cls.for_size(values, size_px)
    network = cls(cls.Config(**values))
    multiple = getattr(network, "multiple", 1)
    check(
        all(side % multiple == 0 for side in sizes.sides(size_px)),
        f"The {registry.kind} {name} trains at multiples of {multiple} px; got --size {sizes.words(size_px)}.",
    )
    return network


def _parsed(config: type[Any], options: Sequence[str], flag: str, name: str) -> dict[str, Any]:
    types = get_type_hints(config)
    found: dict[str, Any] = {}
    for option in options:
        key, _, text = option.partition("=")
        if key not in types:
            raise ConfigError(f"{flag}: {name} has no {key!r}; it has {', '.join(types)}.")
        try:
            value: Any = json.loads(text)
        except ValueError:
            value = {"True": True, "False": False, "None": None}.get(text, text)
        value = float(value) if types[key] is float and type(value) is int else value
        check(fits(value, types[key]), f"{flag}: {key} of {name} cannot be {text}.")
        found[key] = as_tuples(value)
    return found


def fits(value: Any, wanted: Any) -> bool:
    """Whether a value of JSON is of the type of a setting: exactly, as JSON's true is no number. Lists are tuples."""
    origin, inner = get_origin(wanted), get_args(wanted)
    if origin is Literal:
        return any(type(value) is type(choice) and value == choice for choice in inner)
    if origin in (Union, UnionType):
        return any(fits(value, one) for one in inner)
    if origin is tuple:
        if not isinstance(value, list):
            return False
        entries: list[Any] = value
        kinds = inner[:1] * len(entries) if inner[1:] == (Ellipsis,) else inner
        return len(entries) == len(kinds) and all(map(fits, entries, kinds))
    return wanted in (str, int, float, bool, NoneType) and type(value) is wanted


def as_tuples(value: Any) -> Any:
    """Return a value of JSON with its lists as tuples."""
    return tuple(map(as_tuples, value)) if isinstance(value, list) else value
