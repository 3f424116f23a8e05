"""Whether to compute in bfloat16: it halves the memory traffic, and on some processors the time."""

import contextlib
import hashlib
import json
import platform
import time
from functools import cache
from pathlib import Path

import torch
import torch.nn.functional as F

from viceversa.data.cache import user_folder

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

    CPUs are measured, for a fifth of a second: some have the instructions and are slower with them. What was found is
    kept in the user's cache folder, so that all processes and all days on a processor come to the same answer.
    """
    if not instructions(device):
        return 0.0
    return _gain_of_this_processor() if device == "cpu" else 2.0


@cache
def _gain_of_this_processor() -> float:
    kept = user_folder() / f"bfloat16-{_processor()}.json"
    found = _read(kept)
    if found is None:
        found = _measured()
        with contextlib.suppress(OSError):  # of several processes the first one decides; without a cache each does
            kept.parent.mkdir(parents=True, exist_ok=True)
            with kept.open("x", encoding="utf-8") as file:
                json.dump({"gain": found}, file)
        found = _read(kept) or found
    return found


def _read(path: Path) -> float | None:
    try:
        return float(json.loads(path.read_text(encoding="utf-8"))["gain"])
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _processor() -> str:
    """A short name of the processor, its instructions and torch's version."""
    told = platform.processor()
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        told = "".join(sorted({line for line in lines if line.startswith(("model name", "flags"))}))
    return hashlib.sha256(f"{told} {torch.__version__}".encode()).hexdigest()[:12]


def _measured(seconds: float = 0.2) -> float:
    """By a convolution of 128 channels, the fastest of many calls; both by turns, since machines are shared."""
    fastest = {torch.float32: float("inf"), torch.bfloat16: float("inf")}
    operands = {
        dtype: (torch.ones(1, 128, 32, 32, dtype=dtype), torch.ones(128, 128, 3, 3, dtype=dtype)) for dtype in fastest
    }
    begun, calls = time.perf_counter(), 0
    with torch.inference_mode():
        while calls < 8 or time.perf_counter() - begun < seconds:  # the first compiles the kernel
            calls += 1
            for dtype, (x, weight) in operands.items():
                start = time.perf_counter()
                F.conv2d(x, weight, padding=1)
                fastest[dtype] = min(fastest[dtype], time.perf_counter() - start)
    return fastest[torch.float32] / fastest[torch.bfloat16]
