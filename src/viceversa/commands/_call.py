"""Hands a function to tyro, with the settings that all commands share."""

from collections.abc import Callable
from typing import Any, TypeVar, get_args

import tyro
from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

from viceversa import sizes

T = TypeVar("T")


def call(prog: str, function: Callable[..., T], arguments: list[str], description: str | None = None) -> T:
    """Parses ``arguments`` as the parameters of ``function`` and calls it."""
    registry = ConstructorRegistry()
    registry.primitive_rule(_unset)
    registry.primitive_rule(_size)
    with registry:
        return tyro.cli(
            function,
            prog=f"viceversa {prog}",
            description=description,
            args=arguments,
            # An option that is left out is None already: that spares "{None}|INT" in every second line of the help.
            config=(
                tyro.conf.OmitArgPrefixes,
                tyro.conf.OmitSubcommandPrefixes,
                tyro.conf.DisallowNone,
                tyro.conf.PositionalMetavarFromFieldName,
            ),
        )


def _unset(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[None] | None:
    """How None is shown: "(default: unset)". To people who do not program "None" says that there will be none."""
    if info.type is not type(None):
        return None
    return PrimitiveConstructorSpec(
        nargs=1,
        metavar="{unset}",
        instance_from_str=lambda _: None,
        is_instance=lambda value: value is None,
        str_from_instance=lambda _: ["unset"],
    )


def _size(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[Any] | None:
    """How a `viceversa.sizes.SizePx` is typed: 256, or 256x512 for height x width."""
    if not set(get_args(sizes.SizePx)) <= set(get_args(info.type)):
        return None
    return PrimitiveConstructorSpec(
        nargs=1,
        metavar="PX|HxW",
        instance_from_str=lambda given: sizes.parse(given[0]),
        is_instance=lambda value: value is None or isinstance(value, int | tuple),
        str_from_instance=lambda value: ["unset" if value is None else sizes.words(value)],
    )
