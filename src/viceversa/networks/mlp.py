"""The fully connected networks of the first GAN (Goodfellow et al. 2014, arXiv 1406.2661, Sec. 5)."""

from dataclasses import dataclass

from torch import Tensor, nn

from viceversa.errors import ConfigError
from viceversa.networks.latent import LatentConfig
from viceversa.networks.registry import discriminator, sampler


@dataclass(frozen=True, kw_only=True)
class MLPGeneratorConfig(LatentConfig):
    """What a fully connected generator is made of."""

    out_channels: int = 1
    """Channels of the image that comes out."""
    size_px: int = 32
    """Pixels of a side of the image."""
    width: int = 1200
    """Units of a hidden layer."""
    layers: int = 2
    """Hidden layers."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.out_channels, self.size_px, self.width, self.layers) < 1:
            raise ConfigError(f"A fully connected generator needs at least 1 of everything; got {self}.")


@sampler("mlp")
class MLPGenerator(nn.Module):
    """Noise ``(N, inputs)`` to images ``(N, out_channels, S, S)`` in [-1, 1], through layers of ReLU."""

    Config = MLPGeneratorConfig

    def __init__(self, config: MLPGeneratorConfig):
        super().__init__()
        self.config = config
        hidden: list[nn.Module] = []
        for index in range(config.layers):
            hidden += [nn.Linear(config.width if index else config.inputs, config.width), nn.ReLU(inplace=True)]
        self.body = nn.Sequential(
            *hidden,
            nn.Linear(config.width, config.out_channels * config.size_px**2),
            nn.Tanh(),
        )

    def forward(self, z: Tensor) -> Tensor:
        """``(N, inputs)`` to ``(N, out_channels, S, S)``."""
        c = self.config
        return self.body(z).view(-1, c.out_channels, c.size_px, c.size_px)


@dataclass(frozen=True, kw_only=True)
class MaxoutConfig:
    """What a maxout discriminator is made of."""

    in_channels: int = 1
    """Channels of the image that it judges."""
    size_px: int = 32
    """Pixels of a side of the image."""
    width: int = 240
    """Maxout units of a layer."""
    pieces: int = 5
    """Linear functions of which a unit takes the largest."""
    layers: int = 2
    """Maxout layers."""
    dropout: bool = True
    """Dropout of 0.2 on the image and of 0.5 on each layer."""

    def __post_init__(self) -> None:
        if min(self.in_channels, self.size_px, self.width, self.pieces, self.layers) < 1:
            raise ConfigError(f"A maxout discriminator needs at least 1 of everything; got {self}.")


@discriminator("maxout")
class MaxoutDiscriminator(nn.Module):
    """Judges whole images by layers that are fully connected (Goodfellow et al. 2013, arXiv 1302.4389).

    Images ``(N, in_channels, S, S)`` in [-1, 1] to logits ``(N, 1)``.
    """

    Config = MaxoutConfig

    def __init__(self, config: MaxoutConfig):
        super().__init__()
        self.config = config
        widths = [config.in_channels * config.size_px**2, *[config.width] * config.layers]
        shares = [0.2, *[0.5] * config.layers] if config.dropout else [0.0] * (config.layers + 1)
        self.hidden = nn.ModuleList(nn.Linear(w, config.width * config.pieces) for w in widths[:-1])
        self.dropouts = nn.ModuleList(nn.Dropout(share) for share in shares)
        self.head = nn.Linear(config.width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """``(N, in_channels, S, S)`` to ``(N, 1)``."""
        x = self.dropouts[0](x.flatten(1))
        for layer, dropout in zip(self.hidden, list(self.dropouts)[1:], strict=True):
            x = dropout(layer(x).unflatten(1, (self.config.width, self.config.pieces)).amax(dim=2))
        return self.head(x)
