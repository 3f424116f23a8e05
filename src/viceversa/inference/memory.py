"""How much memory there is to compute in, whether an image fits into it as a whole, and whether it has run out."""

import math
import os
from pathlib import Path

import torch
from torch import nn

from viceversa.errors import ConfigError
from viceversa.inference.maps import Given, bytes_whole
from viceversa.inference.tracing import trace

_SURE_PIXELS = 2**20
_SHARE = 0.5  # of the free memory; the rest is for what libraries take beside the maps, and for other programs
# On the CPU maps take no more, however much is free: a telephone's photograph in tiles took 17 s instead of 15 s, and
# 0.56 GiB instead of 1.24 GiB with a network only 8 wide.
_CPU_BYTES = 2**29


def fits(network: nn.Module, channels: int, height: int, width: int, device: torch.device) -> bool:
    """Whether an image can be given to ``network`` as a whole, as far as that is known.

    Its maps may take half of the memory that is free on ``device``, and on the CPU not more than 512 MiB.
    """
    if height * width <= _SURE_PIXELS:
        return True
    free = available_bytes(device)
    if free is None and device.type != "cpu":
        return True
    room = math.inf if free is None else _SHARE * free
    if device.type == "cpu":
        room = min(room, _CPU_BYTES)
    multiple = int(network.multiple)  # pyright: ignore[reportArgumentType]
    shape = (channels, -(-height // multiple) * multiple, -(-width // multiple) * multiple)
    try:
        return bytes_whole(trace(network, Given(shape, lambda window: torch.empty(0)))) <= room
    except ConfigError:  # a network that cannot be applied in tiles has no choice
        return True


def available_bytes(device: torch.device) -> int | None:
    """Memory that is free on ``device``; None where the system does not say."""
    if device.type == "cuda":
        reserved = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + reserved
    found = [number for number in (_free_of_system(), _free_of_group()) if number is not None]
    return min(found) if found else None


def is_out_of_memory(error: BaseException) -> bool:
    """Whether ``error`` says that the memory did not suffice, of whatever library and device."""
    # Allocators of CPUs and of Apple's GPUs have no exception of their own, only a RuntimeError with these words.
    words = ("can't allocate memory", "not enough memory", "out of memory")
    known = isinstance(error, MemoryError | torch.OutOfMemoryError)
    return known or (isinstance(error, RuntimeError) and any(some in str(error) for some in words))


def _free_of_system() -> int | None:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    try:  # systems without /proc: half of all there is
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (AttributeError, ValueError, OSError):
        return None


def _free_of_group(folder: Path = Path("/sys/fs/cgroup")) -> int | None:
    """What a container may still take (control groups, version 2)."""
    try:
        limit, used = (folder / "memory.max").read_text(), int((folder / "memory.current").read_text())
        if limit.strip() == "max":
            return None
        counts = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        # Pages of files that were read a while ago count as used, and are given back as soon as anybody asks.
        return max(int(limit) - used + int(counts.get("inactive_file", 0)), 0)
    except (OSError, ValueError):
        return None
