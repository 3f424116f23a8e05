"""Hands a function to tyro, with the settings that all commands share."""

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any, TypeVar, get_args

import tyro
from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

from viceversa import sizes

T = TypeVar("T")
Imports = Annotated[
    tuple[str, ...],
    tyro.conf.arg(
        name="import",
        metavar="FILE",
        help="Import a file of Python (my_networks.py), or a module, with networks or methods of your own; can be "
        "repeated.",
        help_behavior_hint="(default: none)",
    ),
    tyro.conf.UseAppendAction,
]
"""The option --import: code of the user's own."""


def call(
    prog: str,
    function: Callable[..., T],
    arguments: list[str],
    description: str | None = None,
    *,
    imports: bool = False,
) -> T:
    """Parse ``arguments`` as the parameters of ``function`` and call it.

    With ``imports`` the command has the option --import too, and the code that it names is imported first.
    """
    if imports:
        function = _importing(function)
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


def _importing(function: Callable[..., T]) -> Callable[..., T]:
    """The same function with one more parameter: what to import before."""

    @functools.wraps(function)
    def run(*values: Any, imports: tuple[str, ...] = (), **named: Any) -> T:
        from viceversa.plugins import import_code

        for code in imports:
            import_code(code)
        return function(*values, **named)

    signature = inspect.signature(function)
    option = inspect.Parameter("imports", inspect.Parameter.KEYWORD_ONLY, default=(), annotation=Imports)
    changed: Any = run
    del changed.__wrapped__
    changed.__signature__ = signature.replace(parameters=[*signature.parameters.values(), option])
    changed.__annotations__ = {**function.__annotations__, "imports": Imports}
    return run


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
