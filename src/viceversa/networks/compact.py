"""A generator for few core-seconds: little work at full resolution, residual blocks far below it, skips on the way up.

Space to depth (Shi et al. 2016, arXiv 1609.05158) takes the place of the first full-resolution layers; features are
enlarged by repeating pixels, and the last time bilinearly, which leaves no checkerboard (Odena et al. 2016).
"""

from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from viceversa import sizes
from viceversa.errors import check
from viceversa.networks.layers import Norm, attended, check_attention, norm_layer
from viceversa.networks.registry import generator
from viceversa.sizes import SizePx


@dataclass(frozen=True, kw_only=True)
class CompactConfig:
    """What a compact generator is made of."""

    in_channels: int = 3
    """Channels of the image that goes in."""
    out_channels: int = 3
    """Channels of the image that comes out."""
    width: int = 64
    """Channels at an eighth of the size and below; half as many at a quarter, a quarter as many at half the size."""
    blocks: int = 2
    """Residual blocks at an eighth of the size, and as many at a sixteenth."""
    norm: Norm = "group"
    """Normalisation after each convolution but the last."""
    attention: bool = field(default=False, metadata={"formerly": False})  # of files that do not say it
    """Whether it also makes a mask: where that is 0 the image stays as it is."""

    def __post_init__(self) -> None:
        check_attention(self.attention, self.in_channels, self.out_channels)
        check(
            min(self.in_channels, self.out_channels, self.width) >= 1 and self.blocks >= 0,
            f"A compact generator needs at least 1 channel and width 1 and no negative number of blocks; got {self}.",
        )


@generator("compact")
class CompactGenerator(nn.Module):
    """For few core-seconds: residual blocks at an eighth and a sixteenth of the size, skips on the way up.

    Images ``(N, in_channels, H, W)`` in [-1, 1] to ``(N, out_channels, H, W)``; H and W are multiples of 16.
    """

    Config = CompactConfig
    multiple: ClassVar[int] = 16

    def __init__(self, config: CompactConfig):
        super().__init__()
        self.config = config
        c, bias = config.width, config.norm in ("none", "group")
        half, quarter = -(-c // 4), -(-c // 2)

        def stage(c_in: int, c_out: int, kernel: int = 3) -> nn.Sequential:
            conv = nn.Conv2d(c_in, c_out, kernel, 2 if kernel == 4 else 1, 1, bias=bias)
            return nn.Sequential(conv, norm_layer(config.norm)(c_out), nn.LeakyReLU(0.2, inplace=True))

        self.down1 = stage(4 * config.in_channels, half)
        self.down2 = stage(half, quarter, 4)
        self.down3 = stage(quarter, c, 4)
        self.down4 = stage(c, c, 4)
        self.deep = nn.Sequential(*(_Residual(c, config.norm) for _ in range(config.blocks)))
        self.middle = nn.Sequential(*(_Residual(c, config.norm) for _ in range(config.blocks)))
        self.up8, self.mixed8 = stage(c, c), stage(2 * c, quarter)
        self.up4, self.up2 = stage(2 * quarter, half), stage(2 * half, half)
        self.last = nn.Conv2d(half + config.in_channels, config.out_channels + config.attention, 3, padding=1)

    @staticmethod
    def for_size(values: dict[str, Any], size_px: SizePx) -> dict[str, Any]:
        """Return ``values``; refuse sizes that it cannot be trained at."""
        fits = all(side % 16 == 0 and side >= 32 for side in sizes.sides(size_px))
        got = sizes.words(size_px)
        check(fits, f"A compact generator trains at multiples of 16 px from 32 px on; got --size {got}.")
        return values

    def finish_initialisation(self, generator: torch.Generator) -> None:
        """Draw the last layer near 0: images begin grey, or as half of the input where there is a mask."""
        nn.init.normal_(self.last.weight, 0.0, 0.01, generator=generator)

    @property
    def feature_layers(self) -> tuple[str, ...]:
        """Names of layers: "down1" at half the size to "down3" at an eighth, "deep", "up8" at an eighth to "up2"."""
        names = ("down1", "down2", "down3", "deep", "up8", "mixed8", "up4", "up2")
        return names + ("mask",) * self.config.attention

    def forward(self, x: Tensor, features: tuple[str, ...] = ()) -> Any:
        """``(N, in_channels, H, W)`` to ``(N, out_channels, H, W)``; with ``features`` also what these layers give."""
        half = self.down1(F.pixel_unshuffle(x, 2))
        quarter = self.down2(half)
        eighth = self.down3(quarter)
        deep = self.deep(self.down4(eighth))
        eighth = self.middle(eighth)
        up8 = self.up8(_doubled(deep))
        mixed8 = self.mixed8(torch.cat([up8, eighth], 1))
        up4 = self.up4(torch.cat([_doubled(mixed8), quarter], 1))
        up2 = self.up2(torch.cat([_doubled(up4), half], 1))
        full = F.interpolate(up2, scale_factor=2.0, mode="bilinear", align_corners=False)
        y = torch.tanh(self.last(torch.cat([full, x], 1)))
        found = {"down1": half, "down2": quarter, "down3": eighth, "deep": deep}
        found |= {"up8": up8, "mixed8": mixed8, "up4": up4, "up2": up2}
        if self.config.attention:
            y, found["mask"] = attended(y, x)
        return (y, {name: found[name] for name in features}) if features else y


class _Residual(nn.Module):
    """Two 3x3 convolutions whose result is added to the input: ``(N, C, H, W)`` to the same."""

    def __init__(self, channels: int, norm: Norm):
        super().__init__()
        bias = norm in ("none", "group")
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=bias),
            norm_layer(norm)(channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, padding=1, bias=bias),
            norm_layer(norm)(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """``(N, C, H, W)`` to the same."""
        return x + self.body(x)


def _doubled(x: Tensor) -> Tensor:
    """Every pixel twice in both directions."""
    return F.interpolate(x, scale_factor=2.0, mode="nearest")
