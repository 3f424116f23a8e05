"""What a discriminator sees is changed at random, real images and fakes alike, so that few images teach it for longer.

The changes are differentiable, so generators learn through them, and do not leak into what they make: Zhao et al. 2020,
Differentiable Augmentation for Data-Efficient GAN Training, arXiv 2006.10738 (DiffAugment). How often an image is
changed is fixed, or follows how sure the discriminator is of real images: Karras et al. 2020, Training Generative
Adversarial Networks with Limited Data, arXiv 2006.06676 (ADA).

A change of your own is a function ``(images, draws) -> images`` under ``@discriminator_augmentation("name", draws=2)``.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from viceversa import plugins
from viceversa.data.augmentations import jitter
from viceversa.errors import check
from viceversa.losses import OBJECTIVES, Logits, over_scales, precise
from viceversa.methods.base import Iteration

Change = Callable[[Tensor, Tensor], Tensor]
CHANGES: dict[str, Change] = {}
"""Each change by the name that ``--augment-d`` gives it."""
_DRAWS: dict[Change, int] = {}  # how many random numbers a change takes an image

_ADJUST_EVERY = 4  # batches (ADA, Sec. 3.2)


def discriminator_augmentation(name: str, *, draws: int) -> Callable[[Change], Change]:
    """Register a change of what discriminators see as ``--augment-d NAME``.

    The function takes images ``(N, C, H, W)``, about [-1, 1], and ``(N, draws)`` uniform in [0, 1), and returns images
    of the same shape. It must be differentiable, and change each image by its own draws alone. Both images of a pair
    get the same draws.
    """

    def register(change: Change) -> Change:
        CHANGES[name], _DRAWS[change] = change, draws
        return change

    return register


@discriminator_augmentation("color", draws=3)
def color(images: Tensor, draws: Tensor) -> Tensor:
    """Brightness by up to 0.5, saturation by a factor up to 2, contrast by 0.5 to 1.5 (DiffAugment); alpha stays."""
    brightness, saturation, contrast = draws[:, :, None, None, None].to(images).unbind(1)
    return jitter(images, brightness - 0.5, 2 * saturation, contrast + 0.5)


@discriminator_augmentation("translation", draws=2)
def translation(images: Tensor, draws: Tensor) -> Tensor:
    """Shift by whole pixels, up to an eighth of each side; what comes in is 0 (DiffAugment)."""
    for dim in (2, 3):
        side = images.shape[dim]
        most = round(side / 8)
        shift = (draws[:, dim - 2] * (2 * most + 1)).long().clamp(max=2 * most) - most
        source = torch.arange(side, device=images.device) - shift[:, None]
        shape = [len(images), 1, 1, 1]
        shape[dim] = side
        # Each pixel is read once, so that the gradient is a sum of one: the same each time, on a GPU too.
        index = source.remainder(side).view(shape).expand_as(images)
        images = images.gather(dim, index) * ((source >= 0) & (source < side)).view(shape)
    return images


@discriminator_augmentation("cutout", draws=2)
def cutout(images: Tensor, draws: Tensor) -> Tensor:
    """A rectangle of half of each side, anywhere, becomes 0 (DiffAugment)."""
    inside = []
    for dim in (2, 3):
        side = images.shape[dim]
        cut = (side + 1) // 2
        first = (draws[:, dim - 2] * (side + 1)).long().clamp(max=side) - cut // 2
        place = torch.arange(side, device=images.device)
        inside.append((place >= first[:, None]) & (place < first[:, None] + cut))
    rows, columns = inside
    return images * ~(rows[:, None, :, None] & columns[:, None, None, :])


@dataclass(frozen=True, kw_only=True)
class FixedAugmentedConfig:
    """What discriminators see is changed at random, as often as is said."""

    augment_d: tuple[str, ...] = ("none",)
    """Changes of what discriminators see, for few images: some of color, translation, cutout; or none."""
    augment_d_probability: float = 1.0
    """How likely each change is for an image."""

    def __post_init__(self) -> None:
        plugins.check_names("discriminator_augmentation", "--augment-d", self.augment_d)
        probability = self.augment_d_probability
        check(0 <= probability <= 1, f"--augment-d-probability must be 0 to 1; got {probability}.")

    @property
    def names(self) -> tuple[str, ...]:
        """The changes, in the order in which they are applied."""
        return tuple(name for name in self.augment_d if name != "none")


@dataclass(frozen=True, kw_only=True)
class AugmentedConfig(FixedAugmentedConfig):
    """The same, by the adaptive rule if asked for."""

    augment_d_adaptive: bool = False
    """The probability begins at 0 and follows how sure discriminators are of real images (ADA)."""
    augment_d_target: float = 0.6
    """Adaptive: the mean sign of the answers on real images that is aimed at, 0 (cannot tell) to 1 (always sure)."""
    augment_d_images: int = 500_000
    """Adaptive: images in which the probability goes from 0 to 1; fewer for a short run."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check(0 <= self.augment_d_target <= 1, f"--augment-d-target must be 0 to 1; got {self.augment_d_target}.")
        check(self.augment_d_images >= 1, f"--augment-d-images must be at least 1; got {self.augment_d_images}.")
        if self.augment_d_adaptive:
            check(self.names, f"--augment-d-adaptive needs changes: give --augment-d {' '.join(CHANGES)}, or some.")
            fixed = "--augment-d-probability is fixed, and --augment-d-adaptive moves it; give one of them."
            check(self.augment_d_probability == 1, fixed)

    def check(self, objective: str) -> None:
        """Refuse the adaptive rule where the sign of an answer means nothing."""
        check(
            not self.augment_d_adaptive
            or (OBJECTIVES[objective].undecided is not None and not OBJECTIVES[objective].relative),
            "--augment-d-adaptive goes by the sign of a discriminator's answers, which means nothing of a critic's or "
            "with --objective relativistic; leave it out, or give --augment-d-probability.",
        )


class Augmented(nn.Module):
    """Changes images at random before a discriminator sees them. Its state, if it adapts, is buffers."""

    probability: Tensor
    """How likely each change is."""
    signs: Tensor
    """``(2,)``: the sum of the mean signs of the answers on real images since the last adjustment, and of how many."""
    adjusted: Tensor
    """Images that had been seen at the last adjustment."""

    def __init__(self, config: FixedAugmentedConfig, undecided: float | None):
        """``undecided`` is the answer of a discriminator that cannot tell."""
        super().__init__()
        self.config, self.undecided = config, undecided
        self.adaptive = config if isinstance(config, AugmentedConfig) and config.augment_d_adaptive else None
        if self.adaptive:
            self.register_buffer("probability", torch.zeros(()))
            self.register_buffer("signs", torch.zeros(2))
            self.register_buffer("adjusted", torch.zeros((), dtype=torch.int64))

    def forward(self, stream: str, iteration: Iteration, *images: Tensor) -> tuple[Tensor, ...]:
        """Change ``images``, each ``(N, C, H, W)`` in [-1, 1], all by the same draws of ``stream``."""
        probability = self.probability if self.adaptive else self.config.augment_d_probability
        for name in self.config.names:
            change = CHANGES[name]
            drawn = iteration.uniform(f"{stream}_{name}", (1 + _DRAWS[change],))
            chosen = (drawn[:, 0] < probability)[:, None, None, None]
            images = tuple(torch.where(chosen, change(precise(x), drawn[:, 1:]), precise(x)) for x in images)
        return images

    @torch.no_grad()
    def adjust(self, iteration: Iteration) -> None:
        """Every few batches, move the probability towards the target: up where the discriminator is too sure.

        It goes by what all processes saw before this iteration, so that it is the same in all of them.
        """
        if not self.adaptive or iteration.number % _ADJUST_EVERY:
            return
        due = self.adjusted < iteration.images  # not so in the second part of an iteration
        share = (iteration.images - self.adjusted) / self.adaptive.augment_d_images
        direction = (self.signs[0] - self.adaptive.augment_d_target * self.signs[1]).sign()  # 0 where nothing was seen
        self.probability.copy_((self.probability + due * direction * share).clamp(0, 1))
        self.signs.copy_(torch.where(due, 0, self.signs))
        self.adjusted.clamp_(min=iteration.images)

    @torch.no_grad()
    def observe(self, on_real: Logits) -> dict[str, Tensor]:
        """Take the answers on real images ``(N, ...)`` into account; return what is to be logged."""
        if not self.adaptive:
            return {}
        undecided = self.undecided or 0.0
        signs = over_scales(lambda logits: (precise(logits) - undecided).sign().flatten(1).mean(1), on_real)
        self.signs.add_(torch.stack([signs.sum(), torch.full_like(signs[0], len(signs))]))
        return {"augment_probability": self.probability, "sign_on_real": signs.mean()}
