"""What stands around a run: which folder it may go on in, signals, memory that does not suffice, determinism."""

import json
import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from viceversa.config import TrainConfig, difference, from_json
from viceversa.errors import ConfigError, TrainingError
from viceversa.training import checkpoint


def check_folder(config: TrainConfig[Any]) -> None:
    """Refuses a folder that holds a run of other settings, or something else."""
    path = config.out / "config.json"
    if config.out.exists() and not config.out.is_dir():
        raise ConfigError(f"{config.out} is a file. Name a new folder with --out.")
    if path.exists():
        changed = difference(from_json(path.read_text(), config.out, source=str(path)), config)
        if changed:
            raise ConfigError(
                f"{config.out} holds a run of other settings ({'; '.join(changed)}). "
                "Give the same settings to go on with it, or another folder with --out."
            )
    elif config.out.is_dir() and any(entry.name != ".config.json.partial" for entry in config.out.iterdir()):
        raise ConfigError(f"{config.out} holds other things and no run. Name a new folder with --out.")


def former_summary(out: Path) -> dict[str, Any]:
    """summary.json of an earlier session; empty where there is none."""
    try:
        summary = json.loads((out / "summary.json").read_text())
    except (OSError, ValueError):
        return {}
    return summary if isinstance(summary, dict) else {}


def check_pictures(out: Path, counts: dict[str, int]) -> None:
    """Refuses to go on with more or fewer pictures: which one is seen when would no longer be what it was."""
    former = former_summary(out).get("pictures", counts)
    if checkpoint.complete(out / "checkpoints") and former != counts:
        raise ConfigError(
            f"{out} was trained on {former} pictures and now there are {counts}. "
            "Put them back as they were to go on, or start anew with another --out."
        )


@contextmanager
def signals() -> Generator[threading.Event]:
    """An event that SIGINT and SIGTERM set; a second SIGINT interrupts at once."""
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return

    def notice(_number: int, _frame: Any) -> None:
        event.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = {number: signal.signal(number, notice) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield event
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def out_of_memory(config: TrainConfig[Any]) -> Generator[None]:
    """Memory that does not suffice, as a sentence that says what to change."""
    try:
        yield
    except RuntimeError as error:  # torch.OutOfMemoryError is one too
        if not isinstance(error, torch.OutOfMemoryError) and "allocate memory" not in str(error):
            raise
        raise TrainingError(
            f"The memory does not suffice for --size {config.method.data.size_px} and --batch "
            f"{config.method.schedule.batch}. Start anew with a smaller --batch, --size or --width."
        ) from error


@contextmanager
def deterministic(device: str) -> Generator[None]:
    """Deterministic kernels on a GPU; on a CPU they are so by themselves."""
    if device != "cuda":
        yield
        return
    before = torch.are_deterministic_algorithms_enabled()
    settings: Any = torch.utils.deterministic
    filled = settings.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True)
    settings.fill_uninitialized_memory = False  # we read nothing that was not written
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)
        settings.fill_uninitialized_memory = filled
