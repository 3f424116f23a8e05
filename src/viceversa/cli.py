"""The command line: finds the command, and turns a mistake of the user's into one sentence and exit code 2."""

import difflib
import errno
import importlib
import io
import os
import sys
from collections.abc import Sequence

from viceversa import plugins, privacy, stopping
from viceversa.commands._call import call
from viceversa.errors import ConfigError, ViceversaError

COMMANDS = {
    "demo": "Turn women into men and back, on built-in portraits, in about five minutes.",
    "prepare": "Make a data set of videos, folders and archives of images.",
    "inspect": "Examine a data set before training: what is wrong with it, what will come of that, what to do.",
    "train": "Train what translates images or makes them of noise, or go on where RUN stopped.",
    "translate": "Translate images, videos, and folders of them.",
    "sample": "Make images from noise: grids, traversals, interpolations, or thousands of files.",
    "serve": "Offer translators as a web page and an HTTP API.",
    "evaluate": "Measure a translator on held-out images, beside what doing nothing and real images get.",
    "compare": "Put translators beside each other on one page: images, figures, speed, settings.",
    "export": "Write a translator as an ONNX file, or as a web page that translates by itself.",
    "import": "Make a translator folder from weights of the published PyTorch CycleGAN and pix2pix code.",
    "push": "Publish a model on the Hugging Face hub, with licence and model card.",
    "cache": "Show what the cache of decoded images takes, or clear it.",
    "methods": "List the methods, with paper, kind of data and defaults, the recipes and the networks.",
}
"""What each does; it lies in a file of its own, whose `run` takes its options."""

_RESUMABLE = ("demo", "train")
_WITHOUT_IMPORT = ("demo", "prepare", "inspect", "cache")  # where no code of one's own can be named

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
    command = importlib.import_module(f"viceversa.commands.{'import_' if name == 'import' else name}").run

    def start() -> int:
        if name == "train":  # its options follow from the method
            return command(rest)
        return call(name, command, rest, imports=name not in _WITHOUT_IMPORT)

    return stopping.resumable(start) if name in _RESUMABLE else start()


def _help() -> str:
    commands = [f"  {name:<11}{about.rstrip('.')}" for name, about in COMMANDS.items()]
    return _USAGE.format(commands="\n".join(commands))


if __name__ == "__main__":
    sys.exit(main())
