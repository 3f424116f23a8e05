"""Black bars and plain borders: how deep they reach into one image, and what holds for a whole video.

One frame is not enough: at night the sky is as black as a bar. So the bars of a video are judged by many frames of each
scene and by all scenes; and a single image must have them on opposite sides.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from viceversa.preparation.frames import Grey

_PLAIN = 12  # grey levels that a border's pixel may be off its colour
_OTHER = 16  # grey levels from which on a pixel is no border's
_DEEPEST = 0.45  # share of the side; deeper is no border but a plain image
_UNKNOWN = -1
_MARGIN_PX = 2  # compression blurs the edge of a video's bars


@dataclass(frozen=True, slots=True)
class Box:
    """A part of an image in its own pixels, from ``left`` and ``top`` up to but without ``right`` and ``bottom``."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        """In pixels."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """In pixels."""
        return self.bottom - self.top

    def cut(self, picture: NDArray[Any]) -> NDArray[Any]:
        """That part of ``(H, W, ...)``."""
        return picture[self.top : self.bottom, self.left : self.right]


@dataclass(frozen=True, slots=True)
class Depths:
    """Pixels of border at each side of one image; -1 where it cannot be told."""

    top: int
    bottom: int
    left: int
    right: int


def depths(grey: Grey) -> Depths:
    """Borders of ``(H, W)``: lines of one plain colour from the rim on, up to a straight edge with something else."""
    top, bottom = _depth(grey), _depth(grey[::-1])
    inner = grey[max(top, 0) : grey.shape[0] - max(bottom, 0)].T
    return Depths(top, bottom, _depth(inner), _depth(inner[::-1]))


def of_picture(grey: Grey) -> Box:
    """What lies inside the borders of a single image: those that come in pairs of one colour, or all around."""
    height, width = grey.shape
    found = depths(grey)
    top, bottom = (found.top, found.bottom) if _alike(grey, found.top, found.bottom) else (0, 0)
    left, right = (found.left, found.right) if _alike(grey.T, found.left, found.right) else (0, 0)
    return Box(left, top, width - right, height - bottom)


def of_video(samples: Sequence[tuple[int, Depths]], shape: tuple[int, int]) -> dict[int, Box]:
    """What lies inside the bars for each scene, from samples of (scene, depths).

    A scene's border is what four of five of its frames have, but no more than the usual one of the video: so a dark
    scene is not cut deeper, and a scene that fills the frame is not cut at all.
    """
    by_scene: dict[int, list[Depths]] = {}
    for scene, found in samples:
        by_scene.setdefault(scene, []).append(found)
    sides: dict[int, list[int]] = {scene: [] for scene in by_scene}
    for side in ("top", "bottom", "left", "right"):
        own = {scene: _common([getattr(found, side) for found in group]) for scene, group in by_scene.items()}
        known = sorted(depth for depth in own.values() if depth != _UNKNOWN)
        usual = known[len(known) // 2] if known else 0
        for scene, depth in own.items():
            cut = usual if depth == _UNKNOWN or depth > usual - _MARGIN_PX else depth
            sides[scene].append(cut + _MARGIN_PX if cut else 0)
    height, width = shape
    return {
        scene: Box(left, top, width - right, height - bottom) for scene, (top, bottom, left, right) in sides.items()
    }


def _common(found: list[int]) -> int:
    known = sorted(depth for depth in found if depth != _UNKNOWN)
    return known[len(known) // 5] if known else _UNKNOWN


def _depth(grey: NDArray[Any]) -> int:
    """Border lines at the top of ``(H, W)``; -1 if it is not clear where they end."""
    colour = int(np.median(grey[0]))
    deepest = int(_DEEPEST * len(grey))
    depth = 0
    while depth < deepest and _off(grey[depth], colour, _PLAIN) <= 0.02:
        depth += 1
    if depth == 0:
        return 0
    # The straight edge: skies and walls end in something uneven.
    beyond = max(_off(line, colour, _OTHER) for line in grey[depth : depth + 4])
    return depth if depth < deepest and beyond >= 0.4 else _UNKNOWN


def _off(line: NDArray[Any], colour: int, by: int) -> float:
    """Share of the pixels that are more than ``by`` off ``colour``."""
    return float(np.count_nonzero(np.abs(line.astype(np.int16) - colour) > by)) / len(line)


def _alike(grey: NDArray[Any], first: int, last: int) -> bool:
    return first > 0 and last > 0 and abs(float(np.median(grey[0])) - float(np.median(grey[-1]))) <= _PLAIN
