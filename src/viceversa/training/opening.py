"""The pictures of a run, decoded once for all processes, with a bar where that takes more than a moment."""

import time
from collections.abc import Callable
from typing import Any

from lightning_fabric import Fabric

from viceversa.config import TrainConfig
from viceversa.data.pictures import Pictures
from viceversa.training.bar import ProgressBar
from viceversa.training.guards import Together

_MOMENT_SECONDS = 1.0


def open_pictures(
    config: TrainConfig[Any], fabric: Fabric, together: Together, *, quiet: bool, greet: Callable[[], None]
) -> Pictures:
    """Decodes the pictures, or finds them in the cache. All processes call it.

    The first process of each machine decodes, and the others, which wait for it, find what it made. ``greet`` is called
    before a bar is shown, and not before there is something to decode: a mistake in the folders is told alone.

    Raises:
        DataError: They cannot be trained on; where that is found in one process, all raise an error.
    """
    done: list[Pictures] = []
    # An error must not pass through the barrier: the others would wait there for ever.
    with fabric.rank_zero_first(local=True), together.kept(), PreparingBar(quiet=quiet, greet=greet) as bar:
        config.method.prepare(quiet=quiet)
        done.append(config.method.data.open(config.seed, fabric.device, bar))
    together.meet()
    return done[0]


class PreparingBar:
    """A bar for each part of a data set that takes more than a moment to decode or to draw.

    It is itself what `viceversa.data.cache.build` takes as ``progress``.
    """

    def __init__(self, *, quiet: bool, greet: Callable[[], None] = lambda: None) -> None:
        """``greet`` is called before the first bar is shown."""
        self._quiet, self._greet = quiet, greet
        self._bar: ProgressBar | None = None
        self._started = time.monotonic()
        self._done = 0

    def __enter__(self) -> "PreparingBar":
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def __call__(self, done: int, total: int) -> None:
        """``done`` of the ``total`` pictures of a part are ready."""
        if done <= self._done:
            self._close()
            self._started = time.monotonic()
        self._done = done
        if self._bar is None and done < total and time.monotonic() - self._started > _MOMENT_SECONDS:
            self._greet()
            self._bar = ProgressBar(total, done=done, title="preparing pictures", quiet=self._quiet).__enter__()
        if self._bar is not None:
            self._bar.update(done, {})

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.__exit__(None, None, None)
            self._bar = None
