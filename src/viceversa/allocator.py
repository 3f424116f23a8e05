"""How freed memory is kept, on Linux: training frees and takes the same large tensors thousands of times."""

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX, _M_ARENA_MAX = -1, -2, -4, -8


def keep_freed_memory() -> bool:
    """Tells glibc to keep freed memory for the next tensor, instead of giving it back to the system each time.

    It is for commands, whose process is their own: it holds for the whole process and cannot be taken back.

    Fresh memory from the system costs a page fault for every 4 KiB, which made element-wise operations on large
    tensors two to five times as slow. Returns whether it could be done (it can with glibc). It changes no results.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):  # another C library
        return False
    # One arena, since others cannot hold large blocks; no block of its own for a large tensor; never shrink.
    options = {_M_ARENA_MAX: 1, _M_MMAP_MAX: 0, _M_TRIM_THRESHOLD: 2**31 - 1, _M_TOP_PAD: 64 * 2**20}
    return all(mallopt(option, value) == 1 for option, value in options.items())
