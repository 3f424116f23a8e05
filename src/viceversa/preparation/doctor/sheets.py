"""Which images are worth seeing, and small copies of them for the page."""

import base64
from collections.abc import Callable, Sequence
from html import escape

import numpy as np
from PIL import Image

from viceversa.data.images import Array, encode, look
from viceversa.errors import PictureError
from viceversa.preparation.doctor.measure import THUMB_PX, Measurement
from viceversa.preparation.doctor.scan import Picture

_SIDE_PX = 144
_QUALITY = 78
_MEAN_PX = 128


def spread_out(pictures: Sequence[Picture], number: int) -> list[Picture]:
    """Some of them, evenly over all."""
    places = np.linspace(0, len(pictures) - 1, min(number, len(pictures))).round().astype(int)
    return [pictures[place] for place in places]


def extremes(
    pictures: Sequence[Picture], of: Callable[[Measurement], float], number: int, *, least: bool
) -> list[Picture]:
    """Those with the least or the most of something."""
    known = [picture for picture in pictures if not np.isnan(of(picture.measured))]
    return sorted(known, key=lambda picture: of(picture.measured), reverse=not least)[:number]


def outliers(pictures: Sequence[Picture], number: int) -> list[Picture]:
    """Those that are least like the rest of their domain: at 16 px, far from the mean in how they look."""
    if len(pictures) <= number:
        return []
    thumbs = np.stack([np.frombuffer(picture.measured.thumb, np.uint8) for picture in pictures]).astype(np.float32)
    thumbs -= thumbs.mean(0)
    distance = (thumbs**2).mean(1)
    return [pictures[place] for place in np.argsort(-distance)[:number]]


def mean_picture(pictures: Sequence[Picture]) -> str:
    """The mean of all of them: what they have in common."""
    thumbs = np.stack([np.frombuffer(picture.measured.thumb, np.uint8) for picture in pictures])
    mean = thumbs.mean(0).round().astype(np.uint8).reshape(THUMB_PX, THUMB_PX, 3)
    large = Image.fromarray(mean).resize((_MEAN_PX, _MEAN_PX), Image.Resampling.BICUBIC)
    return f'<div class="mean"><img src="{_uri(np.asarray(large))}" alt="The mean image"></div>'


def sheet(pictures: Sequence[Picture], note: Callable[[Picture], str] | None = None) -> str:
    """Images beside one another, each with its name; those that are gone by now are left out."""
    return f'<div class="sheet">{"".join(tile(picture, note(picture) if note else "") for picture in pictures)}</div>'


def tile(picture: Picture, note: str = "") -> str:
    """One small image with its name."""
    try:
        pixels = look(picture.file, at_least_px=2 * _SIDE_PX, page=picture.page)
    except PictureError:
        return ""
    middle = pixels.shape[1] // 2
    pixels = {"left": pixels[:, :middle], "right": pixels[:, middle:], None: pixels}[picture.half]
    scale = min(1.0, _SIDE_PX / max(pixels.shape[:2]))
    size = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
    small = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BOX))
    name = escape(picture.name)
    said = f"<small>{escape(note)}</small>" if note else ""
    return (
        f'<figure><img src="{_uri(small)}" width="{size[0]}" height="{size[1]}" alt="" loading="lazy">'
        f'<figcaption title="{name}"><span>{name}</span>{said}</figcaption></figure>'
    )


def _uri(pixels: Array) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(encode(pixels, ".jpg", _QUALITY)).decode()
