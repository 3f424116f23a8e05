"""WGAN-GP: noise to pictures, judged by a critic whose slope is held near 1 by a penalty.

Gulrajani et al.: Improved Training of Wasserstein GANs. NeurIPS 2017, arXiv 1704.00028.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import nn

from viceversa.errors import ConfigError
from viceversa.losses import OBJECTIVES, gradient_penalty
from viceversa.methods.base import Batch, Iteration, Update
from viceversa.methods.noise import ConvolutionalConfig, LatentSettings, NoiseConfig, NoiseMethod, noise
from viceversa.methods.settings import AdamConfig
from viceversa.networks import apply_to_each


@dataclass(frozen=True, kw_only=True)
class WGANGPConfig(NoiseConfig):
    """WGAN-GP's settings; the defaults are the paper's (Algorithm 1)."""

    optimizer: AdamConfig = field(
        default_factory=lambda: AdamConfig(learning_rate=1e-4, beta1=0.0, beta2=0.9, constant=1.0)
    )
    # A penalty on each picture's slope by itself does not go with a norm over the batch (Sec. 4).
    networks: ConvolutionalConfig = field(default_factory=lambda: ConvolutionalConfig(discriminator_norm="none"))
    latents: LatentSettings = field(default_factory=lambda: LatentSettings(latent=128))
    n_critic: int = 5
    """Steps of the critic, each on pictures of its own, before one of the generator."""
    lambda_gradient_penalty: float = 10.0
    """Weight of the gradient penalty."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.n_critic < 1 or self.lambda_gradient_penalty < 0:
            raise ConfigError(
                "--n-critic must be at least 1 and --lambda-gradient-penalty not negative; got "
                f"{self.n_critic} and {self.lambda_gradient_penalty}."
            )
        if self.networks.discriminator_norm == "batch":
            raise ConfigError(
                "WGAN-GP's critic cannot have batch normalisation: the penalty is on each picture's slope by itself. "
                "Pass --discriminator-norm none or instance."
            )


class WGANGP(NoiseMethod):
    """A generator, and a critic with a gradient penalty."""

    name = "wgan-gp"
    paper = "Gulrajani et al. 2017, arXiv 1704.00028"
    Config = WGANGPConfig
    layout_on_cpu = torch.channels_last  # a tenth faster with batch norm

    def __init__(self, config: WGANGPConfig):
        super().__init__(config)
        channels, size_px = config.data.channels or 3, config.data.size_px
        self.g = config.networks.make_generator(config.latents, channels, size_px)
        self.d = config.networks.make_discriminator(channels, size_px)

    def step(self, batch: Batch, iteration: Iteration) -> Iterator[Update]:
        """A step of the critic; after every ``n_critic`` of them one of the generator (Algorithm 1)."""
        real, _ = batch
        c: WGANGPConfig = self.config
        latents, wgan = noise(self.g.config, iteration, real), OBJECTIVES["wgan"]
        with torch.no_grad():
            fake = self.g(latents)
        on_real, on_fake = apply_to_each(self.d, real, fake)
        penalty = gradient_penalty(self.d, real, fake, iteration.uniform("mixing"))
        yield Update("critic", {
            "d_real": wgan.real(on_real),
            "d_fake": wgan.fake(on_fake),
            "d_penalty": c.lambda_gradient_penalty * penalty,
        })  # fmt: skip

        if iteration.number % c.n_critic == c.n_critic - 1:
            yield Update("generator", {"gan": wgan.generator(self.d(self.g(latents)))})

    @property
    def period(self) -> int:
        """The generator steps after so many iterations."""
        return self.config.n_critic

    def groups(self) -> dict[str, list[nn.Module]]:
        """One network a group."""
        return {"critic": [self.d], "generator": [self.g]}
