"""WGAN-GP: noise to images, judged by a critic whose slope is held near 1 by a penalty.

Gulrajani et al.: Improved Training of Wasserstein GANs. NeurIPS 2017, arXiv 1704.00028.
"""

from dataclasses import dataclass, field
from typing import ClassVar

from viceversa.errors import check
from viceversa.methods.augmented import FixedAugmentedConfig
from viceversa.methods.noise import ConvolutionalConfig, CriticMethod, LatentSettings, NoiseConfig
from viceversa.methods.settings import OptimizerConfig, check_at_least


@dataclass(frozen=True, kw_only=True)
class WGANGPConfig(NoiseConfig):
    """WGAN-GP's settings; the defaults are the paper's (Algorithm 1)."""

    objective: ClassVar[str] = "wgan-gp"
    optimizer: OptimizerConfig = field(
        default_factory=lambda: OptimizerConfig(learning_rate=1e-4, beta1=0.0, beta2=0.9, constant=1.0)
    )
    # A penalty on each image's slope by itself does not go with a norm over the batch (Sec. 4).
    networks: ConvolutionalConfig = field(default_factory=lambda: ConvolutionalConfig(discriminator_norm="none"))
    latents: LatentSettings = field(default_factory=lambda: LatentSettings(latent=128))
    augmented: FixedAugmentedConfig = field(default_factory=FixedAugmentedConfig)
    n_critic: int = 5
    """Steps of the critic, each on images of its own, before one of the generator."""
    lambda_gradient_penalty: float = 10.0
    """Weight of the gradient penalty."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least(self, n_critic=1, lambda_gradient_penalty=0)
        check(
            self.networks.discriminator_norm != "batch",
            "WGAN-GP's critic cannot have batch normalisation: the penalty is on each image's slope by itself. "
            "Pass --discriminator-norm none or instance.",
        )


class WGANGP(CriticMethod):
    """A generator, and a critic with a gradient penalty."""

    name = "wgan-gp"
    paper = "Gulrajani et al. 2017, arXiv 1704.00028"
    Config = WGANGPConfig
