"""DCGAN: noise to pictures with convolutions and batch normalisation.

Radford, Metz and Chintala: Unsupervised Representation Learning with Deep Convolutional Generative Adversarial
Networks. ICLR 2016, arXiv 1511.06434.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch

from viceversa.losses import OBJECTIVES
from viceversa.methods.base import Batch, Iteration, Update
from viceversa.methods.noise import ConvolutionalConfig, LatentSettings, NoiseConfig, NoiseMethod, Objective, noise
from viceversa.networks import apply_to_each


@dataclass(frozen=True, kw_only=True)
class DCGANConfig(NoiseConfig):
    """DCGAN's settings; the defaults are the paper's."""

    networks: ConvolutionalConfig = field(default_factory=ConvolutionalConfig)
    latents: LatentSettings = field(default_factory=lambda: LatentSettings(prior="uniform"))
    objective: Objective = "bce"
    """What both sides minimise."""


class DCGAN(NoiseMethod):
    """A convolutional generator and a convolutional discriminator."""

    name = "dcgan"
    paper = "Radford et al. 2016, arXiv 1511.06434"
    Config = DCGANConfig
    layout_on_cpu = torch.channels_last  # a tenth faster with batch norm

    def __init__(self, config: DCGANConfig):
        super().__init__(config)
        channels, size_px = config.data.channels or 3, config.data.size_px
        self.g = config.networks.make_generator(config.latents, channels, size_px)
        self.d = config.networks.make_discriminator(channels, size_px)

    def step(self, batch: Batch, iteration: Iteration) -> Iterator[Update]:
        """The discriminator first, then the generator, on the same fakes."""
        real, _ = batch
        objective = OBJECTIVES[self.config.objective]
        fake = self.g(noise(self.g.config, iteration, real))
        on_real, on_fake = apply_to_each(self.d, real, fake.detach())
        yield Update("discriminator", {"d_real": objective.real(on_real), "d_fake": objective.fake(on_fake)})
        yield Update("generator", {"gan": objective.generator(self.d(fake))})
