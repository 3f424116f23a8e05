"""What lies in the cache of decoded images, and how it is cleared. `viceversa.data.cache` makes it.

Nothing is removed by itself: only its owner knows which data set is used again. Removing costs time alone: what is
missing is decoded again.
"""

import json
import secrets
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from viceversa.data.cache import ENTRIES, ENTRY_FILE, user_folder

_DAY_SECONDS = 86400.0


@dataclass(frozen=True, kw_only=True)
class Entry:
    """The decoded images of one data set, by one way to decode them."""

    folder: Path
    """Where it lies."""
    images: int
    """How many there are; 0 if its description is damaged."""
    size_bytes: int
    """Bytes on disk."""
    used: float
    """When it was made or last found, in seconds since 1970."""


def entries(folder: Path | None = None) -> list[Entry]:
    """Return what the cache in ``folder`` (default: the user's) holds, longest unused first."""
    place = (user_folder() if folder is None else folder) / ENTRIES
    found = [path for path in place.iterdir() if path.is_dir()] if place.is_dir() else []
    return sorted((_entry(path) for path in found if not path.name.startswith(".")), key=lambda entry: entry.used)


def clear(folder: Path | None = None, *, unused_days: float = 0.0) -> list[Entry]:
    """Remove what was not used for ``unused_days``, and return it.

    A run that trains on an entry goes on where the system lets open files be removed; elsewhere the entry stays.
    """
    now, removed = time.time(), list[Entry]()
    for entry in entries(folder):
        if now - entry.used < unused_days * _DAY_SECONDS:
            continue
        # Renamed first: whoever looks for it finds all of it or nothing.
        aside = entry.folder.with_name(f".making-{entry.folder.name[:8]}-{secrets.token_hex(4)}")
        with suppress(OSError):  # on Windows one that is in use
            entry.folder.rename(aside)
            shutil.rmtree(aside, ignore_errors=True)
            removed.append(entry)
    return removed


def _entry(path: Path) -> Entry:
    files = [file.stat() for file in path.iterdir() if file.is_file()]
    try:
        images = len(json.loads((path / ENTRY_FILE).read_text(encoding="utf-8"))["kept"])
    except (OSError, ValueError, LookupError, TypeError):
        images = 0
    used = max((file.st_mtime for file in files), default=0.0)
    return Entry(folder=path, images=images, size_bytes=sum(file.st_size for file in files), used=used)
