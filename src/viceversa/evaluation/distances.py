"""The distances between two sets of images by their features, with intervals: Frechet's and the kernel distance."""

import numpy as np
import torch
from torch import Tensor

from viceversa.evaluation import bootstrap
from viceversa.evaluation.bootstrap import Figure
from viceversa.evaluation.frechet import frechet_distance

_ROWS = 1024  # of the matrix of all kernels that are there at once


def frechet(real: Tensor, fake: Tensor, resamples: int, seed: int) -> Figure:
    """`frechet_distance` of features ``(N, D)`` and ``(M, D)``."""
    return bootstrap.between(frechet_distance(real, fake), frechet_by_svd, real, fake, resamples, seed, least=0.0)


def kernel(real: Tensor, fake: Tensor, resamples: int, seed: int) -> Figure:
    """The kernel distance (KID) of features ``(N, D)`` and ``(M, D)``: about 0 for sets of one kind, or just below.

    With k(x, y) = (x'y / D + 1)^3 it is the mean of k over all pairs of different images of one set, plus that of
    the other, less twice the mean over all pairs of one of each (the unbiased MMD^2 of Gretton et al. 2012). The paper
    takes the mean over 100 random subsets of 1000 images each, of which this is the expectation. Nor is the interval
    that of such subsets: they are as small as the smaller set, and its width would be that of two small sets.

    Binkowski et al.: Demystifying MMD GANs. ICLR 2018, arXiv 1801.01401. Unlike Frechet's, its expectation does not
    depend on how many images there are.
    """
    x, y = real.double(), fake.double()
    drawn_x, drawn_y = (
        torch.from_numpy(
            np.concatenate([np.ones((1, len(images))), bootstrap.times(len(images), resamples, seed, what)])
        )
        for images, what in ((x, "kernel, real"), (y, "kernel, fake"))
    )
    within = _pairs(x, x, drawn_x, drawn_x) + _pairs(y, y, drawn_y, drawn_y)
    found = (within - 2 * _pairs(x, y, drawn_x, drawn_y)).numpy()
    again = found[1:]
    return bootstrap.about(float(found[0]), again[np.isfinite(again)])  # a draw of one image alone has no pairs


def _pairs(x: Tensor, y: Tensor, times_x: Tensor, times_y: Tensor) -> Tensor:
    """``(R,)``: mean kernels of pairs of ``x`` and ``y``, drawn so many times; none of an image with itself."""
    total = x.new_zeros(len(times_x))
    for start in range(0, len(x), _ROWS):
        part = slice(start, start + _ROWS)
        total += ((times_x[:, part] @ _kernel(x[part] @ y.T, x)) * times_y).sum(1)
    pairs = times_x.sum(1) * times_y.sum(1)
    if x is y:  # nor with itself drawn once more: such a pair, of which sets have none, would make up the whole spread
        total -= times_x.square() @ _kernel(x.square().sum(1), x)
        pairs -= times_x.square().sum(1)
    return total / pairs


def _kernel(products: Tensor, x: Tensor) -> Tensor:
    return (products / x.shape[1] + 1) ** 3


def frechet_by_svd(real: Tensor, fake: Tensor) -> float:
    """`frechet_distance` again, quickly, for the hundreds of times that an interval takes.

    With centred features X ``(N, D)`` and Y ``(M, D)``, S1 = X'X / (N - 1) and S2 = Y'Y / (M - 1), the trace of
    (S1 S2)^(1/2) is the sum of the singular values of X Y', over the root of (N - 1)(M - 1). Where there are more
    images than features, the triangle of the QR decomposition stands for them.
    """
    means = [images.double().mean(0) for images in (real, fake)]
    scaled = [
        (images.double() - middle) / (len(images) - 1) ** 0.5
        for images, middle in zip((real, fake), means, strict=True)
    ]
    roots = [torch.linalg.qr(x, mode="r").R if x.shape[0] > x.shape[1] else x for x in scaled]
    both = torch.linalg.svdvals(roots[0] @ roots[1].T).sum()
    spread = sum(x.square().sum() for x in scaled)
    return max(0.0, float((means[0] - means[1]).square().sum() + spread - 2 * both))
