"""How much memory there is to compute in, and whether a picture fits into it as a whole."""

import os
from pathlib import Path

import torch
from torch import nn

from viceversa.errors import ConfigError
from viceversa.inference.maps import Given, bytes_whole
from viceversa.inference.tracing import trace

_SURE_PIXELS = 2**20
_SHARE = 0.5  # of the free memory; the rest is for what libraries take beside the maps, and for other programs


def fits(network: nn.Module, channels: int, height: int, width: int, device: torch.device) -> bool:
    """Whether a picture can be given to ``network`` as a whole, as far as that is known."""
    if height * width <= _SURE_PIXELS:
        return True
    free = available_bytes(device)
    if free is None:
        return True
    multiple = int(network.multiple)  # pyright: ignore[reportArgumentType]
    shape = (channels, -(-height // multiple) * multiple, -(-width // multiple) * multiple)
    try:
        return bytes_whole(trace(network, Given(shape, lambda window: torch.empty(0)))) <= _SHARE * free
    except ConfigError:  # a network that cannot be applied in tiles has no choice
        return True


def available_bytes(device: torch.device) -> int | None:
    """Memory that is free on ``device``; None where the system does not say."""
    if device.type == "cuda":
        reserved = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + reserved
    found = [number for number in (_free_of_system(), _free_of_group()) if number is not None]
    return min(found) if found else None


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


def _free_of_group() -> int | None:
    """What a container may still take (control groups, version 2)."""
    folder = Path("/sys/fs/cgroup")
    try:
        limit, used = (folder / "memory.max").read_text(), int((folder / "memory.current").read_text())
        return None if limit.strip() == "max" else max(int(limit) - used, 0)
    except (OSError, ValueError):
        return None
