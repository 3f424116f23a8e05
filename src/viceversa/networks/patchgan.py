"""The PatchGAN discriminator (pix2pix, Isola et al. 2017, arXiv 1611.07004, Sec. 3.2.2 and 6.1.2)."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from viceversa import sizes
from viceversa.errors import ConfigError
from viceversa.networks.feature_layers import stages
from viceversa.networks.layers import DiscriminatorNorm, norm_layer, normalise_weights
from viceversa.networks.registry import discriminator
from viceversa.sizes import SizePx


@dataclass(frozen=True, kw_only=True)
class PatchGANConfig:
    """What a PatchGAN discriminator is made of."""

    in_channels: int = 3
    """Channels of what it judges; for pairs, those of both images together."""
    width: int = 64
    """Channels of the first layer; doubled at each layer until eight times as many."""
    layers: int = 3
    """Stride-2 layers, 0 to 6: 3 sees patches of 70 px; 0 is the 1x1 form that judges each pixel by itself."""
    norm: DiscriminatorNorm = "instance"
    """Normalisation of the layers between the first and the last."""

    def __post_init__(self) -> None:
        if min(self.in_channels, self.width) < 1 or not 0 <= self.layers <= 6:
            raise ConfigError(f"A PatchGAN needs at least 1 channel, width 1 and 0 to 6 layers; got {self}.")


@discriminator("patchgan")
class PatchGAN(nn.Module):
    """Judges overlapping patches, as in pix2pix and CycleGAN (Isola et al. 2017, arXiv 1611.07004).

    ``(N, in_channels, H, W)`` to one logit a patch, ``(N, 1, h, w)``: high where the patch looks real.
    """

    Config = PatchGANConfig

    def __init__(self, config: PatchGANConfig):
        super().__init__()
        self.config = config
        norm, bias = norm_layer(config.norm), config.norm in ("none", "spectral")

        def stage(c_in: int, c_out: int, kernel: int, stride: int, padding: int) -> list[nn.Module]:
            conv = nn.Conv2d(c_in, c_out, kernel, stride, padding, bias=bias)
            return [conv, norm(c_out), nn.LeakyReLU(0.2, inplace=True)]

        c = config.width
        if config.layers == 0:
            body = [nn.Conv2d(config.in_channels, c, 1), nn.LeakyReLU(0.2, inplace=True), *stage(c, 2 * c, 1, 1, 0)]
            self.body = nn.Sequential(*body, nn.Conv2d(2 * c, 1, 1, bias=config.norm != "batch"))
            normalise_weights(self, config.norm)
            return
        body = [nn.Conv2d(config.in_channels, c, 4, stride=2, padding=1), nn.LeakyReLU(0.2, inplace=True)]
        widths = [c * min(2**layer, 8) for layer in range(config.layers + 1)]
        for layer in range(1, config.layers + 1):
            body += stage(widths[layer - 1], widths[layer], 4, 2 if layer < config.layers else 1, 1)
        self.body = nn.Sequential(*body, nn.Conv2d(widths[-1], 1, 4, padding=1))
        normalise_weights(self, config.norm)

    @staticmethod
    def for_size(values: dict[str, Any], size_px: SizePx) -> dict[str, Any]:
        """Return ``values``; refuse sizes that are too small for its layers."""
        layers = values.get("layers", 3)
        smallest = 3 * 2**layers if layers else 2  # the last two layers take a pixel each
        if min(sizes.sides(size_px)) < smallest:
            raise ConfigError(
                f"A PatchGAN of {layers} layers needs images of at least {smallest} px; got --size "
                f"{sizes.words(size_px)}. Choose fewer --discriminator-layers."
            )
        return values

    @property
    def feature_layers(self) -> tuple[str, ...]:
        """Names of layers: "layer1" and so on, each after its activation, as feature matching takes them."""
        return tuple(name for name in self._layers() if name.startswith("layer"))

    def forward(self, x: Tensor, features: tuple[str, ...] = ()) -> Any:
        """``(N, in_channels, H, W)`` to ``(N, 1, h, w)`` logits; with ``features`` also what these layers give."""
        return stages(self._layers(), x, features) if features else self.body(x)

    def _layers(self) -> dict[str, nn.Module]:
        layers: dict[str, nn.Module] = {}
        for index, layer in enumerate(self.body):
            ends = isinstance(layer, nn.LeakyReLU)
            layers[f"layer{sum(name[0] == 'l' for name in layers) + 1}" if ends else f"body.{index}"] = layer
        return layers
