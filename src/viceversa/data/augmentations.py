"""Random changes of the images that are trained on, beyond window and mirror, by name: ``--augment color rotate``.

Each is a pure function of its random numbers, which follow from the sample's position. One of your own is a function
under ``@augmentation("name", draws=2)``: of images, or, with ``geometric=True``, of where their pixels come from.
Geometric ones are joined, so that pixels are interpolated once; label maps and masks take the nearest pixel.
"""

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from viceversa import plugins, seeding

AUGMENTATIONS: dict[str, Callable[..., Tensor]] = {}
"""Each augmentation by the name that ``--augment`` gives it."""
_DRAWS: dict[Callable[..., Tensor], int] = {}  # how many random numbers one takes an image
_GEOMETRIC: set[Callable[..., Tensor]] = set()


def augmentation(
    name: str, *, draws: int, geometric: bool = False
) -> Callable[[Callable[..., Tensor]], Callable[..., Tensor]]:
    """Register an augmentation of the images that are trained on as ``--augment NAME``.

    The function takes images ``(N, C, H, W)`` in [-1, 1] and ``(N, draws)`` uniform in [0, 1), and returns images of
    the same shape; results are cut to [-1, 1]. It must change each image by its own draws alone. A geometric one takes
    the draws and the size ``(height, width)``, and returns matrices ``(N, 2, 2)``: times a place (across, down) in the
    result, in pixels from the middle, they are the place in the image that is shown there.
    """

    def register(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
        AUGMENTATIONS[name], _DRAWS[function] = function, draws
        if geometric:
            _GEOMETRIC.add(function)
        return function

    return register


def jitter(images: Tensor, brightness: Tensor, saturation: Tensor, contrast: Tensor) -> Tensor:
    """Add brightness, then multiply saturation and contrast, each ``(N, 1, 1, 1)``; alpha stays.

    ``images`` are ``(N, C, H, W)``; the second and the fourth channel of two and four are alpha.
    """
    channels = images.shape[1]
    colors = channels - 1 if channels in (2, 4) else channels
    x = images[:, :colors] + brightness
    gray = x.mean(1, keepdim=True)
    x = (x - gray) * saturation + gray
    mean = x.mean((1, 2, 3), keepdim=True)
    x = (x - mean) * contrast + mean
    return torch.cat([x, images[:, colors:]], 1)


@augmentation("color", draws=3)
def color(images: Tensor, draws: Tensor) -> Tensor:
    """Brightness by up to 0.2 of the range from black to middle gray, saturation and contrast by 0.8 to 1.2."""
    changes = (draws[:, :, None, None, None].to(images) * 0.4 - 0.2).unbind(1)
    return jitter(images, changes[0], changes[1] + 1, changes[2] + 1)


@augmentation("rotate", draws=1, geometric=True)
def rotate(draws: Tensor, size: tuple[int, int]) -> Tensor:
    """Turn by up to 15 degrees either way; beyond the edges the image is mirrored."""
    return _turned((draws[:, 0] - 0.5) * math.pi / 6)


@augmentation("rotate90", draws=1, geometric=True)
def rotate90(draws: Tensor, size: tuple[int, int]) -> Tensor:
    """Turn by 0, 90, 180 or 270 degrees; rectangles by 0 or 180."""
    turns = 4 if size[0] == size[1] else 2
    return _turned((draws[:, 0] * turns).floor() * (2 * math.pi / turns))


@augmentation("scale", draws=1, geometric=True)
def scale(draws: Tensor, size: tuple[int, int]) -> Tensor:
    """Enlarge by 0.8 to 1.25; beyond the edges the image is mirrored."""
    return torch.eye(2).to(draws) * (0.8 ** (2 * draws[:, 0] - 1))[:, None, None]


@augmentation("flip", draws=1, geometric=True)
def flip(draws: Tensor, size: tuple[int, int]) -> Tensor:
    """Mirror half of the images top to bottom."""
    return torch.diag_embed(torch.stack([torch.ones_like(draws[:, 0]), 1 - 2 * (draws[:, 0] < 0.5).to(draws)], 1))


def _turned(angles: Tensor) -> Tensor:
    cos, sin = angles.cos(), angles.sin()
    return torch.stack([cos, -sin, sin, cos], 1).reshape(-1, 2, 2)


@dataclass(frozen=True, kw_only=True)
class AugmentConfig:
    """Random changes of what is trained on."""

    augment: tuple[str, ...] = ("none",)
    """Random changes of the images, beside window and mirror: some of color, rotate, rotate90, scale, flip; or none."""

    def __post_init__(self) -> None:
        plugins.check_names("augmentation", "--augment", self.augment)

    @property
    def augmentations(self) -> tuple[str, ...]:
        """The names, in the order in which they are applied."""
        return tuple(name for name in self.augment if name != "none")


@dataclass(frozen=True, kw_only=True)
class Plane:
    """Some of the channels of a tensor: an image, or a plane that says something of its pixels."""

    channels: int
    """How many."""
    is_image: bool = True
    """Whether colors may change; not so of label maps and masks."""
    nearest: bool = False
    """Whether pixels may only be moved, never mixed."""
    name: str = ""
    """Of what lies over an image: "mask", "smoothed"; empty for an image."""


def augmented(
    x: Tensor, names: Sequence[str], *, planes: Sequence[Plane], seed: int, stream: str, positions: Tensor
) -> Tensor:
    """Apply augmentations to samples.

    Args:
        x: ``(N, C, H, W)`` float32 in [-1, 1].
        names: In the order in which they are applied; of geometric ones the order among themselves counts.
        planes: How C is made up. All planes of a sample get the same draws.
        seed: Of the run.
        stream: A name; other names give other draws.
        positions: ``(N,)`` int64, the samples' positions in the run.

    Returns:
        The same shape, channels-last in memory; each sample depends on its own position alone.
    """
    size, pieces = (x.shape[2], x.shape[3]), list(x.split([plane.channels for plane in planes], 1))
    matrices: list[Tensor] = []
    for name in names:
        function = AUGMENTATIONS[name]
        draws = seeding.uniform(seed, f"{name} {stream}", positions.to(x.device), (_DRAWS[function],))
        if function in _GEOMETRIC:
            matrices.append(function(draws, size))
            continue
        for place, plane in enumerate(planes):
            if plane.is_image:
                pieces[place] = function(pieces[place], draws).clamp(-1, 1)
    if matrices:
        grid = _grid(functools.reduce(torch.matmul, matrices), size)
        for place, plane in enumerate(planes):
            mode = "nearest" if plane.nearest else "bilinear"
            options: Any = {"mode": mode, "padding_mode": "reflection", "align_corners": False}
            pieces[place] = F.grid_sample(pieces[place], grid, **options)
    return torch.cat(pieces, 1).contiguous(memory_format=torch.channels_last)


def _grid(matrices: Tensor, size: tuple[int, int]) -> Tensor:
    """``(N, H, W, 2)``, as `grid_sample` takes it; sides go from -1 to 1 there, so pixels are not square."""
    height, width = size
    aspect = torch.tensor([[1, height / width], [width / height, 1]], device=matrices.device)
    theta = F.pad(matrices * aspect, (0, 1))  # nothing is shifted
    return F.affine_grid(theta, [len(matrices), 1, *size], align_corners=False)
