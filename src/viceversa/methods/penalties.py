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
) -> dict[str, Term]:
    """What ``settings`` add to a discriminator's loss, as terms called after ``name``; nothing by default.

    Args:
        name: A prefix, such as "d_a".
        discriminator: ``(N, C, H, W)`` to logits.
        real: ``(N, C, H, W)``.
        fake: The same shape, detached.
        mixing: ``(N,)`` in [0, 1], for the gradient penalty.
        settings: Which penalties, and their weights.
    """
    weight, terms = settings.discriminator_weight, dict[str, Term]()
    if settings.objective == "wgan-gp":
        penalty = gradient_penalty(discriminator, real, fake, mixing)
        terms[f"{name}_penalty"] = Term(weight * settings.lambda_gradient_penalty * penalty, "penalty", name)
    if settings.r1_gamma:
        value = weight * settings.r1_gamma * r1_penalty(discriminator, real)
        terms[f"{name}_r1"] = Term(value, "penalty", name)
    return terms
