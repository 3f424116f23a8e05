"""Files of PyTorch weights from elsewhere: weights only, and no more of them than the file holds."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from viceversa.errors import CheckpointError


def read_pth(path: Path, advice: str, *, nothing_else: bool = False) -> dict[str, Tensor]:
    """The dense tensors in a .pth file by their names, on the CPU; nothing in it is executed.

    Args:
        path: The file.
        advice: What to do about another one: the end of every message, from its full stop or semicolon on.
        nothing_else: Whether a file that holds anything but these is refused.

    Raises:
        CheckpointError: It is missing, damaged, or holds no tensors by name.
    """
    try:
        loaded: Any = torch.load(path, map_location="cpu", weights_only=True)
        size = path.stat().st_size
    except FileNotFoundError:
        raise CheckpointError(f"There is no file {path}{advice}") from None
    except IsADirectoryError:
        raise CheckpointError(f"{path} is a folder{advice}") from None
    except Exception:  # torch.load raises nearly every kind of error on what is no file of its own
        raise CheckpointError(
            f"{path} is no file of PyTorch weights, is cut short, or holds more than tensors, which is not loaded"
            f"{advice}"
        ) from None
    named: dict[Any, Any] = loaded if isinstance(loaded, dict) else {}
    tensors = {name: value for name, value in named.items() if isinstance(name, str) and _is_dense(value)}
    if not isinstance(loaded, dict) or (nothing_else and len(tensors) < len(named)):
        raise CheckpointError(f"{path} holds no weights by name{advice}")
    # A few stored bytes can stand for a tensor of any size, by strides of 0.
    if sum(value.numel() * value.element_size() for value in tensors.values()) > size:
        raise CheckpointError(f"{path} tells of more numbers than it holds; it is damaged{advice}")
    return tensors


def _is_dense(value: object) -> bool:
    return isinstance(value, Tensor) and value.layout is torch.strided and value.device.type == "cpu"
