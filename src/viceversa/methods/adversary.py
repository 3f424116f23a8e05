"""The game against one discriminator, the same for every method: what it sees, what both sides minimize, penalties."""

from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from viceversa.errors import check
from viceversa.losses import OBJECTIVES, Logits, Term, less, over_scales, precise
from viceversa.methods.augmented import Augmented, FixedAugmentedConfig
from viceversa.methods.base import Iteration
from viceversa.methods.penalties import penalties
from viceversa.methods.settings import AdversarialConfig
from viceversa.networks import apply_to_each


class Adversary(nn.Module):
    """Asks a discriminator, and makes terms of its answers. The discriminator itself stays the method's."""

    def __init__(
        self, name: str, settings: AdversarialConfig, augmented: FixedAugmentedConfig, channels: tuple[int, ...] = ()
    ):
        """Make the game of a discriminator.

        Args:
            name: What its terms begin with, such as "d_a".
            settings: The objective and the penalties.
            augmented: How the images that it sees are changed.
            channels: Those of each image, where it sees several, or an image and something else: all images are changed
                alike, and the rest stays.
        """
        super().__init__()
        self.name, self.settings, self.channels = name, settings, channels
        self.objective = OBJECTIVES[settings.objective]
        self.augmented = Augmented(augmented, self.objective.undecided)
        self.log: dict[str, Tensor] = {}
        """What the last answers are to be logged as."""

    def discriminator(self, d: nn.Module, iteration: Iteration, *, real: Tensor, **fakes: Tensor) -> dict[str, Term]:
        """Return the discriminator's terms: a loss for each kind of images, then penalties.

        Args:
            d: ``(N, C, H, W)`` to logits.
            iteration: Where training stands.
            real: ``(N, C, H, W)``.
            fakes: The same shape, detached, by what their terms are called.
        """
        self.augmented.adjust(iteration)
        real = self.show(real, iteration, "real")
        fakes = {name: self.show(fake, iteration, name) for name, fake in fakes.items()}
        on_real, *on_fakes = apply_to_each(d, real, *fakes.values())
        mixing = iteration.uniform(f"mixing{self.name.removeprefix('d')}")
        return {
            **self.losses(on_real, _weights(d, iteration), **dict(zip(fakes, on_fakes, strict=True))),
            **penalties(self.name, d, real, fakes["fake"], mixing, self.settings, iteration.number),
        }

    def losses(self, on_real: Logits, weights: Sequence[float] | None = None, **on_fakes: Logits) -> dict[str, Term]:
        """Return the discriminator's terms on its answers, without penalties; ``weights`` as of `over_scales`."""
        values: dict[str, Tensor] = {}
        if self.objective.relative:
            on_fakes = {name: less(answers, on_real) for name, answers in on_fakes.items()}
        else:
            values["real"] = over_scales(self.objective.real, on_real, weights)
        self.log = {f"{self.name}_{name}": value for name, value in self.augmented.observe(on_real).items()}
        values |= {name: over_scales(self.objective.fake, answers, weights) for name, answers in on_fakes.items()}
        kind = "critic" if self.objective.undecided is None else "discriminator"
        weight = self.settings.discriminator_weight
        return {f"{self.name}_{name}": Term(weight * value, kind, self.name) for name, value in values.items()}

    def generator(
        self, d: Callable[[Tensor], Logits], fake: Tensor, iteration: Iteration, real: Tensor | None = None
    ) -> Term:
        """Return the generator's term on its fakes ``(N, C, H, W)``; the relativistic one compares them with ``real``.

        Raises:
            ConfigError: The objective is relativistic, and there are no real images.
        """
        answers = d(self.show(fake, iteration, "generator"))
        if self.objective.relative:
            check(real is not None, "--objective relativistic compares with real images, which this method has not.")
            with torch.no_grad():
                on_real = d(self.show(cast("Tensor", real), iteration, "real"))
            answers = less(answers, on_real)
        return self.answered(answers, _weights(d, iteration))

    def answered(self, on_fake: Logits, weights: Sequence[float] | None = None) -> Term:
        """Return the generator's term on the discriminator's answers; ``weights`` as of `over_scales`."""
        return Term(over_scales(self.objective.generator, on_fake, weights), "adversarial")

    def show(self, images: Tensor, iteration: Iteration, part: str) -> Tensor:
        """Return what the discriminator sees of images ``(N, C, H, W)``; ``part`` tells the draws of a step apart."""
        if not self.augmented.config.names:
            return images
        channels = self.channels or (images.shape[1],)
        *parts, rest = images.split([*channels, images.shape[1] - sum(channels)], 1)
        return torch.cat([*self.augmented(f"augment_{self.name}_{part}", iteration, *parts), precise(rest)], 1)


def _weights(d: Callable[..., Logits], iteration: Iteration) -> Sequence[float] | None:
    """Those of a discriminator's answers, where it has several and weighs them."""
    weigh = getattr(d, "scale_weights", None)
    return None if weigh is None else weigh(iteration.progress)


def logged(method: nn.Module) -> dict[str, Tensor]:
    """What the games of ``method`` have to be logged besides losses."""
    return {
        name: value for game in method.children() if isinstance(game, Adversary) for name, value in game.log.items()
    }
