"""Images of different heights and widths in one array: what windows from anywhere in them are cut out of."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from viceversa import sizes
from viceversa.data.augment import choose
from viceversa.data.images import Pixels, portable
from viceversa.sizes import SizePx


@dataclass(frozen=True, kw_only=True, eq=False)
class Ragged:
    """Images one behind the other, row by row. Only what a window needs is ever read."""

    pixels: Pixels | Tensor
    """``(P, C)``: a memory map of uint8 or uint16 on the host; or on the device, as `images.portable` gives it."""

    sides: NDArray[np.int64]
    """``(N, 2)``: height and width of each image."""

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """``(N,)``: where in the pixels each image begins."""
        return np.cumsum(self.sides.prod(axis=1)) - self.sides.prod(axis=1)

    def __len__(self) -> int:
        return len(self.sides)

    def __iter__(self) -> Iterator[Pixels]:
        return (self[row] for row in range(len(self)))

    def __getitem__(self, row: int | np.integer) -> Pixels:
        """Image ``row`` as ``(H, W, C)``, on the host."""
        if isinstance(self.pixels, Tensor):
            raise TypeError("these images are on a device, where windows are cut")
        height, width = self.sides[row].tolist()
        start = int(self.starts[row])
        return self.pixels[start : start + height * width].reshape(height, width, -1)

    def windows(
        self,
        rows: NDArray[np.int64],
        size_px: SizePx,
        *,
        seed: int,
        stream: str,
        positions: Tensor,
        mirror: bool = True,
    ) -> Tensor:
        """A window from anywhere in each image of ``rows``, ``(N, height, width, C)``, as `augment.crop_and_mirror`."""
        size = sizes.sides(size_px)
        places = torch.from_numpy(self.sides[rows] - size + 1)
        corners, mirrored = choose(seed, stream, positions.cpu(), places, mirror=mirror)
        if isinstance(self.pixels, Tensor):
            return self._by_index(rows, size, corners, mirrored)
        found: list[Pixels] = []
        for row, (top, left), turned in zip(rows.tolist(), corners.tolist(), mirrored.tolist(), strict=True):
            window = self[row][top : top + size[0], left : left + size[1]]
            found.append(window[:, ::-1] if turned else window)
        return portable(np.stack(found))

    def _by_index(self, rows: NDArray[np.int64], size: tuple[int, int], corners: Tensor, mirrored: Tensor) -> Tensor:
        """One gather for the batch, where the pixels are."""
        assert isinstance(self.pixels, Tensor)
        widths = torch.from_numpy(self.sides[rows, 1])
        begins = torch.from_numpy(self.starts[rows]) + corners[:, 0] * widths + corners[:, 1]
        begins, widths, mirrored = (values.to(self.pixels.device) for values in (begins, widths, mirrored))
        down, along = (torch.arange(side, device=self.pixels.device) for side in size)
        across = torch.where(mirrored[:, None], along.flip(0), along)
        return self.pixels[begins[:, None, None] + down[:, None] * widths[:, None, None] + across[:, None, :]]
