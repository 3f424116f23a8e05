"""InfoGAN: noise and codes to images, where the codes come to mean something by themselves.

Chen et al.: InfoGAN: Interpretable Representation Learning by Information Maximizing Generative Adversarial Nets.
NeurIPS 2016, arXiv 1606.03657.
"""

import math
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from viceversa.losses import Term, gaussian_nll, precise
from viceversa.methods.augmented import AugmentedConfig
from viceversa.methods.base import Batch, Iteration, Preview
from viceversa.methods.noise import (
    ConvolutionalConfig,
    LatentSettings,
    Made,
    NoiseConfig,
    NoiseMethod,
    Objective,
    draw_codes,
    draw_labels,
    noise,
    sheet_of_classes,
)
from viceversa.methods.settings import OptimizerConfig, check_at_least
from viceversa.networks import apply_to_each


@dataclass(frozen=True, kw_only=True)
class TwoRatesConfig(OptimizerConfig):
    """Adam with a rate of its own for the generator (Sec. C.1)."""

    constant: float = 1.0
    """Share of the run with the full learning rate; after it the rate falls to 0."""
    generator_learning_rate: float | None = 1e-3
    """The generator's step size; learning_rate is the discriminator's and Q's. 0 leaves the generator as it is."""


@dataclass(frozen=True, kw_only=True)
class InfoGANConfig(NoiseConfig):
    """InfoGAN's settings; the defaults are the paper's for MNIST (Sec. C.1)."""

    optimizer: TwoRatesConfig = field(default_factory=TwoRatesConfig)
    networks: ConvolutionalConfig = field(
        default_factory=lambda: ConvolutionalConfig(hidden=1024, discriminator_hidden=1024)
    )
    latents: LatentSettings = field(default_factory=lambda: LatentSettings(latent=62, prior="uniform"))
    augmented: AugmentedConfig = field(default_factory=AugmentedConfig)
    objective: Objective = "bce"
    """What both sides minimise, besides the information."""
    q_width: int = 128
    """Units of Q's hidden layer."""
    categories: int = 10
    """Values of the categorical code."""
    codes: int = 2
    """Continuous codes, uniform in [-1, 1]."""
    augment_q: bool = False
    """Q reads the categorical code from an image that is turned, sheared, stretched and shifted at random."""
    lambda_categorical: float = 1.0
    """Weight of the information in the categorical code (Sec. 6)."""
    lambda_continuous: float = 0.1
    """Weight of the information in the continuous codes."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least(self, categories=2, codes=0, q_width=1, lambda_categorical=0, lambda_continuous=0)
        self.networks.check_batch(self.schedule.batch, flat=True)


def askew(pictures: Tensor, draws: Tensor) -> Tensor:
    """Images turned by up to 20 degrees, sheared by 0.3, stretched by 20 % each way and shifted by a tenth.

    What differs between two such views of an image cannot tell the class that both are of (Ji et al. 2019, Invariant
    Information Clustering, arXiv 1807.06653), so a code that is read from them comes to mean something else: the digit
    and not its slant.

    Args:
        pictures: ``(N, C, H, W)`` in [-1, 1]; what comes in from outside is -1.
        draws: ``(N, 6)`` in [0, 1): angle, width, height, shear, and both shifts.
    """
    angle, width, height, shear, right, down = (2 * draws.to(pictures) - 1).unbind(1)
    angle, width, height, shear = math.radians(20) * angle, 1 + 0.2 * width, 1 + 0.2 * height, 0.3 * shear
    across = torch.stack([angle.cos() * width, (shear - angle.sin()) * height, 0.2 * right], dim=1)
    along = torch.stack([angle.sin() * width, angle.cos() * height, 0.2 * down], dim=1)
    places = F.affine_grid(torch.stack([across, along], dim=1), list(pictures.shape), align_corners=False)
    return _sampled(pictures + 1, places) - 1


def _sampled(pictures: Tensor, places: Tensor) -> Tensor:
    """`F.grid_sample`, whose gradient on a GPU is another each time; that of a gather is not."""
    count, channels, height, width = pictures.shape
    x = ((places[..., 0] + 1) * width - 1).flatten(1) / 2
    y = ((places[..., 1] + 1) * height - 1).flatten(1) / 2
    flat, found = pictures.flatten(2), pictures.new_zeros(count, channels, height * width)
    for column in (x.floor(), x.floor() + 1):
        for row in (y.floor(), y.floor() + 1):
            inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
            weight = (1 - (x - column).abs()) * (1 - (y - row).abs()) * inside
            which = row.clamp(0, height - 1).long() * width + column.clamp(0, width - 1).long()
            found = found + weight[:, None] * flat.gather(2, which[:, None].expand(-1, channels, -1))
    return found.view_as(pictures)


class InfoGAN(NoiseMethod):
    """A generator, a discriminator, and Q, which reads the codes from the discriminator's trunk (Sec. 6)."""

    name = "infogan"
    paper = "Chen et al. 2016, arXiv 1606.03657"
    Config = InfoGANConfig

    def make_networks(self, channels: int, size_px: int) -> None:
        """DCGAN's networks, with the codes among the generator's inputs, and Q."""
        c = self.config
        self.g = c.networks.make_generator(c.latents, channels, size_px, classes=c.categories, codes=c.codes)
        self.d = c.networks.make_discriminator(channels, size_px)
        batch_norm = [nn.BatchNorm1d(c.q_width)] if c.networks.discriminator_norm == "batch" else []
        self.q = nn.Sequential(
            nn.Linear(self.d.features, c.q_width, bias=not batch_norm),
            *batch_norm,
            nn.LeakyReLU(0.2, inplace=True),
            nn.Linear(c.q_width, c.categories + 2 * c.codes),  # logits, then means and log variances
        )

    def make(self, batch: Batch, iteration: Iteration) -> Made:
        """Images of codes that are drawn."""
        c, space = self.config, self.g.config
        labels, codes = draw_labels(iteration, c.categories), draw_codes(iteration, c.codes, batch[0])
        return Made(self.g(space.join(noise(space, iteration, batch[0]), labels, codes)), labels, codes)

    def discriminator_terms(self, batch: Batch, made: Made, iteration: Iteration) -> dict[str, Term | Tensor]:
        """What the discriminator and Q minimise, by name: both sides are to raise the information (Eq. 6)."""
        self.against.augmented.adjust(iteration)
        real = self.against.show(batch[0], iteration, "real")
        views = self._views(made.fake.detach(), iteration, "fake")
        of_real, of_fake, *of_askew = apply_to_each(self.d.trunk, real, *views)
        answers = self.against.losses(self.d.head(of_real), fake=self.d.head(of_fake))
        return {**answers, **self._information("q", made, of_fake, *of_askew)}

    def generator_terms(self, batch: Batch, made: Made, iteration: Iteration) -> dict[str, Term | Tensor]:
        """What the generator minimises, by name."""
        of_fake, *of_askew = apply_to_each(self.d.trunk, *self._views(made.fake, iteration, "generator"))
        gan = self.against.answered(self.d.head(of_fake))
        return {"gan": gan, **self._information("g", made, of_fake, *of_askew)}

    def _views(self, fake: Tensor, iteration: Iteration, part: str) -> tuple[Tensor, ...]:
        """What Q looks at: the images, and if asked for the same askew."""
        shown = self.against.show(fake, iteration, part)
        return (shown, askew(fake, iteration.uniform("askew", (6,)))) if self.config.augment_q else (shown,)

    def _information(self, name: str, made: Made, *features: Tensor) -> dict[str, Term]:
        """The negative of the bound on the mutual information, without its constant entropy (Eq. 4).

        The continuous codes are read from the first of the views, the categorical one from the last.
        """
        c: InfoGANConfig = self.config
        parts = [precise(self.q(of_view)).split([c.categories, c.codes, c.codes], dim=1) for of_view in features]
        (_, means, log_variances), (logits, _, _) = parts[0], parts[-1]
        values = {"categorical": c.lambda_categorical * F.cross_entropy(logits, made.labels)}
        if c.codes:
            values["continuous"] = c.lambda_continuous * gaussian_nll(made.codes, means, log_variances)
        return {f"{name}_{code}": Term(value, "information") for code, value in values.items()}

    def groups(self) -> dict[str, list[nn.Module]]:
        """Q shares the discriminator's trunk and is trained with it."""
        return {"discriminator": [self.d, self.q], "generator": [self.g]}

    def class_names(self, pictures: Any) -> tuple[str, ...]:
        """The values of the categorical code, which nobody has named."""
        return tuple(f"code {value}" for value in range(self.config.categories))

    def preview(self, generators: dict[str, nn.Module], batch: Batch) -> Preview:
        """A column a value of the categorical code, a row a latent."""
        return sheet_of_classes(generators["z2a"], batch[0], self.names)
