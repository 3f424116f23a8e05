"""Weights of anybody: a safetensors file is opened once its header is not too long to be one."""

from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

HEADER_BYTES = 2**22
"""Of the largest header that is read: it names each tensor, of which networks have some hundreds."""


def open_weights(path: Path) -> Any:
    """The file as safetensors opens it, on the CPU, to be used in a ``with`` statement.

    Raises:
        SafetensorError: It is none, or its header would take far more memory than one does.
        OSError: It cannot be read.
    """
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
    if length > HEADER_BYTES:
        raise SafetensorError(f"its header would take {length:,} bytes")
    return safe_open(path, framework="pt", device="cpu")
