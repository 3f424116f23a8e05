"""Which frames are kept, and why: nothing but arithmetic on what `scan` measured."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from viceversa import sizes
from viceversa.preparation.config import PrepareConfig
from viceversa.preparation.frames import BLANK_CONTRAST, Measures
from viceversa.preparation.seen import Seen

REASONS = {
    "unreadable": "cannot be read",
    "unfit": "whose halves differ in shape",
    "small": "smaller than --size (--enlarge keeps them)",
    "dark": "dark",
    "fading": "fading in or out",
    "blank": "blank",
    "text": "nothing but text (--keep-text keeps them)",
    "blurred": "blurred",
    "duplicate": "near-duplicates",
    "enough": "beyond the best of their scene (--per-scene)",
    "faceless": "without a face of --size pixels or more",
    "balance": "for balance",
}
"""What a dropped frame is called, and how that is said."""

_BLURRED_SHARE = 0.2  # of the sharpness that a tenth of the scene's frames has
_FADED_OUT, _FADED_IN = 0.3, 0.8  # of the scene's usual contrast: where a fade begins, and where it is over

_ONES = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).sum(1, dtype=np.uint8)  # bits set in each byte


@dataclass(frozen=True)
class Choice:
    """What becomes of the frames of one source."""

    kept: dict[int, str] = field(default_factory=dict[int, str])
    """By index of the frame: why."""
    dropped: dict[int, str] = field(default_factory=dict[int, str])
    """By index of the frame: one of `REASONS`."""
    links: set[tuple[int, int]] = field(default_factory=set[tuple[int, int]])
    """Scenes that show the same: a frame of one was dropped as a duplicate of one of the other."""


class Known:
    """Fingerprints of what is kept already, to be searched."""

    def __init__(self) -> None:
        self._prints: NDArray[np.uint8] = np.empty((0, 0), np.uint8)
        self._count = 0

    def nearest(self, fingerprint: bytes) -> tuple[float, int]:
        """The share of bits that differ from the nearest one, and its place; (1, -1) where there is none."""
        if not self._count:
            return 1.0, -1
        bits = _ONES[self._prints[: self._count] ^ np.frombuffer(fingerprint, np.uint8)].sum(1, dtype=np.int64)
        place = int(bits.argmin())
        return float(bits[place]) / (8 * len(fingerprint)), place

    def add(self, fingerprint: bytes) -> None:
        """Remembers it in the next place, from 0."""
        row = np.frombuffer(fingerprint, np.uint8)
        if self._count == len(self._prints):
            grown = np.empty((max(64, 2 * self._count), len(row)), np.uint8)
            if self._count:
                grown[: self._count] = self._prints
            self._prints = grown
        self._prints[self._count] = row
        self._count += 1


def choose(seen: Sequence[Seen], config: PrepareConfig, *, is_video: bool) -> Choice:
    """The best, none like one that is kept already.

    Of a video's scenes the sharpest frames, at most so many of each; of images all, and of those that are alike the
    largest.
    """
    choice, known, scenes = Choice(), Known(), list[int]()
    enough: set[int] = set()  # places in `known` of frames that are not kept, but that would be if there were room
    groups = (list(group) for _, group in groupby(seen, key=lambda frame: frame.scene if is_video else 0))
    for group in groups:
        good = list(_without_faults(group, config, choice.dropped, is_video=is_video))
        taken = 0
        # Equals keep their order, so the choice is the same everywhere.
        for frame, measures in sorted(good, key=lambda pair: _rank(*pair, is_video=is_video)):
            distance, place = known.nearest(measures.fingerprint)
            if distance <= config.duplicates:
                is_own = scenes[place] == frame.scene
                choice.dropped[frame.index] = "enough" if is_own and place in enough else "duplicate"
                if not is_own:
                    choice.links.add((scenes[place], frame.scene))
                continue
            known.add(measures.fingerprint)
            scenes.append(frame.scene)
            if is_video and taken == config.per_scene:
                choice.dropped[frame.index] = "enough"
                enough.add(len(scenes) - 1)
            else:
                choice.kept[frame.index] = _why(taken, len(good), distance, is_video=is_video)
                taken += 1
    return choice


def _rank(frame: Seen, measures: Measures, *, is_video: bool) -> tuple[float, float]:
    """The best first."""
    return (0 if is_video else -frame.inner.width * frame.inner.height), -measures.sharpness


def _without_faults(
    frames: list[Seen], config: PrepareConfig, dropped: dict[int, str], *, is_video: bool
) -> Iterator[tuple[Seen, Measures]]:
    """The good frames of a scene; the others go to ``dropped``."""
    measured = [frame.measures for frame in frames if frame.measures is not None]
    fading = _fading(measured, config) if is_video else [False] * len(measured)
    sharp = np.quantile([m.sharpness for m in measured], 0.9) if is_video and measured else 0.0
    blurred = max(config.least_sharpness, _BLURRED_SHARE * float(sharp))
    fades = iter(fading)
    for frame in frames:
        if frame.measures is None:
            dropped[frame.index] = frame.fault if frame.problem else "unreadable"
            continue
        is_fading = next(fades)
        fault = _fault(frame, frame.measures, config, is_fading=is_fading, blurred=blurred)
        if fault is None:
            yield frame, frame.measures
        else:
            dropped[frame.index] = fault


def _fault(frame: Seen, found: Measures, config: PrepareConfig, *, is_fading: bool, blurred: float) -> str | None:
    if not config.enlarge and not sizes.covers((frame.inner.height, frame.inner.width), config.size_px):
        return "small"
    if config.pair_with is not None:  # half of a pair may be a map or a drawing; it is not for us to judge
        return None
    if found.text and not config.keep_text:
        return "text"
    if found.brightness < config.least_brightness:
        return "dark"
    if is_fading:
        return "fading"
    if found.contrast < BLANK_CONTRAST:
        return "blank"
    return "blurred" if found.sharpness < blurred else None


def _fading(scene: list[Measures], config: PrepareConfig) -> list[bool]:
    """For each frame of a scene, whether it is part of a fade at the scene's beginning or end.

    A fade begins or ends with next to nothing, and from there the contrast rises to what is usual in the scene.
    """
    contrast = np.array([found.contrast for found in scene])
    dark = np.array([found.brightness < config.least_brightness for found in scene])
    lit = contrast[~dark]
    if not len(lit):
        return [False] * len(scene)
    usual = float(np.quantile(lit, 0.75))
    flags = np.zeros(len(scene), bool)
    for order in (np.arange(len(scene)), np.arange(len(scene))[::-1]):
        if not (dark[order[0]] or contrast[order[0]] < _FADED_OUT * usual):
            continue
        for place in order:
            if contrast[place] >= _FADED_IN * usual:
                break
            flags[place] = True
    return flags.tolist()


def _why(taken: int, good: int, distance: float, *, is_video: bool) -> str:
    if is_video and not taken:
        return f"the sharpest of {good} good frames of its scene"
    if is_video:
        return f"sharp, and differs from those kept by {100 * distance:.0f} % of the fingerprint"
    return "a good image, unlike the others"
