"""Files that are replaced in one go."""

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
