"""GAN: the first one, noise to images with fully connected networks.

Goodfellow et al.: Generative Adversarial Nets. NeurIPS 2014, arXiv 1406.2661.
"""

from dataclasses import dataclass, field

import torch

from viceversa.methods.augmented import AugmentedConfig
from viceversa.methods.noise import LatentSettings, NoiseConfig, NoiseMethod, Objective
from viceversa.methods.settings import check_at_least
from viceversa.networks import MaxoutConfig, MaxoutDiscriminator, MLPGenerator, MLPGeneratorConfig
from viceversa.networks.layers import Initialisation


@dataclass(frozen=True, kw_only=True)
class FullyConnectedConfig:
    """The networks of the paper's experiments (Sec. 5), at the sizes of its published settings for MNIST."""

    width: int = 1200
    """Units of each of the generator's hidden layers."""
    layers: int = 2
    """Hidden layers, of the generator and of the discriminator."""
    discriminator_width: int = 240
    """Maxout units of each of the discriminator's hidden layers."""
    pieces: int = 5
    """Linear functions of which a maxout unit takes the largest."""
    dropout: bool = True
    """Dropout in the discriminator."""
    init: Initialisation = "xavier"
    """How weights are drawn."""
    init_gain: float = 1.0
    """Standard deviation of the normal initialisation, factor of xavier and orthogonal; kaiming has none."""

    def __post_init__(self) -> None:
        check_at_least(self, width=1, layers=1, discriminator_width=1, pieces=1)


@dataclass(frozen=True, kw_only=True)
class GANConfig(NoiseConfig):
    """GAN's settings; Adam instead of the paper's momentum, which had not been published then."""

    networks: FullyConnectedConfig = field(default_factory=FullyConnectedConfig)
    latents: LatentSettings = field(default_factory=LatentSettings)
    augmented: AugmentedConfig = field(default_factory=AugmentedConfig)
    objective: Objective = "bce"
    """What both sides minimise: bce is the form that the paper trains with (Sec. 3), minimax the one of its theory."""


class GAN(NoiseMethod):
    """A generator and a discriminator of fully connected layers, which take turns (Algorithm 1 with k = 1)."""

    name = "gan"
    paper = "Goodfellow et al. 2014, arXiv 1406.2661"
    Config = GANConfig
    layout_on_cpu = torch.contiguous_format

    def make_networks(self, channels: int, size_px: int) -> None:
        """Generator and discriminator of fully connected layers."""
        c, latents = self.config.networks, self.config.latents
        self.g = MLPGenerator(
            MLPGeneratorConfig(
                latent=latents.latent,
                prior=latents.prior,
                out_channels=channels,
                size_px=size_px,
                width=c.width,
                layers=c.layers,
            )
        )
        self.d = MaxoutDiscriminator(
            MaxoutConfig(
                in_channels=channels,
                size_px=size_px,
                width=c.discriminator_width,
                pieces=c.pieces,
                layers=c.layers,
                dropout=c.dropout,
            )
        )
