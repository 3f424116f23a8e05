"""Files that are replaced in one go, and that outlast a power cut."""

import os
from pathlib import Path


def replace_file(path: Path, content: bytes) -> None:
    """Writes beside ``path`` and renames: a reader sees the old file or the new one, whole, after a power cut too.

    Raises:
        OSError: It cannot be written; what was there is as it was.
    """
    beside = path.with_name(f".{path.name}.partial")  # what a kill leaves is overwritten by the next attempt
    try:
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # else a power cut could leave an empty file under the final name
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


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
