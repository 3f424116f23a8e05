"""One process at a time in a run's folder: two would delete each other's checkpoints and write one log together."""

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from viceversa.errors import ConfigError, TrainingError

FILE = ".lock"
_FAR = 2**20  # Windows keeps others from reading what is locked, and they are to read the number of the process


@contextmanager
def held(run: Path) -> Generator[None]:
    """The folder ``run`` for this process alone, as long as the context lasts.

    The system gives it free when the process ends, however it ends, so a run that was killed goes on at once. Where a
    file system knows no locks the run is trained without.

    Raises:
        ConfigError: Another process has it.
        TrainingError: The folder cannot be written.
    """
    path = run / FILE
    try:
        descriptor = _open(path)
    except OSError as error:
        raise TrainingError(
            f"Cannot write {path} ({error.strerror or error}): free some space or allow writing there, then give the "
            "same command again."
        ) from error
    try:
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        yield
    finally:
        if sys.platform == "win32":  # what is open cannot be deleted there
            os.close(descriptor)
        with suppress(OSError):
            path.unlink()
        if sys.platform != "win32":  # here it must be ours to be deleted: it is locked till it is closed
            os.close(descriptor)


def _open(path: Path) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _lock(descriptor)
        except BlockingIOError:
            number = os.read(descriptor, 20).decode(errors="replace")
            os.close(descriptor)
            raise ConfigError(
                f"{path.parent} is being trained by another process{f' (pid {number})' if number else ''}. Wait for it "
                "or stop it, or name another folder with --out."
            ) from None
        with suppress(OSError):
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        os.close(descriptor)  # its holder has just ended and taken the file away: nobody else would find ours


def _lock(descriptor: int) -> None:
    """Locks the file or raises BlockingIOError; does nothing where there are no locks."""
    if sys.platform == "win32":
        import msvcrt

        os.lseek(descriptor, _FAR, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            raise BlockingIOError from None
        finally:
            os.lseek(descriptor, 0, os.SEEK_SET)
    else:
        import fcntl

        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise
        except OSError:  # some network drives
            pass
