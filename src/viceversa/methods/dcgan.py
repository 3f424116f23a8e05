"""DCGAN: noise to images with convolutions and batch normalisation.

Radford, Metz and Chintala: Unsupervised Representation Learning with Deep Convolutional Generative Adversarial
Networks. ICLR 2016, arXiv 1511.06434.
"""

from dataclasses import dataclass, field

from viceversa.methods.augmented import AugmentedConfig
from viceversa.methods.noise import ConvolutionalConfig, LatentSettings, NoiseConfig, NoiseMethod, Objective


@dataclass(frozen=True, kw_only=True)
class DCGANConfig(NoiseConfig):
    """DCGAN's settings; the defaults are the paper's."""

    networks: ConvolutionalConfig = field(default_factory=ConvolutionalConfig)
    latents: LatentSettings = field(default_factory=lambda: LatentSettings(prior="uniform"))
    augmented: AugmentedConfig = field(default_factory=AugmentedConfig)
    objective: Objective = "bce"
    """What both sides minimise."""


class DCGAN(NoiseMethod):
    """A convolutional generator and a convolutional discriminator."""

    name = "dcgan"
    paper = "Radford et al. 2016, arXiv 1511.06434"
    Config = DCGANConfig
