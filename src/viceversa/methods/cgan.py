"""Conditional GAN: noise and a class to images of that class.

Mirza and Osindero: Conditional Generative Adversarial Nets. 2014, arXiv 1411.1784. On DCGAN's networks.
"""

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Self

import torch
from torch import Tensor, nn

from viceversa.data.single import require_classes
from viceversa.errors import check
from viceversa.methods.augmented import AugmentedConfig
from viceversa.methods.base import Batch, Iteration, Preview
from viceversa.methods.noise import (
    ConvolutionalConfig,
    LatentSettings,
    Made,
    NoiseConfig,
    NoiseMethod,
    Objective,
    draw_labels,
    noise,
    sheet_of_classes,
)
from viceversa.networks.latent import one_hot


@dataclass(frozen=True, kw_only=True)
class ConditionalGANConfig(NoiseConfig):
    """The conditional GAN's settings."""

    # The paper's discriminator has a hidden layer where image and class come together (Sec. 4.1).
    networks: ConvolutionalConfig = field(default_factory=lambda: ConvolutionalConfig(discriminator_hidden=240))
    latents: LatentSettings = field(default_factory=lambda: LatentSettings(prior="uniform"))
    augmented: AugmentedConfig = field(default_factory=AugmentedConfig)
    objective: Objective = "bce"
    """What both sides minimise."""
    classes: int | None = None
    """Kinds of images; left out: as many as the data has."""

    def fitted(self, pictures: Any) -> Self:
        """With the channels and the classes of the images."""
        require_classes(pictures)
        there = len(pictures.classes)
        check(
            self.classes in (None, there),
            f"The data has {there} classes, not {self.classes}; leave --classes out.",
        )
        return dataclasses.replace(super().fitted(pictures), classes=there)


class ConditionalGAN(NoiseMethod):
    """DCGAN's networks, both told the class."""

    name = "cgan"
    paper = "Mirza and Osindero 2014, arXiv 1411.1784"
    Config = ConditionalGANConfig

    def make_networks(self, channels: int, size_px: int) -> None:
        """DCGAN's networks, with the class among their inputs."""
        networks, self.classes = self.config.networks, self.config.classes or 10
        self.g = networks.make_generator(self.config.latents, channels, size_px, classes=self.classes)
        self.d = networks.make_discriminator(channels + self.classes, size_px)

    def make(self, batch: Batch, iteration: Iteration) -> Made:
        """Images of classes that are drawn, all equally likely (Eq. 2)."""
        wanted = draw_labels(iteration, self.classes)
        return Made(self.g(self.g.config.join(noise(self.g.config, iteration, batch[0]), wanted)), wanted)

    def shown(self, images: Tensor, labels: Tensor) -> Tensor:
        """``(N, C + classes, S, S)``: the images, and a plane a class, all 1 or all 0.

        The first convolution's weights for these planes are the discriminator's embedding of the classes.
        """
        planes = one_hot(labels, self.classes).to(images.dtype)[:, :, None, None]
        return torch.cat([images, planes.expand(-1, -1, *images.shape[2:])], dim=1)

    def class_names(self, pictures: Any) -> tuple[str, ...]:
        """Those of the data."""
        return tuple(pictures.classes)

    def preview(self, generators: dict[str, nn.Module], batch: Batch) -> Preview:
        """A column a class, a row a latent."""
        return sheet_of_classes(generators["z2a"], batch[0], self.names)
