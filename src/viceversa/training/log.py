"""What a training run writes down as it goes on: the lines of the log, and TensorBoard's curves.

The log is what counts: ``metrics.jsonl`` holds only what is a function of the configuration and of the images seen, so
the log of a run that was killed and resumed is the log of an undisturbed one, byte for byte; the clock and the memory
have ``timing.jsonl`` to themselves.
"""

import json
import math
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from viceversa import replacing
from viceversa.errors import TrainingError

METRICS_FILE = "metrics.jsonl"
TIMING_FILE = "timing.jsonl"


class MetricsLog:
    """The two logs of a run folder, a line of strict JSON for each entry."""

    def __init__(self, run: Path) -> None:
        self._metrics, self._timing = run / METRICS_FILE, run / TIMING_FILE

    def losses(
        self,
        images: int,
        *,
        epoch: float,
        learning_rate: float,
        losses: Mapping[str, float],
        learning_rates: Mapping[str, float] | None = None,
        scalars: Mapping[str, float] | None = None,
    ) -> None:
        """Log the means of the loss terms since the line before; only numbers that a resumed run repeats exactly.

        ``learning_rates`` are those of all groups, where they are not all ``learning_rate``; ``scalars`` is what the
        method logs besides losses.
        """
        line: dict[str, Any] = {"images": int(images), "epoch": epoch, "learning_rate": learning_rate}
        if learning_rates:
            line["learning_rates"] = dict(learning_rates)
        more = {"scalars": dict(scalars)} if scalars else {}
        _append(self._metrics, {**line, "losses": dict(losses), **more})

    def metrics(self, images: int, metrics: Mapping[str, float]) -> None:
        """Log what an evaluation measured."""
        _append(self._metrics, {"images": int(images), "metrics": dict(metrics)})

    def timing(self, images: int, *, seconds: float, images_per_second: float, memory_bytes: int) -> None:
        """Log the clock: ``seconds`` of training in all sessions together, and the peak of memory."""
        clock = {"seconds": round(seconds, 3), "images_per_second": round(images_per_second, 4)}
        _append(self._timing, {"images": int(images), **clock, "memory_bytes": memory_bytes})

    def truncate_after(self, images: int) -> None:
        """Drop what was logged beyond ``images``, and a line that was cut while it was written."""
        for path in (self._metrics, self._timing):
            _keep_until(path, images)


class Board:
    """Curves and images for TensorBoard, in the run folder itself: ``tensorboard --logdir RUN``."""

    def __init__(self, run: Path, purge_images: int) -> None:
        """``purge_images`` is the count of images that the run starts from: later entries of a killed session go."""
        from torch.utils.tensorboard.writer import SummaryWriter

        self._run = run
        with _writing(run):
            # TensorBoard forgets entries at or beyond this step; the one at the checkpoint itself is to stay.
            self._writer = SummaryWriter(str(run), purge_step=purge_images + 1 if purge_images else 0)

    def scalars(self, images: int, values: Mapping[str, float]) -> None:
        """One point on each curve; a name such as ``losses/cycle`` puts it under a heading."""
        with _writing(self._run):
            for name, value in values.items():
                self._writer.add_scalar(name, value, images)

    def picture(self, images: int, picture: NDArray[np.uint8], name: str = "samples") -> None:
        """An image, uint8 ``(H, W, C)``."""
        with _writing(self._run):
            self._writer.add_image(name, picture, images, dataformats="HWC")

    def close(self) -> None:
        """Write out what is pending."""
        with _writing(self._run):
            self._writer.close()


def replace_file(path: Path, content: bytes) -> None:
    """Puts ``content`` in the place of ``path`` in one go; what cannot be written is a TrainingError."""
    with _writing(path):
        replacing.replace_file(path, content)


def _append(path: Path, line: Mapping[str, Any]) -> None:
    text = json.dumps(_strict(line), allow_nan=False, default=float) + "\n"
    # Opened for each line: lines are rare, and nothing is held back if the process is killed at the next moment.
    with _writing(path), path.open("ab") as file:
        file.write(text.encode())


def _strict(value: Any) -> Any:
    """JSON has no NaN and no infinity: they become null, which the report shows as a gap."""
    if isinstance(value, Mapping):
        return {str(key): _strict(inner) for key, inner in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _keep_until(path: Path, images: int) -> None:
    with _writing(path):
        content = path.read_bytes() if path.exists() else b""
    kept = 0
    for line in content.splitlines(keepends=True):
        # Images only grow, so all that follows the first line to go is to go too.
        if not line.endswith(b"\n") or (seen := _images_of(line)) is None or seen > images:
            break
        kept += len(line)
    if kept < len(content):
        replace_file(path, content[:kept])


def _images_of(line: bytes) -> float | None:
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    images = entry.get("images") if isinstance(entry, dict) else None
    return images if isinstance(images, int | float) else None


@contextmanager
def _writing(path: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise TrainingError(
            f"Cannot write {path} ({reason}): free some space or allow writing there, then give the same command "
            "again; it goes on from the last checkpoint."
        ) from error
