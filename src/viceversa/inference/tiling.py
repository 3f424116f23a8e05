"""A network applied to an image of any size in bounded memory: what it computes of the whole, without seams.

Instance normalisation stands in the way of tiles: the mean and variance of a map are those of the whole image, and
follow from the layers before. So it is not the image that goes through the network tile by tile, but map by map:

- a window of a map is computed from windows of the maps before it, with the few pixels more that the kernels take;
- a map that is normalised is gone through once, for its exact mean and variance, before anything after it;
- a map that is a quarter of the image's size a side, or less, is then kept in a file. Larger ones are computed anew
  when they are needed again: they are large to keep, and cheap to compute.

The deepest U-Net, whose every pixel depends on the whole image, comes out the same as an untiled one.
"""

import math
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from viceversa.errors import DataError
from viceversa.inference.maps import Given, Map, Mirrored, Normalised, Shape, Window, topological
from viceversa.inference.tracing import trace

TILE_PX = 512
"""The side of a window, in pixels of the image, unless another is asked for."""
SMALLEST_TILE_PX = 64
SMALLEST_PX = 8
"""The smallest side that is given to a network: ResNet blocks reflect a quarter of it, which takes 2 pixels."""
_KEPT_SCALE = 4
_SMALLEST_WINDOW = 32


class _Overflow(Exception):
    """A map does not fit into half precision."""


def translate_windows(
    network: nn.Module,
    read: Callable[[Window], Tensor],
    shape: Shape,
    *,
    tile_px: int = TILE_PX,
    scratch: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[tuple[Window, Tensor]]:
    """Yields the network's answer to an image, window by window: rows of windows from top to bottom.

    Differs from the answer to the whole image by rounding alone: maps are kept in half precision, or in single where
    that overflows.

    Args:
        network: On any device, in evaluation mode; dropout may be on.
        read: Gives a window of the image, ``(1, C, h, w)`` float32 in [-1, 1], as a tensor of its own.
        shape: Channels, height and width of the image.
        tile_px: The side of a window of the image; memory grows with its square.
        scratch: The folder for maps, which are gone when it is over; None is the system's for temporary files.
        progress: Called with the windows done and all, of all maps.

    Raises:
        ConfigError: The network does something that cannot be done in tiles.
        DataError: There is not enough space in ``scratch``.
    """
    multiple = int(network.multiple)  # pyright: ignore[reportArgumentType]
    height, width = (-(-max(side, SMALLEST_PX) // multiple) * multiple - side for side in shape[1:])
    top, left = height // 2, width // 2
    padded = Mirrored(Given(shape, read), top, height - top, left, width - left)
    work = _Work(trace(network, padded), padded.shape[1], tile_px, scratch or Path(tempfile.gettempdir()), progress)
    try:
        work.measure()
        for window in windows(shape[1:], tile_px):
            shifted = Window(window.top + top, window.bottom + top, window.left + left, window.right + left)
            yield window, work.pull(work.last, shifted)
            work.count()
    finally:
        work.close()


def windows(size: Sequence[int], side: int) -> Iterator[Window]:
    """Squares of ``side`` that cover a map of ``size`` = (height, width), row by row; those at the ends are smaller."""
    height, width = size
    for top in range(0, height, side):
        for left in range(0, width, side):
            yield Window(top, min(top + side, height), left, min(left + side, width))


class _Work:
    """The maps on their way: which are kept, and what is known of them."""

    def __init__(
        self, last: Map, height: int, tile_px: int, scratch: Path, progress: Callable[[int, int], None] | None
    ):
        self.last, self.scratch, self.progress = last, scratch, progress
        self.kept: dict[Map, _File] = {}
        order = topological(last)
        self.sides = {made: max(_SMALLEST_WINDOW, -(-tile_px * made.shape[1] // height)) for made in order}
        self.normed: dict[Map, list[Normalised]] = {}
        for made in order:
            if isinstance(made, Normalised):
                self.normed.setdefault(made.inputs[0], []).append(made)
        small = {made for made in order if height >= _KEPT_SCALE * made.shape[1]}
        self.keeps = {made for made in order if made.random or (made.dear and made in small)} - {last}
        self.passes = [made for made in order if made in self.keeps or made in self.normed]
        self.last_reader = {
            kept: index for index, made in enumerate([*self.passes, last]) for kept in self._reads(made)
        }
        counts = (len(list(windows(made.shape[1:], self.sides[made]))) for made in [*self.passes, last])
        self.done, self.all = 0, sum(counts)

    def measure(self) -> None:
        """Goes through all maps but the last: afterwards windows of the last can be pulled."""
        try:
            self._measure(np.dtype(np.float16))
        except _Overflow:
            self.close()
            self.done = 0
            self._measure(np.dtype(np.float32))

    def close(self) -> None:
        """Gives the space in the scratch folder back."""
        while self.kept:
            self.kept.popitem()[1].close()

    def count(self) -> None:
        """One more window is done."""
        self.done += 1
        if self.progress is not None:
            self.progress(self.done, self.all)

    @torch.inference_mode()
    def pull(self, made: Map, window: Window) -> Tensor:
        """A window of a map: read if it is kept, else computed."""
        return self.kept[made].read(window) if made in self.kept else self._make(made, window)

    @torch.inference_mode()
    def _make(self, made: Map, window: Window) -> Tensor:
        part = made.needs(window)
        return made.make([self.pull(one, part) for one in made.inputs], window)

    def _measure(self, dtype: "np.dtype[Any]") -> None:
        self._check_space(dtype.itemsize)
        for index, made in enumerate(self.passes):
            if made in self.keeps:
                self.kept[made] = _File(self.scratch, made.shape, dtype)
            self._go_through(made, self.kept.get(made))
            for kept in self._finished(index):
                self.kept.pop(kept).close()

    def _go_through(self, made: Map, file: "_File | None") -> None:
        moments = _Moments()
        for window in windows(made.shape[1:], self.sides[made]):
            x = self._make(made, window)
            if made in self.normed:
                moments.add(x)
            if file is not None:
                file.write(window, x)
            self.count()
        for normalised in self.normed.get(made, ()):
            normalised.known(moments.mean, moments.variance)

    def _reads(self, made: Map) -> set[Map]:
        """The kept maps that windows of ``made`` are made of."""
        found: set[Map] = set()
        for one in made.inputs:
            found |= {one} if one in self.keeps else self._reads(one)
        return found

    def _finished(self, index: int) -> list[Map]:
        return [kept for kept, reader in self.last_reader.items() if reader == index]

    def _check_space(self, itemsize: int) -> None:
        held = most = 0
        for index, made in enumerate(self.passes):
            held += math.prod(made.shape) * itemsize if made in self.keeps else 0
            most = max(most, held)
            held -= sum(math.prod(kept.shape) * itemsize for kept in self._finished(index))
        free = shutil.disk_usage(self.scratch).free
        if most > free:
            raise DataError(
                f"An image of this size takes {most / 1e9:.1f} GB of space for a while, and {self.scratch} has "
                f"{free / 1e9:.1f} GB; free some, or point --out (in Python: TMPDIR) at a larger disk."
            )


class _Moments:
    """Mean and variance of each channel over all windows (Chan, Golub and LeVeque 1979, Eq. 2.1), in float64.

    On Apple's GPUs, which have none, in float32.
    """

    def __init__(self) -> None:
        self.count = 0
        self.mean = torch.zeros(())
        self.squares = torch.zeros(())

    @property
    def variance(self) -> Tensor:
        return self.squares / self.count

    @torch.inference_mode()
    def add(self, x: Tensor) -> None:
        wide = torch.float32 if x.device.type == "mps" else torch.float64
        variance, mean = (moment.to(wide) for moment in torch.var_mean(x, dim=(0, 2, 3), correction=0))
        count = x.shape[2] * x.shape[3]
        total = self.count + count
        distance = mean - self.mean.to(mean)
        self.squares = self.squares.to(mean) + variance * count + distance**2 * (self.count * count / total)
        self.mean = self.mean.to(mean) + distance * (count / total)
        self.count = total


class _File:
    """A map in a file that no folder lists, so it is gone when it is closed, however that comes about."""

    def __init__(self, folder: Path, shape: Shape, dtype: "np.dtype[Any]"):
        self.channels, _, self.width = shape
        self.dtype = dtype
        self.centre: Tensor | None = None
        # Read and written, not mapped: mapped pages would count as memory of this process.
        self.file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  closed by `close`

    def close(self) -> None:
        self.file.close()

    def write(self, window: Window, x: Tensor) -> None:
        if self.centre is None:
            # Half precision is for differences: a channel that hardly changes would lose them beside its mean.
            self.centre = x.mean((2, 3), keepdim=True)
        half = self.dtype == np.float16
        values = (x - self.centre)[0].permute(1, 2, 0).to(torch.float16 if half else torch.float32).contiguous()
        if half and not values.isfinite().all():
            raise _Overflow
        for row, line in enumerate(values.cpu().numpy(), window.top):
            self._seek(row, window.left)
            self.file.write(line.data)

    def read(self, window: Window) -> Tensor:
        assert self.centre is not None
        values = np.empty((window.bottom - window.top, window.right - window.left, self.channels), self.dtype)
        for row, line in enumerate(values, window.top):
            self._seek(row, window.left)
            self.file.readinto(line.data)  # pyright: ignore[reportAttributeAccessIssue]
        # Channels last in memory, as they lie in the file and as convolutions like them.
        return torch.from_numpy(values).to(self.centre.device).float().permute(2, 0, 1)[None].add_(self.centre)

    def _seek(self, row: int, column: int) -> None:
        self.file.seek((row * self.width + column) * self.channels * self.dtype.itemsize)
