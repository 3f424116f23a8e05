"""WGAN: noise to pictures, judged by a critic whose weights are clipped.

Arjovsky, Chintala and Bottou: Wasserstein GAN. ICML 2017, arXiv 1701.07875.
"""

import dataclasses
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Self

import torch
from torch import nn

from viceversa.errors import ConfigError
from viceversa.losses import OBJECTIVES
from viceversa.methods.base import Batch, Iteration, Update
from viceversa.methods.noise import ConvolutionalConfig, LatentSettings, NoiseConfig, NoiseMethod, noise
from viceversa.methods.settings import RMSpropConfig
from viceversa.networks import apply_to_each


@dataclass(frozen=True, kw_only=True)
class WGANConfig(NoiseConfig):
    """WGAN's settings; the defaults are the paper's (Algorithm 1)."""

    optimizer: RMSpropConfig = field(default_factory=RMSpropConfig)
    networks: ConvolutionalConfig = field(default_factory=ConvolutionalConfig)
    latents: LatentSettings = field(default_factory=LatentSettings)
    n_critic: int = 5
    """Steps of the critic, each on pictures of its own, before one of the generator."""
    warm_up: int = 500
    """Steps of the critic before the generator's first, so that its estimate means something from there on; at most a
    tenth of the run."""
    clip: float = 0.01
    """Largest absolute value of a critic's weight."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.n_critic < 1 or self.warm_up < 0 or self.clip <= 0:
            raise ConfigError(
                "--n-critic must be at least 1, --warm-up not negative and --clip above 0; got "
                f"{self.n_critic}, {self.warm_up} and {self.clip}."
            )

    def fitted(self, pictures: Any) -> Self:
        """With the length of the run in images, of which the warm-up takes at most a tenth."""
        images = self.schedule.total_images(pictures.epoch_images)
        return dataclasses.replace(super().fitted(pictures), schedule=dataclasses.replace(self.schedule, images=images))

    def is_warm(self, iteration: Iteration) -> bool:
        """Whether the critic has had its steps before the generator's first.

        A tenth of a run is counted in images: how many of them a step takes depends on processes and accumulation.
        """
        batch, images = self.schedule.batch, self.schedule.images
        share = math.inf if images is None else images // (10 * batch) * batch
        return iteration.number >= self.warm_up or iteration.images >= share


class WGAN(NoiseMethod):
    """A generator, and a critic that is kept within a range of slopes by clipping its weights."""

    name = "wgan"
    paper = "Arjovsky et al. 2017, arXiv 1701.07875"
    Config = WGANConfig
    layout_on_cpu = torch.channels_last  # a tenth faster with batch norm

    def __init__(self, config: WGANConfig):
        super().__init__(config)
        channels, size_px = config.data.channels or 3, config.data.size_px
        self.g = config.networks.make_generator(config.latents, channels, size_px)
        self.d = config.networks.make_discriminator(channels, size_px)

    def step(self, batch: Batch, iteration: Iteration) -> Iterator[Update]:
        """A step of the critic; after every ``n_critic`` of them one of the generator (Algorithm 1)."""
        real, _ = batch
        c: WGANConfig = self.config
        latents, wgan = noise(self.g.config, iteration, real), OBJECTIVES["wgan"]
        with torch.no_grad():
            fake = self.g(latents)
        on_real, on_fake = apply_to_each(self.d, real, fake)
        yield Update("critic", {"d_real": wgan.real(on_real), "d_fake": wgan.fake(on_fake)})
        with torch.no_grad():
            for weight in self.d.parameters():
                weight.clamp_(-c.clip, c.clip)

        if c.is_warm(iteration) and iteration.number % c.n_critic == c.n_critic - 1:
            yield Update("generator", {"gan": wgan.generator(self.d(self.g(latents)))})

    @property
    def period(self) -> int:
        """The generator steps after so many iterations."""
        return self.config.n_critic

    def groups(self) -> dict[str, list[nn.Module]]:
        """One network a group."""
        return {"critic": [self.d], "generator": [self.g]}
