"""Which half of an image is translated, where inputs and answers lie side by side in one image."""

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, get_args

from viceversa.data.halves import is_twice
from viceversa.data.picture import Picture
from viceversa.errors import ConfigError, PictureError
from viceversa.inference.translator import Translator

Choice: TypeAlias = Literal["auto", "left", "right", "none"]


@dataclass(frozen=True, kw_only=True)
class Half:
    """What is taken of an image."""

    side: Literal["left", "right"] | None
    """The half, or None for the whole."""

    ratios: tuple[float, float] | None = None
    """Of images as wide as this, as multiples of their height, and of no others; None: of all."""

    def is_taken(self, height: int, width: int) -> bool:
        """Return whether a half of an image of this size is taken."""
        return self.side is not None and (self.ratios is None or is_twice(height, width, self.ratios))

    def of(self, picture: Picture) -> Picture:
        """Return the half of an image, or the image.

        Raises:
            PictureError: It is too narrow to have halves.
        """
        height, width = picture.pixels.shape[:2]
        if not self.is_taken(height, width):
            return picture
        if width < 2:
            raise PictureError("it is 1 px wide and has no halves.")
        middle = width // 2
        part = slice(0, middle) if self.side == "left" else slice(width - middle, width)
        return replace(picture, pixels=picture.pixels[:, part])


def choose(translator: Translator, direction: str, asked: Choice) -> Half:
    """Return what is taken of images for one direction, "a2b" or "b2a".

    With "auto" a translator that was trained on pairs side by side, A on the left, takes its half of images that have
    the shape of those pairs, and the whole of all others; a translator that does not know takes the whole.

    Raises:
        ConfigError: There is no such choice.
    """
    if asked not in get_args(Choice):
        raise ConfigError(f'--half must be auto, left, right or none, not "{asked}".')
    if asked in ("left", "right"):
        return Half(side=asked)
    if asked == "none" or translator.side_by_side is None:
        return Half(side=None)
    return Half(side="left" if direction[0] == "a" else "right", ratios=translator.side_by_side)
