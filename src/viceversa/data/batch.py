"""What a step of training is given."""

from collections.abc import Callable, Iterable, Mapping
from typing import Self

from torch import Tensor


class Batch(tuple[Tensor, ...]):
    """Images of A and of B, or images and their labels, as a tuple; and by name what lies over these images.

    >>> a, b = batch  # doctest: +SKIP
    >>> mask = batch.planes.get("mask_a")  # doctest: +SKIP
    """

    planes: Mapping[str, Tensor]
    """``(N, C, H, W)`` by name, cut out and turned as the images: "mask_a" and "mask_b" in [0, 1], "smoothed_b"."""

    def __new__(cls, tensors: Iterable[Tensor], planes: Mapping[str, Tensor] | None = None) -> Self:
        """Make a batch of ``tensors`` and of the ``planes`` beside them."""
        batch = super().__new__(cls, tensors)
        batch.planes = dict(planes or {})
        return batch

    def map(self, change: Callable[[Tensor], Tensor]) -> "Batch":
        """Return a batch of ``change(tensor)`` for each tensor."""
        return Batch(map(change, self), {name: change(plane) for name, plane in self.planes.items()})
