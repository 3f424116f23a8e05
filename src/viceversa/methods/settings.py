"""The settings that methods share: optimizer, schedule, networks, adversarial objective."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import nn

from viceversa import sizes
from viceversa.errors import ConfigError
from viceversa.networks import (
    PatchGAN,
    PatchGANConfig,
    ResNetConfig,
    ResNetGenerator,
    UNetConfig,
    UNetGenerator,
)
from viceversa.networks.layers import Initialisation, Norm, check_dropout_rate
from viceversa.sizes import SizePx

AdversarialName = Literal["lsgan", "bce", "hinge", "minimax", "wgan-gp"]

_MAY_DIFFER = {"may_differ": True}  # a run can go on for longer; see viceversa.config.difference


def check_at_least(settings: object, **least: int) -> None:
    """Refuses settings, called by their names, that are smaller than they may be; those left out (None) are not.

    Raises:
        ConfigError: With the flag.
    """
    for name, smallest in least.items():
        value = getattr(settings, name)
        if value is not None and value < smallest:
            raise ConfigError(f"--{name.replace('_', '-')} must be at least {smallest}; got {value}.")


@dataclass(frozen=True, kw_only=True)
class OptimizerConfig(ABC):
    """The learning rate over the run, whichever optimizer it is for."""

    learning_rate: float = 2e-4
    """Step size in the first part of the run; 0 leaves networks as they are."""
    constant: float = 0.5
    """Share of the run with the full learning rate; after it the rate falls linearly to 0."""

    def __post_init__(self) -> None:
        if self.learning_rate < 0:
            raise ConfigError(f"--learning-rate must not be negative; got {self.learning_rate}.")
        if not 0 <= self.constant <= 1:
            raise ConfigError(f"--constant is a share of the run, 0 to 1; got {self.constant}.")

    def factor(self, progress: float) -> float:
        """What the learning rate is multiplied by at ``progress`` in [0, 1]."""
        if progress <= self.constant:
            return 1.0
        return max(0.0, (1 - progress) / (1 - self.constant))

    @abstractmethod
    def make(self, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        """The optimizer of ``parameters``."""


@dataclass(frozen=True, kw_only=True)
class AdamConfig(OptimizerConfig):
    """Adam (Kingma and Ba 2015, arXiv 1412.6980)."""

    beta1: float = 0.5
    """Decay of the gradients' mean."""
    beta2: float = 0.999
    """Decay of the gradients' squares."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (0 <= self.beta1 < 1 and 0 <= self.beta2 < 1):
            raise ConfigError(f"--beta1 and --beta2 must be in [0, 1); got {self.beta1} and {self.beta2}.")

    def make(self, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        """Adam, with one pass over memory instead of ten where torch has that."""
        fused = all(parameter.device.type in ("cpu", "cuda") for parameter in parameters)
        return torch.optim.Adam(parameters, lr=self.learning_rate, betas=(self.beta1, self.beta2), fused=fused)


@dataclass(frozen=True, kw_only=True)
class RMSpropConfig(OptimizerConfig):
    """RMSprop (Tieleman and Hinton 2012, lecture 6.5)."""

    learning_rate: float = 5e-5
    """Step size in the first part of the run."""
    constant: float = 1.0
    """Share of the run with the full learning rate; after it the rate falls linearly to 0."""
    decay: float = 0.99
    """Decay of the gradients' squares."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.decay < 1:
            raise ConfigError(f"--decay must be in [0, 1); got {self.decay}.")

    def make(self, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        """RMSprop, all parameters of a kind in one call."""
        return torch.optim.RMSprop(parameters, lr=self.learning_rate, alpha=self.decay, foreach=True)


@dataclass(frozen=True, kw_only=True)
class ScheduleConfig:
    """How much is trained on."""

    batch: int = 1
    """Pictures of each kind that a process takes at once."""
    epochs: float = field(default=200, metadata=_MAY_DIFFER)
    """Passes over the data set (its larger side)."""
    images: int | None = field(default=None, metadata=_MAY_DIFFER)
    """Pictures seen in all, instead of epochs."""

    def __post_init__(self) -> None:
        if self.batch < 1:
            raise ConfigError(f"--batch must be at least 1; got {self.batch}.")
        if self.images is not None and self.images < 1:
            raise ConfigError(f"--images must be at least 1; got {self.images}.")
        if self.epochs <= 0:
            raise ConfigError(f"--epochs must be above 0; got {self.epochs}.")

    def total_images(self, epoch_images: int) -> int:
        """Pictures seen in the whole run."""
        return self.images if self.images is not None else max(1, round(self.epochs * epoch_images))


@dataclass(frozen=True, kw_only=True)
class NetworksConfig:
    """Generators and discriminators of a translation method."""

    generator: Literal["resnet", "unet"] = "resnet"
    """The kind of generator."""
    width: int = 64
    """Channels of the generator's first layer."""
    blocks: int | None = None
    """ResNet: residual blocks; left out: 9 above 128 x 128 px, 6 up to there."""
    levels: int | None = None
    """U-Net: how often both sides are halved; left out: as often as can be, at most 8 times."""
    norm: Norm = "instance"
    """Normalisation, in generators and discriminators."""
    discriminator_norm: Norm | None = None
    """Normalisation in discriminators, where it is to be another; with a gradient penalty it cannot be batch."""
    dropout: bool = False
    """Dropout in the generator."""
    dropout_rate: float = 0.5
    """Share of the values that dropout drops."""
    upsample: Literal["transposed", "resize"] = "transposed"
    """ResNet: how the decoder doubles its size; resize avoids checkerboards."""
    discriminator_width: int = 64
    """Channels of the discriminator's first layer."""
    discriminator_layers: int = 3
    """Stride-2 layers of the PatchGAN, 1 to 6 (3 sees 70 px); 0 judges each pixel by itself."""
    init: Initialisation = "normal"
    """How weights are drawn."""
    init_gain: float = 0.02
    """Standard deviation of the normal initialisation, factor of xavier and orthogonal; kaiming has none."""

    def __post_init__(self) -> None:
        check_at_least(self, width=1, discriminator_width=1, blocks=0)
        if self.levels is not None and not 2 <= self.levels <= 12:
            raise ConfigError(f"--levels must be 2 to 12; got {self.levels}.")
        if not 0 <= self.discriminator_layers <= 6:
            raise ConfigError(f"--discriminator-layers must be 0 to 6; got {self.discriminator_layers}.")
        check_dropout_rate(self.dropout_rate)
        if self.dropout_rate != 0.5 and not self.dropout:
            raise ConfigError(f"--dropout-rate {self.dropout_rate} does nothing without --dropout; give both.")

    def make_generator(self, in_channels: int, out_channels: int, size_px: SizePx) -> nn.Module:
        """A generator for pictures of ``size_px``; its weights are not drawn yet."""
        if self.generator == "resnet":
            if any(side % 4 or side < 8 for side in sizes.sides(size_px)):
                got = sizes.words(size_px)
                raise ConfigError(f"A ResNet generator trains at multiples of 4 px from 8 px on; got --size {got}.")
            blocks = self.blocks if self.blocks is not None else (9 if sizes.pixels(size_px) > 128**2 else 6)
            return ResNetGenerator(
                ResNetConfig(
                    in_channels=in_channels,
                    out_channels=out_channels,
                    width=self.width,
                    blocks=blocks,
                    norm=self.norm,
                    dropout=self.dropout,
                    dropout_rate=self.dropout_rate,
                    upsample=self.upsample,
                )
            )
        common = math.gcd(*sizes.sides(size_px))
        halvings = (common & -common).bit_length() - 1  # how often both sides can be halved
        levels = self.levels if self.levels is not None else min(8, halvings)
        if levels < 2:
            raise ConfigError(f"A U-Net trains at multiples of 4 px; got --size {sizes.words(size_px)}.")
        if common % 2**levels:
            raise ConfigError(
                f"A U-Net of {levels} levels trains at multiples of {2**levels} px; got --size "
                f"{sizes.words(size_px)}. Choose such a size, or other --levels."
            )
        return UNetGenerator(
            UNetConfig(
                in_channels=in_channels,
                out_channels=out_channels,
                width=self.width,
                levels=levels,
                norm=self.norm,
                dropout=self.dropout,
                dropout_rate=self.dropout_rate,
            )
        )

    def make_discriminator(self, in_channels: int, size_px: SizePx) -> PatchGAN:
        """A discriminator for pictures of ``size_px``; its weights are not drawn yet."""
        layers = self.discriminator_layers
        smallest = 3 * 2**layers if layers else 2  # the last two layers take a pixel each
        if min(sizes.sides(size_px)) < smallest:
            raise ConfigError(
                f"A PatchGAN of {layers} layers needs pictures of at least {smallest} px; got --size "
                f"{sizes.words(size_px)}. Choose fewer --discriminator-layers."
            )
        return PatchGAN(
            PatchGANConfig(
                in_channels=in_channels,
                width=self.discriminator_width,
                layers=layers,
                norm=self.discriminator_norm or self.norm,
            )
        )


@dataclass(frozen=True, kw_only=True)
class AdversarialConfig:
    """The adversarial objective and its penalties."""

    objective: AdversarialName = "lsgan"
    """What discriminators and generators minimise; wgan-gp comes with its gradient penalty, minimax is for teaching."""
    discriminator_weight: float = 0.5
    """Factor of a discriminator's whole loss, penalties among it; both papers halve it."""
    lambda_gradient_penalty: float = 10.0
    """wgan-gp: weight of the gradient penalty."""
    r1_gamma: float = 0.0
    """Weight of the R1 penalty on real pictures; 0 leaves it out. The slope is that of the mean over the P patches of a
    picture: multiply the weight of code that sums them by P * P (30 x 30 patches at 256 px: by 810,000)."""

    def __post_init__(self) -> None:
        for name in ("lambda_gradient_penalty", "r1_gamma"):
            if getattr(self, name) < 0:
                raise ConfigError(f"--{name.replace('_', '-')} must not be negative; got {getattr(self, name)}.")
        if self.discriminator_weight <= 0:
            raise ConfigError(f"--discriminator-weight must be above 0; got {self.discriminator_weight}.")

    def check(self, networks: NetworksConfig) -> None:
        """Refuses a penalty on each picture's slope where pictures of a batch are tied together (WGAN-GP, Sec. 4)."""
        r1 = "--r1-gamma" if 0 < self.r1_gamma < math.inf else ""
        asked = "--objective wgan-gp" if self.objective == "wgan-gp" else r1
        if asked and (networks.discriminator_norm or networks.norm) == "batch":
            raise ConfigError(
                f"The penalty of {asked} is on each picture's slope by itself, which a discriminator with batch "
                "normalisation does not have. Pass --discriminator-norm instance."
            )
