"""Numbers in words for a person: time, counts, memory."""

import math
import re
import sys
from contextlib import suppress
from pathlib import Path

UNKNOWN_TIME = "unknown time"


def duration(seconds: float) -> str:
    """``65 * 60`` is ``"1 h 05 min"``."""
    if not math.isfinite(seconds) or seconds < 0:
        return UNKNOWN_TIME
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    minutes = round(seconds / 60)
    if minutes < 24 * 60:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    hours = round(seconds / 3600)
    return f"{hours // 24} d {hours % 24:02d} h"


def count(number: float) -> str:
    """``12345678`` is ``"12.3 M"``: three digits, and below a thousand the number itself."""
    scaled, unit = _scaled(number, 1000, ("", "k", "M", "G", "T"), limit=999.5)
    if not unit:
        return f"{scaled:.0f}"
    return f"{scaled:.{2 if scaled < 9.995 else 1 if scaled < 99.95 else 0}f} {unit}"


def size(bytes_: float) -> str:
    """``1288490189`` is ``"1.2 GiB"``."""
    scaled, unit = _scaled(bytes_, 1024, ("B", "KiB", "MiB", "GiB", "TiB"), limit=1023.5)
    return f"{scaled:.{1 if scaled < 9.95 and unit != 'B' else 0}f} {unit}"


def peak_memory_bytes(device: str = "cpu") -> int:
    """The most memory used so far: of the GPU where ``device`` is one, else of this process; 0 where nobody tells."""
    if device.startswith("cuda"):
        import torch

        return torch.cuda.max_memory_allocated(device)
    with suppress(OSError, IndexError):  # on Linux; getrusage there also counts the process that started this one
        return int(re.findall(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())[0]) * 1024
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _scaled(number: float, base: int, units: tuple[str, ...], limit: float) -> tuple[float, str]:
    for unit in units[:-1]:
        if number < limit:
            return number, unit
        number /= base
    return number, units[-1]
