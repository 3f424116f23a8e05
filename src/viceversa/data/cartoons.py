"""CartoonGAN's third kind of image: cartoons whose edges are smoothed (Chen et al. 2018, CVPR, Sec. 3.2.1)."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from viceversa import extras, sizes
from viceversa.data import cache
from viceversa.data.cache import PictureSet, Progress
from viceversa.data.folders import Domain
from viceversa.data.images import Array
from viceversa.data.ragged import Ragged
from viceversa.data.recipe import Recipe
from viceversa.data.sources import Decoded, UnpairedData
from viceversa.errors import ConfigError

# The paper names the three steps and no numbers; these are the ones that its re-implementations have settled on, for
# images of 256 px.
_WEAK, _STRONG = 100, 200  # Canny's thresholds
_REACH_PX = 5  # sides of the dilation and of the blur
_VERSION = 1  # of what `smooth_edges` gives


@dataclass(frozen=True, kw_only=True)
class CartoonData(UnpairedData):
    """Photographs in the folder a, cartoons in the folder b, or a data set with trainA/ trainB/ [testA/ testB/]."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.bits == 16 or not {self.channels_a, self.channels_b} <= {1, 3}:
            raise ConfigError(
                "CartoonGAN looks at grey or RGB of 8 bits: leave --bits out, and make --channels-a and --channels-b 1 "
                "or 3."
            )

    def depth(self, *domains: Domain) -> Literal[8]:
        """Always 8, for the same reason."""
        return 8

    def parts(self, progress: Progress | None) -> list[Decoded]:
        """Those of A, and those of B with their smoothed twins behind them in the channels."""
        photos, cartoons = super().parts(progress)
        return [
            photos,
            dataclasses.replace(
                cartoons,
                channels=(self.channels_b, self.channels_b),
                over=("smoothed",),
                train=self._with_twins(cartoons.train, progress),
                test=self._with_twins(cartoons.test, progress) if cartoons.test else None,
            ),
        ]

    def _with_twins(self, sharp: PictureSet, progress: Progress | None) -> PictureSet:
        """The images, each with its smoothed twin, ``(N, H, W, 2 C)``, from the cache."""
        ragged = isinstance(sharp.pictures, Ragged)
        side_px = self.load_px if ragged else sizes.of(*np.asarray(sharp.pictures).shape[1:3])
        fit = "window" if ragged else "crop"
        recipe = Recipe(side_px=side_px, fit=fit, channels=(self.channels_b, self.channels_b))
        about = ["edges smoothed", _VERSION, sharp.key]

        def twins() -> Iterator[Array]:
            pictures: Any = sharp.pictures
            for picture in pictures:
                yield np.concatenate([picture, smooth_edges(picture)], axis=2)

        made = cache.keep(about, sharp.names, recipe, twins, self.cache, progress=progress)
        nearest = sharp.nearest * 2  # a twin is resized as its image
        return dataclasses.replace(made, skipped=sharp.skipped, remarks=sharp.remarks, nearest=nearest)


def smooth_edges(picture: Array) -> Array:
    """``(H, W, 1 or 3)`` uint8, blurred near its edges alone: Canny's edges, widened, and a Gaussian blur there.

    Raises:
        MissingExtra: OpenCV is not installed.
    """
    cv2 = extras.need("cv2", "prepare")
    sharp = np.ascontiguousarray(picture)
    grey = cv2.cvtColor(sharp, cv2.COLOR_RGB2GRAY) if picture.shape[2] == 3 else sharp[:, :, 0]
    edges = cv2.Canny(grey, _WEAK, _STRONG)
    near = cv2.dilate(edges, np.ones((_REACH_PX, _REACH_PX), np.uint8)) > 0
    blurred = cv2.GaussianBlur(sharp, (_REACH_PX, _REACH_PX), 0, borderType=cv2.BORDER_REFLECT_101)
    return np.where(near[:, :, None], blurred.reshape(picture.shape), sharp)
