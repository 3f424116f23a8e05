"""The command line: thin functions handed to tyro. A mistake of the user's is one sentence and exit code 2."""

import dataclasses
import difflib
import errno
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import tyro

from viceversa.errors import ConfigError, ViceversaError

T = TypeVar("T")
Inputs = Annotated[
    tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="INPUT...", help_behavior_hint="(required)")
]


_USAGE = """viceversa: turn one kind of picture into another, and back.

usage: viceversa COMMAND [OPTIONS]

{commands}

viceversa COMMAND --help tells more. To see it work, type: viceversa demo"""
_TRAIN_USAGE = """usage: viceversa train METHOD --a FOLDER --b FOLDER --out RUN [OPTIONS]
       viceversa train METHOD --data ROOT --out RUN [OPTIONS]

Trains a translator, or goes on where RUN stopped: give the same command again. The methods:

{methods}

viceversa train METHOD --help lists a method's options."""
_METHOD_USAGE = """Trains by {method.name} ({method.paper}), or goes on where RUN stopped.

It needs --out and the pictures (--a and --b, or --data).

Set first, if anything: --size, --images or --epochs, --batch."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit code: 0 done, 1 done in part, 2 a mistake in what was asked for."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        return _run(arguments)
    except ViceversaError as error:
        print(f"viceversa: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        # The reader has gone: so may the rest of the output, without a word.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            print("viceversa: The disk is full. Free some space and give the same command again.", file=sys.stderr)
            return 2
        if error.filename is None:  # nothing that a person could mend
            raise
        print(f"viceversa: {error.filename}: {error.strerror}. Name another place, or mend that.", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("viceversa: interrupted", file=sys.stderr)
        return 130


def _run(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_help())
        return 0 if arguments else 2
    if arguments[0] == "--version":
        from importlib.metadata import version

        print(f"viceversa {version('viceversa')}")
        return 0
    name, rest = arguments[0], arguments[1:]
    if name not in COMMANDS:
        near = difflib.get_close_matches(name, COMMANDS, 1)
        hint = f" Perhaps you meant {near[0]}." if near else ""
        raise ConfigError(f"There is no command {name!r}; there are {', '.join(COMMANDS)}.{hint}")
    return COMMANDS[name](rest)


def _help() -> str:
    commands = [f"  {name:<11}{(command.__doc__ or '').rstrip('.')}" for name, command in COMMANDS.items()]
    return _USAGE.format(commands="\n".join(commands))


def demo(arguments: list[str]) -> int:
    """Turn women into men and back, on built-in portraits, in about five minutes."""

    def run(
        out: Annotated[Path, tyro.conf.arg(metavar="RUN")] = Path("runs/demo"), minutes: float = 5.0, seed: int = 0
    ) -> int:
        """Trains a translator between women and men on built-in portraits, and measures it against the truth.

        Args:
            out: Folder of the run. The same command goes on with a run that was stopped.
            minutes: About how long to train.
            seed: Of the portraits and of the training.
        """
        from viceversa.demo import run_demo

        return run_demo(out, minutes=minutes, seed=seed)

    return _call("demo", run, arguments)


def train(arguments: list[str]) -> int:
    """Train a translator on two folders of pictures, or go on where RUN stopped."""
    from viceversa import methods
    from viceversa.config import TrainConfig

    if not arguments or arguments[0] in ("-h", "--help"):
        print(_TRAIN_USAGE.format(methods=_table_of_methods()))
        return 0 if arguments else 2
    if arguments[0].startswith("-"):
        raise ConfigError(f"Name the method first: viceversa train {'|'.join(methods.METHODS)} {arguments[0]} ...")
    method = methods.find(arguments[0])
    about = _METHOD_USAGE.format(method=method)
    parsed = _call(f"train {method.name}", _flattened(method.Config), arguments[1:], about)
    from viceversa.training.session import train as run

    run(TrainConfig(**{part.name: getattr(parsed, part.name) for part in dataclasses.fields(TrainConfig)}))
    return 0


def translate(arguments: list[str]) -> int:
    """Translate pictures and folders of pictures."""

    def run(
        model: Annotated[Path, tyro.conf.Positional],
        inputs: Inputs,
        /,
        out: Annotated[Path, tyro.conf.arg(metavar="OUT")],
        to: str | None = None,
        overwrite: bool = False,
        format: str | None = None,
        noise: bool = False,
        device: str = "auto",
    ) -> int:
        """Translates pictures of any size; names, sub-folders and sizes are kept.

        Args:
            model: The folder of a run, or of a translator.
            inputs: Pictures, folders and patterns such as "photos/*.jpg".
            out: The folder to write to; for a single picture also a file's name, such as new.png.
            to: The domain to translate to: a, b, or its name. Left out: b, or the only one there is.
            overwrite: Replace translations that are there already, instead of skipping them.
            format: Write only this kind, such as png. Left out: each picture keeps its own.
            noise: Keep dropout on, which is pix2pix's only source of variety.
            device: Where to compute: auto, cpu, cuda or mps.
        """
        from viceversa.inference.files import translate_files
        from viceversa.inference.translator import load

        if not inputs:
            raise ConfigError("Name the pictures or folders to translate: viceversa translate MODEL INPUT... --out OUT")
        translator = load(model, device)
        summary = translate_files(translator, inputs, out, to=to, overwrite=overwrite, suffix=format, noise=noise)
        print(summary, file=sys.stderr)
        return summary.exit_code

    return _call("translate", run, arguments)


def import_(arguments: list[str]) -> int:
    """Make a translator folder from weights of the published PyTorch CycleGAN and pix2pix code."""

    def run(
        file: Annotated[Path, tyro.conf.Positional],
        /,
        out: Annotated[Path, tyro.conf.arg(metavar="MODEL")],
        to: Literal["a", "b"] = "b",
        back: Path | None = None,
        a: str = "A",
        b: str = "B",
    ) -> int:
        """Makes a translator folder from a published .pth; the network is recognised from its keys and shapes.

        Args:
            file: A generator's weights, such as latest_net_G_A.pth.
            out: The translator folder to make.
            to: The domain that FILE translates to.
            back: The weights of the other direction, if you have them, such as latest_net_G_B.pth.
            a: A name for domain A, such as horses.
            b: A name for domain B, such as zebras.
        """
        from viceversa.inference.published import import_files
        from viceversa.inference.translator import load

        files = {"a2b": file} if to == "b" else {"b2a": file}
        if back is not None:
            files["b2a" if to == "b" else "a2b"] = back
        import_files(files, out, domains={"a": a, "b": b})
        for direction, network in load(out, "cpu").networks.items():
            print(f"{direction}: {network.config}")
        print(f"Written to {out}; use it with: viceversa translate {out} PICTURE --out FOLDER")
        return 0

    return _call("import", run, arguments)


def list_methods(arguments: list[str]) -> int:
    """List the methods, with paper and kind of data."""

    def run() -> int:
        """Lists the methods, with paper and kind of data."""
        print(_table_of_methods())
        return 0

    return _call("methods", run, arguments)


COMMANDS: dict[str, Callable[[list[str]], int]] = {
    "demo": demo,
    "train": train,
    "translate": translate,
    "import": import_,
    "methods": list_methods,
}


def _flattened(method_config: Any) -> type[Any]:
    """TrainConfig of a method, for tyro: without "method." before the heading of each group of options."""
    from viceversa.config import TrainConfig

    method = ("method", Annotated[method_config, tyro.conf.arg(name="")])
    return dataclasses.make_dataclass(
        "Arguments", [method], bases=(TrainConfig[method_config],), frozen=True, kw_only=True
    )


def _table_of_methods() -> str:
    from viceversa import methods

    lines: list[str] = []
    for method in methods.METHODS.values():
        data = type(method.Config().data).__name__.removesuffix("Data").lower()
        about = (sys.modules[method.__module__].__doc__ or "").splitlines()[0].split(": ", 1)[-1].rstrip(".")
        lines.append(f"  {method.name:<12}{data:<10}{about} ({method.paper})")
    return "\n".join(lines)


def _call(prog: str, function: Callable[..., T], arguments: list[str], description: str | None = None) -> T:
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


if __name__ == "__main__":
    sys.exit(main())
