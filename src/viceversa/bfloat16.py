"""Whether to compute in bfloat16: it halves the memory traffic, and on some processors the time."""

import time
from functools import cache

import torch
import torch.nn.functional as F

_WORTHWHILE = 1.15  # times as fast as float32, for less exact numbers


def pays(device: str) -> bool:
    """Whether ``device`` (``cuda``, ``mps`` or ``cpu``) is enough faster in bfloat16 to be worth its rounding."""
    return gain(device) > _WORTHWHILE


def instructions(device: str) -> bool:
    """Whether the device computes in bfloat16 with instructions of its own; emulation is slower than float32."""
    if device == "cuda":
        return torch.cuda.get_device_capability()[0] >= 8
    if device == "cpu":
        probes = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
        return any(probe() for probe in probes if probe is not None)
    return False


def gain(device: str) -> float:
    """How many times as fast as in float32 the device computes in bfloat16; 0 if it has no instructions for it.

    CPUs are measured, for a tenth of a second, and once: some have the instructions and are slower with them.
    """
    if not instructions(device):
        return 0.0
    return _measured_gain() if device == "cpu" else 2.0


@cache
def _measured_gain() -> float:
    """By a convolution of 128 channels, the best of several; both by turns, since machines are shared."""
    fastest = {torch.float32: float("inf"), torch.bfloat16: float("inf")}
    operands = {
        dtype: (torch.ones(1, 128, 32, 32, dtype=dtype), torch.ones(128, 128, 3, 3, dtype=dtype)) for dtype in fastest
    }
    with torch.inference_mode():
        for _ in range(8):  # the first compiles the kernel
            for dtype, (x, weight) in operands.items():
                start = time.perf_counter()
                F.conv2d(x, weight, padding=1)
                fastest[dtype] = min(fastest[dtype], time.perf_counter() - start)
    return fastest[torch.float32] / fastest[torch.bfloat16]
