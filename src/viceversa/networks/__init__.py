"""Generators and discriminators: plain modules, each made from one frozen dataclass."""

from viceversa.networks.cartoon import (
    CartoonConfig,
    CartoonDiscriminator,
    CartoonDiscriminatorConfig,
    CartoonGenerator,
)
from viceversa.networks.compact import CompactConfig, CompactGenerator
from viceversa.networks.dcgan import (
    DCGANDiscriminator,
    DCGANDiscriminatorConfig,
    DCGANGenerator,
    DCGANGeneratorConfig,
)
from viceversa.networks.feature_layers import features
from viceversa.networks.latent import LatentConfig
from viceversa.networks.layers import apply_to_each, initialise
from viceversa.networks.mlp import MaxoutConfig, MaxoutDiscriminator, MLPGenerator, MLPGeneratorConfig
from viceversa.networks.patchgan import PatchGAN, PatchGANConfig
from viceversa.networks.projected import ProjectedConfig, ProjectedDiscriminator
from viceversa.networks.registry import (
    DISCRIMINATORS,
    GENERATORS,
    SAMPLERS,
    discriminator,
    generator,
    sampler,
)
from viceversa.networks.resnet import ResNetConfig, ResNetGenerator
from viceversa.networks.unet import UNetConfig, UNetGenerator

__all__ = [
    "DISCRIMINATORS",
    "GENERATORS",
    "SAMPLERS",
    "CartoonConfig",
    "CartoonDiscriminator",
    "CartoonDiscriminatorConfig",
    "CartoonGenerator",
    "CompactConfig",
    "CompactGenerator",
    "DCGANDiscriminator",
    "DCGANDiscriminatorConfig",
    "DCGANGenerator",
    "DCGANGeneratorConfig",
    "LatentConfig",
    "MLPGenerator",
    "MLPGeneratorConfig",
    "MaxoutConfig",
    "MaxoutDiscriminator",
    "PatchGAN",
    "PatchGANConfig",
    "ProjectedConfig",
    "ProjectedDiscriminator",
    "ResNetConfig",
    "ResNetGenerator",
    "UNetConfig",
    "UNetGenerator",
    "apply_to_each",
    "discriminator",
    "features",
    "generator",
    "initialise",
    "sampler",
]
