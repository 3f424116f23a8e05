"""GAN: the first one, noise to pictures with fully connected networks.

Goodfellow et al.: Generative Adversarial Nets. NeurIPS 2014, arXiv 1406.2661.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from viceversa.losses import OBJECTIVES
from viceversa.methods.base import Batch, Iteration, Update
from viceversa.methods.noise import LatentSettings, NoiseConfig, NoiseMethod, Objective, noise
from viceversa.methods.settings import check_at_least
from viceversa.networks import MaxoutConfig, MaxoutDiscriminator, MLPGenerator, MLPGeneratorConfig, apply_to_each
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
    objective: Objective = "bce"
    """What both sides minimise: bce is the form that the paper trains with (Sec. 3), minimax the one of its theory."""


class GAN(NoiseMethod):
    """A generator and a discriminator of fully connected layers."""

    name = "gan"
    paper = "Goodfellow et al. 2014, arXiv 1406.2661"
    Config = GANConfig

    def __init__(self, config: GANConfig):
        super().__init__(config)
        c, data = config.networks, config.data
        channels, size_px = data.channels or 1, data.size_px
        self.g = MLPGenerator(
            MLPGeneratorConfig(
                latent=config.latents.latent,
                prior=config.latents.prior,
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

    def step(self, batch: Batch, iteration: Iteration) -> Iterator[Update]:
        """The discriminator first, then the generator (Algorithm 1 with k = 1)."""
        real, _ = batch
        objective = OBJECTIVES[self.config.objective]
        fake = self.g(noise(self.g.config, iteration, real))
        on_real, on_fake = apply_to_each(self.d, real, fake.detach())
        yield Update("discriminator", {"d_real": objective.real(on_real), "d_fake": objective.fake(on_fake)})
        yield Update("generator", {"gan": objective.generator(self.d(fake))})
