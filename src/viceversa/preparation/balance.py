"""Making one domain as dark or bright as the other, by leaving out what it has too much of."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from viceversa.data import folders, images
from viceversa.preparation.frames import SIDE_PX, measured
from viceversa.preparation.parallel import Team

BINS = 8  # of 32 grey levels each
_MOST, _SLACK = 1.5, 0.02  # how often, and by how much above that, a bin may have what it has in the other domain
_LEAST_LEFT = 0.25  # of the images: rather unlike than next to nothing


def thin(brightness: Sequence[float], sharpness: Sequence[float], like: Sequence[float]) -> set[int]:
    """Which images to leave out.

    Images are counted in 8 bins of mean grey level. While the share of a bin is more than 1.5 times (and 2 points
    more than) what it is in ``like``, the least sharp image of the bin that is furthest above goes; at most until a
    quarter of the images is left.
    """
    bins = np.minimum(np.asarray(brightness) * BINS / 256, BINS - 1).astype(int)
    counts = np.bincount(bins, minlength=BINS).astype(float)
    wanted = np.bincount(np.minimum(np.asarray(like) * BINS / 256, BINS - 1).astype(int), minlength=BINS) / len(like)
    most = _MOST * wanted + _SLACK
    waiting = [sorted(np.flatnonzero(bins == b).tolist(), key=lambda i: -sharpness[i]) for b in range(BINS)]
    gone: set[int] = set()
    while len(brightness) - len(gone) > max(2, _LEAST_LEFT * len(brightness)):
        excess = counts / counts.sum() / most
        worst = int(excess.argmax())
        if excess[worst] <= 1:
            break
        gone.add(waiting[worst].pop())
        counts[worst] -= 1
    return gone


def brightness_of(folder: Path, team: Team) -> list[float]:
    """The mean grey level of every image in a folder.

    Raises:
        DataError: The folder holds no images, or a damaged one.
    """

    def look(file: Path) -> float:
        return measured(images.read(file, at_least_px=SIDE_PX)).brightness

    return list(team.map(look, folders.find_pictures(folder, "--like")))
