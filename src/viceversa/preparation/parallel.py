"""Work spread over threads, with results in order: what comes out does not depend on how many there are.

Threads and not processes: decoding, OpenCV and NumPy let go of Python's lock while they compute.
"""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Team:
    """Some threads; made by `team`."""

    def __init__(self, size: int, pool: ThreadPoolExecutor | None) -> None:
        self.size = size
        self._pool = pool

    def map(self, function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
        """As the built-in, a few items ahead of what is taken, so that memory does not grow."""
        if self._pool is None:
            yield from map(function, items)
            return
        waiting: deque[Future[R]] = deque()
        try:
            for item in items:
                waiting.append(self._pool.submit(function, item))
                if len(waiting) > self.size + 1:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


@contextmanager
def team(workers: int) -> Generator[Team]:
    """``workers`` threads, or for 0 as many as there are cores for this process."""
    size = workers or _cores()
    if size == 1:
        yield Team(1, None)
        return
    with ThreadPoolExecutor(size) as pool:
        yield Team(size, pool)


def _cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # Windows, macOS
        return os.cpu_count() or 1
