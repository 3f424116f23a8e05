"""Hands a function to tyro, with the settings that all commands share."""

from collections.abc import Callable
from typing import TypeVar

import tyro

T = TypeVar("T")


def call(prog: str, function: Callable[..., T], arguments: list[str], description: str | None = None) -> T:
    """Parses ``arguments`` as the parameters of ``function`` and calls it."""
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
