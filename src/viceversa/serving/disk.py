"""A bound on what the page's visitors can put on disk."""

import asyncio
import contextlib
import os
import stat
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from viceversa.serving.problems import busy

_LEAST_BYTES = 2**16  # that a file counts for: each small one has blocks and a folder of its own, and is looked at
_FRESH_SECONDS = 60.0  # so old is what the page has surely fetched


@dataclass(frozen=True, order=True)
class _File:
    changed: float
    path: str
    bytes: int


class Disk:
    """A folder in which no more than so many bytes lie: the oldest files go for new ones."""

    def __init__(self, folder: Path, most: int, fresh_seconds: float = _FRESH_SECONDS):
        """Nothing is removed that changed in the last ``fresh_seconds``, or that is held."""
        self.folder = folder
        self.most = most
        self.promised = 0
        """Bytes that will come, for which there is memory."""
        self.forget: Callable[[], object] = lambda: None
        """Called now and then, for others to forget the names of files that may be gone."""
        self._fresh_seconds = fresh_seconds
        self._ours: set[str] = set()
        self._held: Counter[str] = Counter()
        self._lock = Lock()

    def keep_all(self) -> None:
        """What lies there now is the server's own: it is never removed, and not counted."""
        self._ours = {file.path for file in _walk(str(self.folder))}

    @contextmanager
    def hold(self, path: Path) -> Generator[None]:
        """Keeps a file, or all in a folder, for as long as it is used; it is then as good as new."""
        name = str(path)
        self._held[name] += 1
        with contextlib.suppress(OSError):
            os.utime(path)
        try:
            yield
        finally:
            self._held[name] -= 1
            self._held += Counter()  # what nobody holds is not kept in mind

    @asynccontextmanager
    async def space(self, amount: int) -> AsyncGenerator[None]:
        """MemoryLimit for ``amount`` bytes, promised for as long as they are written.

        Raises:
            Problem: 507, there is none, since all that lies there is new or in use.
        """
        self.promised += amount  # here and not in the thread: who gives up waiting for it takes it back
        try:
            await asyncio.to_thread(self._make_room)
            yield
        finally:
            self.promised -= amount

    def clear_old(self, seconds: float) -> None:
        """Removes what nobody has used for so long."""
        with self._lock:
            for file in list(_walk(str(self.folder))):
                if (
                    file.changed < time.time() - seconds
                    and file.path not in self._ours
                    and not self._is_held(file.path)
                ):
                    _remove(file.path, self.folder)
        self.forget()

    def clear_unfinished(self) -> None:
        """Removes what broken uploads left; they lie in the folder itself, and what is whole in folders of it."""
        for entry in os.scandir(self.folder):
            if entry.is_file(follow_symlinks=False):
                with contextlib.suppress(OSError):
                    os.unlink(entry.path)

    def bytes_in(self, folder: Path) -> int:
        """What the files of a folder count for."""
        return sum(file.bytes for file in _walk(str(folder)))

    def _make_room(self) -> None:
        with self._lock:
            files = [file for file in _walk(str(self.folder)) if file.path not in self._ours]
            over = sum(file.bytes for file in files) + self.promised - self.most
            fresh = time.time() - self._fresh_seconds
            for file in sorted(files):
                if over <= 0 or file.changed > fresh:
                    break
                if not self._is_held(file.path) and _remove(file.path, self.folder):
                    over -= file.bytes
            if over > 0:
                seconds = max(1, round(self._fresh_seconds))
                raise busy(507, "disk_full", "All room that the page has on disk is in use.", seconds)

    def _is_held(self, path: str) -> bool:
        return any(path == held or path.startswith(held + os.sep) for held in tuple(self._held))


def _walk(folder: str) -> Iterator[_File]:
    with contextlib.suppress(FileNotFoundError), os.scandir(folder) as entries:  # it may go while it is looked at
        for entry in entries:
            with contextlib.suppress(FileNotFoundError):
                about = entry.stat(follow_symlinks=False)
                if not stat.S_ISDIR(about.st_mode):
                    yield _File(about.st_mtime, entry.path, max(about.st_size, _LEAST_BYTES))
                    continue
            yield from _walk(entry.path)


def _remove(path: str, root: Path) -> bool:
    """Whether the file is gone; the folders that held nothing else go with it."""
    try:
        os.unlink(path)
    except OSError:
        return False
    with contextlib.suppress(OSError):
        for folder in Path(path).parents:
            if folder == root:
                break
            folder.rmdir()
    return True
