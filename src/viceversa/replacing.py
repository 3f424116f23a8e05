"""Files that are replaced in one go, and that outlast a power cut."""

import os
import secrets
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def beside(path: Path, *, alone: bool = False, durable: bool = False) -> Generator[Path]:
    """Yield the path of a file to write beside ``path``, which takes its place if all goes well, and is gone if not.

    Args:
        path: The file; a reader sees the old one or the new one, whole.
        alone: Whether nobody else can be writing the same file; what a kill leaves is then written over next time.
        durable: Whether it must outlast a power cut, which takes some milliseconds.

    Raises:
        OSError: It cannot take the place of ``path``, which is as it was.
    """
    partial = path.with_name(f".{path.name}.partial" if alone else f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        yield partial
        if durable:
            sync(partial)  # else a power cut could leave an empty file under the final name
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def replace_file(path: Path, content: bytes) -> None:
    """Replace the file ``path`` in one go: a reader sees the old file or the new one, whole, after a power cut too.

    Raises:
        OSError: It cannot be written; what was there is as it was.
    """
    with beside(path, alone=True, durable=True) as partial:
        partial.write_bytes(content)


def sync(path: Path) -> None:
    """Make the content of the file ``path``, which somebody else has written, outlast a power cut.

    Raises:
        OSError: It cannot be opened for writing, or the disk fails.
    """
    with path.open("r+b") as file:  # Windows refuses to flush a handle that is open for reading only
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Make the entries of ``folder``, such as new names in it, outlast a power cut; Windows does that by itself."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except PermissionError:  # Windows opens no folders
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
