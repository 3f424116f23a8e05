"""How different from one another the outputs are: what falls when a generator collapses onto a few images."""

import torch
from torch import Tensor

from viceversa.methods.base import Batch, Preview

_MOST = 64  # images that are compared with one another
_SIDE_PX = 32  # at which they are compared: fine noise is not a difference between images


def diversity(preview: Preview, batch: Batch) -> float:
    """Mean distance between outputs, as a share of the mean distance between the images they should vary like.

    1 is as different as real images are; near 0 all outputs are the same. Translations are compared with their
    inputs, images from noise with real ones, always within a kind. Distance is the mean absolute difference of two
    images.

    Args:
        preview: Held-out images and what became of them, or images from noise.
        batch: The held-out images, for images from noise.
    """
    shares: list[float] = []
    for row in preview.rows:
        made, reference = (torch.cat(row), batch[0]) if preview.from_noise else (row[1], row[0])
        if len(made) > 1 and len(reference) > 1 and (spread := _spread(reference)) > 0:
            shares.append(_spread(made) / spread)
    return sum(shares) / len(shares) if shares else 1.0


def _spread(pictures: Tensor) -> float:
    # On the CPU: Apple's GPUs pool to divisors of a size only.
    x = torch.nn.functional.adaptive_avg_pool2d(pictures[:_MOST].float().cpu(), _SIDE_PX).flatten(1)
    distances = torch.cdist(x, x, p=1.0) / x.shape[1]
    return distances.sum().item() / (len(x) * (len(x) - 1))
