"""The distances between two heaps of pictures by their features, with intervals: Frechet's and the kernel distance."""

import warnings
from typing import Any

import torch
from torch import Tensor, nn

from viceversa import seeding
from viceversa.evaluation import bootstrap
from viceversa.evaluation.bootstrap import Figure
from viceversa.evaluation.frechet import frechet_distance
from viceversa.extras import need

_SUBSETS, _SUBSET = 100, 1000  # as in the paper on the kernel distance; no larger than a heap


def frechet(real: Tensor, fake: Tensor, resamples: int, seed: int) -> Figure:
    """`frechet_distance` of features ``(N, D)`` and ``(M, D)``."""
    return bootstrap.between(frechet_distance(real, fake), frechet_by_svd, real, fake, resamples, seed, least=0.0)


def kernel(real: Tensor, fake: Tensor, resamples: int, seed: int) -> Figure:
    """The kernel distance (KID) of features ``(N, D)`` and ``(M, D)``: about 0 for heaps of one kind, or just below.

    Binkowski et al.: Demystifying MMD GANs. ICLR 2018, arXiv 1801.01401. Unlike Frechet's, its expectation does not
    depend on how many pictures there are.
    """
    module = need("torchmetrics.image.kid", "evaluate")
    size = min(_SUBSET, len(real), len(fake))
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.simplefilter("ignore", UserWarning)  # that it keeps all features: they are here anyway
        torch.manual_seed(seeding.derive(seed, "kernel distance"))
        distance = module.KernelInceptionDistance(feature=nn.Identity(), subsets=_SUBSETS, subset_size=size)
        distance.update(real.double(), real=True)
        distance.update(fake.double(), real=False)
        value = float(distance.compute()[0])

    def again(one: Tensor, other: Tensor) -> float:
        measure: Any = module.poly_mmd
        return float(measure(one[:size].double(), other[:size].double()))

    return bootstrap.between(value, again, real, fake, resamples, seed)


def frechet_by_svd(real: Tensor, fake: Tensor) -> float:
    """`frechet_distance` again, quickly, for the hundreds of times that an interval takes.

    With centred features X ``(N, D)`` and Y ``(M, D)``, S1 = X'X / (N - 1) and S2 = Y'Y / (M - 1), the trace of
    (S1 S2)^(1/2) is the sum of the singular values of X Y', over the root of (N - 1)(M - 1). Where there are more
    pictures than features, the triangle of the QR decomposition stands for them.
    """
    means = [heap.double().mean(0) for heap in (real, fake)]
    scaled = [
        (heap.double() - middle) / (len(heap) - 1) ** 0.5 for heap, middle in zip((real, fake), means, strict=True)
    ]
    roots = [torch.linalg.qr(x, mode="r").R if x.shape[0] > x.shape[1] else x for x in scaled]
    both = torch.linalg.svdvals(roots[0] @ roots[1].T).sum()
    spread = sum(x.square().sum() for x in scaled)
    return max(0.0, float((means[0] - means[1]).square().sum() + spread - 2 * both))
