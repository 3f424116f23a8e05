"""What libraries say of odd files is for their own authors: here a file is read, or refused in a sentence of ours."""

import logging
import threading
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any


def unheard(name: str) -> None:
    """Keeps the messages of the library ``name`` off the terminal, unless somebody has set up logging for them."""
    logger = logging.getLogger(name)
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())


_quiet_lock = threading.Lock()
_quiet: list[Any] = []  # one entry for each thread inside; the first one is the `catch_warnings` that holds for all


@contextmanager
def warnings_ignored() -> Generator[None]:
    """Pillow warns of odd metadata in good images. Filters belong to the process, so the threads must share one."""
    unheard("PIL")
    with _quiet_lock:
        if not _quiet:
            caught = warnings.catch_warnings()
            caught.__enter__()
            warnings.filterwarnings("ignore", module=r"PIL\.")
            _quiet.append(caught)
        else:
            _quiet.append(None)
    try:
        yield
    finally:
        with _quiet_lock:
            caught = _quiet.pop()
            if caught is not None:
                caught.__exit__(None, None, None)
