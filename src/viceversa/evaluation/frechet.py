"""The Frechet distance between two sets of images, by features of any network."""

from typing import Any

import torch
from torch import Tensor, nn

from viceversa.errors import DataError
from viceversa.extras import need


class _Ready(nn.Module):
    """What torchmetrics takes for a feature extractor, where the features are there already."""

    def __init__(self, num_features: int):
        super().__init__()
        self.num_features = num_features

    def forward(self, features: Tensor) -> Tensor:
        return features


def frechet_distance(real: Tensor, fake: Tensor) -> float:
    """``|m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2))`` of features ``(N, D)`` and ``(M, D)``, in float64.

    0 where means and covariances are equal (Heusel et al. 2017, arXiv 1706.08500). It depends on the network that made
    the features and on how many images there are: compare only what was measured alike.

    Raises:
        DataError: There are fewer than two of each, or of different lengths, or one is not finite.
        MissingExtra: torchmetrics is not installed.
    """
    if min(len(real), len(fake)) < 2 or real.shape[1:] != fake.shape[1:] or real.dim() != 2:
        raise DataError(
            f"A Frechet distance is between two or more features (N, D) of each side; got {tuple(real.shape)} and "
            f"{tuple(fake.shape)}."
        )
    if not (torch.isfinite(real).all() and torch.isfinite(fake).all()):
        raise DataError("A Frechet distance needs finite features; these hold NaN or infinity.")
    kind: Any = need("torchmetrics.image.fid", "evaluate").FrechetInceptionDistance
    # In a training of several processes one evaluates: a metric that asked the others would wait for ever.
    distance = kind(feature=_Ready(real.shape[1]), sync_on_compute=False)
    distance.update(real.cpu().double(), real=True)
    distance.update(fake.cpu().double(), real=False)
    return max(0.0, float(distance.compute()))  # rounding can leave a little less than nothing
