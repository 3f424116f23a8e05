"""Checkpoints: all state of a run, written whole or not at all.

``checkpoints/00012000/`` holds state.safetensors (networks and their averages), optimizers.safetensors, one
rank-K.safetensors a process (image pools and the log's running sums) and progress.json, which is written last and
names the size and hash of every other file.
"""

import errno
import hashlib
import json
import math
import os
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as to_bytes
from torch import Tensor

from viceversa.errors import CheckpointError, TrainingError
from viceversa.replacing import sync, sync_folder
from viceversa.training.trainer import Trainer, per_process

FORMAT = 2


def save(trainer: Trainer, folder: Path, *, seconds: float, keep: int) -> Path:
    """Writes ``folder/IMAGES/`` (beside, then renamed) and deletes all but the newest ``keep``. All processes call it.

    Raises:
        TrainingError: The disk is full or cannot be written; older checkpoints are untouched.
    """
    fabric, name = trainer.fabric, f"{trainer.images_seen:08d}"
    target, beside = folder / name, folder / f".{name}.partial"

    def prepare() -> None:
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(parents=True)

    def write() -> None:
        shared, local = _module_state(trainer)
        _write(local, beside / f"rank-{fabric.global_rank}.safetensors")
        if fabric.is_global_zero:
            _write(shared, beside / "state.safetensors")
            _write(_optimizer_state(trainer), beside / "optimizers.safetensors")

    def finish() -> None:
        _seal(beside, trainer, seconds)
        if target.exists():
            shutil.rmtree(target)
        os.replace(beside, target)
        sync_folder(folder)

    for work, by_all in ((prepare, False), (write, True), (finish, False)):
        failure = ""
        if by_all or fabric.is_global_zero:
            try:
                work()
            except OSError as error:
                failure = _sentence(error, target)
            except _NotFinite as error:
                failure = f"{error} is no longer finite after {trainer.images_seen} images; {latest_words(folder)}."
        # Also a barrier: nobody goes on before all have done their part, and all fail together.
        if trainer.agree(bool(failure)):
            shutil.rmtree(beside, ignore_errors=True)
            raise TrainingError(failure or f"Another process could not write the checkpoint {target}.")
    if fabric.is_global_zero:
        for old in complete(folder)[:-keep]:
            shutil.rmtree(folder / old, ignore_errors=True)
    return target


def complete(folder: Path) -> list[str]:
    """The names of the checkpoints in ``folder``, oldest first."""
    if not folder.is_dir():
        return []
    return sorted((entry.name for entry in folder.iterdir() if entry.name.isdecimal() and entry.is_dir()), key=int)


def reached(folder: Path) -> tuple[int, float]:
    """Return the images seen by the newest checkpoint in ``folder`` and its seconds of training; 0 where none is."""
    names = complete(folder)
    if not names:
        return 0, 0.0
    progress = _verified(folder / names[-1], names[-2] if len(names) > 1 else None)
    return progress["images"], _trained(progress)


def _trained(progress: dict[str, Any]) -> float:
    """The seconds of training; where an earlier version has written it, those of the clock."""
    return float(progress.get("trained_seconds", progress["seconds"]))


def load_newest(trainer: Trainer, folder: Path) -> float | None:
    """Brings ``trainer`` to the newest checkpoint in ``folder``: all its state. Returns the seconds trained till then.

    Returns None where there is no checkpoint.

    Raises:
        CheckpointError: It is damaged, or of another number of processes.
    """
    fabric, names = trainer.fabric, complete(folder)
    if fabric.is_global_zero:
        for left in folder.glob(".*.partial"):  # by a run that was killed while it wrote
            shutil.rmtree(left, ignore_errors=True)
    if not names:
        return None
    newest = folder / names[-1]
    progress = _verified(newest, names[-2] if len(names) > 1 else None)
    if progress["processes"] != fabric.world_size:
        raise CheckpointError(
            f"{newest} was written by {progress['processes']} processes and this is {fabric.world_size}; "
            f"start the same number to go on."
        )
    device = str(fabric.device)
    try:
        shared = load_file(newest / "state.safetensors", device=device)
        local = load_file(newest / f"rank-{fabric.global_rank}.safetensors", device=device)
        # On the CPU: what belongs to a weight is moved to it, and a count of steps stays where it is read each step.
        optimizers = load_file(newest / "optimizers.safetensors")
        _restore(trainer, shared, local, optimizers)
    except (SafetensorError, KeyError, ValueError, RuntimeError, OSError) as error:
        raise CheckpointError(f"{newest} does not hold what this run needs: {error}") from None
    trainer.images_seen, trainer.seconds = progress["images"], _trained(progress)
    return progress["seconds"]


def newest_networks(folder: Path) -> tuple[int, dict[str, Tensor]]:
    """Images seen, and the networks and their averages, of the newest checkpoint in ``folder``; on the CPU.

    Names begin with "method." and "averaged.". Image pools are not among them.

    Raises:
        CheckpointError: It is damaged.
    """
    names = complete(folder)
    newest = folder / names[-1]
    progress = _verified(newest, names[-2] if len(names) > 1 else None)
    try:
        return progress["images"], load_file(newest / "state.safetensors")
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{newest} cannot be read ({error}).") from None


def _module_state(trainer: Trainer) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The state of all processes, and that of this one."""
    own = per_process(trainer.method)
    shared = {f"averaged.{key}": value for key, value in trainer.averaged.state_dict().items()}
    # Numbered, since safetensors sorts its keys and the log keeps the order of the terms.
    local = {f"sums.{place:03d}.{key}": value for place, (key, value) in enumerate(trainer.sums.items())}
    for key, value in trainer.method.state_dict().items():
        (local if key.startswith(own) else shared)[f"method.{key}"] = value
    return shared, local


def _optimizer_state(trainer: Trainer) -> dict[str, Tensor]:
    return {
        f"{group}/{index}/{key}": value
        for group, optimizer in trainer.optimizers.items()
        for index, state in optimizer.state_dict()["state"].items()
        for key, value in state.items()
    }


def _restore(
    trainer: Trainer, shared: dict[str, Tensor], local: dict[str, Tensor], optimizers: dict[str, Tensor]
) -> None:
    def part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
        return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}

    trainer.method.load_state_dict(part(shared, "method.") | part(local, "method."))
    trainer.averaged.load_state_dict(part(shared, "averaged."))
    trainer.sums = {key.partition(".")[2]: value for key, value in sorted(part(local, "sums.").items())}
    for group, optimizer in trainer.optimizers.items():
        state: dict[int, dict[str, Tensor]] = {}
        for key, value in part(optimizers, f"{group}/").items():
            index, name = key.split("/")
            parameter = trainer.parameters[group][int(index)]
            if value.shape == parameter.shape:  # the parameter's memory layout, which the file does not keep
                value = torch.empty_like(parameter).copy_(value)
            state.setdefault(int(index), {})[name] = value
        optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


class _NotFinite(Exception):
    """A tensor that must not become a checkpoint: going on from it leads nowhere."""


def _write(tensors: dict[str, Tensor], path: Path) -> None:
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise _NotFinite(name)
    # Dense memory, in the order of the shape: safetensors keeps no strides.
    path.write_bytes(to_bytes({key: value.detach().contiguous().cpu() for key, value in tensors.items()}))
    sync(path)


def _seal(folder: Path, trainer: Trainer, seconds: float) -> None:
    """Writes progress.json: with it the checkpoint is whole."""
    files = {path.name: {"bytes": path.stat().st_size, "blake2b": _digest(path)} for path in sorted(folder.iterdir())}
    progress = {
        "format": FORMAT,
        "images": trainer.images_seen,
        "processes": trainer.fabric.world_size,
        "seconds": seconds,
        "trained_seconds": trainer.seconds,
        "files": files,
    }
    path = folder / "progress.json"
    path.write_text(json.dumps(progress, indent=2) + "\n", encoding="utf-8")
    sync(path)
    sync_folder(folder)


def _verified(folder: Path, older: str | None) -> dict[str, Any]:
    """progress.json, after every file was compared with what it says."""
    way_out = f"go on from {older}" if older else "start anew"
    advice = f"Delete that folder to {way_out}."
    try:
        progress = json.loads((folder / "progress.json").read_text(encoding="utf-8"))
        if progress["format"] != FORMAT:
            raise CheckpointError(f"{folder} was written by another version of viceversa; install that to go on.")
        files = {name: (said["bytes"], said["blake2b"]) for name, said in progress["files"].items()}
        if progress["images"] != int(folder.name) or not progress.keys() >= {"processes", "seconds"}:
            raise ValueError
        if any(Path(name).name != name for name in files) or not 0 <= _trained(progress) < math.inf:
            raise ValueError
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        raise CheckpointError(f"{folder}/progress.json is missing or damaged. {advice}") from None
    for name, (size, digest) in files.items():
        path = folder / name
        found = path.stat().st_size if path.is_file() else 0
        if found != size:
            raise CheckpointError(f"{path} is damaged: {found} of {size} bytes are there. {advice}")
        if _digest(path) != digest:
            raise CheckpointError(f"{path} is damaged: its content has changed. {advice}")
    return progress


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def _sentence(error: OSError, target: Path) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"The disk is full: the checkpoint {target} could not be written. Free some space and run it again."
    return f"The checkpoint {target} could not be written: {error.strerror or error}. Mend that and run it again."


def latest_words(folder: Path) -> str:
    """The last checkpoint, as part of a sentence."""
    names = complete(folder)
    return f"the last good checkpoint is {folder / names[-1]}" if names else "there is no checkpoint yet"
