"""What is added to a discriminator's loss to keep it stable: the penalties on its slope, for every method."""

from torch import Tensor, nn

from viceversa.losses import Term, gradient_penalty, r1_penalty
from viceversa.methods.settings import AdversarialConfig


def penalties(
    name: str,
    discriminator: nn.Module,
    real: Tensor,
    fake: Tensor,
    mixing: Tensor,
    settings: AdversarialConfig,
    number: int = 0,
) -> dict[str, Term]:
    """What ``settings`` add to a discriminator's loss, as terms called after ``name``; nothing by default.

    Args:
        name: A prefix, such as "d_a".
        discriminator: ``(N, C, H, W)`` to logits.
        real: ``(N, C, H, W)``.
        fake: The same shape, detached.
        mixing: ``(N,)`` in [0, 1], for the gradient penalty.
        settings: Which penalties, and their weights.
        number: Iterations before this one: R1 and R2 are taken in some of them only, if asked for.
    """
    weight, terms = settings.discriminator_weight, dict[str, Term]()
    if settings.objective == "wgan-gp":
        penalty = gradient_penalty(discriminator, real, fake, mixing)
        terms[f"{name}_penalty"] = Term(weight * settings.lambda_gradient_penalty * penalty, "penalty", name)
    for which, gamma, images in ("r1", settings.r1_gamma, real), ("r2", settings.r2_gamma, fake):
        if gamma and number % settings.r1_every == 0:
            value = settings.r1_every * gamma * r1_penalty(discriminator, images, settings.r1_of)
            terms[f"{name}_{which}"] = Term(weight * value, "penalty", name)
    return terms
