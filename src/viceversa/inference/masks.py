"""Translations of only a part of an image: where its mask is white it is translated, where it is black it stays."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from viceversa.data import formats
from viceversa.data.folders import pictures_in
from viceversa.data.images import eight_bit, resize
from viceversa.data.partners import shown, stem
from viceversa.data.picture import Picture
from viceversa.errors import ConfigError, PictureError

MaskOf = Callable[[Path, Picture], Picture]
"""Gives the mask of an image that lies in a file."""


def masks_in(place: Path) -> MaskOf:
    """Return what gives an image's mask.

    Args:
        place: A folder of masks with the images' names but for the kind of file, below the same sub-folders; one file,
            which is the mask of all; or "alpha", the images' own alpha channel, unless there is a folder of this name.

    Raises:
        ConfigError: There is no such place.
        DataError: It holds no images.
    """
    if place == Path("alpha") and not place.exists():
        return _alpha
    if not place.exists():
        raise ConfigError(f"--mask {place}: there is no such file or folder; name masks, or alpha.")
    if place.is_file() and formats.family(place):
        return lambda _source, _picture: formats.read(place)
    base, files = pictures_in(place, "--mask")
    by_name = {stem(file.relative_to(base).as_posix()): file for file in files}

    def find(source: Path, _picture: Picture) -> Picture:
        parts = source.absolute().parts
        for start in range(1, len(parts)):  # the longest name first: sub-folders are kept
            if file := by_name.get(stem("/".join(parts[start:]))):
                return formats.read(file)
        raise PictureError(f"it has no mask in {shown(base)}; name the mask {stem(source.name)}.png.")

    return find


def _alpha(_source: Path, picture: Picture) -> Picture:
    if picture.pixels.shape[2] not in (2, 4):
        raise PictureError("it has no alpha channel, which is to be its mask.")
    return replace(picture, pixels=picture.pixels[:, :, -1:])


def blended(answer: Picture, picture: Picture, mask: Picture) -> Picture:
    """Return ``answer`` where the mask is white and ``picture`` where it is black, in between where it is gray.

    A mask of another size is resized by nearest neighbor.

    Raises:
        PictureError: The translation has other channels or another kind of values than the image.
    """
    weights = eight_bit(mask, 1)
    if weights.shape[:2] != answer.pixels.shape[:2]:
        weights = resize(weights, answer.pixels.shape[:2], nearest=True)
    old, new = picture.pixels, answer.pixels
    if old.shape[2] < 3 <= new.shape[2]:  # a gray image that becomes one in color
        old = np.concatenate([old[:, :, :1].repeat(3, axis=2), old[:, :, 1:]], axis=2)
    if old.shape != new.shape or old.dtype != new.dtype:
        raise PictureError(
            f"its translation has {new.shape[2]} channels of {new.dtype} and the image {old.shape[2]} of {old.dtype}, "
            "so a part of it cannot be kept; leave --mask out."
        )
    share = weights.astype(np.float64) / 255
    mixed = share * new + (1 - share) * old
    return replace(answer, pixels=mixed.astype(new.dtype) if new.dtype.kind == "f" else mixed.round().astype(new.dtype))
