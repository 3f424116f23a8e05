"""Working ahead: what an iterator gives is made in a thread of its own, never more than a few pieces too early."""

import queue
import threading
from collections.abc import Generator, Iterable
from typing import TypeVar

T = TypeVar("T")

_END = object()
_LOOK_EVERY_SECONDS = 0.1


def ahead(pieces: Iterable[T], size: int) -> Generator[T]:
    """Gives what ``pieces`` gives, made in another thread, with at most ``size`` waiting; its errors are raised here.

    Closing it ends the thread once the piece that it is at is done, and closes ``pieces``.
    """
    made: queue.Queue[object] = queue.Queue(size)
    errors: list[BaseException] = []
    stop = threading.Event()

    def put(piece: object) -> bool:
        while not stop.is_set():
            try:
                made.put(piece, timeout=_LOOK_EVERY_SECONDS)
                return True
            except queue.Full:
                continue
        return False

    def make() -> None:
        iterator = iter(pieces)
        try:
            for piece in iterator:
                if not put(piece):
                    break
        except BaseException as error:  # whatever it is, it belongs to who asked for the pieces
            errors.append(error)
        finally:
            if isinstance(iterator, Generator):
                iterator.close()
            put(_END)

    thread = threading.Thread(target=make, name="ahead", daemon=True)
    thread.start()
    try:
        while (piece := made.get()) is not _END:
            yield piece  # pyright: ignore[reportReturnType]
    finally:
        stop.set()
        thread.join()
    if errors:
        raise errors[0]
