"""viceversa methods."""

import shutil
import sys
import textwrap
from typing import Any

from viceversa import sizes

_NARROWEST = 24


def run() -> int:
    """Lists the methods, with paper, kind of data and defaults, the recipes and the networks."""
    print(f"{table_of_methods()}\n\nDefaults:\n\n{table_of_defaults()}\n\nRecipes:\n\n{table_of_recipes()}\n")
    print(tables_of_networks())
    return 0


def table_of_methods() -> str:
    """Each method's name, the kind of data that it takes, what it is, and its paper, as wide as the terminal."""
    from viceversa import methods, plugins
    from viceversa.data.labelled import LabelledData
    from viceversa.data.single import SingleData
    from viceversa.data.sources import PairedData, UnpairedData

    kinds = {PairedData: "paired", UnpairedData: "unpaired", LabelledData: "labelled", SingleData: "single"}
    for failed in plugins.find_all("method"):
        print(f"viceversa: {failed}", file=sys.stderr)
    lines: list[str] = []
    for method in methods.METHODS.values():
        data = next((word for kind, word in kinds.items() if isinstance(method.Config().data, kind)), "other")
        about = _first_line(sys.modules[method.__module__].__doc__).split(": ", 1)[-1]
        paper = f"({method.paper})" if method.paper else ""
        lines.append(_entry(f"  {method.name:<12}{data:<10}", about or _first_line(method.__doc__), paper))
    return "\n".join(lines)


def table_of_defaults() -> str:
    """A line a method: what it starts from where nothing else is asked for, in at most 80 columns."""
    from viceversa import methods

    row = "  {:<12}{:<11}{:<11}{:>6}{:>7}{:>7}{:>9}{:>8}".format
    lines = [row("", "objective", "generator", "width", "size", "batch", "rate", "epochs")]
    for method in methods.METHODS.values():
        config: Any = method.Config()
        objective = getattr(getattr(config, "adversarial", config), "objective", "-")
        generator = getattr(config.networks, "generator", "-")
        schedule, rate = config.schedule, f"{config.optimizer.learning_rate:g}"
        size = sizes.words(config.data.size_px)
        numbers = (config.networks.width, size, schedule.batch, rate, f"{schedule.epochs:g}")
        lines.append(row(method.name, objective, generator, *numbers))
    return "\n".join(lines)


def table_of_recipes() -> str:
    """Each recipe's name, its method, and what it does, as wide as the terminal."""
    from viceversa.recipes import RECIPES

    return "\n".join(_entry(f"  {name:<24}{recipe.method:<12}", recipe.about) for name, recipe in RECIPES.items())


def tables_of_networks() -> str:
    """Each generator's and discriminator's name, what it is, and the file or package that it is from, if not ours."""
    from viceversa import plugins
    from viceversa.networks import DISCRIMINATORS, GENERATORS

    for failed in plugins.find_all("network"):
        print(f"viceversa: {failed}", file=sys.stderr)
    tables: list[str] = []
    for registry in GENERATORS, DISCRIMINATORS:
        lines = [f"{registry.kind.capitalize()}s (--{registry.kind}):", ""]
        for name, network in registry.items():
            origin = plugins.origin(network)
            lines.append(_entry(f"  {name:<11} ", _first_line(network.__doc__), f"({origin.name})" if origin else ""))
        tables.append("\n".join(lines))
    return "\n\n".join(tables)


def _first_line(text: str | None) -> str:
    return (text or "").strip().split("\n")[0].rstrip(".")


def _entry(start: str, *parts: str) -> str:
    """``start`` and beside it the parts, none of which begins at the end of a line and goes on in the next."""
    room = max(_NARROWEST, shutil.get_terminal_size().columns - len(start))  # 80 columns where there is no terminal
    lines: list[str] = []
    for part in filter(None, parts):
        if lines and len(lines[-1]) + 1 + len(part) <= room:
            lines[-1] += f" {part}"
        else:
            lines += textwrap.wrap(part, room, break_on_hyphens=False)
    return start + f"\n{' ' * len(start)}".join(lines)
