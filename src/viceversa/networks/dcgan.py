"""The convolutional networks of DCGAN (Radford et al. 2016, arXiv 1511.06434, Sec. 3), for any size from 16 to 128 px.

The paper's images have 64 px: 4 px doubled four times. Other sizes start from 4 to 7 px and are doubled as often as
it takes, and the one that no doubling meets is cut out of the middle of the next larger one.
"""

import itertools
from dataclasses import dataclass

from torch import Tensor, nn

from viceversa.errors import ConfigError
from viceversa.networks.latent import LatentConfig
from viceversa.networks.layers import DiscriminatorNorm, Norm, norm_layer, normalise_weights
from viceversa.networks.registry import discriminator, sampler

SMALLEST_PX, LARGEST_PX = 16, 128
_START_PX = 4
_WIDEST = 8  # times the width


def doublings(size_px: int) -> int:
    """How often a start of 4 to 7 px is doubled to reach ``size_px``."""
    return (size_px // _START_PX).bit_length() - 1


def _check(size_px: int, *counts: int) -> None:
    if not SMALLEST_PX <= size_px <= LARGEST_PX:
        raise ConfigError(f"DCGAN's networks take {SMALLEST_PX} to {LARGEST_PX} px; got --size {size_px}.")
    if min(counts) < 1:
        raise ConfigError(
            f"DCGAN's networks need at least 1 channel and width 1; got {' and '.join(map(str, counts))}."
        )


def _check_hidden(units: int) -> None:
    if units < 0:
        raise ConfigError(f"A hidden layer cannot have {units} units.")


@dataclass(frozen=True, kw_only=True)
class DCGANGeneratorConfig(LatentConfig):
    """What a DCGAN generator is made of."""

    out_channels: int = 3
    """Channels of the image that comes out."""
    size_px: int = 64
    """Pixels of a side of the image."""
    width: int = 64
    """Channels before the last layer; doubled by each layer before it, up to 8 times."""
    norm: Norm = "batch"
    """Normalisation after each layer but the last."""
    hidden: int = 0
    """Units of a fully connected layer before the first image; 0 is none."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _check(self.size_px, self.out_channels, self.width)
        _check_hidden(self.hidden)


@sampler("dcgan")
class DCGANGenerator(nn.Module):
    """Noise ``(N, inputs)`` to images ``(N, out_channels, S, S)`` in [-1, 1]."""

    Config = DCGANGeneratorConfig

    def __init__(self, config: DCGANGeneratorConfig):
        super().__init__()
        self.config = config
        levels, norm, bias = doublings(config.size_px), norm_layer(config.norm), config.norm == "none"
        widths = [config.width * min(2**level, _WIDEST) for level in reversed(range(levels))]
        start_px = -(-config.size_px // 2**levels)
        project: list[nn.Module] = []
        units = config.inputs
        if config.hidden:
            flat_norm = [nn.BatchNorm1d(config.hidden)] if config.norm == "batch" else []
            project = [nn.Linear(units, config.hidden, bias=not flat_norm), *flat_norm, nn.ReLU(inplace=True)]
            units = config.hidden
        self.project = nn.Sequential(
            *project,
            nn.Linear(units, widths[0] * start_px**2, bias=bias),
            nn.Unflatten(1, (widths[0], start_px, start_px)),
            norm(widths[0]),
            nn.ReLU(inplace=True),
        )
        stages: list[nn.Module] = []
        for c_in, c_out in itertools.pairwise(widths):  # each doubles height and width
            stages += [_doubling(c_in, c_out, bias=bias), norm(c_out), nn.ReLU(inplace=True)]
        self.stages = nn.Sequential(*stages, _doubling(widths[-1], config.out_channels, bias=True), nn.Tanh())
        self.excess_px = start_px * 2**levels - config.size_px

    def forward(self, z: Tensor) -> Tensor:
        """``(N, inputs)`` to ``(N, out_channels, S, S)``."""
        x = self.stages(self.project(z))
        first, size = self.excess_px // 2, self.config.size_px
        return x[:, :, first : first + size, first : first + size] if self.excess_px else x


def _doubling(c_in: int, c_out: int, *, bias: bool) -> nn.Module:
    return nn.ConvTranspose2d(c_in, c_out, 4, stride=2, padding=1, bias=bias)


@dataclass(frozen=True, kw_only=True)
class DCGANDiscriminatorConfig:
    """What a DCGAN discriminator, or a critic of that shape, is made of."""

    in_channels: int = 3
    """Channels of what it judges."""
    size_px: int = 64
    """Pixels of a side of the image."""
    width: int = 64
    """Channels of the first layer; doubled by each layer after it, up to 8 times."""
    norm: DiscriminatorNorm = "batch"
    """Normalisation after each layer but the first."""
    hidden: int = 0
    """Units of a fully connected layer after the convolutions; 0 is none."""

    def __post_init__(self) -> None:
        _check(self.size_px, self.in_channels, self.width)
        _check_hidden(self.hidden)


@discriminator("dcgan")
class DCGANDiscriminator(nn.Module):
    """Judges whole images of 16 to 128 px a side (Radford et al. 2016, arXiv 1511.06434).

    Images ``(N, in_channels, S, S)`` in [-1, 1] to logits ``(N, 1)``.
    """

    Config = DCGANDiscriminatorConfig

    def __init__(self, config: DCGANDiscriminatorConfig):
        super().__init__()
        self.config = config
        levels, norm, bias = doublings(config.size_px), norm_layer(config.norm), config.norm in ("none", "spectral")
        widths = [config.width * min(2**level, _WIDEST) for level in range(levels)]
        stages: list[nn.Module] = [_halving(config.in_channels, widths[0], bias=True), nn.LeakyReLU(0.2, inplace=True)]
        for c_in, c_out in itertools.pairwise(widths):  # each halves height and width
            stages += [_halving(c_in, c_out, bias=bias), norm(c_out), nn.LeakyReLU(0.2, inplace=True)]
        self.features = widths[-1] * (config.size_px // 2**levels) ** 2
        """How many numbers the trunk gives of an image."""
        stages.append(nn.Flatten())
        if config.hidden:
            flat_norm = [nn.BatchNorm1d(config.hidden)] if config.norm == "batch" else []
            stages += [nn.Linear(self.features, config.hidden, bias=not flat_norm), *flat_norm]
            stages.append(nn.LeakyReLU(0.2, inplace=True))
            self.features = config.hidden
        self.trunk = nn.Sequential(*stages)
        self.head = nn.Linear(self.features, 1)
        normalise_weights(self, config.norm)

    def forward(self, x: Tensor) -> Tensor:
        """``(N, in_channels, S, S)`` to ``(N, 1)``."""
        return self.head(self.trunk(x))


def _halving(c_in: int, c_out: int, *, bias: bool) -> nn.Module:
    return nn.Conv2d(c_in, c_out, 4, stride=2, padding=1, bias=bias)
