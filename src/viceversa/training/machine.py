"""The machine that a run computes on: device, precision, processes."""

import atexit
import logging
import os
import platform
from datetime import timedelta
from typing import get_args

import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies.ddp import DDPStrategy

from viceversa import bfloat16
from viceversa.config import DeviceName, PrecisionName
from viceversa.errors import ConfigError

_TIMEOUT = timedelta(days=1)


def choose_device(name: DeviceName) -> str:
    """``cuda``, ``mps`` or ``cpu``: the best there is for ``auto``.

    Raises:
        ConfigError: The device asked for is not there.
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return next(device for device, available in there.items() if available)
    if not there[name]:
        raise ConfigError(
            f"--device {name} is not there; this machine has {', '.join(k for k, v in there.items() if v)}."
        )
    return name


def choose_precision(name: PrecisionName, device: str) -> PrecisionName:
    """``bf16-mixed`` for ``auto`` where the device is faster in bfloat16, else ``32-true``.

    `fabric run` takes ``--precision`` for itself wherever it stands on the command line, so what it was told counts.

    Raises:
        ConfigError: `fabric run` was told a precision that there is not, or another one than ``name``.
    """
    told = os.environ.get("LT_PRECISION") if os.environ.get("LT_CLI_USED") == "1" else None
    if told is not None:
        known = [each for each in get_args(PrecisionName) if each != "auto"]
        asked = next((each for each in known if told in (each, each.partition("-")[0])), None)
        if asked is None:
            raise ConfigError(f"There is no --precision {told}, which fabric run was given; take {', '.join(known)}.")
        if name not in ("auto", asked):
            raise ConfigError(
                f"fabric run was given --precision {told}, and the run has {name}. Pass --precision {name}."
            )
        name = asked
    if name != "auto":
        return name
    return "bf16-mixed" if bfloat16.pays(device) else "32-true"


def make_fabric(device: str, precision: PrecisionName) -> Fabric:
    """Fabric for this process, or for as many as ``torchrun`` or ``fabric run`` have started."""
    if device == "cuda":  # a deterministic cuBLAS needs this before its first use
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    nodes = int(os.environ.get("GROUP_WORLD_SIZE", "1"))
    many = int(os.environ.get("WORLD_SIZE", "1")) > 1
    # The first process evaluates and decodes while the others wait for it: half an hour, the default, would end them.
    strategy = DDPStrategy(timeout=_TIMEOUT) if many and "LT_STRATEGY" not in os.environ else "auto"
    log = logging.getLogger("lightning_fabric.utilities.rank_zero")
    heard = log.level
    log.setLevel(logging.WARNING)  # the run's first line tells the precision
    try:
        fabric = Fabric(
            accelerator=device,
            devices=processes,
            num_nodes=nodes,
            strategy=strategy,
            precision=precision,  # pyright: ignore[reportArgumentType]
        )
    finally:
        log.setLevel(heard)
    if os.environ.get("LT_CLI_USED") != "1":  # under `fabric run` the processes are joined already
        fabric.launch()
    if many:
        atexit.register(_leave)
    return fabric


def _leave() -> None:
    """Leaves the group of processes in good order, so that none of its threads is alive when Python ends."""
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def describe(device: str, precision: PrecisionName, processes: int) -> str:
    """One line for the start of a run: where it computes, in what precision, and what bfloat16 would bring here."""
    if device == "cuda":
        where = torch.cuda.get_device_name()
    else:
        where = f"{platform.machine()} CPU, {torch.get_num_threads()} threads" if device == "cpu" else "Apple GPU"
    gain = bfloat16.gain(device)
    why = "it has no bfloat16 instructions"
    if gain:
        why = "it has bfloat16" if device == "cuda" else f"bfloat16 has {gain:.1f} times the speed of float32 here"
    several = f", {processes} processes" if processes > 1 else ""
    return f"{where}{several}, {precision} ({why})"
