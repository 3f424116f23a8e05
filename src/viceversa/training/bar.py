"""The bar of a training run in the terminal. It is a convenience and never stops a run."""

import math
import os
import sys
import time
from collections import deque
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import TextIO

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.text import Text

from viceversa.training.units import duration

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
        self._task = TaskID(0)
        self._marks: deque[tuple[float, int]] = deque()
        self._due = math.inf if self._silent else 0.0

    def __enter__(self) -> "ProgressBar":
        if not self._silent:
            now = time.monotonic()
            self._marks.append((now, self._done))
            with self._unbreakable():
                if self._stream.isatty() and os.environ.get("TERM") != "dumb":
                    self._start_display()
                else:
                    self._due = now + _PRINT_EVERY_SECONDS
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._silent:
            with self._unbreakable():
                self._draw(time.monotonic())
        if self._display is not None:
            with self._unbreakable():
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
                self._print(text)

    @property
    def images_per_second(self) -> float:
        """Speed over the last minute; 0 until there is something to measure."""
        if not self._marks:
            return 0.0
        (then, before), now = self._marks[0], time.monotonic()
        return (self._done - before) / (now - then) if now > then else 0.0

    def _start_display(self) -> None:
        # No redraw thread: on a machine of two cores it takes time from the training, and nothing changes in between.
        # Printing on stdout is led around the bar only where stdout is the same terminal, so that `> file` keeps it.
        self._display = _Display(
            console=_QuietConsole(file=self._stream, force_terminal=True),
            auto_refresh=False,
            redirect_stdout=sys.stdout.isatty(),
        )
        self._task = self._display.add_task(self._title, total=self._total, completed=self._done, done=self._numbers())
        self._display.start()

    def _draw(self, now: float) -> None:
        rest = self._speed_and_rest(now)
        if self._display is None:
            self._due = now + _PRINT_EVERY_SECONDS
            parts = (self._title, f"{self._share():.1f} %", self._numbers(), rest, compact(self._losses))
            self._print(" · ".join(part for part in parts if part))
            return
        self._due = now + _DRAW_EVERY_SECONDS
        self._display.second_line = "  ".join(part for part in (rest, compact(self._losses)) if part)
        self._display.update(self._task, completed=self._shown, total=self._total, done=self._numbers())
        self._display.refresh()

    def _speed_and_rest(self, now: float) -> str:
        speed = self.images_per_second
        self._marks.append((now, self._done))
        while len(self._marks) > 2 and now - self._marks[1][0] > _SPEED_WINDOW_SECONDS:
            self._marks.popleft()
        if speed <= 0:
            return ""
        return f"{speed:.3g} images/s · {duration((self._total - self._shown) / speed)} left"

    def _numbers(self) -> str:
        return f"{self._shown:,}/{self._total:,} images"

    def _share(self) -> float:
        return 100 * self._shown / self._total if self._total else 100.0

    @property
    def _shown(self) -> int:
        """Images seen, but not those of the last batch that are beyond what was asked for."""
        return min(self._done, self._total)

    def _print(self, text: str) -> None:
        print(text, file=self._stream, flush=True)

    @contextmanager
    def _unbreakable(self) -> Generator[None]:
        """Falls silent once the stream is gone: a terminal that was closed must not end days of training."""
        try:
            yield
        except (OSError, ValueError):  # ValueError: the file object is closed, or cannot encode the title
            self._silent, self._due = True, math.inf


class _Display(Progress):
    """A line with the bar and, beneath it, one with speed and losses, which is cut where the terminal ends."""

    second_line = ""

    def __init__(self, *, console: Console, auto_refresh: bool, redirect_stdout: bool) -> None:
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            TextColumn("{task.percentage:>5.1f} %", markup=False),
            TextColumn("{task.fields[done]}", markup=False),
        )
        super().__init__(
            *columns, console=console, auto_refresh=auto_refresh, redirect_stdout=redirect_stdout, expand=True
        )

    def get_renderables(self) -> Iterator[RenderableType]:
        yield self.make_tasks_table(self.tasks)
        yield Text(self.second_line, style="dim", no_wrap=True, overflow="ellipsis")


class _QuietConsole(Console):
    """A console that falls silent, instead of ending the program, when its reader has gone."""

    def on_broken_pipe(self) -> None:
        self.quiet = True


def compact(losses: Mapping[str, float]) -> str:
    """``"cycle 3.2 gan_a2b 0.51"``: the losses on one line."""
    return "  ".join(f"{name} {value:.3g}" for name, value in losses.items())
