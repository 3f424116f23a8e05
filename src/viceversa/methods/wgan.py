"""WGAN: noise to images, judged by a critic whose weights are clipped.

Arjovsky, Chintala and Bottou: Wasserstein GAN. ICML 2017, arXiv 1701.07875.
"""

import dataclasses
import math
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import torch

from viceversa.errors import check
from viceversa.methods.augmented import FixedAugmentedConfig
from viceversa.methods.base import Iteration
from viceversa.methods.noise import ConvolutionalConfig, CriticMethod, LatentSettings, NoiseConfig
from viceversa.methods.settings import RMSpropConfig, check_at_least


@dataclass(frozen=True, kw_only=True)
class WGANConfig(NoiseConfig):
    """WGAN's settings; the defaults are the paper's (Algorithm 1)."""

    objective: ClassVar[str] = "wgan"
    optimizer: RMSpropConfig = field(default_factory=RMSpropConfig)
    networks: ConvolutionalConfig = field(default_factory=ConvolutionalConfig)
    latents: LatentSettings = field(default_factory=LatentSettings)
    augmented: FixedAugmentedConfig = field(default_factory=FixedAugmentedConfig)
    n_critic: int = 5
    """Steps of the critic, each on images of its own, before one of the generator."""
    warm_up: int = 500
    """Steps of the critic before the generator's first, so that its estimate means something from there on; at most a
    tenth of the run."""
    clip: float = 0.01
    """Largest absolute value of a critic's weight."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least(self, n_critic=1, warm_up=0)
        check(self.clip > 0, f"--clip must be above 0; got {self.clip}.")

    def fitted(self, pictures: Any) -> Self:
        """With the length of the run in images, of which the warm-up takes at most a tenth."""
        fitted = super().fitted(pictures)
        if self.schedule.minutes is not None:
            return fitted
        images = self.schedule.total_images(pictures.epoch_images)
        return dataclasses.replace(fitted, schedule=dataclasses.replace(self.schedule, images=images))

    def is_warm(self, iteration: Iteration) -> bool:
        """Whether the critic has had its steps before the generator's first.

        A tenth of a run is counted in images: how many of them a step takes depends on processes and accumulation.
        """
        batch, images = self.schedule.batch, self.schedule.images
        share = math.inf if images is None else images // (10 * batch) * batch
        return iteration.number >= self.warm_up or iteration.images >= share or iteration.progress >= 0.1


class WGAN(CriticMethod):
    """A generator, and a critic that is kept within a range of slopes by clipping its weights."""

    name = "wgan"
    paper = "Arjovsky et al. 2017, arXiv 1701.07875"
    Config = WGANConfig

    def after_critic(self) -> None:
        """Clip the critic's weights (Algorithm 1)."""
        with torch.no_grad():
            for weight in self.d.parameters():
                weight.clamp_(-self.config.clip, self.config.clip)

    def generator_is_due(self, iteration: Iteration) -> bool:
        """Every ``n_critic`` iterations, after the warm-up."""
        return self.config.is_warm(iteration) and super().generator_is_due(iteration)
