"""What is cut out of an image: boxes first, then pixels."""

import threading
from itertools import pairwise
from typing import Any

import numpy as np
from PIL import Image

from viceversa import seeding, sizes
from viceversa.data.images import Array
from viceversa.extras import need
from viceversa.preparation.borders import Box
from viceversa.preparation.config import PrepareConfig
from viceversa.preparation.frames import to_grey
from viceversa.sizes import SizePx

LONG = 2.5  # wider than any cinema screen: from here on an image is cut in pieces instead of losing most of it
_FACE_PX = 30  # side of the smallest face wanted, when it is looked for: smaller ones are found less surely
_SMALLEST_FACE_PX = 20  # the cascade knows no smaller ones
_FACE_ROOM = 1.6  # side of the square around a face, by that of the face: with hair and chin
_local = threading.local()


def boxes(picture: Array, inner: Box, config: PrepareConfig, *names: int | str) -> list[Box]:
    """The parts of ``(H, W, 3)`` to cut out, all inside of ``inner``; ``names`` say where random tiles come from."""
    if config.crop == "faces":
        least = 1 if config.enlarge else round(min(sizes.sides(config.size_px)) / _FACE_ROOM)
        found = [_around(face, inner, config.size_px) for face in faces(inner.cut(picture), least)]
    else:
        pieces = _pieces(inner, config.size_px)
        found = [box for part, piece in enumerate(pieces) for box in _of_piece(piece, config, part, *names)]
    return [box for box in found if config.enlarge or sizes.covers((box.height, box.width), config.size_px)]


def gist(inner: Box, config: PrepareConfig) -> Box:
    """The part to be measured of what lies in ``inner``: what `boxes` cuts out, where that is one known beforehand."""
    pieces = _pieces(inner, config.size_px)
    return _of_piece(pieces[0], config, 0)[0] if config.crop == "center" and len(pieces) == 1 else inner


def cut(picture: Array, box: Box, config: PrepareConfig, *, nearest: bool = False) -> Array:
    """That part, in the size asked for: ``(H, W, 3)``, or with that short side where nothing is cropped."""
    height, width = sizes.sides(config.size_px)
    if config.crop == "none":
        height, width = sizes.covering(box.height, box.width, config.size_px)
    part = Image.fromarray(np.ascontiguousarray(box.cut(picture)))
    return np.asarray(part.resize((width, height), Image.Resampling.NEAREST if nearest else Image.Resampling.BICUBIC))


def faces(picture: Array, least_px: int) -> list[Box]:
    """Upright faces seen from the front in ``(H, W, 3)``, from left to right, as squares of ``least_px`` or more.

    By Haar cascades (Viola and Jones, "Rapid object detection using a boosted cascade of simple features", CVPR 2001),
    which come with OpenCV. They are for photographs: of 60 drawn faces they found none.
    """
    cv2 = need("cv2", "prepare")
    height, width = picture.shape[:2]
    scale = min(1.0, _FACE_PX / least_px)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    grey = cv2.equalizeHist(cv2.resize(to_grey(picture), size, interpolation=cv2.INTER_AREA))
    least = min(_FACE_PX, max(_SMALLEST_FACE_PX, least_px))
    found = _cascade("frontalface_alt2").detectMultiScale(grey, scaleFactor=1.1, minNeighbors=5, minSize=(least, least))
    boxed = [
        Box(round(x / scale), round(y / scale), round((x + w) / scale), round((y + h) / scale))
        for x, y, w, h in (tuple(map(int, face)) for face in found)
    ]
    boxed = [box for box in boxed if _has_eyes(picture, box)]
    # OpenCV's threads give them in any order.
    return sorted(boxed, key=lambda box: (box.left, box.top, box.right, box.bottom))


def _has_eyes(picture: Array, face: Box) -> bool:
    """A second look: leaves and facades that pass for faces have no eyes; nine of ten faces have."""
    cv2 = need("cv2", "prepare")
    room = face.width // 4
    part = picture[max(0, face.top - room) : face.bottom + room, max(0, face.left - room) : face.right + room]
    grey = cv2.equalizeHist(cv2.resize(to_grey(part), (160, 160), interpolation=cv2.INTER_CUBIC))
    eyes = _cascade("eye_tree_eyeglasses").detectMultiScale(
        grey[:100], scaleFactor=1.05, minNeighbors=2, minSize=(14, 14), maxSize=(60, 60)
    )
    return len(eyes) > 0


def _cascade(name: str) -> Any:
    """One of each for each thread: they keep notes while they work."""
    cascades: dict[str, Any] = _local.__dict__.setdefault("cascades", {})
    if name not in cascades:
        folder = need("cv2.data", "prepare").haarcascades
        cascades[name] = need("cv2", "prepare").CascadeClassifier(f"{folder}haarcascade_{name}.xml")
    return cascades[name]


def _around(face: Box, inner: Box, size_px: SizePx) -> Box:
    """A box of that shape with room around the face, moved or shrunk so that it lies in ``inner``."""
    side = round(max(face.width, face.height) * _FACE_ROOM)
    height, width = sizes.covering(*sizes.sides(size_px), side)
    most_height, most_width = _largest(inner, size_px)
    height, width = min(height, most_height), min(width, most_width)
    left = inner.left + min(max(0, (face.left + face.right - width) // 2), inner.width - width)
    top = inner.top + min(max(0, (face.top + face.bottom - height) // 2), inner.height - height)
    return Box(left, top, left + width, top + height)


def _largest(piece: Box, size_px: SizePx) -> tuple[int, int]:
    """Height and width of the largest box of that shape in ``piece``."""
    height, width = sizes.window(piece.height, piece.width, size_px)
    return round(height), round(width)


def _pieces(inner: Box, size_px: SizePx) -> list[Box]:
    """The whole, or where it is very long equal pieces along it, each of that shape or a little longer."""
    tall, wide = sizes.sides(size_px)
    across, down = inner.width * tall, inner.height * wide  # of a box of the very shape they are equal
    long, short = max(across, down), min(across, down)
    if long < LONG * short:
        return [inner]
    count = long // short
    side = inner.width if across > down else inner.height
    ends = [round(side * part / count) for part in range(count + 1)]
    if across > down:
        return [Box(inner.left + a, inner.top, inner.left + b, inner.bottom) for a, b in pairwise(ends)]
    return [Box(inner.left, inner.top + a, inner.right, inner.top + b) for a, b in pairwise(ends)]


def _of_piece(piece: Box, config: PrepareConfig, part: int, *names: int | str) -> list[Box]:
    if config.crop == "none":
        return [piece]
    most_height, most_width = _largest(piece, config.size_px)
    if config.crop == "center":
        left, top = piece.left + (piece.width - most_width) // 2, piece.top + (piece.height - most_height) // 2
        return [Box(left, top, left + most_width, top + most_height)]
    tall, wide = sizes.sides(config.size_px)
    least = min(most_height, max(tall, most_height // 2))
    found: list[Box] = []
    for tile in range(config.tiles):
        key = seeding.derive(config.seed, "tiles", *names, part, tile)
        random = np.random.Generator(np.random.Philox(key))
        height = int(random.integers(least, most_height + 1))
        width = min(most_width, round(height * wide / tall))
        left = piece.left + int(random.integers(0, piece.width - width + 1))
        top = piece.top + int(random.integers(0, piece.height - height + 1))
        found.append(Box(left, top, left + width, top + height))
    return found
