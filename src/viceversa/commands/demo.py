"""viceversa demo."""

from pathlib import Path
from typing import Annotated

import tyro


def run(
    out: Annotated[Path, tyro.conf.arg(metavar="RUN")] = Path("runs/demo"), minutes: float = 5.0, seed: int = 0
) -> int:
    """Trains a translator between women and men on built-in portraits, and measures it against the truth.

    Args:
        out: Folder of the run. The same command goes on with a run that was stopped.
        minutes: How long to train; with more than before, a finished demo goes on.
        seed: Of the portraits and of the training.
    """
    from viceversa.allocator import keep_freed_memory
    from viceversa.demo import run_demo

    keep_freed_memory()
    return run_demo(out, minutes=minutes, seed=seed)
