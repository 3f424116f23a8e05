"""How much of images lies outside the middle window that ``--fit crop`` takes, and what to type for the rest."""

import numpy as np
from numpy.typing import NDArray

from viceversa import sizes
from viceversa.sizes import SizePx

NOTICEABLE = 0.3
"""A mean share that is worth a sentence: photographs of 4:3, which lose a quarter, are below it, those of 3:2 above."""

_LONGEST = 4.0  # times the short side: a larger --size costs more than it is worth
_PARTS = 4  # of the short side, in which the long one is suggested


def shares(sides: NDArray[np.int64], size_px: SizePx) -> NDArray[np.float64]:
    """``(N,)``: of each image of ``sides`` ``(N, 2)``, height and width, the share outside the middle window."""
    heights, widths = sides.astype(np.float64).T
    tall, wide = sizes.sides(size_px)
    inside = np.minimum(heights / tall, widths / wide) ** 2 * (tall * wide)
    return 1 - inside / (heights * widths)


def better_size(sides: NDArray[np.int64], size_px: SizePx) -> SizePx | None:
    """A size with the short side of ``size_px`` and about the shape of most images; None where that helps little."""
    ratio = float(np.median(sides[:, 1] / sides[:, 0]))
    short = min(sizes.sides(size_px))
    part = 2 ** max(2, (short // _PARTS).bit_length() - 1)  # networks halve their sides
    long = int(short * max(ratio, 1 / ratio) / part) * part
    found = sizes.of(short, long) if ratio > 1 else sizes.of(long, short)
    helps = shares(sides, found).mean() < shares(sides, size_px).mean() / 2
    return found if helps and max(ratio, 1 / ratio) <= _LONGEST else None


def remark(sides: NDArray[np.int64], size_px: SizePx) -> str:
    """A sentence on images that are cropped to the shape of ``size_px``; empty where little lies outside."""
    if not len(sides) or (share := float(shares(sides, size_px).mean())) < NOTICEABLE:
        return ""
    shape = "square" if isinstance(size_px, int) else f"window of the shape {sizes.words(size_px)}"
    return (
        f"{100 * share:.0f} % of the pixels lie outside the middle {shape} and are not trained on; "
        f"{remedy(sides, size_px)}"
    )


def remedy(sides: NDArray[np.int64], size_px: SizePx) -> str:
    """What to type: "--fit window cuts windows from anywhere in them, --size 256x448 has about their shape"."""
    ways = ["--fit window cuts windows from anywhere in them"]
    if better := better_size(sides, size_px):
        ways.append(f"--size {sizes.words(better)} has about their shape")
    return ", ".join(ways)
