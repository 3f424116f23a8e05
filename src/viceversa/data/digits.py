"""The built-in digits: 1,797 handwritten ones of 8 x 8 px, which come with scikit-learn (UCI, 1998)."""

import hashlib
from dataclasses import replace

import numpy as np

from viceversa.data import cache
from viceversa.data.cache import PictureSet
from viceversa.data.images import Array, resize
from viceversa.data.parts import Keeping, Part, Source, combined
from viceversa.data.recipe import Recipe
from viceversa.extras import need

_DARKEST = 16  # their values are 0 to 16
_TEST_EVERY = 8  # one in so many is kept for testing


def digits(keeping: Keeping) -> Source:
    """The digits, white on black and enlarged smoothly; every 8th is kept for testing.

    Raises:
        MissingExtra: scikit-learn is not installed.
    """
    bunch = need("sklearn.datasets", "digits").load_digits()
    small: Array = np.rint(bunch.images * (255 / _DARKEST)).astype(np.uint8)[..., None]
    numbers = np.arange(len(small))
    in_test = numbers % _TEST_EVERY == _TEST_EVERY - 1
    digest = hashlib.blake2b(small.tobytes()).hexdigest()

    def part(name: str, rows: list[int]) -> Part:
        names = [f"{row:04}" for row in rows]

        def make(recipe: Recipe) -> PictureSet:
            recipe, size = replace(recipe, smallest_px=1, fit="crop"), recipe.shape[:2]
            return cache.keep(
                ["digits", name, digest],
                names,
                recipe,
                lambda: (np.repeat(resize(small[row], size), recipe.channels[0], axis=2) for row in rows),
                keeping.folder,
                progress=keeping.progress,
            )

        labels = {name: str(bunch.target[row]) for name, row in zip(names, rows, strict=True)}
        return Part(
            place="the built-in digits",
            labels=labels,
            unlabelled="",
            class_place=lambda label: f"the built-in digit {label}",
            make=make,
        )

    return combined("digits", part("train", numbers[~in_test].tolist()), part("test", numbers[in_test].tolist()), 1)
