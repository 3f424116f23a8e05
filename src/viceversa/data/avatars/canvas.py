"""A canvas in the unit square, drawn 4x larger than asked for: crisp and soft shapes, and a map of what is where."""

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from viceversa.data.avatars.identity import Colour

Points = NDArray[np.float64]

WHITE: Colour = (255, 255, 255)
INK: Colour = (46, 32, 36)
SUPERSAMPLING = 4
LABELS = ("background", "hair", "skin", "neck", "clothes", "lips", "brows", "eyes", "glasses", "beard", "teeth")


class Canvas:
    """Images of ``size_px`` a side; all lengths are parts of that side, x to the right, y down.

    ``flat`` is the look of a drawn video: shades get hard edges and every filled shape may have an outline.
    A ``labelled`` canvas also keeps a map of what is to be seen where, for ``region``.
    """

    def __init__(self, size_px: int, *, flat: bool, labelled: bool):
        self.size_px = size_px
        self.side = size_px * SUPERSAMPLING
        self.flat = flat
        self.image = Image.new("RGB", (self.side, self.side))
        self.labels = Image.new("L", (self.side, self.side)) if labelled else None
        self._draw = ImageDraw.Draw(self.image)
        self._draw_labels = ImageDraw.Draw(self.labels) if self.labels else None

    def background(
        self, top: Colour, bottom: Colour, spot: Points | None = None, glow: Colour = (255, 255, 255)
    ) -> None:
        """Fill everything with a gradient from ``top`` to ``bottom``, with a soft ``spot`` of light on it."""
        # All of it is smooth, so it is made at the size asked for and enlarged.
        small = Image.new("RGB", (1, 2), top)
        small.putpixel((0, 1), bottom)
        size = (self.size_px, self.size_px)
        small = small.resize(size, Image.Resampling.BILINEAR, box=(0, 0.5, 1, 1.5))
        if spot is not None:
            mask = Image.new("L", size)
            ImageDraw.Draw(mask).polygon(list(map(tuple, (spot * self.size_px).tolist())), fill=150)
            small.paste(glow, mask=mask.filter(ImageFilter.GaussianBlur(0.14 * self.size_px)))
        self.image.paste(small.resize(self.image.size, Image.Resampling.BILINEAR))

    def fill(
        self,
        points: Points,
        colour: Colour,
        *,
        label: str | None = None,
        outline: Colour | None = None,
        clip: Image.Image | None = None,
    ) -> None:
        """A crisp polygon, inside ``clip`` where one is given; ``outline`` is drawn in the flat look only."""
        if clip is None:
            self._draw.polygon(self._pixels(points), fill=colour)
        else:
            self._blend([points], colour, 1.0, 0.0, clip)
        if label is not None and self._draw_labels:
            self._draw_labels.polygon(self._pixels(points), fill=LABELS.index(label))
        if self.flat and outline is not None:
            self.stroke(np.concatenate([points, points[:2]]), outline, 0.011)

    def stroke(self, points: Points, colour: Colour, width: float, *, label: str | None = None) -> None:
        """A line of ``width`` with round joints and ends."""
        corners = self._pixels(points)
        pixels = max(1, round(width * self.side))
        _line(self._draw, corners, colour, pixels)
        if label is not None and self._draw_labels:
            _line(self._draw_labels, corners, LABELS.index(label), pixels)

    def taper(self, points: Points, colour: Colour, width: float, *, label: str | None = None) -> None:
        """A line that is ``width`` thick in its middle and pointed at its ends."""
        self.fill(_tapered(points, width), colour, label=label)

    def shade(
        self, points: Points, colour: Colour, opacity: float, *, blur: float, clip: Image.Image | None = None
    ) -> None:
        """A see-through shape: with soft edges ``blur`` wide, or with hard ones in the flat look."""
        self._blend([points], colour, opacity, 0.0 if self.flat else blur, clip)

    def streaks(self, lines: Points, colour: Colour, opacity: float, width: float, *, clip: Image.Image) -> None:
        """See-through lines ``(K, P, 2)``, pointed at both ends, inside ``clip``."""
        self._blend(_tapered(lines, width), colour, opacity, 0.0, clip)

    def mask(self, *shapes: Points) -> Image.Image:
        """Where the shapes are: 255 inside, 0 outside, at four times the size."""
        mask = Image.new("L", (self.side, self.side))
        draw = ImageDraw.Draw(mask)
        for points in shapes:
            draw.polygon(self._pixels(points), fill=255)
        return mask

    def tint(self, mask: Image.Image, colour: Colour, opacity: float) -> None:
        """Lay a see-through colour over all of ``mask``."""
        self.image.paste(colour, mask=mask.point([round(level * opacity) for level in range(256)]))

    def label(self, mask: Image.Image, label: str) -> None:
        """Say what is to be seen where ``mask`` is."""
        if self.labels:
            self.labels.paste(LABELS.index(label), mask=mask)

    def _blend(
        self, shapes: Sequence[Points] | Points, colour: Colour, opacity: float, blur: float, clip: Image.Image | None
    ) -> None:
        """Lay see-through shapes on the image, working on no more of it than they touch."""
        radius = blur * self.size_px
        # Soft edges do not show that they were made at the size asked for; crisp ones need all the pixels.
        scale = 1 if radius >= 0.3 else SUPERSAMPLING
        corners = shapes[0] if len(shapes) == 1 else np.concatenate(list(shapes))
        border = 2.5 * radius + 1
        left, top = (max(0, int(z * self.size_px - border)) for z in corners.min(axis=0).tolist())
        right, bottom = (min(self.size_px, int(z * self.size_px + border) + 1) for z in corners.max(axis=0).tolist())
        width, height = right - left, bottom - top
        if width <= 0 or height <= 0:
            return
        place, zoom = np.array((left, top)) * float(scale), float(self.size_px * scale)
        mask = Image.new("L", (width * scale, height * scale))
        draw = ImageDraw.Draw(mask)
        for points in shapes:
            draw.polygon(list(map(tuple, (points * zoom - place).tolist())), fill=round(255 * opacity))
        if scale == 1:
            mask = mask.filter(ImageFilter.GaussianBlur(radius))
            mask = mask.resize((width * SUPERSAMPLING, height * SUPERSAMPLING), Image.Resampling.BILINEAR)
        box = (left * SUPERSAMPLING, top * SUPERSAMPLING, right * SUPERSAMPLING, bottom * SUPERSAMPLING)
        if clip is not None:
            mask = ImageChops.multiply(mask, clip.crop(box))
        self.image.paste(colour, box, mask)

    def picture(self) -> Image.Image:
        """The image at the size asked for."""
        return self.image.reduce(SUPERSAMPLING)

    def region(self, label: str) -> NDArray[np.bool_]:
        """``(size, size)``: the pixels of which more than half shows what ``label`` names."""
        assert self.labels is not None, "the canvas must be a labelled one"
        found = self.labels.point([255 * (level == LABELS.index(label)) for level in range(256)])
        return np.asarray(found.reduce(SUPERSAMPLING)) > 128  # an exact half rounds to 128

    def _pixels(self, points: Points) -> list[tuple[float, float]]:
        return list(map(tuple, (points * self.side).tolist()))


def _line(draw: ImageDraw.ImageDraw, corners: list[tuple[float, float]], ink: Colour | int, pixels: int) -> None:
    draw.line(corners, fill=ink, width=pixels, joint="curve")
    radius = pixels / 2 - 0.5
    for x, y in (corners[0], corners[-1]) if pixels > 3 else ():
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=ink)


def curve(points: Sequence[tuple[float, float]] | Points, *, closed: bool = False, steps: int = 6) -> Points:
    """A smooth line through ``points`` (Catmull and Rom, 1974), ``steps`` pieces between two of them."""
    through = np.asarray(points, dtype=np.float64)
    ends = (through[-1:], through[:2]) if closed else (through[:1], through[-1:])
    padded = np.concatenate([ends[0], through, ends[1]])
    four = np.stack([padded[:-3], padded[1:-2], padded[2:-1], padded[3:]], axis=1)  # (pieces, 4, 2)
    line = (_weights(steps) @ four).reshape(-1, 2)
    return line if closed else np.concatenate([line, through[-1:]])


@cache
def _weights(steps: int) -> Points:
    """``(steps, 4)``: the share of each of four points in the places between the second and the third."""
    t = np.arange(steps) / steps
    return 0.5 * np.stack([-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2], axis=1)


def ellipse(x: float, y: float, width: float, height: float, *, corners: int = 24, square: float = 2.0) -> Points:
    """A superellipse of half-axes ``width`` and ``height``: ``square`` 2 is an ellipse, 4 a rounded rectangle."""
    return _circle(corners, square) * (width, height) + (x, y)


@cache
def _circle(corners: int, square: float) -> Points:
    angle = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return np.sign(circle) * np.abs(circle) ** (2 / square)


def normals(line: Points) -> Points:
    """Unit vectors across a line ``(..., P, 2)``, to the right of its way."""
    along = np.gradient(line, axis=-2)
    x, y = along[..., 0], along[..., 1]
    return np.stack([-y, x], axis=-1) / np.maximum(np.hypot(x, y), 1e-9)[..., None]


def _tapered(lines: Points, width: float) -> Points:
    """Lines ``(..., P, 2)`` as outlines of shapes, ``width`` thick in their middle and pointed at their ends."""
    half = normals(lines) * (np.sin(np.linspace(0, np.pi, lines.shape[-2])) * width / 2)[:, None]
    return np.concatenate([lines + half, (lines - half)[..., ::-1, :]], axis=-2)


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """``first`` with ``share`` of ``second`` in it."""
    r, g, b = (round(a + (z - a) * share) for a, z in zip(first, second, strict=True))
    return r, g, b


def shadow(colour: Colour) -> Colour:
    """The colour in shadow: darker and warmer."""
    r, g, b = colour
    return round(r * 0.74), round(g * 0.62), round(b * 0.62)


def outline(colour: Colour) -> Colour:
    """The dark line around an area of this colour."""
    return mix(colour, INK, 0.8)
