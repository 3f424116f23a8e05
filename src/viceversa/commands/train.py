"""viceversa train."""

import dataclasses
import itertools
from pathlib import Path
from typing import Annotated, Any

import tyro

from viceversa.commands._call import Imports, call
from viceversa.commands.methods import table_of_methods, table_of_recipes
from viceversa.errors import ConfigError

_TRAIN_USAGE = """usage: viceversa train METHOD|RECIPE|FILE.py --a FOLDER --b FOLDER --out RUN [OPTIONS]
       viceversa train METHOD|RECIPE|FILE.py --data ROOT --out RUN [OPTIONS]

Trains a translator, or what makes images from noise; or goes on where RUN stopped: give the same command again.

FILE.py is a file of Python that defines a method of your own.

The methods:

{methods}

Recipes, which are methods with settings for a task; each has a page in docs/recipes:

{recipes}

viceversa train METHOD|RECIPE --help lists the options."""
_METHOD_USAGE = """Trains by {method.name}{paper}{recipe}, or goes on where RUN stopped.

It needs --out and the images ({pictures}).

Set first, if anything: --size, --minutes, --images or --epochs, --batch."""


def run(arguments: list[str]) -> int:
    """Trains by a method, whose options follow from its config, or goes on where the run stopped."""
    from viceversa import methods, plugins, recipes
    from viceversa.config import TrainConfig, configure

    if not arguments or arguments[0] in ("-h", "--help"):
        print(_TRAIN_USAGE.format(methods=table_of_methods(), recipes=table_of_recipes()))
        return 0 if arguments else 2
    name, *options = arguments
    for code in filter(None, _values(options, "--import")):
        plugins.import_code(code[0])
    if name.startswith("-"):
        raise ConfigError(f"Name the method first: viceversa train {'|'.join(methods.METHODS)} {name} ...")
    recipe = recipes.find(name)
    method = methods.find(recipe.method)
    pictures = "--a and --b, or --data" if hasattr(method.Config().data, "a") else "--data, or --builtin"
    with_recipe = f" by the recipe {name}" if name in recipes.RECIPES else ""
    paper = f" ({method.paper})" if method.paper else ""
    about = _METHOD_USAGE.format(method=method, paper=paper, pictures=pictures, recipe=with_recipe)
    length = {option: None for option in recipes.LENGTH if _given(options, f"--{option}")}
    own = {key: value for key, value in recipe.combined(length).items() if key not in length}
    defaults = configure(method.name, out="RUN", **own)
    parsed = call(f"train {name}", _flattened(defaults), [*_of_model(defaults, options), *options], about)
    from viceversa.allocator import keep_freed_memory
    from viceversa.training.machine import choose_device
    from viceversa.training.session import train

    if choose_device(parsed.device) == "cpu":
        keep_freed_memory()
    train(TrainConfig(**{part.name: getattr(parsed, part.name) for part in dataclasses.fields(TrainConfig)}))
    return 0


def _of_model(defaults: Any, options: list[str]) -> list[str]:
    """What the networks of the model of --from are made of, as options that stand before those of the person."""
    from viceversa import methods
    from viceversa.config import as_options
    from viceversa.training.initial import settings

    paths, out = (next(reversed(_values(options, name)), []) for name in ("--from", "--out"))
    if _given(options, "--help") or "-h" in options:
        return []
    if _given(options, "--from") and not any(paths):  # as of an empty variable: nobody wants new weights then
        raise ConfigError("--from needs a model: the folder of a run or of a translator, hf://user/name, .pth files.")
    if not paths or not out:
        return []
    taken = settings(methods.of(defaults.method).name, [Path(path) for path in paths], Path(out[-1]))
    return as_options(defaults, taken)


def _values(arguments: list[str], option: str) -> list[list[str]]:
    """What stands after each ``option``, up to the next one."""
    found: list[list[str]] = []
    for place, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if name == option:
            rest = itertools.takewhile(lambda word: not word.startswith("--"), arguments[place + 1 :])
            found.append([*([value] if equals else []), *rest])
    return found


def _given(arguments: list[str], option: str) -> bool:
    return any(argument.partition("=")[0] == option for argument in arguments)


def _flattened(defaults: Any) -> type[Any]:
    """TrainConfig of a method, for tyro: without "method." before the heading of each group of options."""
    from viceversa.config import TrainConfig

    kind = type(defaults.method)
    method = ("method", Annotated[kind, tyro.conf.arg(name="")], dataclasses.field(default=defaults.method))
    imports = ("imports", Imports, dataclasses.field(default=()))  # they are imported before the options are read
    return dataclasses.make_dataclass(
        "Arguments", [method, imports], bases=(TrainConfig[kind],), frozen=True, kw_only=True
    )
