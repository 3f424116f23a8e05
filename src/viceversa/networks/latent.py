"""What goes into a generator of images from noise: noise, a one-hot class, continuous codes, in this order."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from viceversa.errors import ConfigError

Prior = Literal["normal", "uniform"]


@dataclass(frozen=True, kw_only=True)
class LatentConfig:
    """The vector that a generator makes an image of."""

    latent: int = 100
    """Noise dimensions."""
    prior: Prior = "normal"
    """What the noise is drawn from: N(0, 1), or uniformly from [-1, 1]."""
    classes: int = 0
    """One-hot entries after the noise: the labels of a conditional GAN, or InfoGAN's categorical code."""
    codes: int = 0
    """Continuous codes in [-1, 1] after those (InfoGAN, Sec. 5)."""

    def __post_init__(self) -> None:
        if self.latent < 1 or min(self.classes, self.codes) < 0:
            raise ConfigError(
                "A generator needs at least 1 noise dimension and no negative number of classes or codes; got "
                f"{self.latent}, {self.classes} and {self.codes}."
            )

    @property
    def inputs(self) -> int:
        """Length of the whole vector."""
        return self.latent + self.classes + self.codes

    def join(self, noise: Tensor, labels: Tensor | None = None, codes: Tensor | None = None) -> Tensor:
        """The generator's input ``(N, inputs)``.

        Args:
            noise: ``(N, latent)``.
            labels: ``(N,)`` int64 in 0 to classes - 1, if there are classes.
            codes: ``(N, codes)`` in [-1, 1], if there are any.
        """
        parts = [noise]
        if labels is not None:
            parts.append(one_hot(labels, self.classes).to(noise.dtype))
        if codes is not None:
            parts.append(codes.to(noise.dtype))
        return torch.cat(parts, dim=1)


def one_hot(labels: Tensor, classes: int) -> Tensor:
    """``(N,)`` int64 to ``(N, classes)`` bool; a GPU need not wait to look at the labels, as for torch's own."""
    return labels[:, None] == torch.arange(classes, device=labels.device)
