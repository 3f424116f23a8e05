"""The maps that a network makes of an image: how a window of each is made from windows of the maps before it."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

Shape: TypeAlias = tuple[int, int, int]
"""Channels, height, width."""


class Window(NamedTuple):
    """A part of a map: rows ``top`` to ``bottom`` and columns ``left`` to ``right``, both ends left out."""

    top: int
    bottom: int
    left: int
    right: int


class Map(ABC):
    """What one operation makes, ``(channels, height, width)``, of the maps that are its ``inputs``."""

    dear = False
    """Whether it is better kept than computed twice, if it is not large."""
    random = False
    """Whether it would come out differently if it were computed twice."""

    def __init__(self, inputs: Sequence["Map"], shape: Shape):
        self.inputs = tuple(inputs)
        self.shape = shape

    def needs(self, window: Window) -> Window:
        """The part of each input that this part is made of."""
        return window

    @abstractmethod
    def make(self, inputs: Sequence[Tensor], window: Window) -> Tensor:
        """``(1, C, h, w)``, of the parts that `needs` asked for; they may be overwritten."""


class Pointwise(Map):
    """Each pixel is made of the same pixel of the inputs."""

    def __init__(self, inputs: Sequence[Map], channels: int, function: Callable[..., Tensor]):
        super().__init__(inputs, (channels, *inputs[0].shape[1:]))
        self.function = function

    def make(self, inputs: Sequence[Tensor], window: Window) -> Tensor:
        """What the function gives."""
        return self.function(*inputs)


class Convolved(Map):
    """A convolution with zeros around the image."""

    dear = True

    def __init__(
        self, x: Map, weight: Tensor, bias: Tensor | None, stride: int, padding: int, dilation: int, groups: int
    ):
        self.reach = dilation * (weight.shape[2] - 1) + 1
        height, width = ((side + 2 * padding - self.reach) // stride + 1 for side in x.shape[1:])
        super().__init__([x], (weight.shape[0], height, width))
        self.weight, self.bias, self.stride, self.padding = weight, bias, stride, padding
        self.dilation, self.groups = dilation, groups

    def needs(self, window: Window) -> Window:
        """What the kernels reach, of what there is."""
        _, height, width = self.inputs[0].shape
        (top, bottom), (left, right) = self._reached(*window[:2]), self._reached(*window[2:])
        return Window(max(top, 0), min(bottom, height), max(left, 0), min(right, width))

    def make(self, inputs: Sequence[Tensor], window: Window) -> Tensor:
        """Zeros stand for what is beyond the edges."""
        (top, bottom), (left, right) = self._reached(*window[:2]), self._reached(*window[2:])
        there = self.needs(window)
        missing = (there.left - left, right - there.right, there.top - top, bottom - there.bottom)
        x = F.pad(inputs[0], missing) if any(missing) else inputs[0]
        return F.conv2d(x, self.weight, self.bias, self.stride, 0, self.dilation, self.groups)

    def _reached(self, start: int, stop: int) -> tuple[int, int]:
        return start * self.stride - self.padding, (stop - 1) * self.stride - self.padding + self.reach


class Enlarged(Map):
    """A transposed convolution."""

    dear = True

    def __init__(self, x: Map, weight: Tensor, bias: Tensor | None, stride: int, padding: int, extra: int, groups: int):
        kernel = weight.shape[2]
        height, width = ((side - 1) * stride - 2 * padding + kernel + extra for side in x.shape[1:])
        super().__init__([x], (weight.shape[1] * groups, height, width))
        self.weight, self.bias, self.stride, self.padding = weight, bias, stride, padding
        self.extra, self.groups = extra, groups

    def needs(self, window: Window) -> Window:
        """All whose kernels reach into the window."""
        _, height, width = self.inputs[0].shape
        return Window(*self._reaching(*window[:2], height), *self._reaching(*window[2:], width))

    def make(self, inputs: Sequence[Tensor], window: Window) -> Tensor:
        """Cut out of what the kernels make together; behind the last one there are as many zeros as asked for."""
        there = self.needs(window)
        top = window.top - (there.top * self.stride - self.padding)
        left = window.left - (there.left * self.stride - self.padding)
        made = F.conv_transpose2d(inputs[0], self.weight, self.bias, self.stride, 0, self.extra, self.groups)
        return made[:, :, top : top + window.bottom - window.top, left : left + window.right - window.left]

    def _reaching(self, start: int, stop: int, side: int) -> tuple[int, int]:
        first = -((self.weight.shape[2] - 1 - self.padding - start) // self.stride)
        return min(max(first, 0), side - 1), min((stop - 1 + self.padding) // self.stride + 1, side)


class Mirrored(Map):
    """An image laid in the middle of a larger one, the rest filled by reflection, as often as it takes."""

    def __init__(self, x: Map, top: int, bottom: int, left: int, right: int):
        channels, height, width = x.shape
        super().__init__([x], (channels, height + top + bottom, width + left + right))
        self.top, self.left = top, left

    def needs(self, window: Window) -> Window:
        """What is shown and what is mirrored, in one rectangle."""
        rows, columns = self._indices(window)
        return Window(int(rows.min()), int(rows.max()) + 1, int(columns.min()), int(columns.max()) + 1)

    def make(self, inputs: Sequence[Tensor], window: Window) -> Tensor:
        """Picked row by row and column by column, where there is anything to mirror."""
        x = inputs[0]
        for dim, indices in (2, self._indices(window)[0]), (3, self._indices(window)[1]):
            if (np.diff(indices) != 1).any():
                x = x.index_select(dim, torch.from_numpy(indices - indices.min()).to(x.device))
        return x

    def _indices(self, window: Window) -> tuple[Any, Any]:
        _, height, width = self.inputs[0].shape
        return (
            _wave(window.top - self.top, window.bottom - self.top, height),
            _wave(window.left - self.left, window.right - self.left, width),
        )


class Repeated(Map):
    """Every pixel ``times`` times in both directions (nearest-neighbour enlargement)."""

    def __init__(self, x: Map, times: int):
        channels, height, width = x.shape
        super().__init__([x], (channels, height * times, width * times))
        self.times = times

    def needs(self, window: Window) -> Window:
        """The pixels that show in the window."""
        starts, stops = (
            [start // self.times for start in (window.top, window.left)],
            [-(-stop // self.times) for stop in (window.bottom, window.right)],
        )
        return Window(starts[0], stops[0], starts[1], stops[1])

    def make(self, inputs: Sequence[Tensor], window: Window) -> Tensor:
        """The first and last may show in part."""
        x = F.interpolate(inputs[0], scale_factor=float(self.times), mode="nearest")
        top, left = window.top % self.times, window.left % self.times
        return x[:, :, top : top + window.bottom - window.top, left : left + window.right - window.left]


class Interpolated(Map):
    """Bilinear enlargement by a whole number of ``times`` in both directions, corners not aligned."""

    def __init__(self, x: Map, times: int):
        channels, height, width = x.shape
        super().__init__([x], (channels, height * times, width * times))
        self.times = times

    def needs(self, window: Window) -> Window:
        """The pixels that are mixed, which at the edges are those of the edges."""
        _, height, width = self.inputs[0].shape
        return Window(*self._mixed(*window[:2], height), *self._mixed(*window[2:], width))

    def make(self, inputs: Sequence[Tensor], window: Window) -> Tensor:
        """Cut out of what is enlarged together."""
        there = self.needs(window)
        x = F.interpolate(inputs[0], scale_factor=float(self.times), mode="bilinear", align_corners=False)
        top, left = window.top - there.top * self.times, window.left - there.left * self.times
        return x[:, :, top : top + window.bottom - window.top, left : left + window.right - window.left]

    def _mixed(self, start: int, stop: int, side: int) -> tuple[int, int]:
        first = math.floor((start + 0.5) / self.times - 0.5)
        last = math.floor((stop - 0.5) / self.times - 0.5) + 1
        return max(first, 0), min(last + 1, side)


class Unshuffled(Map):
    """Blocks of ``times`` x ``times`` pixels, each put into the channels of one pixel (space to depth)."""

    def __init__(self, x: Map, times: int):
        channels, height, width = x.shape
        super().__init__([x], (channels * times**2, height // times, width // times))
        self.times = times

    def needs(self, window: Window) -> Window:
        """The whole blocks."""
        return Window(*(side * self.times for side in window))

    def make(self, inputs: Sequence[Tensor], window: Window) -> Tensor:
        """As torch orders them."""
        return F.pixel_unshuffle(inputs[0], self.times)


class Normalised(Map):
    """Group normalisation by the mean and variance of the whole map, which must be `known` first.

    With as many groups as channels it is instance normalisation.
    """

    def __init__(self, x: Map, eps: float, weight: Tensor | None, bias: Tensor | None, groups: int):
        super().__init__([x], x.shape)
        self.eps, self.weight, self.bias, self.groups = eps, weight, bias, groups
        self.scale, self.shift = torch.empty(0), torch.empty(0)

    def known(self, mean: Tensor, variance: Tensor) -> None:
        """Take the ``(C,)`` statistics of its input."""
        if self.groups < len(mean):
            means, variances = mean.reshape(self.groups, -1), variance.reshape(self.groups, -1)
            of_group = means.mean(1, keepdim=True)
            spread = (variances + (means - of_group).square()).mean(1, keepdim=True)
            mean, variance = (x.expand_as(means).reshape(-1) for x in (of_group, spread))
        scale = (variance + self.eps).rsqrt()
        scale = scale if self.weight is None else scale * self.weight
        shift = -mean * scale if self.bias is None else self.bias - mean * scale
        self.scale, self.shift = scale.float()[:, None, None], shift.float()[:, None, None]

    def make(self, inputs: Sequence[Tensor], window: Window) -> Tensor:
        """One multiplication and one addition."""
        return inputs[0].mul_(self.scale).add_(self.shift)


class Given(Map):
    """The image itself: ``read`` gives windows of it, ``(1, C, h, w)`` float32 in [-1, 1], to keep."""

    def __init__(self, shape: Shape, read: Callable[[Window], Tensor]):
        super().__init__([], shape)
        self.read = read

    def make(self, inputs: Sequence[Tensor], window: Window) -> Tensor:
        """As it is read."""
        return self.read(window)


def bytes_whole(last: Map) -> int:
    """The most memory that the maps of a whole image take at once, in float32, if each goes when it is used up."""
    order = topological(last)
    last_use = {id(one): index for index, user in enumerate(order) for one in user.inputs}
    most = held = 0
    for index, made in enumerate(order):
        held += 4 * math.prod(made.shape)
        most = max(most, held)
        held -= sum(4 * math.prod(one.shape) for one in set(made.inputs) if last_use[id(one)] == index)
    return most


def topological(last: Map) -> list[Map]:
    """All maps that ``last`` is made of and itself, each after its inputs."""
    order: dict[Map, None] = {}
    waiting = [last]
    while waiting:
        made = waiting[-1]
        missing = [one for one in made.inputs if one not in order]
        if missing:
            waiting.extend(missing)
        else:
            order.setdefault(waiting.pop())
    return list(order)


def _wave(start: int, stop: int, side: int) -> Any:
    """Indices ``start`` to ``stop`` of an endless reflection: 2 1 0 1 2 1 0 1 for -2 to 6 of side 3."""
    wave = np.arange(start, stop) % max(2 * (side - 1), 1)
    return np.minimum(wave, 2 * (side - 1) - wave).clip(0)
