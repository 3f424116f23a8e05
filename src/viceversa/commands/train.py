"""viceversa train."""

import dataclasses
from typing import Annotated, Any

import tyro

from viceversa.commands._call import call
from viceversa.commands.methods import table_of_methods
from viceversa.errors import ConfigError

_TRAIN_USAGE = """usage: viceversa train METHOD --a FOLDER --b FOLDER --out RUN [OPTIONS]
       viceversa train METHOD --data ROOT --out RUN [OPTIONS]

Trains a translator, or what makes pictures from noise; or goes on where RUN stopped: give the same command again.

The methods:

{methods}

viceversa train METHOD --help lists a method's options."""
_METHOD_USAGE = """Trains by {method.name} ({method.paper}), or goes on where RUN stopped.

It needs --out and the pictures ({pictures}).

Set first, if anything: --size, --images or --epochs, --batch."""


def train(arguments: list[str]) -> int:
    """Train a translator on two folders of pictures, or go on where RUN stopped."""
    from viceversa import methods
    from viceversa.config import TrainConfig

    if not arguments or arguments[0] in ("-h", "--help"):
        print(_TRAIN_USAGE.format(methods=table_of_methods()))
        return 0 if arguments else 2
    if arguments[0].startswith("-"):
        raise ConfigError(f"Name the method first: viceversa train {'|'.join(methods.METHODS)} {arguments[0]} ...")
    method = methods.find(arguments[0])
    pictures = "--a and --b, or --data" if hasattr(method.Config().data, "a") else "--data, or --builtin"
    about = _METHOD_USAGE.format(method=method, pictures=pictures)
    parsed = call(f"train {method.name}", _flattened(method.Config), arguments[1:], about)
    from viceversa.training.session import train as run

    run(TrainConfig(**{part.name: getattr(parsed, part.name) for part in dataclasses.fields(TrainConfig)}))
    return 0


def _flattened(method_config: Any) -> type[Any]:
    """TrainConfig of a method, for tyro: without "method." before the heading of each group of options."""
    from viceversa.config import TrainConfig

    method = ("method", Annotated[method_config, tyro.conf.arg(name="")])
    return dataclasses.make_dataclass(
        "Arguments", [method], bases=(TrainConfig[method_config],), frozen=True, kw_only=True
    )
