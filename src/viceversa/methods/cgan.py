"""Conditional GAN: noise and a class to pictures of that class.

Mirza and Osindero: Conditional Generative Adversarial Nets. 2014, arXiv 1411.1784. On DCGAN's networks.
"""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Self

import torch
from torch import Tensor, nn

from viceversa.data.single import require_classes
from viceversa.errors import ConfigError
from viceversa.losses import OBJECTIVES
from viceversa.methods.base import Batch, Iteration, Preview, Update
from viceversa.methods.noise import (
    ConvolutionalConfig,
    LatentSettings,
    NoiseConfig,
    NoiseMethod,
    Objective,
    draw_labels,
    noise,
    sheet_of_classes,
)
from viceversa.networks import apply_to_each
from viceversa.networks.latent import one_hot


@dataclass(frozen=True, kw_only=True)
class ConditionalGANConfig(NoiseConfig):
    """The conditional GAN's settings."""

    # The paper's discriminator has a hidden layer where picture and class come together (Sec. 4.1).
    networks: ConvolutionalConfig = field(default_factory=lambda: ConvolutionalConfig(discriminator_hidden=240))
    latents: LatentSettings = field(default_factory=lambda: LatentSettings(prior="uniform"))
    objective: Objective = "bce"
    """What both sides minimise."""
    classes: int | None = None
    """Kinds of pictures; left out: as many as the data has."""

    def fitted(self, pictures: Any) -> Self:
        """With the channels and the classes of the pictures."""
        require_classes(pictures)
        if self.classes not in (None, len(pictures.classes)):
            raise ConfigError(f"The data has {len(pictures.classes)} classes, not {self.classes}; leave --classes out.")
        return dataclasses.replace(super().fitted(pictures), classes=len(pictures.classes))


class ConditionalGAN(NoiseMethod):
    """DCGAN's networks, both told the class."""

    name = "cgan"
    paper = "Mirza and Osindero 2014, arXiv 1411.1784"
    Config = ConditionalGANConfig
    layout_on_cpu = torch.channels_last  # a tenth faster with batch norm

    def __init__(self, config: ConditionalGANConfig):
        super().__init__(config)
        channels, size_px = config.data.channels or 3, config.data.size_px
        self.classes = config.classes or 10
        self.g = config.networks.make_generator(config.latents, channels, size_px, classes=self.classes)
        self.d = config.networks.make_discriminator(channels + self.classes, size_px)

    def step(self, batch: Batch, iteration: Iteration) -> Iterator[Update]:
        """The discriminator first, then the generator (Eq. 2)."""
        real, labels = batch
        objective = OBJECTIVES[self.config.objective]
        wanted = draw_labels(iteration, self.classes)
        fake = self.g(self.g.config.join(noise(self.g.config, iteration, real), wanted))
        on_real, on_fake = apply_to_each(
            self.d, self._with_class(real, labels), self._with_class(fake.detach(), wanted)
        )
        yield Update("discriminator", {"d_real": objective.real(on_real), "d_fake": objective.fake(on_fake)})
        yield Update("generator", {"gan": objective.generator(self.d(self._with_class(fake, wanted)))})

    def _with_class(self, pictures: Tensor, labels: Tensor) -> Tensor:
        """``(N, C + classes, S, S)``: a plane a class, all 1 or all 0.

        The first convolution's weights for these planes are the discriminator's embedding of the classes.
        """
        planes = one_hot(labels, self.classes).to(pictures.dtype)[:, :, None, None]
        return torch.cat([pictures, planes.expand(-1, -1, *pictures.shape[2:])], dim=1)

    def class_names(self, pictures: Any) -> tuple[str, ...]:
        """Those of the data."""
        return tuple(pictures.classes)

    def preview(self, generators: dict[str, nn.Module], batch: Batch) -> Preview:
        """A column a class, a row a latent."""
        return sheet_of_classes(generators["z2a"], batch[0], self.names)
