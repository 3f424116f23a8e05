"""A discriminator of features that a network learned on photographs, beside a PatchGAN.

Sauer et al.: Projected GANs Converge Faster. NeurIPS 2021, arXiv 2111.01007. Theirs looks at features alone; where
images are translated it notices what an image shows and not its pixels, so a PatchGAN looks at those beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from viceversa.errors import check
from viceversa.networks import efficientnet
from viceversa.networks.layers import DiscriminatorNorm, normalise_weights
from viceversa.networks.patchgan import PatchGAN, PatchGANConfig
from viceversa.networks.registry import discriminator
from viceversa.sizes import SizePx

_BLOCKS = (2, 4, 10)  # at a quarter, an eighth and a sixteenth of the size: deeper ones see what photographs show
_SMALLEST_PX = 32  # of a side: the heads need two pixels of the deepest features
_RAMP = 0.05  # of the run, in which the weight of the features goes from 0 to its full value


@dataclass(frozen=True, kw_only=True)
class ProjectedConfig:
    """What a projected discriminator is made of."""

    in_channels: int = 3
    """Channels of what it judges: 1 or 3, or twice as many of pairs, of which features see the second image."""
    width: int = 64
    """Channels of the PatchGAN's first layer."""
    layers: int = 3
    """Stride-2 layers of the PatchGAN."""
    norm: DiscriminatorNorm = "instance"
    """Normalisation of the PatchGAN's layers."""
    feature_width: int = 64
    """Channels that the features are mixed to, and of the heads that judge them."""
    feature_weight: float = 1.0
    """Weight of the mean over the heads beside the PatchGAN, which has 1."""
    feature_px: int | None = None
    """Side of a square with as many pixels as images are brought to for the features; left out: as they are."""

    def __post_init__(self) -> None:
        PatchGANConfig(in_channels=self.in_channels, width=self.width, layers=self.layers, norm=self.norm)
        check(
            self.in_channels in (1, 2, 3, 6) and self.feature_width >= 1 and self.feature_weight >= 0,
            f"A projected discriminator judges images of 1 or 3 channels, or pairs of such; got {self}.",
        )
        check(
            self.feature_px is None or self.feature_px >= 32, f"feature_px must be 32 or more; got {self.feature_px}."
        )


@discriminator("projected")
class ProjectedDiscriminator(nn.Module):
    """A PatchGAN, and beside it heads on features of EfficientNet-Lite0, which others trained on photographs.

    ``(N, in_channels, H, W)`` to a list of logits: ``(N, 1, h, w)`` of the PatchGAN and of three heads.

    Features are mixed by random convolutions that are not trained, as in the paper, so that no head can look at a few
    easy channels alone. Its spectral normalisation (Miyato et al. 2018, arXiv 1802.05957) keeps each head's slope low.
    """

    Config = ProjectedConfig

    def __init__(self, config: ProjectedConfig):
        """Make it; its weights are not drawn yet.

        Raises:
            MissingExtra: The package with EfficientNet-Lite0's weights is not installed.
        """
        super().__init__()
        self.config = config
        self.patches = PatchGAN(
            PatchGANConfig(in_channels=config.in_channels, width=config.width, layers=config.layers, norm=config.norm)
        )
        self.features = efficientnet.load("lite0")
        c = config.feature_width
        self.heads = nn.ModuleList(_head(c) for _ in _BLOCKS)
        normalise_weights(self.heads, "spectral")
        for index, block in enumerate(_BLOCKS):
            self.register_buffer(f"mixing{index}", torch.zeros(c, self.features.channels[block], 1, 1))

    @staticmethod
    def for_size(values: dict[str, Any], size_px: SizePx) -> dict[str, Any]:
        """Return ``values``; refuse sizes that are too small for its layers."""
        return PatchGAN.for_size(values, size_px)

    def finish_initialisation(self, generator: torch.Generator) -> None:
        """Draw the mixing convolutions, which keep the length of what goes through them."""
        for mixing in self._mixing:
            nn.init.kaiming_normal_(mixing, nonlinearity="linear", generator=generator)

    @property
    def _mixing(self) -> list[Tensor]:
        return [getattr(self, f"mixing{index}") for index in range(len(_BLOCKS))]

    def scale_weights(self, progress: float) -> Sequence[float]:
        """Return the weight of each of the answers at ``progress``, the share of the run that is over.

        Heads on good features win before there is anything to see, so they come in over the first part of the run.
        """
        each = self.config.feature_weight * min(1.0, progress / _RAMP) / len(_BLOCKS)
        return [1.0, *[each] * len(_BLOCKS)]

    def forward(self, x: Tensor) -> list[Tensor]:
        """``(N, in_channels, H, W)`` to four logits ``(N, 1, h, w)``."""
        image = x[:, x.shape[1] // 2 :] if x.shape[1] in (2, 6) else x
        pixels = x.shape[2] * x.shape[3]
        scale = 1.0 if self.config.feature_px is None else self.config.feature_px / pixels**0.5
        size = [max(_SMALLEST_PX, round(side * scale)) for side in x.shape[2:]]
        if size != [*x.shape[2:]]:
            image = F.interpolate(image, size=size, mode="bilinear", align_corners=False, antialias=scale < 1)
        found = self.features(image, _BLOCKS)
        mixed = [F.conv2d(x, mixing) for x, mixing in zip(found, self._mixing, strict=True)]
        return [self.patches(x), *(head(x) for head, x in zip(self.heads, mixed, strict=True))]


def _head(channels: int) -> nn.Sequential:
    """``(N, C, h, w)`` to logits ``(N, 1, h / 2, w / 2)``."""
    return nn.Sequential(
        nn.Conv2d(channels, channels, 3, 1, 1),
        nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(channels, channels, 4, 2, 1),
        nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(channels, 1, 3, 1, 1),
    )
