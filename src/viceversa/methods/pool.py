"""The image pool: discriminators see former fakes too (Shrivastava et al. 2017, arXiv 1612.07828, Sec. 2.3)."""

import torch
from torch import Tensor, nn

from viceversa import sizes
from viceversa.sizes import SizePx


class ImagePool(nn.Module):
    """Up to ``capacity`` former fakes. All its state is buffers, and it is local to a process.

    Until it is full it returns what it is given; then, with probability 1/2, a stored image, and keeps the new one in
    its place.
    """

    per_process = True
    pictures: Tensor
    count: Tensor

    def __init__(self, capacity: int, channels: int, size_px: SizePx):
        super().__init__()
        self.capacity = capacity
        self.register_buffer("pictures", torch.zeros(capacity, channels, *sizes.sides(size_px)))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def exchange(self, fresh: Tensor, draws: Tensor) -> Tensor:
        """Takes new fakes in and gives back as many, of now or of some time ago.

        Args:
            fresh: ``(N, C, H, W)``.
            draws: ``(N, 2)`` uniform in [0, 1): whether to swap, and which stored image.
        """
        if self.capacity == 0:
            return fresh.detach()
        given = fresh.detach().clone()
        for i, picture in enumerate(given):
            full = self.count >= self.capacity
            place = torch.where(full, (draws[i, 1] * self.capacity).long(), self.count).clamp(max=self.capacity - 1)
            stored = self.pictures.index_select(0, place[None])[0]  # indexing by a scalar would wait for the GPU
            swap = full & (draws[i, 0] > 0.5)
            kept = picture.to(stored.dtype)
            self.pictures.index_copy_(0, place[None], torch.where(swap | ~full, kept, stored)[None])
            given[i] = torch.where(swap, stored, kept).to(given.dtype)
            self.count.add_(~full)
        return given
