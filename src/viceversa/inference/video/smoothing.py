"""Less flicker: where a video stands still, its translation is averaged over time; where it moves, it is left alone.

A network that sees one frame at a time answers a little differently to each, also where nothing happens: that is
flicker. Each pixel shown is ``(1 - w) * new + w * shown before``, an exponential average whose weight ``w`` is
``strength`` where the input did not change from the frame before, and falls to 0 where it did, so nothing trails behind
what moves. At a cut ``w`` is 0 everywhere.
"""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from viceversa.errors import ConfigError

_STILL_LEVELS = 6.0  # of 255: what a still pixel of a compressed video changes by; the weight falls to 1/e there
_BLUR_PX = 5
_CUT_LEVELS = 20.0  # of 255: the mean change from which on a frame belongs to another scene


class Smoother:
    """Takes the frames of one video in order."""

    def __init__(self, strength: float):
        """``strength`` in [0, 1): how much of what is shown stays from frame to frame where nothing moves.

        Raises:
            ConfigError: It is outside that range.
        """
        if not 0 <= strength < 1:
            raise ConfigError(f"--smooth must be at least 0 and below 1; got {strength:g}. Try 0.8.")
        self.strength = strength
        self.cuts = 0
        self._before: Tensor | None = None
        self._shown: Tensor | None = None

    def __call__(self, before: NDArray[Any], after: NDArray[Any]) -> NDArray[Any]:
        """The translation ``after`` of a frame ``before``, both ``(H, W, C)`` uint8, as it is to be shown."""
        if not self.strength:
            return after
        # A copy: the next frame is compared with it, whatever becomes of the caller's array.
        given, new = torch.from_numpy(before.copy()), torch.from_numpy(after.astype(np.float32))
        shown = new
        if self._shown is not None and self._before is not None and self._shown.shape == new.shape:
            shown = torch.lerp(new, self._shown, self._weight(given, self._before)[:, :, None])
        self._before, self._shown = given, shown
        # What is kept is not rounded: small differences would never fade.
        return shown.round().clamp_(0, 255).to(torch.uint8).numpy()

    def _weight(self, given: Tensor, before: Tensor) -> Tensor:
        """``(H, W)``: how much of what was shown before stays."""
        if given.shape != before.shape:
            return torch.zeros(given.shape[:2])
        change = (given.to(torch.int16) - before).abs_().amax(2).float()
        if change.mean() > _CUT_LEVELS:
            self.cuts += 1
            return torch.zeros_like(change)
        # Grain is not motion: the change is looked at together with what is around a pixel.
        around = F.avg_pool2d(change[None], _BLUR_PX, 1, _BLUR_PX // 2, count_include_pad=False)[0]
        return self.strength * torch.exp(-((around / _STILL_LEVELS) ** 2))

    def state(self) -> dict[str, Tensor]:
        """What the next frame depends on."""
        if self._before is None or self._shown is None:
            return {}
        return {"before": self._before, "shown": self._shown}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Goes on from a `state`."""
        self._before, self._shown = state.get("before"), state.get("shown")
