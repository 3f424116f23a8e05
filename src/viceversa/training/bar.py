"""The bar of a training run in the terminal. It is a convenience and never stops a run."""

import math
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.text import Text

from viceversa.training.units import duration

_MOMENT_SECONDS = 1.0
_DRAW_EVERY_SECONDS = 0.2
_PRINT_EVERY_SECONDS = 30.0
_SPEED_WINDOW_SECONDS = 60.0


class ProgressBar:
    """Progress of a run on stderr: a live bar on a terminal, elsewhere one plain line every 30 seconds.

    Drawing is the only cost: calls of `update` between two drawings return at once. A stderr that is closed or whose
    reader has gone silences the bar and leaves the training alone.
    """

    def __init__(
        self, total: int, *, done: int = 0, title: str = "", quiet: bool = False, stream: TextIO | None = None
    ) -> None:
        """``total`` and ``done`` count images; ``quiet`` is for processes other than the first."""
        self._total, self._done, self._title = total, done, title
        self._losses: Mapping[str, float] = {}
        self._stream = sys.stderr if stream is None else stream
        # With pythonw and some services there is no stderr at all.
        self._silent = quiet or self._stream is None  # pyright: ignore[reportUnnecessaryComparison]
        self._display: _Display | None = None
        self._marks: deque[tuple[float, int]] = deque()
        self._due = math.inf if self._silent else 0.0

    def __enter__(self) -> "ProgressBar":
        if self._silent:
            return self
        now = time.monotonic()
        self._marks.append((now, self._done))
        with self._unbreakable():
            if self._stream.isatty() and os.environ.get("TERM") != "dumb":
                self._display = _Display(self._stream)
                self._display.add_task(self._title, total=self._total, completed=self._done, done=self._numbers())
                self._display.start()
            else:
                self._due = now + _PRINT_EVERY_SECONDS
        return self

    def __exit__(self, *_: object) -> None:
        with self._unbreakable():
            if not self._silent:
                self._draw(time.monotonic())
        with self._unbreakable():
            if self._display is not None:
                self._display.stop()
        # Nothing is drawn any more, but what is said now, how the run ended, is printed as a plain line.
        self._display, self._due = None, math.inf

    def update(self, images: int, losses: Mapping[str, float], total: int | None = None) -> None:
        """Tell how many ``images`` have been seen, the newest value of each loss term, and the total if it is new."""
        self._done, self._losses = images, losses
        self._total = self._total if total is None else total
        now = time.monotonic()
        if now >= self._due:
            with self._unbreakable():
                self._draw(now)

    def say(self, text: str) -> None:
        """Print a line without tearing the bar."""
        if self._silent:
            return
        with self._unbreakable():
            if self._display is not None:
                self._display.console.print(Text(text), soft_wrap=True)
            else:
                print(text, file=self._stream, flush=True)

    @property
    def images_per_second(self) -> float:
        """Speed over the last minute; 0 until there is something to measure."""
        (then, before), now = self._marks[0] if self._marks else (math.inf, 0), time.monotonic()
        return (self._done - before) / (now - then) if now > then else 0.0

    def _draw(self, now: float) -> None:
        shown = min(self._done, self._total)  # not those of the last batch that are beyond what was asked for
        speed = self.images_per_second
        self._marks.append((now, self._done))
        while len(self._marks) > 2 and now - self._marks[1][0] > _SPEED_WINDOW_SECONDS:
            self._marks.popleft()
        rest = f"{speed:.3g} images/s · {duration((self._total - shown) / speed)} left" if speed > 0 else ""
        losses = "  ".join(f"{name} {value:.3g}" for name, value in self._losses.items())
        if self._display is None:
            self._due = now + _PRINT_EVERY_SECONDS
            share = 100 * shown / self._total if self._total else 100.0
            parts = (self._title, f"{share:.1f} %", self._numbers(), rest, losses)
            print(" · ".join(filter(None, parts)), file=self._stream, flush=True)
        else:
            self._due = now + _DRAW_EVERY_SECONDS
            self._display.second_line = "  ".join(filter(None, (rest, losses)))
            self._display.update(TaskID(0), completed=shown, total=self._total, done=self._numbers(), refresh=True)

    def _numbers(self) -> str:
        if not self._total:  # not known yet
            return f"{self._done:,} images"
        return f"{min(self._done, self._total):,}/{self._total:,} images"

    @contextmanager
    def _unbreakable(self) -> Generator[None]:
        """Falls silent once the stream is gone: a terminal that was closed must not end days of training."""
        try:
            yield
        except (OSError, ValueError):  # ValueError: the file object is closed, or cannot encode the title
            self._silent, self._due = True, math.inf


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
        """``done`` of the ``total`` images of a part are ready."""
        if done <= self._done:
            self._close()
            self._started = time.monotonic()
        self._done = done
        if self._bar is None and done < total and time.monotonic() - self._started > _MOMENT_SECONDS:
            self._greet()
            self._bar = ProgressBar(total, done=done, title="preparing images", quiet=self._quiet).__enter__()
        if self._bar is not None:
            self._bar.update(done, {})

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.__exit__(None, None, None)
            self._bar = None


class _Display(Progress):
    """A line with the bar and, beneath it, one with speed and losses, which is cut where the terminal ends."""

    second_line = ""

    def __init__(self, stream: TextIO) -> None:
        super().__init__(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            TextColumn("{task.percentage:>5.1f} %", markup=False),
            TextColumn("{task.fields[done]}", markup=False),
            console=_QuietConsole(file=stream, force_terminal=True),
            # No redraw thread: on a machine of two cores it takes time from the training, and nothing changes between.
            auto_refresh=False,
            # Printing on stdout is led around the bar only where stdout is the same terminal: `> file` keeps it.
            redirect_stdout=sys.stdout.isatty(),
            expand=True,
        )

    def get_renderables(self) -> Any:
        yield self.make_tasks_table(self.tasks)
        yield Text(self.second_line, style="dim", no_wrap=True, overflow="ellipsis")


class _QuietConsole(Console):
    """A console that falls silent, instead of ending the program, when its reader has gone."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
