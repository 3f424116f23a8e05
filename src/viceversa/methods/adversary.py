"""The game against one discriminator, the same for every method: what both sides minimise, and what is added to it."""

from collections.abc import Callable

from torch import Tensor, nn

from viceversa.losses import OBJECTIVES, Term
from viceversa.methods.base import Iteration
from viceversa.methods.penalties import penalties
from viceversa.methods.settings import AdversarialConfig
from viceversa.networks import apply_to_each


class Adversary(nn.Module):
    """Asks a discriminator, and makes terms of its answers. The discriminator itself stays the method's."""

    def __init__(self, name: str, settings: AdversarialConfig):
        """``name`` is what its terms begin with, such as "d_a"."""
        super().__init__()
        self.name, self.settings = name, settings
        self.objective = OBJECTIVES[settings.objective]

    def discriminator(self, d: nn.Module, iteration: Iteration, *, real: Tensor, **fakes: Tensor) -> dict[str, Term]:
        """Return the discriminator's terms: a loss for each kind of images, then penalties.

        Args:
            d: ``(N, C, H, W)`` to logits.
            iteration: Where training stands.
            real: ``(N, C, H, W)``.
            fakes: The same shape, detached, by what their terms are called.
        """
        on_real, *on_fakes = apply_to_each(d, real, *fakes.values())
        mixing = iteration.uniform(f"mixing{self.name.removeprefix('d')}")
        return {
            **self.losses(on_real, **dict(zip(fakes, on_fakes, strict=True))),
            **penalties(self.name, d, real, fakes["fake"], mixing, self.settings),
        }

    def losses(self, on_real: Tensor, **on_fakes: Tensor) -> dict[str, Term]:
        """Return the discriminator's terms on its answers, without penalties."""
        values = {"real": self.objective.real(on_real)}
        values |= {name: self.objective.fake(answers) for name, answers in on_fakes.items()}
        kind = "critic" if self.objective.undecided is None else "discriminator"
        weight = self.settings.discriminator_weight
        return {f"{self.name}_{name}": Term(weight * value, kind, self.name) for name, value in values.items()}

    def generator(self, d: Callable[[Tensor], Tensor], fake: Tensor) -> Term:
        """Return the generator's term on its fakes ``(N, C, H, W)``."""
        return Term(self.objective.generator(d(fake)), "adversarial")
