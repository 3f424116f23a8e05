"""Generators and discriminators: plain modules, each made from one frozen dataclass."""

from viceversa.networks.layers import apply_to_each, initialise
from viceversa.networks.patchgan import PatchGAN, PatchGANConfig
from viceversa.networks.resnet import ResNetConfig, ResNetGenerator
from viceversa.networks.unet import UNetConfig, UNetGenerator

GENERATORS = {"resnet": ResNetGenerator, "unet": UNetGenerator}

__all__ = [
    "GENERATORS",
    "PatchGAN",
    "PatchGANConfig",
    "ResNetConfig",
    "ResNetGenerator",
    "UNetConfig",
    "UNetGenerator",
    "apply_to_each",
    "initialise",
]
