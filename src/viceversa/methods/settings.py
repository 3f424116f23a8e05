"""The settings that methods share: optimizer, schedule, networks, adversarial objective."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Annotated, Literal

import torch
import tyro
from torch import nn

from viceversa.errors import ConfigError, check, check_at_least
from viceversa.networks import DISCRIMINATORS, GENERATORS, registry
from viceversa.networks.layers import DiscriminatorNorm, Initialisation, Norm, check_dropout_rate
from viceversa.sizes import SizePx

AdversarialName = Literal["lsgan", "bce", "hinge", "relativistic", "minimax", "wgan-gp"]

_NO_OPTIONS = tyro.conf.arg(metavar="[NAME=VALUE [NAME=VALUE ...]]", help_behavior_hint="(default: none)")
_MAY_DIFFER = {"may_differ": True}  # a run can go on for longer; see viceversa.config.difference


def _dashes(name: str) -> str:
    return name.replace("_", "-")


@dataclass(frozen=True, kw_only=True)
class OptimizerConfig:
    """The optimizer of each group of networks, and its learning rate over the run."""

    optimizer: Literal["adam", "adamw", "rmsprop"] = "adam"
    """Adam (Kingma and Ba 2015), AdamW (Loshchilov and Hutter 2019) or RMSprop (Tieleman and Hinton 2012)."""
    learning_rate: float = 2e-4
    """Step size in the first part of the run; 0 leaves networks as they are."""
    generator_learning_rate: float | None = None
    """Step size of generators, where it is to be another than --learning-rate."""
    discriminator_learning_rate: float | None = None
    """Step size of discriminators or critics, where it is to be another (two time-scales: Heusel et al. 2017)."""
    constant: float = 0.5
    """Share of the run with the full learning rate; after it the rate falls to 0."""
    learning_rate_decay: Literal["linear", "cosine", "constant"] = "linear"
    """How the learning rate falls after that share: linearly, as half a cosine, or not at all."""
    learning_rate_warmup: float = 0.0
    """Share of the run over which the learning rate first rises from 0."""
    beta1: float = 0.5
    """Adam: decay of the gradients' mean."""
    beta2: float = 0.999
    """Adam: decay of the gradients' squares."""
    decay: float = 0.99
    """RMSprop: decay of the gradients' squares."""
    weight_decay: float | None = None
    """Weight decay; left out: 0.01 with adamw, else 0."""
    clip_norm: float = 0.0
    """Largest norm of a group's gradients: larger ones are scaled down to it; 0 leaves them as they are."""

    def __post_init__(self) -> None:
        for name in ("learning_rate", "generator_learning_rate", "discriminator_learning_rate"):
            check(
                (getattr(self, name) or 0) >= 0, f"--{_dashes(name)} must not be negative; got {getattr(self, name)}."
            )
        for name in ("weight_decay", "clip_norm"):
            check(
                (getattr(self, name) or 0) >= 0, f"--{_dashes(name)} must not be negative; got {getattr(self, name)}."
            )
        for name in ("constant", "learning_rate_warmup"):
            value = getattr(self, name)
            check(0 <= value <= 1, f"--{_dashes(name)} is a share of the run, 0 to 1; got {value}.")
        betas = f"got {self.beta1} and {self.beta2}"
        check(0 <= self.beta1 < 1 and 0 <= self.beta2 < 1, f"--beta1 and --beta2 must be in [0, 1); {betas}.")
        check(0 <= self.decay < 1, f"--decay must be in [0, 1); got {self.decay}.")
        check(
            self.learning_rate_decay != "cosine" or self.constant < 1,
            "--learning-rate-decay cosine has no part of the run to fall in with --constant 1. Add --constant 0.",
        )

    def factor(self, progress: float) -> float:
        """Return what the learning rate is multiplied by at ``progress``, the share of the run that is over."""
        warm = min(1.0, progress / self.learning_rate_warmup) if self.learning_rate_warmup else 1.0
        if progress <= self.constant or self.learning_rate_decay == "constant":
            return warm
        left = max(0.0, (1 - progress) / (1 - self.constant))
        return warm * (left if self.learning_rate_decay == "linear" else (1 - math.cos(math.pi * left)) / 2)

    def rate(self, group: str) -> float:
        """Return the full learning rate of the networks called ``group`` in `Method.groups`.

        Groups whose names begin with "generator" are generators, with "discriminator" or "critic" discriminators.
        """
        own = {"generator": self.generator_learning_rate}
        own |= dict.fromkeys(("discriminator", "critic"), self.discriminator_learning_rate)
        given = next((rate for role, rate in own.items() if group.startswith(role)), None)
        return self.learning_rate if given is None else given

    def make(self, group: str, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        """Return the optimizer of the ``parameters`` of ``group``."""
        rate, decay = self.rate(group), self.weight_decay
        if self.optimizer == "rmsprop":
            return torch.optim.RMSprop(parameters, lr=rate, alpha=self.decay, weight_decay=decay or 0.0, foreach=True)
        # One pass over memory instead of ten, where torch has that.
        fused = all(parameter.device.type in ("cpu", "cuda") for parameter in parameters)
        kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[self.optimizer]
        decay = (0.01 if self.optimizer == "adamw" else 0.0) if decay is None else decay
        return kind(parameters, lr=rate, betas=(self.beta1, self.beta2), weight_decay=decay, fused=fused)

    def check_groups(self, method: str, groups: Iterable[str]) -> None:
        """Refuse a rate of its own for a kind of networks that ``method`` does not train.

        Raises:
            ConfigError: With the flag.
        """
        for name, roles in {
            "generator_learning_rate": ("generator",),
            "discriminator_learning_rate": ("discriminator", "critic"),
        }.items():
            there = any(group.startswith(roles) for group in groups)
            check(
                getattr(self, name) is None or there,
                f"{method} trains no {roles[0]}: leave --{_dashes(name)} out and give --learning-rate.",
            )


@dataclass(frozen=True, kw_only=True)
class RMSpropConfig(OptimizerConfig):
    """The optimizer of each group of networks, and its learning rate over the run; RMSprop by default."""

    optimizer: Literal["adam", "adamw", "rmsprop"] = "rmsprop"
    """Adam (Kingma and Ba 2015), AdamW (Loshchilov and Hutter 2019) or RMSprop (Tieleman and Hinton 2012)."""
    learning_rate: float = 5e-5
    """Step size in the first part of the run."""
    constant: float = 1.0
    """Share of the run with the full learning rate; after it the rate falls to 0."""


@dataclass(frozen=True, kw_only=True)
class ScheduleConfig:
    """How much is trained on."""

    batch: int = 1
    """Images of each kind that a process takes at once."""
    epochs: float = field(default=200, metadata=_MAY_DIFFER)
    """Passes over the data set (its larger side)."""
    images: int | None = field(default=None, metadata=_MAY_DIFFER)
    """Images seen in all, instead of epochs."""
    minutes: float | None = field(default=None, metadata=_MAY_DIFFER)
    """Minutes of training in all, instead of epochs; on a CPU those of its own work, so other work does not count."""

    def __post_init__(self) -> None:
        check_at_least(self, batch=1, images=1)
        check(self.epochs > 0, f"--epochs must be above 0; got {self.epochs}.")
        check(self.minutes is None or self.minutes > 0, f"--minutes must be above 0; got {self.minutes}.")
        check(
            self.minutes is None or self.images is None,
            "--minutes and --images both say how long the run is; give one of them.",
        )

    def total_images(self, epoch_images: int) -> int:
        """Return how many images are seen in the whole run, where its length is not one of time."""
        return self.images if self.images is not None else max(1, round(self.epochs * epoch_images))


@dataclass(frozen=True, kw_only=True)
class NetworksConfig:
    """Generators and discriminators of a translation method."""

    generator: str = "resnet"
    """The generator: a name that viceversa methods lists, or that of one of your own (--import)."""
    generator_options: Annotated[tuple[str, ...], _NO_OPTIONS] = ()
    """More settings of the generator, as NAME=VALUE, that have no option here: those of one of your own."""
    discriminator: str = "patchgan"
    """The discriminator: a name that viceversa methods lists, or that of one of your own (--import)."""
    discriminator_options: Annotated[tuple[str, ...], _NO_OPTIONS] = ()
    """More settings of the discriminator, as NAME=VALUE."""
    width: int = 64
    """Channels of the generator's first layer; of compact, the most that it has."""
    blocks: int | None = None
    """ResNet: residual blocks; left out: 9 above 128 x 128 px, 6 up to there. Compact: at each of two scales; 2."""
    levels: int | None = None
    """U-Net: how often both sides are halved; left out: as often as can be, at most 8 times."""
    norm: Norm = "instance"
    """Normalisation, in generators and discriminators."""
    discriminator_norm: DiscriminatorNorm | None = None
    """Normalisation in discriminators, where it is to be another: spectral is of their weights; with a gradient penalty
    it cannot be batch."""
    attention: bool = False
    """The generator also makes a mask of what it changes: the rest of the image stays as it is."""
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
        for name in ("generator_options", "discriminator_options"):
            for option in getattr(self, name):
                check("=" in option, f"--{_dashes(name)} takes NAME=VALUE; got {option}.")
        check_dropout_rate(self.dropout_rate)
        if self.dropout_rate != 0.5 and not self.dropout:
            raise ConfigError(f"--dropout-rate {self.dropout_rate} does nothing without --dropout; give both.")

    def make_generator(self, in_channels: int, out_channels: int, size_px: SizePx) -> nn.Module:
        """Return a generator for images of ``size_px``; its weights are not drawn yet."""
        channels = {"in_channels": in_channels, "out_channels": out_channels}
        return registry.make(GENERATORS, self.generator, vars(self), self.generator_options, size_px, **channels)

    def make_discriminator(self, in_channels: int, size_px: SizePx) -> nn.Module:
        """Return a discriminator for images of ``size_px``; its weights are not drawn yet."""
        own = {
            "width": self.discriminator_width,
            "layers": self.discriminator_layers,
            "norm": self.discriminator_norm or self.norm,
        }
        name, options = self.discriminator, self.discriminator_options
        return registry.make(DISCRIMINATORS, name, own, options, size_px, in_channels=in_channels)


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
    """Weight of the R1 penalty on real images; 0 leaves it out."""
    r2_gamma: float = 0.0
    """Weight of the same penalty on fakes; 0 leaves it out."""
    r1_of: Literal["mean", "sum"] = "mean"
    """Whether R1 and R2 take the slope of the mean over the P patches of an image or of their sum, as most published
    code does: its penalty is P * P times as large (900 * 900 times at 256 px). Sum: try 0.0002 * side^2 / batch."""
    r1_every: int = 1
    """Take R1 and R2 every so many steps, and so many times as heavily: 16 costs little (lazy regularisation)."""

    def __post_init__(self) -> None:
        check_at_least(self, r1_every=1)
        for name in ("lambda_gradient_penalty", "r1_gamma", "r2_gamma"):
            if getattr(self, name) < 0:
                raise ConfigError(f"--{name.replace('_', '-')} must not be negative; got {getattr(self, name)}.")
        if self.discriminator_weight <= 0:
            raise ConfigError(f"--discriminator-weight must be above 0; got {self.discriminator_weight}.")

    def check(self, networks: NetworksConfig) -> None:
        """Refuses a penalty on each image's slope where images of a batch are tied together (WGAN-GP, Sec. 4)."""
        r1 = next((f"--{name}-gamma" for name in ("r1", "r2") if 0 < getattr(self, f"{name}_gamma") < math.inf), "")
        asked = "--objective wgan-gp" if self.objective == "wgan-gp" else r1
        if asked and (networks.discriminator_norm or networks.norm) == "batch":
            raise ConfigError(
                f"The penalty of {asked} is on each image's slope by itself, which a discriminator with batch "
                "normalisation does not have. Pass --discriminator-norm instance."
            )
