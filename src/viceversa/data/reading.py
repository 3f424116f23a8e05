"""How the files of a domain are read for training, and what of them is not used, changed or guessed on the way."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from viceversa.data.picture import Picture
from viceversa.data.values import Values

Resample: TypeAlias = Literal["nearest", "bicubic"]
Pages: TypeAlias = Literal["images", "channels", "first"]


Place = TypeVar("Place")


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How the files of one domain are read; the defaults are what was done before there was a choice."""

    values: Values | None = None
    """Which values are black and white, where that is not the usual range."""

    pages: Pages = "first"
    """What the pages of a TIFF are: "channels" of one image; "images" are told apart before a file is read."""

    resample: Resample | None = "bicubic"
    """How images are resized; None: by nearest neighbor if they are label maps, else bicubically."""

    def about(self) -> dict[str, Any]:
        """What differs from the defaults, for a hash."""
        found: dict[str, Any] = {}
        if self.values is not None:
            found["values"] = [self.values.low, self.values.high, self.values.nodata]
        if self.pages == "channels":
            found["pages"] = self.pages
        if self.resample != "bicubic":
            found["resample"] = self.resample or "by kind"
        return found


@dataclass(frozen=True, kw_only=True)
class Remark(Generic[Place]):
    """That so many images were read in a way which their owner should know of."""

    kind: str
    """One of the keys of `_TEXTS`."""

    images: int
    """How many."""

    total: int
    """Of values, where the remark is about those; else as ``images``."""

    example: Place
    """The first of them."""

    half: int = 0
    """Which half of a pair it is."""


_TEXTS = {
    "alpha": "{images} {are} partly transparent and laid on white",
    "frames": "{images} {are} animated, and only the first frame of each is used",
    "pages": "{images} {have} several pages, and only the first of each is used; --pages images takes them all",
    "others": "{images} {have} further images in the file (previews, depth, views), and only the main one is used",
    "turned": "{images} {are} turned upright by the orientation in the file",
    "scaled": "{images} {are} smaller than their partners and {are} enlarged to their size",
    "distorted": "{images} {are} of another size than their partners, and both are stretched",
    "converted": "{images} {are} converted from CMYK or Lab to RGB",
    "profile": "{images} {have} an embedded color profile other than sRGB, which is not applied",
    "depth": "{images} {have} more than 8 bits a value and {are} cut to 8; --bits 16 keeps them",
    "labels": "{images} {are} taken for label maps (a palette, few colors in plain areas) and resized by nearest "
    "neighbor; --resample-{side} bicubic smooths them",
    "few": "{images} {have} few colors in plain areas but no palette, and {are} resized smoothly; if they are label "
    "maps, --resample-{side} nearest keeps their colors",
    "missing": "{total} values of {images} are missing data and become black, the low end of the range",
    "outside": "{total} values of {images} lie outside the range and become black or white",
}
"""What is said, once for all images."""


def remarks_on(picture: Picture, channels: int, bits: int) -> dict[str, int]:
    """What of a file is not used or changed where it is trained on with so many channels and bits: kinds, each 0 or 1.

    Args:
        picture: As `viceversa.data.formats.read` gives it.
        channels: That are asked for.
        bits: That are kept of a value.
    """
    about, pixels = picture.about, picture.pixels
    several = (
        "pages" if about.kind == "TIFF" else "frames" if about.kind in ("GIF", "WEBP", "PNG", "AVIF") else "others"
    )
    laid = pixels.shape[2] in (2, 4) and pixels.shape[2] != channels
    found = {
        "alpha": laid and bool((pixels[:, :, -1] < _white(pixels)).any()),
        several: about.several,
        "turned": about.turned,
        "converted": about.mode in ("CMYK", "LAB"),
        "profile": about.icc is not None and about.mode != "CMYK" and not _is_srgb(about.icc),
        "depth": bits == 8 and pixels.dtype != np.uint8,
    }
    return {kind: int(there) for kind, there in found.items()}


def _white(pixels: NDArray[Any]) -> float:
    return 1.0 if pixels.dtype.kind == "f" else float(np.iinfo(pixels.dtype).max)


def _is_srgb(icc: bytes) -> bool:
    """By the profile's description, in either of the encodings that it may have."""
    return b"sRGB" in icc or "sRGB".encode("utf-16-be") in icc


def gathered(found: Iterable[tuple[Place, int, Mapping[str, int]]]) -> tuple[Remark[Place], ...]:
    """One remark for each kind, from the counts of each file: where it is, which half of a pair, and the counts."""
    remarks: dict[tuple[str, int], Remark[Place]] = {}
    for path, half, counts in found:
        for kind, total in counts.items():
            old = remarks.get((kind, half), Remark(kind=kind, images=0, total=0, example=path, half=half))
            remarks[kind, half] = Remark(
                kind=kind, images=old.images + 1, total=old.total + total, example=old.example, half=half
            )
    return tuple(sorted(remarks.values(), key=lambda remark: (list(_TEXTS).index(remark.kind), remark.half)))


def in_words(remarks: Iterable[Remark[Any]], sides: str = "ab", *, trained: bool = True) -> list[str]:
    """A sentence for each remark; ``sides`` are the letters of the domains by half.

    Not ``trained`` leaves out the options that only training has.
    """
    lines: list[str] = []
    for remark in remarks:
        one = remark.images == 1
        text = _TEXTS[remark.kind].format(
            images="1 image" if one else f"{remark.images:,} images",
            total=f"{remark.total:,}",
            are="is" if one else "are",
            have="has" if one else "have",
            side=sides[min(remark.half, len(sides) - 1)],
        )
        if not trained and remark.kind in ("pages", "depth"):
            text = text.partition("; --")[0]
        lines.append(f"{text} ({remark.example}{'' if one else ' ...'})")
    return lines
