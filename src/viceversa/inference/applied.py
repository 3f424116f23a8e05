"""A network applied to images: several of one size at once, one as a whole, or one in tiles."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from viceversa.data.values import Values
from viceversa.errors import ConfigError, PictureError
from viceversa.inference.conversion import Taken, take
from viceversa.inference.maps import Window
from viceversa.inference.memory import fits
from viceversa.inference.tiling import SMALLEST_PX, TILE_PX, translate_windows

_BATCH_PIXELS = 8 * 512**2
"""Pixels that go through a network at once, unless one image alone has more."""
_WAITING_PIXELS = 8 * _BATCH_PIXELS
"""Pixels of a list's images that may wait for others of their size."""


def pad_to_multiple(x: Tensor, multiple: int) -> tuple[Tensor, int, int]:
    """Pads ``(N, C, H, W)`` by reflection to multiples of ``multiple``, and at least to 8 px: padded, top, left.

    The image lies in the middle. Where it is smaller than what is missing, the reflection is reflected again.
    """
    offsets: list[int] = []
    for dim in (2, 3):
        size = x.shape[dim]
        target = -(-max(size, SMALLEST_PX) // multiple) * multiple
        offset = (target - size) // 2
        offsets.append(offset)
        if target > size:
            # A triangular wave: 0 1 2 1 0 1 2 ... for size 3.
            wave = (torch.arange(target, device=x.device) - offset) % max(2 * (size - 1), 1)
            x = x.index_select(dim, torch.minimum(wave, 2 * (size - 1) - wave).clamp_(min=0))
    return x, offsets[0], offsets[1]


class Applied:
    """A network on its device, applied to images of any size: at once, or in tiles."""

    def __init__(
        self,
        network: nn.Module,
        device: torch.device,
        tile: int | None,
        source: Values | None = None,
        target: Values | None = None,
        *,
        pages_as_channels: bool = False,
    ):
        """``source`` and ``target`` are the ranges of values that the network was trained on, if they are no usual.

        ``pages_as_channels`` says that it was trained on files whose pages are the channels of one image.
        """
        self.network, self.device, self.tile = network, device, tile
        self.source, self.target, self.pages_as_channels = source, target, pages_as_channels
        config: Any = network.config
        self.takes: int = config.in_channels
        self.gives: int = config.out_channels

    @property
    def valued(self) -> bool:
        """Whether it was trained on a range of values."""
        return self.source is not None or self.target is not None

    def tile_px(self, height: int, width: int) -> int:
        """The side of the tiles for an image of this size; 0 is the whole at once."""
        if self.tile is not None:
            return self.tile
        return 0 if fits(self.network, self.takes, height, width, self.device) else TILE_PX

    def __call__(self, x: Tensor) -> Tensor:
        """``(N, C, H, W)``, on the CPU or wherever the network is, to ``(N, C', H, W)``."""
        if tile_px := self.tile_px(*x.shape[2:]):
            return torch.cat([self._tiled(picture, tile_px) for picture in x.split(1)])
        height, width = x.shape[2:]
        with torch.inference_mode():
            x = x.to(device=self.device, dtype=torch.float32)
            padded, top, left = pad_to_multiple(x, int(self.network.multiple))  # pyright: ignore[reportArgumentType]
            answer = self.network(padded.contiguous(memory_format=torch.channels_last))
        # Copied outside of inference mode: an ordinary tensor, and the padded one is freed.
        return answer[:, :, top : top + height, left : left + width].clone()

    def _tiled(self, x: Tensor, tile_px: int) -> Tensor:
        def read(window: Window) -> Tensor:
            part = x[:, :, window.top : window.bottom, window.left : window.right]
            return part.to(device=self.device, dtype=torch.float32, copy=True)

        _, channels, height, width = x.shape
        answer = torch.empty(1, self.gives, height, width)
        for window, part in translate_windows(self.network, read, (channels, height, width), tile_px=tile_px):
            answer[:, :, window.top : window.bottom, window.left : window.right] = part.cpu()
        return answer

    def to_tensor(self, x: Tensor, batch_size: int) -> Tensor:
        """``(N, C, H, W)`` of any float kind to the same, not more than ``batch_size`` at once."""
        if x.dim() != 4 or x.shape[1] != self.takes or not x.is_floating_point() or 0 in x.shape[2:]:
            raise PictureError(
                f"A tensor of images is (N, {self.takes}, H, W) of floats in [-1, 1]; "
                f"got {tuple(x.shape)} of {x.dtype}."
            )
        count = at_once(x.shape[2] * x.shape[3], batch_size)
        parts = [self(part).to(x) for part in x.detach().split(count) if len(part)]
        return torch.cat(parts) if parts else x.new_empty(0, self.gives, *x.shape[2:])

    def to_list(self, pictures: Sequence[Any], batch_size: int) -> list[Any]:
        """Images of one size go through the network together, and no more of them are held than a few batches."""
        results: list[Any] = [None] * len(pictures)
        waiting: dict[tuple[int, ...], list[tuple[int, Taken]]] = {}

        def translate(size: tuple[int, ...]) -> None:
            group = waiting.pop(size)
            answers = self(torch.stack([taken.tensor for _, taken in group])).cpu()
            for (index, taken), answer in zip(group, answers, strict=True):
                results[index] = taken.back(answer)

        for index, picture in enumerate(pictures):
            taken = take(picture, self.takes, self.gives, self.source, self.target)
            size = tuple(taken.tensor.shape[1:])
            waiting.setdefault(size, []).append((index, taken))
            if len(waiting[size]) >= at_once(size[0] * size[1], batch_size):
                translate(size)
            if sum(height * width * len(group) for (height, width), group in waiting.items()) > _WAITING_PIXELS:
                for other in list(waiting):
                    translate(other)
        for size in list(waiting):
            translate(size)
        return results


def at_once(pixels: int, batch_size: int) -> int:
    """How many images of so many pixels go through a network together; ConfigError if it is to be less than one."""
    if batch_size < 1:
        raise ConfigError(f"batch_size must be at least 1; got {batch_size}.")
    return max(1, min(batch_size, _BATCH_PIXELS // pixels))
