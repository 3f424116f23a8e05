"""What a translation kept of its image, and how far it is from an image: a number for each of N images."""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from viceversa.data.images import Array, visible
from viceversa.errors import DataError
from viceversa.extras import need

Floats = NDArray[np.float64]

_WEIGHTS = (0.299, 0.587, 0.114)  # of red, green and blue in luminance, ITU-R BT.601
_MOST_DB = 100.0  # of the signal-to-noise ratio of equal images, which is infinite
_NO_EDGE = 1e-6
_AT_ONCE = 64


def luminance(pictures: Array) -> Tensor:
    """``(N, H, W, C)`` uint8 to ``(N, 1, H, W)`` float64 in [0, 255]: of RGB; the mean of other channels."""
    x = torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).to(torch.float64)
    if x.shape[1] != 3:
        return x.mean(1, keepdim=True)
    return (x * x.new_tensor(_WEIGHTS)[:, None, None]).sum(1, keepdim=True)


def ssim(first: Array, second: Array) -> Floats:
    """``(N,)``: structural similarity of luminance (Wang et al. 2004), 1 where equal; windows of 11 px, sigma 1.5."""
    _check(first, second)
    measure: Any = need("torchmetrics.functional.image", "evaluate").structural_similarity_index_measure
    parts: list[Tensor] = []
    for start in range(0, len(first), _AT_ONCE):
        x, y = (luminance(each[start : start + _AT_ONCE]) for each in (first, second))
        parts.append(measure(x, y, data_range=255.0, reduction="none").reshape(-1))
    return torch.cat(parts).numpy()


def edge_agreement(first: Array, second: Array) -> Floats:
    """``(N,)`` in [-1, 1]: the correlation, over the pixels of an image, of how strong the edges are.

    The strength is the length of Sobel's gradient of luminance. 1: edges are in the same places and in the same
    proportions, whatever the contrast and whichever side is the brighter; 0: in places that have nothing to do with
    each other. Of two images without any edge it is 1, and 0 where only one has none.
    """
    _check(first, second)
    parts = [slice(start, start + _AT_ONCE) for start in range(0, len(first), _AT_ONCE)]
    return np.concatenate([_agreement(first[part], second[part]) for part in parts])


def _agreement(first: Array, second: Array) -> Floats:
    x, y = (_edges(luminance(each)).flatten(1) for each in (first, second))
    x, y = x - x.mean(1, keepdim=True), y - y.mean(1, keepdim=True)
    lengths_x, lengths_y = x.norm(dim=1), y.norm(dim=1)
    flat_x, flat_y = lengths_x < _NO_EDGE, lengths_y < _NO_EDGE
    agreement = (x * y).sum(1) / (lengths_x * lengths_y).clamp(min=_NO_EDGE**2)
    agreement = torch.where(flat_x | flat_y, (flat_x & flat_y).double(), agreement)
    return agreement.clamp(-1, 1).numpy()


def distance(first: Array, second: Array) -> Floats:
    """``(N,)``: mean absolute difference in grey levels, 0 to 255."""
    _check(first, second)
    if first.shape[3] != second.shape[3]:
        first, second = visible(first), visible(second)
    return np.array([np.abs(x.astype(np.int16) - y).mean() for x, y in zip(first, second, strict=True)], np.float64)


def psnr(first: Array, second: Array) -> Floats:
    """``(N,)``: peak signal-to-noise ratio in dB; 100 for equal images."""
    _check(first, second)
    if first.shape[3] != second.shape[3]:
        first, second = visible(first), visible(second)
    errors = [(np.square(x.astype(np.float64) - y)).mean() for x, y in zip(first, second, strict=True)]
    return np.array([min(_MOST_DB, 10 * np.log10(255**2 / error)) if error else _MOST_DB for error in errors])


def _edges(grey: Tensor) -> Tensor:
    """``(N, 1, H, W)``: lengths of Sobel's gradient, the border repeated."""
    sobel = grey.new_tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]])
    kernels = torch.stack([sobel, sobel.T])[:, None]
    return F.conv2d(F.pad(grey, (1, 1, 1, 1), mode="replicate"), kernels).norm(dim=1, keepdim=True)


def _check(first: Array, second: Array) -> None:
    if first.shape[:3] != second.shape[:3] or not len(first):
        raise DataError(f"Images are compared with as many of equal size; got {first.shape} and {second.shape}.")
