"""The penalties on a discriminator's slope that the translation methods can be asked for; neither paper has one."""

from torch import Tensor, nn

from viceversa.losses import gradient_penalty, r1_penalty
from viceversa.methods.settings import AdversarialConfig


def penalties(
    name: str,
    discriminator: nn.Module,
    real: Tensor,
    fake: Tensor,
    mixing: Tensor,
    settings: AdversarialConfig,
) -> dict[str, Tensor]:
    """What ``settings`` add to a discriminator's loss, as terms called after ``name``; nothing by default.

    Args:
        name: A prefix, such as "d_a".
        discriminator: ``(N, C, H, W)`` to logits.
        real: ``(N, C, H, W)``.
        fake: The same shape, detached.
        mixing: ``(N,)`` in [0, 1], for the gradient penalty.
        settings: Which penalties, and their weights.
    """
    weight, terms = settings.discriminator_weight, dict[str, Tensor]()
    if settings.objective == "wgan-gp":
        penalty = gradient_penalty(discriminator, real, fake, mixing)
        terms[f"{name}_penalty"] = weight * settings.lambda_gradient_penalty * penalty
    if settings.r1_gamma:
        terms[f"{name}_r1"] = weight * settings.r1_gamma * r1_penalty(discriminator, real)
    return terms
