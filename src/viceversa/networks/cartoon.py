"""CartoonGAN's networks (Chen, Lai and Liu 2018, CVPR, Sec. 3.1 and Figure 2)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from torch import Tensor, nn

from viceversa import sizes
from viceversa.errors import ConfigError
from viceversa.networks.feature_layers import EncoderDecoder
from viceversa.networks.layers import (
    DiscriminatorNorm,
    Norm,
    ReflectionPad,
    check_attention,
    norm_layer,
    normalise_weights,
    upsampling,
)
from viceversa.networks.registry import discriminator, generator
from viceversa.networks.resnet import ResidualBlock
from viceversa.sizes import SizePx


@dataclass(frozen=True, kw_only=True)
class CartoonConfig:
    """What CartoonGAN's generator is made of."""

    in_channels: int = 3
    """Channels of the image that goes in."""
    out_channels: int = 3
    """Channels of the image that comes out."""
    width: int = 64
    """Channels after the first convolution; doubled by each of the two down-sampling stages."""
    blocks: int = 8
    """Residual blocks."""
    norm: Norm = "instance"
    """Normalisation after each stage but the last."""
    upsample: Literal["transposed", "resize"] = "transposed"
    """How the decoder doubles its size; ``resize`` avoids checkerboards."""
    attention: bool = field(default=False, metadata={"formerly": False})  # of files that do not say it
    """Whether it also makes a mask: where that is 0 the image stays as it is."""

    def __post_init__(self) -> None:
        check_attention(self.attention, self.in_channels, self.out_channels)
        if min(self.in_channels, self.out_channels, self.width) < 1 or self.blocks < 0:
            raise ConfigError(
                "A CartoonGAN generator needs at least 1 channel and width 1 and no negative number of blocks; got "
                f"{self}."
            )


@generator("cartoon")
class CartoonGenerator(EncoderDecoder):
    """Residual blocks at a quarter of the size, as in CartoonGAN (Chen et al. 2018, CVPR, Sec. 3.1).

    Images ``(N, in_channels, H, W)`` in [-1, 1] to ``(N, out_channels, H, W)`` in [-1, 1]; H, W multiples of 4.
    """

    Config = CartoonConfig
    downsampled: ClassVar[int] = 4
    named: ClassVar[Mapping[int, str]] = {0: "pixels", 1: "stem", 5: "down1", 9: "down2"}

    def __init__(self, config: CartoonConfig):
        super().__init__()
        self.config = config
        self.multiple = self.downsampled
        c, norm = config.width, norm_layer(config.norm)
        bias = config.norm == "none"  # a bias before a normalisation is cancelled by it: its gradient is only noise

        def stage(convs: list[nn.Module], channels: int) -> list[nn.Module]:
            return [*convs, norm(channels), nn.ReLU(inplace=True)]

        def conv(c_in: int, c_out: int, stride: int = 1) -> nn.Module:
            return nn.Conv2d(c_in, c_out, 3, stride=stride, padding=1, bias=bias)

        self.encoder = nn.Sequential(
            ReflectionPad(3),
            *stage([nn.Conv2d(config.in_channels, c, 7, bias=bias)], c),
            *stage([conv(c, 2 * c, stride=2), conv(2 * c, 2 * c)], 2 * c),  # (N, 2c, H/2, W/2)
            *stage([conv(2 * c, 4 * c, stride=2), conv(4 * c, 4 * c)], 4 * c),  # (N, 4c, H/4, W/4)
        )
        self.blocks = nn.Sequential(
            *(ResidualBlock(4 * c, config.norm) for _ in range(config.blocks)),
        )
        self.decoder = nn.Sequential(
            *stage([upsampling(config.upsample, 4 * c, 2 * c, bias=bias), conv(2 * c, 2 * c)], 2 * c),
            *stage([upsampling(config.upsample, 2 * c, c, bias=bias), conv(c, c)], c),
            ReflectionPad(3),
            nn.Conv2d(c, config.out_channels + config.attention, 7),
            nn.Tanh(),
        )

    @staticmethod
    def for_size(values: dict[str, Any], size_px: SizePx) -> dict[str, Any]:
        """Return ``values``; refuse sizes that it cannot be trained at."""
        if any(side % 4 or side < 8 for side in sizes.sides(size_px)):
            got = sizes.words(size_px)
            raise ConfigError(f"CartoonGAN trains at multiples of 4 px from 8 px on; got --size {got}.")
        return values


@dataclass(frozen=True, kw_only=True)
class CartoonDiscriminatorConfig:
    """What CartoonGAN's discriminator is made of."""

    in_channels: int = 3
    """Channels of what it judges."""
    width: int = 32
    """Channels of the first layer; the deepest have eight times as many."""
    norm: DiscriminatorNorm = "instance"
    """Normalisation."""

    def __post_init__(self) -> None:
        if min(self.in_channels, self.width) < 1:
            raise ConfigError(f"A CartoonGAN discriminator needs at least 1 channel and width 1; got {self}.")


@discriminator("cartoon")
class CartoonDiscriminator(nn.Module):
    """Judges small patches, since edges are local, as in CartoonGAN (Chen et al. 2018, CVPR, Sec. 3.1).

    ``(N, in_channels, H, W)`` to one logit a patch, ``(N, 1, H / 4, W / 4)``.
    """

    Config = CartoonDiscriminatorConfig

    def __init__(self, config: CartoonDiscriminatorConfig):
        super().__init__()
        self.config = config
        c, norm, bias = config.width, norm_layer(config.norm), config.norm in ("none", "spectral")

        def conv(c_in: int, c_out: int, stride: int = 1) -> list[nn.Module]:
            return [nn.Conv2d(c_in, c_out, 3, stride, padding=1), nn.LeakyReLU(0.2, inplace=True)]

        def normed(c_in: int, c_out: int) -> list[nn.Module]:
            return [nn.Conv2d(c_in, c_out, 3, padding=1, bias=bias), norm(c_out), nn.LeakyReLU(0.2, inplace=True)]

        self.body = nn.Sequential(
            *conv(config.in_channels, c),
            *conv(c, 2 * c, stride=2),
            *normed(2 * c, 4 * c),  # (N, 4c, H/2, W/2)
            *conv(4 * c, 4 * c, stride=2),
            *normed(4 * c, 8 * c),  # (N, 8c, H/4, W/4)
            *normed(8 * c, 8 * c),
            nn.Conv2d(8 * c, 1, 3, padding=1),
        )
        normalise_weights(self, config.norm)

    def forward(self, x: Tensor) -> Tensor:
        """``(N, in_channels, H, W)`` to ``(N, 1, H / 4, W / 4)`` logits."""
        return self.body(x)
