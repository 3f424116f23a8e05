"""Random crop and mirror, on the device that holds the pictures: pure functions of (seed, stream, position)."""

import torch
from torch import Tensor

from viceversa import seeding


def crop_and_mirror(
    pictures: Tensor, size_px: int, *, seed: int, stream: str, positions: Tensor, mirror: bool = True
) -> Tensor:
    """A window of each picture, anywhere in it, mirrored left to right half of the time.

    Args:
        pictures: ``(N, L, L, C)`` uint8. The halves of a pair lie behind one another in C, and so go the same way.
        size_px: Pixels of a side of the windows, at most L.
        seed: Of the run.
        stream: A name; other names give other windows.
        positions: ``(N,)`` int64, the samples' positions in the run.
        mirror: Whether to mirror.

    Returns:
        ``(N, size_px, size_px, C)`` uint8; each window depends on its own position alone.
    """
    if not mirror and size_px == pictures.shape[1]:
        return pictures
    drawn = seeding.bits(seed, stream, positions, 3)
    corners = drawn[:, :2] % (pictures.shape[1] - size_px + 1)
    mirrored = drawn[:, 2] % 2 == 1 if mirror else torch.zeros_like(drawn[:, 2], dtype=torch.bool)
    windows = _by_slices if pictures.device.type == "cpu" else _by_index
    return windows(pictures, size_px, corners.to(pictures.device), mirrored.to(pictures.device))


def _by_slices(pictures: Tensor, size_px: int, corners: Tensor, mirrored: Tensor) -> Tensor:
    """Copies whole rows of pixels: on a CPU 10 to 40 times faster than by an index for every pixel."""
    if size_px == pictures.shape[1]:  # nothing to cut off: no need to go one by one
        return torch.where(mirrored.view(-1, 1, 1, 1), pictures.flip(2), pictures)
    found: list[Tensor] = []
    for picture, (top, left), turned in zip(pictures, corners.tolist(), mirrored.tolist(), strict=True):
        window = picture[top : top + size_px, left : left + size_px]
        found.append(window.flip(1) if turned else window)
    return torch.stack(found)


def _by_index(pictures: Tensor, size_px: int, corners: Tensor, mirrored: Tensor) -> Tensor:
    """One gather for the batch: on a GPU no number has to come back to the host."""
    along = torch.arange(size_px, device=pictures.device)
    down = corners[:, :1] + along
    across = corners[:, 1:] + torch.where(mirrored[:, None], along.flip(0), along)
    which = torch.arange(len(pictures), device=pictures.device)
    return pictures[which[:, None, None], down[:, :, None], across[:, None, :]]
