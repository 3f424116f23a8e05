"""Files that a person names as output: one rule for what is there already, asked before the work.

A report, a file of figures or a model that the same command wrote is renewed: it can be made again, and whoever gives
a command again wants it up to date. Everything else may be all that somebody has of it, images and videos too, which
bear no mark of who made them: it stays, unless --overwrite says otherwise.
"""

import os
import tempfile
from pathlib import Path

from viceversa.errors import ConfigError
from viceversa.replacing import replace_file

INSPECT_JSON = b'"made_by": "viceversa inspect"'
"""What the head of every file of findings says."""

_HEAD_BYTES = 4096


def page_mark(command: str) -> bytes:
    """What the head of every page of ``command`` says, and that of no other file."""
    return f'<meta name="generator" content="viceversa {command}">'.encode()


def check_output(path: Path, command: str, mark: bytes, *, overwrite: bool) -> None:
    """Asks before the work whether ``path`` may be written, and may be replaced if it is there.

    Args:
        path: The file.
        command: Who will write it, such as "compare".
        mark: What a file of that command holds within its first 4 KiB.
        overwrite: Whether any file may be replaced.

    Raises:
        ConfigError: It is a folder, lies where nothing can be written, or is there and of another origin.
    """
    refuse_unwritable(path)
    if os.path.lexists(path) and not overwrite and not _bears(path, mark):
        raise ConfigError(f"{path} is there already and was not written by viceversa {command}; {_ADVICE}")


def refuse_existing(path: Path, *, overwrite: bool) -> None:
    """The rule for files that bear no mark.

    Raises:
        ConfigError: ``path`` is there, and ``overwrite`` is off.
    """
    if os.path.lexists(path) and not overwrite:
        raise ConfigError(f"{path} is there already; {_ADVICE}")


def refuse_unwritable(path: Path) -> None:
    """Tries whether a file could be made at ``path``, and leaves nothing there.

    Raises:
        ConfigError: It could not.
    """
    there = path
    try:
        if path.exists() and not path.is_file():
            what = "a folder" if path.is_dir() else "no plain file"
            raise ConfigError(f"{path} cannot be written: it is {what}. Name a file.")
        there = next(parent for parent in path.absolute().parents if os.path.lexists(parent))
        with tempfile.TemporaryFile(dir=there):  # permissions alone do not tell: root has all, on read-only disks too
            pass
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be written: {there} is no folder that may be written to ({error.strerror or error}). "
            "Name another place."
        ) from error


def write_output(path: Path, content: bytes) -> None:
    """Writes a file in one go; the folders above it are made if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, content)


_ADVICE = "name another file, or replace it with --overwrite (in Python: overwrite=True)."


def _bears(path: Path, mark: bytes) -> bool:
    try:
        with path.open("rb") as file:
            return mark in file.read(_HEAD_BYTES)
    except OSError:  # a link to nothing, or what may not be read: nothing that was written here
        return False
