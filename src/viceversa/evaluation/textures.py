"""Textures that a translation may leave on an image of any domain, so that a classifier learns not to go by them.

Small classifiers of two domains find the texture of a domain before its shapes (Geirhos et al. 2019, arXiv 1811.12231):
grain or a grid over an unchanged cat made it a dog. Where the images of both domains carry all textures at random, none
of them tells the domains apart.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from viceversa import seeding

_SHARE = 0.3  # of the images that get each of them
_DRAWS = 5  # numbers for each of them, of which it takes some
_BLOCK = 8


def laid(images: Tensor, *, seed: int, stream: str, positions: Tensor) -> Tensor:
    """Images with noise, blur or ringing, a grid or checkerboard, blocks as of JPEG: each on three of ten, at random.

    Args:
        images: ``(N, C, H, W)`` in [-1, 1].
        seed: What is drawn follows from it,
        stream: from this name
        positions: and from the positions of the images, ``(N,)`` int64.

    Returns:
        The same shape, in [-1, 1].
    """
    images = images.clone()
    for texture in (_blur, _grid, _noise, _blocks):
        own = seeding.derive(seed, stream, texture.__name__)
        draws = seeding.uniform(own, "draws", positions, (1 + _DRAWS, 1, 1, 1))
        rows = (draws[:, 0] < _SHARE).flatten().nonzero().flatten()
        if len(rows):
            images[rows] = texture(images[rows], draws[rows, 1:], own, positions[rows])
    return images.clamp(-1, 1)


def _blur(x: Tensor, draws: Tensor, *_: object) -> Tensor:
    """Towards a blurred image, or away from it, which leaves ringing."""
    mean, blurred = x.new_full((x.shape[1], 1, 3, 3), 1 / 9), x
    for share in (1.0, 0.5, 0.5):  # half of them three times
        once = F.conv2d(F.pad(blurred, (1, 1, 1, 1), mode="replicate"), mean, groups=x.shape[1])
        blurred = torch.where(draws[:, 0] < share, once, blurred)
    return x.lerp(blurred, draws[:, 1] * 2 - 1)


def _grid(x: Tensor, draws: Tensor, *_: object) -> Tensor:
    """Lines or squares every 2 to 8 pixels, of any color."""
    period = (draws[:, 0] * 7).floor() + 2
    down, across = (torch.arange(side, dtype=x.dtype) for side in x.shape[2:])
    down = down[:, None]
    squares = (2 * down / period).floor() + (2 * across / period).floor()
    lines = torch.maximum(*((place % period < period / 4).float() for place in (down, across)))
    pattern = torch.where(draws[:, 1] < 0.5, squares % 2, lines) * 2 - 1
    strength = torch.cat([draws[:, 2 + index % 3] for index in range(x.shape[1])], 1)
    return x + pattern * (strength - 0.5)


def _noise(x: Tensor, draws: Tensor, seed: int, positions: Tensor) -> Tensor:
    """Grain of one or two pixels, grey or colored."""
    height, width = x.shape[2:]
    grain = seeding.uniform(seed, "grain", positions, tuple(x.shape[1:])) * 2 - 1
    coarse = F.interpolate(grain[..., : (height + 1) // 2, : (width + 1) // 2], (height, width))
    grain = torch.where(draws[:, 0] < 0.5, grain, coarse)
    grain = torch.where(draws[:, 1] < 0.5, grain, grain[:, :1])
    return x + grain * draws[:, 2]


def _blocks(x: Tensor, draws: Tensor, *_: object) -> Tensor:
    """Squares of 8 pixels whose cosines are rounded, the finer the coarser, as JPEG does."""
    height, width = x.shape[2:]
    padded = F.pad(x, (0, -width % _BLOCK, 0, -height % _BLOCK), mode="replicate")
    tiles = padded.unflatten(3, (-1, _BLOCK)).unflatten(2, (-1, _BLOCK)).transpose(3, 4)
    n = torch.arange(_BLOCK, dtype=x.dtype)
    cosines = torch.cos((n + 0.5) * n[:, None] * math.pi / _BLOCK) * (2 / _BLOCK) ** 0.5
    cosines[0] /= 2**0.5
    step = (0.05 + draws[:, 0, ..., None, None] * 0.3) * (1 + (n + n[:, None]) / 2)
    rounded = (cosines @ tiles @ cosines.T / step).round() * step
    return (cosines.T @ rounded @ cosines).transpose(3, 4).flatten(4, 5).flatten(2, 3)[..., :height, :width]
