"""CartoonGAN: unpaired translation of photographs into cartoons, in one direction.

Chen, Lai and Liu: CartoonGAN: Generative Adversarial Networks for Photo Cartoonization. CVPR 2018.
"""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from viceversa.data.cartoons import CartoonData
from viceversa.errors import ConfigError
from viceversa.losses import Term, distance, l1
from viceversa.methods.adversary import Adversary, logged
from viceversa.methods.augmented import AugmentedConfig
from viceversa.methods.base import Batch, Iteration, Method, MethodConfig, Preview, Update, with_masks
from viceversa.methods.noise import Objective
from viceversa.methods.settings import AdversarialConfig, NetworksConfig, OptimizerConfig, check_at_least
from viceversa.networks import vgg_file


@dataclass(frozen=True, kw_only=True)
class CartoonNetworksConfig(NetworksConfig):
    """CartoonGAN's networks: those of its paper, or others."""

    generator: str = "cartoon"
    """The generator: cartoon, resnet, unet, compact, or one of your own (--import)."""
    blocks: int | None = 8
    """Residual blocks."""
    discriminator: str = "cartoon"
    """The discriminator: cartoon, patchgan, dcgan, or one of your own (--import)."""
    discriminator_width: int = 32
    """Channels of the discriminator's first layer."""


@dataclass(frozen=True, kw_only=True)
class CartoonGANConfig(MethodConfig):
    """CartoonGAN's settings; the defaults are the paper's, where it tells them."""

    data: CartoonData = field(default_factory=CartoonData)
    networks: CartoonNetworksConfig = field(default_factory=CartoonNetworksConfig)
    optimizer: OptimizerConfig = field(default_factory=lambda: OptimizerConfig(constant=1.0))
    augmented: AugmentedConfig = field(default_factory=AugmentedConfig)
    vgg: Path | None = field(default=None, metadata={"may_differ": True})  # its content must not, which is looked at
    """Weights of the VGG-19 that compares contents: torchvision's file, a run of "train vgg", or "download". Left out:
    EfficientNet-Lite0 does, from viceversa[features]."""
    objective: Objective = "bce"
    """What both sides minimise."""
    lambda_content: float = 10.0
    """Weight of the content loss (Eq. 1)."""
    init_epochs: float = 10.0
    """Passes over the data at the start in which the content loss alone is trained on (Sec. 3.3); with --minutes at
    most half of the time."""
    init_images: int | None = None
    """The same in images seen, instead of epochs."""

    def __post_init__(self) -> None:
        check_at_least(self, lambda_content=0, init_epochs=0, init_images=0)
        self.augmented.check(self.objective)

    def prepare(self, *, quiet: bool) -> None:
        """Looks at the weights by which contents are compared, or fetches them."""
        vgg_file.content_of(self.vgg, quiet=quiet)

    def fitted(self, pictures: Any) -> Self:
        """With the first phase in images."""
        epoch = pictures.epoch_images
        images = self.init_images if self.init_images is not None else round(self.init_epochs * epoch)
        total = self.schedule.total_images(epoch)
        if self.schedule.minutes is None and images >= total:
            raise ConfigError(
                f"The initialisation takes {images:,} images (an epoch has {epoch:,}) and the whole run is to see "
                f"{total:,}: nothing but photographs would come out. Ask for fewer --init-epochs or more --images."
            )
        return dataclasses.replace(self, init_images=images)


class CartoonGAN(Method):
    """One generator, one discriminator, and a trained network that says whether the content is still there."""

    name = "cartoongan"
    paper = "Chen et al. 2018, CVPR"
    Config = CartoonGANConfig

    def __init__(self, config: CartoonGANConfig):
        super().__init__(config)
        data, networks = config.data, config.networks
        self.a2b = networks.make_generator(data.channels_a, data.channels_b, data.size_px)
        self.d_b = networks.make_discriminator(data.channels_b, data.size_px)
        settings = AdversarialConfig(objective=config.objective, discriminator_weight=1.0)
        self.against = Adversary("d", settings, config.augmented)
        self.vgg = vgg_file.content_of(config.vgg)

    def step(self, batch: Batch, iteration: Iteration) -> Iterator[Update]:
        """At first the content alone; then the discriminator, and the generator on the same fakes."""
        fake = self.a2b(batch[0])
        half = self.config.schedule.minutes is not None and iteration.progress >= 0.5
        if iteration.images < (self.config.init_images or 0) and not half:
            yield Update("generator", {"content": self.content(batch, fake)})  # Sec. 3.3
            return
        yield Update("discriminator", self.discriminator_terms(batch, fake, iteration), logged(self))
        yield Update("generator", self.generator_terms(batch, fake, iteration))

    def discriminator_terms(self, batch: Batch, fake: Tensor, iteration: Iteration) -> dict[str, Term | Tensor]:
        """What the discriminator minimises, by name (Eq. 2)."""
        shown = {"real": batch[1], "smoothed": batch.planes["smoothed_b"], "fake": fake.detach()}
        return {**self.against.discriminator(self.d_b, iteration, **shown)}

    def generator_terms(self, batch: Batch, fake: Tensor, iteration: Iteration) -> dict[str, Term | Tensor]:
        """What the generator minimises after the first phase, by name."""
        return {"gan": self.against.generator(self.d_b, fake, iteration), "content": self.content(batch, fake)}

    def content(self, batch: Batch, fake: Tensor) -> Term:
        """Whether the photograph's content is still there (Eq. 3)."""
        with torch.no_grad():
            wanted = self.vgg(batch[0])
        return distance(self.config.lambda_content * l1(self.vgg(fake), wanted))

    def groups(self) -> dict[str, list[nn.Module]]:
        """One network a group; the VGG is in none."""
        return {"generator": [self.a2b], "discriminator": [self.d_b]}

    def generators(self) -> dict[str, nn.Module]:
        """From photographs to cartoons; there is no way back."""
        return {"a2b": self.a2b}

    def preview(self, generators: dict[str, nn.Module], batch: Batch) -> Preview:
        """The photographs and what comes out."""
        photo, a2b = batch[0], generators["a2b"]
        return with_masks(Preview(("input", "output"), [(photo, a2b(photo))]), a2b)
