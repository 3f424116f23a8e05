"""What the methods that make images of noise share: their settings, what they draw, what their sample sheets show."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, Self

import torch
from torch import Tensor, nn

from viceversa.data.single import SingleData
from viceversa.errors import ConfigError
from viceversa.losses import Term
from viceversa.methods.adversary import Adversary, logged
from viceversa.methods.augmented import AugmentedConfig
from viceversa.methods.base import Batch, Iteration, Method, MethodConfig, Preview, Update
from viceversa.methods.settings import AdversarialConfig, OptimizerConfig, ScheduleConfig, check_at_least
from viceversa.networks import DCGANDiscriminator, DCGANDiscriminatorConfig, DCGANGenerator, DCGANGeneratorConfig
from viceversa.networks.latent import LatentConfig, Prior
from viceversa.networks.layers import DiscriminatorNorm, Initialisation, Norm

Objective = Literal["bce", "minimax", "lsgan", "hinge"]
_COLUMNS = 8
_PREVIEW_SEED = 0  # the same latents in every run, so that sheets can be laid side by side


@dataclass(frozen=True, kw_only=True)
class LatentSettings:
    """The noise that images are made of."""

    latent: int = 100
    """Noise dimensions."""
    prior: Prior = "normal"
    """What the noise is drawn from: normal is N(0, 1), uniform is [-1, 1]."""

    def __post_init__(self) -> None:
        check_at_least(self, latent=1)


@dataclass(frozen=True, kw_only=True)
class ConvolutionalConfig:
    """DCGAN's networks."""

    width: int = 64
    """Channels of the generator's last hidden layer; those before it have up to 8 times as many."""
    norm: Norm = "batch"
    """Normalisation in the generator."""
    discriminator_width: int = 64
    """Channels of the discriminator's first layer; those after it have up to 8 times as many."""
    discriminator_norm: DiscriminatorNorm = "batch"
    """Normalisation in the discriminator; spectral is of its weights."""
    hidden: int = 0
    """Units of a fully connected layer at the generator's start; 0 is none."""
    discriminator_hidden: int = 0
    """Units of a fully connected layer before the discriminator's answer; 0 is none."""
    init: Initialisation = "normal"
    """How weights are drawn."""
    init_gain: float = 0.02
    """Standard deviation of the normal initialisation, factor of xavier and orthogonal; kaiming has none."""

    def __post_init__(self) -> None:
        check_at_least(self, width=1, discriminator_width=1, hidden=0, discriminator_hidden=0)

    def check_batch(self, batch: int, *, flat: bool = False) -> None:
        """Refuses batches of one image where a fully connected layer is normalised over the batch.

        Args:
            batch: Images of a batch.
            flat: The discriminator has such a layer besides.
        """
        of_generator = self.hidden and self.norm == "batch"
        of_discriminator = (flat or self.discriminator_hidden) and self.discriminator_norm == "batch"
        if batch < 2 and (of_generator or of_discriminator):
            raise ConfigError(f"Batch normalisation of fully connected layers needs --batch 2 or more; got {batch}.")

    def make_generator(
        self, latent: LatentSettings, channels: int, size_px: int, *, classes: int = 0, codes: int = 0
    ) -> DCGANGenerator:
        """A generator for images of ``size_px``; its weights are not drawn yet."""
        return DCGANGenerator(
            DCGANGeneratorConfig(
                latent=latent.latent,
                prior=latent.prior,
                classes=classes,
                codes=codes,
                hidden=self.hidden,
                out_channels=channels,
                size_px=size_px,
                width=self.width,
                norm=self.norm,
            )
        )

    def make_discriminator(self, in_channels: int, size_px: int) -> DCGANDiscriminator:
        """A discriminator for images of ``size_px``; its weights are not drawn yet."""
        return DCGANDiscriminator(
            DCGANDiscriminatorConfig(
                in_channels=in_channels,
                size_px=size_px,
                width=self.discriminator_width,
                norm=self.discriminator_norm,
                hidden=self.discriminator_hidden,
            )
        )


@dataclass(frozen=True, kw_only=True)
class NoiseConfig(MethodConfig):
    """What the settings of all these methods have."""

    data: SingleData = field(default_factory=SingleData)
    optimizer: OptimizerConfig = field(default_factory=lambda: OptimizerConfig(constant=1.0))
    schedule: ScheduleConfig = field(default_factory=lambda: ScheduleConfig(batch=64, epochs=25))
    latents: LatentSettings = field(default_factory=LatentSettings)

    def __post_init__(self) -> None:
        augmented: Any = getattr(self, "augmented", None)
        if isinstance(augmented, AugmentedConfig):
            augmented.check(getattr(self, "objective", "bce"))
        networks: Any = getattr(self, "networks", None)
        if isinstance(networks, ConvolutionalConfig):
            networks.check_batch(self.schedule.batch)

    def fitted(self, pictures: Any) -> Self:
        """With the channels that the images have."""
        return dataclasses.replace(self, data=dataclasses.replace(self.data, channels=pictures.channels))


@dataclass(frozen=True)
class Made:
    """What the generator made, and of what besides noise."""

    fake: Tensor
    """``(N, C, S, S)``."""
    labels: Any = None
    """``(N,)`` int64: the classes that were asked for."""
    codes: Any = None
    """``(N, K)``: the continuous codes."""


class NoiseMethod(Method, shared=True):
    """A generator ``g`` and a discriminator ``d``, which take turns; by default DCGAN's networks."""

    layout_on_cpu = torch.channels_last  # a tenth faster with batch norm
    g: Any
    d: Any

    def __init__(self, config: Any):
        super().__init__(config)
        self.make_networks(config.data.channels or 3, config.data.size_px)
        penalty = getattr(config, "lambda_gradient_penalty", 0.0)
        settings = AdversarialConfig(
            objective=config.objective, discriminator_weight=1.0, lambda_gradient_penalty=penalty
        )
        self.against = Adversary("d", settings, config.augmented, (config.data.channels or 3,))

    def make_networks(self, channels: int, size_px: int) -> None:
        """Make ``g`` and ``d`` for images of ``size_px``."""
        self.g = self.config.networks.make_generator(self.config.latents, channels, size_px)
        self.d = self.config.networks.make_discriminator(channels, size_px)

    def step(self, batch: Batch, iteration: Iteration) -> Iterator[Update]:
        """The discriminator first, then the generator, on the same fakes."""
        made = self.make(batch, iteration)
        yield Update("discriminator", self.discriminator_terms(batch, made, iteration), logged(self))
        yield Update("generator", self.generator_terms(batch, made, iteration))

    def make(self, batch: Batch, iteration: Iteration) -> Made:
        """As many images as the batch has."""
        return Made(self.g(noise(self.g.config, iteration, batch[0])))

    def shown(self, images: Tensor, labels: Any) -> Tensor:
        """What the discriminator sees of images ``(N, C, S, S)`` and, where it is told them, their classes."""
        return images

    def discriminator_terms(self, batch: Batch, made: Made, iteration: Iteration) -> dict[str, Term | Tensor]:
        """What the discriminator minimises, by name."""
        real, fake = self.shown(*batch), self.shown(made.fake.detach(), made.labels)
        return {**self.against.discriminator(self.d, iteration, real=real, fake=fake)}

    def generator_terms(self, batch: Batch, made: Made, iteration: Iteration) -> dict[str, Term | Tensor]:
        """What the generator minimises, by name."""
        return {"gan": self.against.generator(self.d, self.shown(made.fake, made.labels), iteration)}

    def groups(self) -> dict[str, list[nn.Module]]:
        """One network a group."""
        return {"discriminator": [self.d], "generator": [self.g]}

    def generators(self) -> dict[str, nn.Module]:
        """From noise to the one domain that there is."""
        return {"z2a": self.g}

    def preview(self, generators: dict[str, nn.Module], batch: Batch) -> Preview:
        """Samples of always the same latents."""
        return sheet(generators["z2a"], batch[0])


class CriticMethod(NoiseMethod, shared=True):
    """A generator, and a critic that takes ``n_critic`` steps for each of the generator's."""

    def step(self, batch: Batch, iteration: Iteration) -> Iterator[Update]:
        """A step of the critic; after every ``n_critic`` of them one of the generator."""
        with torch.no_grad():
            made = self.make(batch, iteration)
        yield Update("critic", self.discriminator_terms(batch, made, iteration), logged(self))
        self.after_critic()
        if self.generator_is_due(iteration):
            yield Update("generator", self.generator_terms(batch, self.make(batch, iteration), iteration))

    def after_critic(self) -> None:
        """What is done after each step of the critic."""

    def generator_is_due(self, iteration: Iteration) -> bool:
        """Whether the generator takes a step too."""
        return iteration.number % self.period == self.period - 1

    @property
    def period(self) -> int:
        """The generator steps after so many iterations."""
        return self.config.n_critic

    def groups(self) -> dict[str, list[nn.Module]]:
        """One network a group."""
        return {"critic": [self.d], "generator": [self.g]}


def noise(space: LatentConfig, iteration: Iteration, like: Tensor) -> Tensor:
    """``(N, latent)`` of the prior, a vector for each position of the iteration."""
    if space.prior == "normal":
        return iteration.normal("latent", (space.latent,)).to(like)
    return (2 * iteration.uniform("latent", (space.latent,)) - 1).to(like)


def preview_noise(space: LatentConfig, count: int, like: Tensor) -> Tensor:
    """``(count, latent)`` of the prior, always the same, for the sample sheets."""
    return noise(space, Iteration(_PREVIEW_SEED, torch.arange(count, device=like.device)), like)


def sheet(generator: Any, like: Tensor) -> Preview:
    """A square of samples of always the same latents."""
    space: LatentConfig = generator.config
    latents = preview_noise(space, _COLUMNS**2, like)
    return Preview(("",) * _COLUMNS, [generator(latents).chunk(_COLUMNS)], from_noise=True)


def sheet_of_classes(generator: Any, like: Tensor, names: tuple[str, ...] = ()) -> Preview:
    """A column a class, a row a latent: what the one-hot entries decide, and what they leave to the noise."""
    space: LatentConfig = generator.config
    latents = preview_noise(space, _COLUMNS, like)
    codes = latents.new_zeros(_COLUMNS, space.codes) if space.codes else None
    columns: list[Tensor] = []
    for label in range(space.classes):
        labels = torch.full((_COLUMNS,), label, device=like.device)
        columns.append(generator(space.join(latents, labels, codes)))
    names = names or tuple(f"{label}" for label in range(space.classes))
    return Preview(names, [tuple(columns)], from_noise=True)


def draw_labels(iteration: Iteration, classes: int) -> Tensor:
    """``(N,)`` int64: a class for each position, all equally likely."""
    return (iteration.uniform("class") * classes).long().clamp_(max=classes - 1)


def draw_codes(iteration: Iteration, codes: int, like: Tensor) -> Tensor:
    """``(N, codes)`` uniformly from [-1, 1]."""
    return (2 * iteration.uniform("codes", (codes,)) - 1).to(like)
