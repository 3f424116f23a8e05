"""Commands that are stopped from outside: SIGTERM, and a terminal that is closed, are treated like Ctrl-C.

By themselves they would end a process on the spot, and half-written files would stay. As an exception they let every
command put away what it has begun.
"""

import contextlib
import signal
import sys
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType

_NUMBERS = tuple(signal.Signals[name] for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))
_ONE_STOP_SECONDS = 5.0


class Stopped(KeyboardInterrupt):
    """A signal to end; ``number`` says which."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class StoppedAtOnce(KeyboardInterrupt):
    """Ctrl-C once more, from somebody for whom an end in good order takes too long."""


def exit_code(stopped: KeyboardInterrupt) -> int:
    """As a shell counts: 128 and the number of the signal."""
    return 128 + (stopped.number if isinstance(stopped, Stopped) else signal.SIGINT)


def numbers() -> list[signal.Signals]:
    """The signals that ask for an end, SIGTERM and SIGHUP; without those that are ignored, as under nohup."""
    return [number for number in _NUMBERS if signal.getsignal(number) is not signal.SIG_IGN]


def last_words(text: str) -> None:
    """Says on stderr how a command ended; if the terminal is gone, nobody hears it, and the end stays what it was."""
    with contextlib.suppress(OSError):
        print(f"viceversa: {text}", file=sys.stderr)


@contextmanager
def as_interrupts() -> Generator[None]:
    """Within it the signals raise `Stopped` in the main thread. Those that are ignored, as under nohup, stay so."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    latest: list[float] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        # Some send it twice, to the process and to its group; the second must not disturb the putting away.
        if latest and time.monotonic() - latest[-1] < _ONE_STOP_SECONDS:
            return
        latest.append(time.monotonic())
        raise Stopped(number)

    mine = [number for number in _NUMBERS if signal.getsignal(number) is signal.SIG_DFL]
    for number in mine:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number in mine:
            signal.signal(number, signal.SIG_DFL)


def resumable(command: Callable[[], int]) -> int:
    """Runs what goes on where it stopped, when it is given again: being stopped is a good end of it, exit code 0.

    Raises:
        StoppedAtOnce: As it came.
    """
    try:
        return command()
    except StoppedAtOnce:
        raise
    except KeyboardInterrupt:
        last_words("stopped; the same command goes on")
        return 0
