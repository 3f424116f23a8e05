"""The command line: finds the command, and turns a mistake of the user's into one sentence and exit code 2."""

import difflib
import errno
import io
import os
import sys
from collections.abc import Callable, Sequence

from viceversa import plugins, privacy, stopping
from viceversa.commands.cache import cache
from viceversa.commands.compare import compare
from viceversa.commands.demo import demo
from viceversa.commands.evaluate import evaluate
from viceversa.commands.export import export
from viceversa.commands.import_ import import_
from viceversa.commands.inspect_ import inspect
from viceversa.commands.methods import methods
from viceversa.commands.prepare import prepare
from viceversa.commands.push import push
from viceversa.commands.sample import sample
from viceversa.commands.serve import serve
from viceversa.commands.train import train
from viceversa.commands.translate import translate
from viceversa.errors import ConfigError, ViceversaError

_USAGE = """viceversa: turn one kind of image into another, and back.

usage: viceversa COMMAND [OPTIONS]

{commands}

viceversa COMMAND --help tells more. To see it work, type: viceversa demo"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit code.

    0: done; 1: done in part; 2: a mistake in what was asked for; 129: ended by a terminal that was closed (SIGHUP);
    130: by Ctrl-C; 143: by SIGTERM.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):  # a name that a terminal has no letters for must not end the work
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        with stopping.as_interrupts():
            return _run(arguments)
    except ViceversaError as error:
        stopping.last_words(str(error))
        return 2
    except BrokenPipeError:
        # The reader has gone: so may the rest of the output, without a word.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            stopping.last_words("The disk is full. Free some space and give the same command again.")
            return 2
        if error.filename is None:  # nothing that a person could mend
            raise
        stopping.last_words(f"{error.filename}: {error.strerror}. Name another place, or mend that.")
        return 2
    except KeyboardInterrupt as stopped:
        stopping.last_words("interrupted")
        return stopping.exit_code(stopped)
    except Exception as error:
        if not (sentence := plugins.explain(error)):
            raise
        stopping.last_words(sentence)
        return 2


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
    privacy.keep_compiled_code()
    return COMMANDS[name](rest)


def _help() -> str:
    commands = [f"  {name:<11}{(command.__doc__ or '').rstrip('.')}" for name, command in COMMANDS.items()]
    return _USAGE.format(commands="\n".join(commands))


COMMANDS: dict[str, Callable[[list[str]], int]] = {
    "demo": demo,
    "prepare": prepare,
    "inspect": inspect,
    "train": train,
    "translate": translate,
    "sample": sample,
    "serve": serve,
    "evaluate": evaluate,
    "compare": compare,
    "export": export,
    "import": import_,
    "push": push,
    "cache": cache,
    "methods": methods,
}


if __name__ == "__main__":
    sys.exit(main())
