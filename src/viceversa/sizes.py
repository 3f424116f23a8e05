"""The size of images: a whole number for squares, or height and width.

People type 256, or 256x512 for 256 px high and 512 px wide. A square is always kept as the one number, so that what was
written for squares (settings, cached images, translators) stays as it was.
"""

import re
from typing import Any, TypeAlias

from viceversa.errors import ConfigError

SizePx: TypeAlias = int | tuple[int, int]
"""Pixels of a side of a square, or ``(height, width)``."""


def sides(size_px: SizePx) -> tuple[int, int]:
    """``(height, width)``."""
    return (size_px, size_px) if isinstance(size_px, int) else size_px


def of(height: int, width: int) -> SizePx:
    """The size of these sides: one number where they are equal."""
    return height if height == width else (height, width)


def words(size_px: SizePx) -> str:
    """As it is typed: "256", or "256x512" for height and width."""
    return "x".join(map(str, size_px)) if isinstance(size_px, tuple) else str(size_px)


def pixels(size_px: SizePx) -> int:
    """The number of pixels of an image of this size."""
    height, width = sides(size_px)
    return height * width


def covers(larger_px: SizePx, smaller_px: SizePx) -> bool:
    """Whether the first is as large as the second or larger, on both sides."""
    return all(a >= b for a, b in zip(sides(larger_px), sides(smaller_px), strict=True))


def window(height: int, width: int, size_px: SizePx) -> tuple[float, float]:
    """Height and width of the largest window in ``height`` x ``width`` that has the shape of ``size_px``."""
    tall, wide = sides(size_px)
    if width * tall >= height * wide:
        return height, height * wide / tall
    return width * tall / wide, width


def covering(height: int, width: int, size_px: SizePx) -> tuple[int, int]:
    """Height and width of the smallest image of the shape ``height`` x ``width`` that covers ``size_px``."""
    tall, wide = sides(size_px)
    if width * tall >= height * wide:
        return tall, max(wide, round(width * tall / height))
    return max(tall, round(height * wide / width)), wide


def parse(text: str) -> SizePx:
    """What `words` wrote.

    Raises:
        ValueError: It is neither a whole number nor two with an x between them.
    """
    found = re.fullmatch(r"([0-9]{1,9})(?:[xX×]([0-9]{1,9}))?", text.strip())
    if not found:
        raise ValueError(f"{text!r} is no size; write 256 for a square, or 256x512 for height x width")
    height, width = (int(side or found[1]) for side in found.groups())
    return of(height, width)


def from_plain(value: Any) -> SizePx:
    """A size out of JSON or Python: a whole number, two of them in a list, or text such as "256x512".

    Raises:
        ValueError: It is none of these.
    """
    if type(value) is int:
        return value
    if isinstance(value, str) and not value.isdecimal():  # "256" is no number anywhere in a config
        return parse(value)
    if isinstance(value, list | tuple) and len(value) == 2 and all(type(side) is int for side in value):
        return of(*value)
    raise ValueError(f"{value!r} is no whole number, and no height and width such as [256, 512]")


def checked(value: Any, flag: str) -> SizePx:
    """As `from_plain`, of 1 px or more a side.

    Raises:
        ConfigError: It cannot be; ``flag`` names the setting.
    """
    try:
        size_px = from_plain(value)
    except ValueError as error:
        raise ConfigError(f"{flag}: {error}.") from None
    if min(sides(size_px)) < 1:
        raise ConfigError(f"{flag} must be at least 1 pixel, not {words(size_px)}.")
    return size_px


def told(value: Any) -> str:
    """What JSON holds for a size, as `words`; anything else as it stands there."""
    try:
        return words(from_plain(value))
    except ValueError:
        return str(value)
