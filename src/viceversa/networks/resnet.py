"""The ResNet generator (Johnson et al. 2016, arXiv 1603.08155; as in CycleGAN, arXiv 1703.10593, Sec. 4)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from torch import Tensor, nn

from viceversa import sizes
from viceversa.errors import ConfigError
from viceversa.networks.feature_layers import EncoderDecoder
from viceversa.networks.layers import (
    Norm,
    ReflectionPad,
    check_attention,
    check_dropout_rate,
    norm_layer,
    upsampling,
)
from viceversa.networks.registry import generator
from viceversa.sizes import SizePx


@dataclass(frozen=True, kw_only=True)
class ResNetConfig:
    """What a ResNet generator is made of."""

    in_channels: int = 3
    """Channels of the image that goes in."""
    out_channels: int = 3
    """Channels of the image that comes out."""
    width: int = 64
    """Channels after the first convolution; doubled by each of the two down-sampling layers."""
    blocks: int = 9
    """Residual blocks: 9 for 256 px and more, 6 for 128 px and less (CycleGAN, Sec. 7.2)."""
    norm: Norm = "instance"
    """Normalisation after each convolution but the last."""
    dropout: bool = False
    """Dropout inside the residual blocks."""
    dropout_rate: float = field(default=0.5, metadata={"formerly": 0.5})  # of files that do not say it
    """Share of the values that dropout drops."""
    upsample: Literal["transposed", "resize"] = "transposed"
    """How the decoder doubles its size; ``resize`` avoids checkerboards."""
    attention: bool = field(default=False, metadata={"formerly": False})  # of files that do not say it
    """Whether it also makes a mask: where that is 0 the image stays as it is."""

    def __post_init__(self) -> None:
        check_attention(self.attention, self.in_channels, self.out_channels)
        if min(self.in_channels, self.out_channels, self.width) < 1 or self.blocks < 0:
            raise ConfigError(
                f"A ResNet generator needs at least 1 channel and width 1 and no negative number of blocks; got {self}."
            )
        check_dropout_rate(self.dropout_rate)


@generator("resnet")
class ResNetGenerator(EncoderDecoder):
    """Residual blocks at a quarter of the size, as in CycleGAN (Johnson et al. 2016, arXiv 1603.08155).

    Images ``(N, in_channels, H, W)`` in [-1, 1] to ``(N, out_channels, H, W)`` in [-1, 1]; H, W multiples of 4.
    """

    Config = ResNetConfig
    downsampled: ClassVar[int] = 4
    named: ClassVar[Mapping[int, str]] = {0: "pixels", 1: "stem", 4: "down1", 7: "down2"}

    def __init__(self, config: ResNetConfig):
        super().__init__()
        self.config = config
        self.multiple = self.downsampled
        c, norm = config.width, norm_layer(config.norm)
        bias = config.norm == "none"  # a bias before a normalisation is cancelled by it: its gradient is only noise

        def stage(conv: nn.Module, channels: int) -> list[nn.Module]:
            return [conv, norm(channels), nn.ReLU(inplace=True)]

        self.encoder = nn.Sequential(
            ReflectionPad(3),
            *stage(nn.Conv2d(config.in_channels, c, 7, bias=bias), c),
            *stage(nn.Conv2d(c, 2 * c, 3, stride=2, padding=1, bias=bias), 2 * c),  # (N, 2c, H/2, W/2)
            *stage(nn.Conv2d(2 * c, 4 * c, 3, stride=2, padding=1, bias=bias), 4 * c),  # (N, 4c, H/4, W/4)
        )
        dropout = config.dropout_rate if config.dropout else 0.0
        self.blocks = nn.Sequential(*(ResidualBlock(4 * c, config.norm, dropout) for _ in range(config.blocks)))
        self.decoder = nn.Sequential(
            *stage(upsampling(config.upsample, 4 * c, 2 * c, bias=bias), 2 * c),
            *stage(upsampling(config.upsample, 2 * c, c, bias=bias), c),
            ReflectionPad(3),
            nn.Conv2d(c, config.out_channels + config.attention, 7),
            nn.Tanh(),
        )

    @staticmethod
    def for_size(values: dict[str, Any], size_px: SizePx) -> dict[str, Any]:
        """Return ``values`` with 9 blocks above 128 x 128 px and 6 up to there, where they do not say how many."""
        if any(side % 4 or side < 8 for side in sizes.sides(size_px)):
            got = sizes.words(size_px)
            raise ConfigError(f"A ResNet generator trains at multiples of 4 px from 8 px on; got --size {got}.")
        return {"blocks": 9 if sizes.pixels(size_px) > 128**2 else 6, **values}


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions whose result is added to the input: ``(N, C, H, W)`` to the same.

    ``dropout`` is the share of values dropped between them; 0 for none.
    """

    def __init__(self, channels: int, norm: Norm, dropout: float = 0.0):
        super().__init__()
        bias = norm == "none"
        self.body = nn.Sequential(
            ReflectionPad(1),
            nn.Conv2d(channels, channels, 3, bias=bias),
            norm_layer(norm)(channels),
            nn.ReLU(inplace=True),
            *([nn.Dropout(dropout)] if dropout else []),
            ReflectionPad(1),
            nn.Conv2d(channels, channels, 3, bias=bias),
            norm_layer(norm)(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """``(N, C, H, W)`` to the same."""
        return x + self.body(x)
