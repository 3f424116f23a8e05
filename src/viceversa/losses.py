"""Adversarial objectives, distances and gradient penalties, as pure functions; always in float32 or wider.

A loss becomes a term of an update with its kind, which the report goes by: ``distance(10 * l1(x, y))``.

| name       | the discriminator minimises           | the generator minimises | paper                             |
|------------|---------------------------------------|-------------------------|-----------------------------------|
| `bce`      | BCE(D(x), 1) + BCE(D(G), 0)           | BCE(D(G), 1)            | Goodfellow et al. 2014, 1406.2661 |
| `minimax`  | the same                              | -BCE(D(G), 0)           | the same, Eq. 1                   |
| `lsgan`    | (D(x) - 1)^2 + D(G)^2                 | (D(G) - 1)^2            | Mao et al. 2017, 1611.04076       |
| `wgan`     | mean D(G) - mean D(x)                 | -mean D(G)              | Arjovsky et al. 2017, 1701.07875  |
| `wgan-gp`  | the same; its penalty is a term apart | the same                | Gulrajani et al. 2017, 1704.00028 |
| `hinge`    | relu(1 - D(x)) + relu(1 + D(G))       | -mean D(G)              | Lim and Ye 2017, 1705.02894       |

`relativistic` compares each fake with a real image: the discriminator minimises softplus(D(G) - D(x)), the generator
softplus(D(x) - D(G)) (Jolicoeur-Martineau 2019, arXiv 1807.00734; R3GAN, Huang et al. 2024, arXiv 2501.05441).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor


def precise(x: Tensor) -> Tensor:
    """``x`` in float32, or as it is where it is float64: under autocast network outputs are bfloat16."""
    return x if x.dtype == torch.float64 else x.float()


Kind = Literal[
    "adversarial", "discriminator", "critic", "penalty", "distance", "information", "classification", "other"
]
"""What a loss term is:

- ``adversarial``: a generator's loss on a discriminator's answers;
- ``discriminator``: a discriminator's loss on one kind of images; its terms are shown as one sum too;
- ``critic``: the same of a critic, whose answers have no bounds: minus the sum estimates a distance;
- ``penalty``: what is added to a discriminator's loss;
- ``distance``: between images or between features of them: reconstruction, cycle, identity, content;
- ``information``: how surely codes are read back from images;
- ``classification``: a classifier's loss;
- ``other``: anything else.
"""


@dataclass(frozen=True)
class Term:
    """A weighted loss, and what kind of loss it is."""

    value: Tensor
    """A scalar, float32 or float64."""
    kind: Kind = "other"
    of: str = ""
    """The discriminator or critic that a term of these kinds is part of."""


Logits = Tensor | Sequence[Tensor]
"""What a discriminator answers: logits ``(N, ...)``, or a list of them, of several scales."""


def over_scales(loss: Callable[[Tensor], Tensor], logits: Logits, weights: Sequence[float] | None = None) -> Tensor:
    """Return the mean of ``loss`` over the scales of a discriminator's answer, or with ``weights`` their sum."""
    if isinstance(logits, Tensor):
        return loss(logits)
    found = [loss(scale) for scale in logits]
    if weights is None:
        return torch.stack(found).mean(0)
    return torch.stack([weight * value for weight, value in zip(weights, found, strict=True)]).sum(0)


def less(logits: Logits, others: Logits) -> Logits:
    """Return ``logits`` less ``others``, scale by scale."""
    if isinstance(logits, Tensor) and isinstance(others, Tensor):
        return precise(logits) - precise(others)
    return [precise(one) - precise(other) for one, other in zip(logits, others, strict=True)]


def distance(value: Tensor) -> Term:
    """Return ``value`` as the term of a distance: reconstruction, cycle, identity, content."""
    return Term(value, "distance")


@dataclass(frozen=True)
class Objective:
    """What the two sides minimise; each function takes logits of any shape and returns a scalar."""

    real: Callable[[Tensor], Tensor]
    """The discriminator's loss on real images' logits."""
    fake: Callable[[Tensor], Tensor]
    """The discriminator's loss on fakes' logits."""
    generator: Callable[[Tensor], Tensor]
    """The generator's loss on its fakes' logits."""
    undecided: float | None = 0.0
    """The logit of a discriminator that cannot tell; None for critics, of which only differences mean something."""
    relative: bool = False
    """Whether logits are those of fakes less those of real images, one for one; ``real`` is not asked then."""


def _bce(logits: Tensor, target: float) -> Tensor:
    return F.softplus(-logits if target else logits).mean()  # softplus(-s) = -log sigmoid(s)


_WGAN = Objective(
    real=lambda s: -precise(s).mean(),
    fake=lambda s: precise(s).mean(),
    generator=lambda s: -precise(s).mean(),
    undecided=None,
)

OBJECTIVES: dict[str, Objective] = {
    "bce": Objective(
        real=lambda s: _bce(precise(s), 1.0),
        fake=lambda s: _bce(precise(s), 0.0),
        generator=lambda s: _bce(precise(s), 1.0),
    ),
    "minimax": Objective(
        real=lambda s: _bce(precise(s), 1.0),
        fake=lambda s: _bce(precise(s), 0.0),
        generator=lambda s: -_bce(precise(s), 0.0),
    ),
    "lsgan": Objective(
        real=lambda s: (precise(s) - 1).square().mean(),
        fake=lambda s: precise(s).square().mean(),
        generator=lambda s: (precise(s) - 1).square().mean(),
        undecided=0.5,
    ),
    "wgan": _WGAN,
    "wgan-gp": _WGAN,
    "hinge": Objective(
        real=lambda s: F.relu(1 - precise(s)).mean(),
        fake=lambda s: F.relu(1 + precise(s)).mean(),
        generator=lambda s: -precise(s).mean(),
    ),
    "relativistic": Objective(
        real=lambda s: _bce(precise(s), 1.0),
        fake=lambda s: _bce(precise(s), 0.0),
        generator=lambda s: _bce(precise(s), 1.0),
        relative=True,
    ),
}


def l1(x: Tensor, y: Tensor) -> Tensor:
    """Mean absolute error over all elements."""
    return (precise(x) - precise(y)).abs().mean()


def gaussian_nll(x: Tensor, means: Tensor, log_variances: Tensor) -> Tensor:
    """Negative log-likelihood of ``x`` ``(N, K)`` under independent Gaussians, without its constant: mean over all."""
    return ((x - means).square() * (-log_variances).exp() + log_variances).mean() / 2


def gradient_penalty(critic: Callable[[Tensor], Logits], real: Tensor, fake: Tensor, mixing: Tensor) -> Tensor:
    """WGAN-GP's ``mean((||grad_x D(x_hat)||_2 - 1)^2)`` (Gulrajani et al. 2017, arXiv 1704.00028, Eq. 3), unweighted.

    A critic of patches is judged by the mean over its patches: that is the function whose slope is to be 1.

    Args:
        critic: ``(N, C, H, W)`` to logits ``(N, ...)``.
        real: ``(N, C, H, W)``.
        fake: The same shape.
        mixing: ``(N,)`` in [0, 1]: where on the line from fake to real each ``x_hat`` lies.
    """
    weight = mixing.to(real.dtype).reshape(-1, 1, 1, 1)
    between = fake.detach().to(real.dtype).lerp(real.detach(), weight)
    return (gradient_norm(critic, between) - 1).square().mean()


def r1_penalty(critic: Callable[[Tensor], Logits], images: Tensor, of: Literal["mean", "sum"] = "mean") -> Tensor:
    """R1's ``1/2 mean ||grad_x D(x)||^2`` on real images (Mescheder et al. 2018, arXiv 1801.04406, Eq. 9).

    On fakes it is R2. D(x) is the mean of an image's logits, as in what it is added to, or their sum: with P patches an
    image the penalty is P^2 times as large then.
    """
    return gradient_norm(critic, images.detach(), of).square().mean() / 2


def gradient_norm(critic: Callable[[Tensor], Logits], x: Tensor, of: Literal["mean", "sum"] = "mean") -> Tensor:
    """``(N,)``: the length of the gradient of each sample's mean logit by the sample; differentiable itself.

    Of several scales it is the mean of their means, or with ``of`` "sum" the sum of all their logits.
    """
    with torch.autocast(x.device.type, enabled=False):
        x = x.requires_grad_()
        answer = critic(x)
        if of == "sum":
            scales = [answer] if isinstance(answer, Tensor) else answer
            score = torch.stack([precise(logits).sum() for logits in scales]).sum()
        else:
            score = over_scales(lambda logits: precise(logits).flatten(1).mean(1), answer).sum()
        (gradient,) = torch.autograd.grad(score, x, create_graph=True)
        return gradient.flatten(1).norm(dim=1)
