"""An image as it was in its file: all of its depth, its alpha channel, and what the file says beside the pixels."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class About:
    """What a file says beside its pixels, kept so that it can be said again."""

    kind: str = ""
    """The file's format: "PNG", "JPEG", "TIFF", "HEIF", "NPY" ...; empty if it comes from no file."""

    mode: str = ""
    """Pillow's name of a colour mode other than grey and RGB that was left, to be returned to: "CMYK", "LAB" ..."""

    icc: bytes | None = None
    """The embedded colour profile."""

    exif: bytes | None = None
    """The EXIF block without orientation and preview: the pixels are upright, and the preview is of another image."""

    dpi: tuple[float, float] | None = None
    """Pixels an inch, across and down."""

    flat: bool = False
    """Whether it was an array ``(H, W)``."""

    duration_ms: float | None = None
    """How long a frame of an animation is shown."""

    turned: bool = False
    """Whether it lay otherwise in the file than its orientation says."""

    several: bool = False
    """Whether the file holds other images, frames or pages beside."""

    labels: bool = False
    """Whether it was stored as a label map: `viceversa.data.labels.is_label_map`."""

    stored: str = ""
    """Of pixels that `viceversa.data.values` made levels of: the kind of number that they were, such as "int16"."""

    plain: bool = False
    """Whether its pixels are such numbers again, of any kind, and no levels."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Picture:
    """One upright image."""

    pixels: NDArray[Any]
    """``(H, W, C)`` uint8, uint16, or float32 in [0, 1]. The second of 2 and the last of 4 channels is alpha, unless a
    network takes them all."""

    about: About = About()
    """What its file said beside."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Animation:
    """Several images in one file: the frames of an animation, or the pages of a TIFF."""

    frames: Iterator[Picture]
    """Decoded one by one as they are asked for."""

    about: About
    """What the file says of them all."""

    loop: int | None = None
    """How often it is shown: 0 is for ever; None if the file does not say."""
