"""The U-Net generator (Ronneberger et al. 2015, arXiv 1505.04597; as in pix2pix, arXiv 1611.07004, Sec. 6.1)."""

import math
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from viceversa import sizes
from viceversa.errors import ConfigError
from viceversa.networks.layers import Norm, attended, check_attention, check_dropout_rate, norm_layer
from viceversa.networks.registry import generator
from viceversa.sizes import SizePx


@dataclass(frozen=True, kw_only=True)
class UNetConfig:
    """What a U-Net generator is made of."""

    in_channels: int = 3
    """Channels of the image that goes in."""
    out_channels: int = 3
    """Channels of the image that comes out."""
    width: int = 64
    """Channels of the first level; doubled at each level until eight times as many."""
    levels: int = 8
    """How often the size is halved: 8 brings 256 px down to 1, 7 brings 128 px."""
    norm: Norm = "batch"
    """Normalisation after each convolution but the outermost ones and the innermost on its way down."""
    dropout: bool = True
    """Dropout in the decoder's widest levels other than the innermost: pix2pix's only noise."""
    dropout_rate: float = field(default=0.5, metadata={"formerly": 0.5})  # of files that do not say it
    """Share of the values that dropout drops."""
    attention: bool = field(default=False, metadata={"formerly": False})  # of files that do not say it
    """Whether it also makes a mask: where that is 0 the image stays as it is."""

    def __post_init__(self) -> None:
        check_attention(self.attention, self.in_channels, self.out_channels)
        if min(self.in_channels, self.out_channels, self.width) < 1 or not 2 <= self.levels <= 12:
            raise ConfigError(f"A U-Net needs at least 1 channel, width 1 and 2 to 12 levels; got {self}.")
        check_dropout_rate(self.dropout_rate)


@generator("unet")
class UNetGenerator(nn.Module):
    """Encoder and decoder with skips between them, as in pix2pix (Ronneberger et al. 2015, arXiv 1505.04597).

    Images ``(N, in_channels, H, W)`` in [-1, 1] to ``(N, out_channels, H, W)``; H, W multiples of 2^levels.
    """

    Config = UNetConfig

    def __init__(self, config: UNetConfig):
        super().__init__()
        self.config = config
        self.multiple = 2**config.levels
        norm = norm_layer(config.norm)
        widths = [config.width * min(2**level, 8) for level in range(config.levels)]
        last = config.levels - 1
        # As published: a layer without normalisation has a bias, unless the network is one with batch norm.
        bare_bias = config.norm != "batch"
        norm_bias = config.norm == "none"

        self.down = nn.ModuleList()
        self.up = nn.ModuleList()
        for level, c in enumerate(widths):
            c_in = config.in_channels if level == 0 else widths[level - 1]
            normed = 0 < level < last  # a 1x1 map has nothing to normalise
            conv = nn.Conv2d(c_in, c, 4, stride=2, padding=1, bias=norm_bias if normed else bare_bias)
            self.down.append(nn.Sequential(conv, norm(c)) if normed else conv)
        for level, c in enumerate(widths):
            c_in = c if level == last else 2 * c
            if level == 0:
                self.up.append(nn.ConvTranspose2d(c_in, config.out_channels + config.attention, 4, stride=2, padding=1))
                continue
            c_out = widths[level - 1]
            conv = nn.ConvTranspose2d(c_in, c_out, 4, stride=2, padding=1, bias=norm_bias)
            drop = config.dropout and 4 <= level < last
            self.up.append(nn.Sequential(conv, norm(c_out), *([nn.Dropout(config.dropout_rate)] if drop else [])))

    @staticmethod
    def for_size(values: dict[str, Any], size_px: SizePx) -> dict[str, Any]:
        """Return ``values`` with as many levels as this size can be halved, at most 8, where they do not say it."""
        common = math.gcd(*sizes.sides(size_px))
        halvings = (common & -common).bit_length() - 1  # how often both sides can be halved
        levels = values.get("levels", min(8, halvings))
        if levels < 2:
            raise ConfigError(f"A U-Net trains at multiples of 4 px; got --size {sizes.words(size_px)}.")
        if common % 2**levels:
            raise ConfigError(
                f"A U-Net of {levels} levels trains at multiples of {2**levels} px; got --size "
                f"{sizes.words(size_px)}. Choose such a size, or other --levels."
            )
        return {**values, "levels": levels}

    @property
    def feature_layers(self) -> tuple[str, ...]:
        """Names of layers: "down1" at half the size, "down2" and so on, and "up1" at the full size."""
        names = tuple(f"{way}{level + 1}" for way in ("down", "up") for level in range(self.config.levels))
        return names + ("mask",) * self.config.attention

    def forward(self, x: Tensor, features: tuple[str, ...] = ()) -> Any:
        """``(N, in_channels, H, W)`` to ``(N, out_channels, H, W)``; with ``features`` also what these layers give."""
        image, found = x, dict[str, Tensor]()
        skips: list[Tensor] = []
        for level, down in enumerate(self.down):
            if level:
                # The published code activates in place before the skip is taken, so skips are LeakyReLU'd.
                x = F.leaky_relu(x, 0.2)
                skips.append(x)
            x = found[f"down{level + 1}"] = down(x)
        for level in reversed(range(len(self.up))):
            x = found[f"up{level + 1}"] = self.up[level](F.relu(x))
            if level:
                x = torch.cat([skips[level - 1], x], 1)  # (N, 2 * widths[level - 1], H / 2^level, W / 2^level)
        x = torch.tanh(x)
        if self.config.attention:
            x, found["mask"] = attended(x, image)
        return (x, {name: found[name] for name in features}) if features else x
