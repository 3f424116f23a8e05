"""pix2pix: paired image-to-image translation.

Isola, Zhu, Zhou and Efros: Image-to-Image Translation with Conditional Adversarial Networks.
CVPR 2017, arXiv 1611.07004.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Self

import torch
from torch import Tensor, nn

from viceversa.data.sources import PairedData
from viceversa.errors import ConfigError
from viceversa.losses import Term, distance, l1
from viceversa.methods.adversary import Adversary, logged
from viceversa.methods.augmented import AugmentedConfig
from viceversa.methods.base import Batch, Iteration, Method, MethodConfig, Preview, Update, with_masks
from viceversa.methods.settings import AdversarialConfig, NetworksConfig, check_at_least


@dataclass(frozen=True, kw_only=True)
class Pix2PixConfig(MethodConfig):
    """pix2pix's settings; the defaults are the paper's.

    It normalises with the statistics of the test batch, which with the paper's batches of one image is instance
    normalisation (Sec. 3.3): as a layer of that kind it is the same in training and in use.
    """

    data: PairedData = field(default_factory=PairedData)
    networks: NetworksConfig = field(
        default_factory=lambda: NetworksConfig(generator="unet", norm="instance", dropout=True)
    )
    adversarial: AdversarialConfig = field(default_factory=lambda: AdversarialConfig(objective="bce"))
    augmented: AugmentedConfig = field(default_factory=AugmentedConfig)
    lambda_l1: float = 100.0
    """Weight of the L1 loss (Eq. 4)."""

    def __post_init__(self) -> None:
        check_at_least(self, lambda_l1=0)
        self.adversarial.check(self.networks)
        self.augmented.check(self.adversarial.objective)

    def as_begun(self, former: Any) -> Self:
        """With batch normalisation where ``former`` has it, which was the default."""
        if (former.networks.norm, self.networks.norm) != ("batch", "instance"):
            return self
        with suppress(ConfigError):  # there is a penalty, which does not go with it: another run in any case
            return replace(self, networks=replace(self.networks, norm="batch"))
        return self


class Pix2Pix(Method):
    """A generator, and a discriminator that sees input and output together."""

    name = "pix2pix"
    paper = "Isola et al. 2017, arXiv 1611.07004"
    Config = Pix2PixConfig

    def __init__(self, config: Pix2PixConfig):
        super().__init__(config)
        data, networks = config.data, config.networks
        channels_in, channels_out = data.channels
        self.g = networks.make_generator(channels_in, channels_out, data.size_px)
        self.d = networks.make_discriminator(channels_in + channels_out, data.size_px)
        self.against = Adversary("d", config.adversarial, config.augmented, data.channels)

    def step(self, batch: Batch, iteration: Iteration) -> Iterator[Update]:
        """The discriminator first, then the generator (Sec. 3.3)."""
        fake = self.g(batch[0])
        yield Update("discriminator", self.discriminator_terms(batch, fake, iteration), logged(self))
        yield Update("generator", self.generator_terms(batch, fake, iteration))

    def discriminator_terms(self, batch: Batch, fake: Tensor, iteration: Iteration) -> dict[str, Term | Tensor]:
        """What the discriminator minimises, by name; it sees input and output together (Eq. 1)."""
        x, y = batch
        real, fake = torch.cat([x, y], 1), torch.cat([x, fake.detach()], 1)
        return {**self.against.discriminator(self.d, iteration, real=real, fake=fake)}

    def generator_terms(self, batch: Batch, fake: Tensor, iteration: Iteration) -> dict[str, Term | Tensor]:
        """What the generator minimises, by name."""
        x, y = batch
        return {
            "gan": self.against.generator(self.d, torch.cat([x, fake], 1), iteration, torch.cat([x, y], 1)),
            "l1": distance(self.config.lambda_l1 * l1(fake, y)),  # Eq. 3
        }

    def groups(self) -> dict[str, list[nn.Module]]:
        """One network a group."""
        return {"discriminator": [self.d], "generator": [self.g]}

    def generators(self) -> dict[str, nn.Module]:
        """One, under the name of its direction."""
        return {self.config.data.direction: self.g}

    def preview(self, generators: dict[str, nn.Module], batch: Batch) -> Preview:
        """The input, what comes out, and what should have."""
        x, y = batch
        g = generators[self.config.data.direction]
        return with_masks(Preview(("input", "output", "truth"), [(x, g(x), y)]), g)
