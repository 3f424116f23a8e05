"""Pictures in and out: the only place that knows about file formats, colour modes and value ranges.

In the whole package a picture is one of two things: a uint8 array ``(H, W, C)``, or a float32 tensor ``(N, C, H, W)``
in [-1, 1]; C is 3 (RGB) or 1 (grey). Embedded colour profiles are not applied.
"""

import io
import os
import secrets
import threading
import warnings
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from viceversa.errors import PictureError

Array: TypeAlias = NDArray[np.uint8]
Fit: TypeAlias = Literal["crop", "stretch"]

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif")
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")  # what is tried, whatever the file is called
PIXEL_LIMIT = 178_956_970  # Pillow's own limit; a few kilobytes can unpack to gigabytes, so more is refused undecoded

_EXIF_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def read(path: Path | str, channels: Literal[1, 3] = 3, at_least_px: int | None = None) -> Array:
    """A file as ``(H, W, channels)`` uint8, upright by its EXIF orientation.

    The first frame of an animation is taken; transparent pictures are laid on white; grey of 16 bits is scaled by the
    range of its kind, not clipped; CMYK, palette and 1-bit pictures become RGB or grey.

    Args:
        path: The file; its contents decide on its format, not its name.
        channels: 3 for RGB, 1 for grey.
        at_least_px: If given, a large JPEG may be decoded at a half, a quarter or an eighth of its size, which is much
            faster, as long as its short side keeps at least this many pixels.

    Raises:
        PictureError: The file is no picture, is damaged, or has more than ``PIXEL_LIMIT`` pixels. The text begins with
            ``"<path>: "``.
    """
    try:
        with _pillow_warnings_ignored(), Image.open(path, formats=FORMATS) as image:
            if image.width * image.height > PIXEL_LIMIT:
                raise Image.DecompressionBombError
            if at_least_px is not None and image.format == "JPEG":
                image.draft(None, (at_least_px, at_least_px))
            return from_pil(image, channels)
    except Exception as error:  # the decoders raise nearly every kind of error on damaged files
        raise PictureError(f"{path}: {_reason(path, error)}") from error


def from_pil(image: Image.Image, channels: Literal[1, 3] = 3) -> Array:
    """A Pillow image of any mode as ``(H, W, channels)`` uint8, by the rules of `read`."""
    image.load()
    plain = _plain(image, channels)
    try:
        # Asked for only after loading: Pillow turns TIFFs by itself then, and PNGs may keep it behind the pixels.
        turn = _UPRIGHT.get(image.getexif().get(_EXIF_ORIENTATION, 1))
    except Exception:  # a damaged EXIF block is no reason to lose a good picture
        turn = None
    array = np.array(plain if turn is None else plain.transpose(turn))
    return array if array.ndim == 3 else array[:, :, None]


def to_tensor(pictures: Array | Tensor) -> Tensor:
    """``(N, H, W, C)`` uint8 to ``(N, C, H, W)`` float32 in [-1, 1], channels-last in memory, on the same device."""
    if isinstance(pictures, np.ndarray):
        pictures = torch.from_numpy(pictures if pictures.flags.writeable else pictures.copy())
    return pictures.permute(0, 3, 1, 2).to(torch.float32).div_(127.5).sub_(1)


def to_uint8(pictures: Tensor) -> Array:
    """``(N, C, H, W)`` in [-1, 1] to ``(N, H, W, C)`` uint8: rounded to the nearest, clamped; inverts `to_tensor`."""
    scaled = pictures.detach().to(torch.float32).add(1).mul_(127.5).round_().clamp_(0, 255)
    return scaled.to(torch.uint8).permute(0, 2, 3, 1).cpu().contiguous().numpy()


def resize(picture: Array, size: tuple[int, int]) -> Array:
    """``(H, W, C)`` uint8 resized to ``size`` = (height, width) by a bicubic filter that does not alias."""
    return _resize(picture, size, None)


def fit_square(picture: Array, side_px: int, fit: Fit = "crop") -> Array:
    """``(H, W, C)`` uint8 to ``(side_px, side_px, C)``.

    ``"crop"`` keeps the middle square, without distortion; ``"stretch"`` keeps everything and lets the sides change.
    """
    height, width = picture.shape[:2]
    if fit == "stretch":
        return _resize(picture, (side_px, side_px), None)
    side = min(height, width)
    left, top = (width - side) / 2, (height - side) / 2
    return _resize(picture, (side_px, side_px), (left, top, left + side, top + side))


def grid(rows: Sequence[Sequence[Array]], gap_px: int = 2) -> Array:
    """One RGB picture of rows of equally large uint8 pictures ``(H, W, C)`` (grey ones too); missing ones are white."""
    height, width = rows[0][0].shape[:2]
    down, across = height + gap_px, width + gap_px
    sheet = np.full((len(rows) * down - gap_px, max(map(len, rows)) * across - gap_px, 3), 255, np.uint8)
    for y, row in enumerate(rows):
        for x, picture in enumerate(row):
            sheet[y * down : y * down + height, x * across : x * across + width] = picture
    return sheet


def encode(picture: Array, suffix: str = ".jpg", quality: int = 90) -> bytes:
    """``(H, W, C)`` uint8 as the bytes of a file of the kind that ``suffix`` names, one of ``SUFFIXES``."""
    kind = Image.registered_extensions().get(suffix.lower())
    if kind not in FORMATS:
        raise PictureError(f"'{suffix}' is not a kind of picture that can be written; use one of {' '.join(SUFFIXES)}.")
    buffer = io.BytesIO()
    # Full colour resolution: in small flat pictures the usual halving of it is plainly visible.
    options: dict[str, Any] = {"quality": quality, "subsampling": 0} if kind == "JPEG" else {"quality": quality}
    Image.fromarray(_squeezed(picture)).save(buffer, kind, **options)
    return buffer.getvalue()


def save(picture: Array, path: Path | str, quality: int = 90) -> None:
    """Writes ``(H, W, C)`` uint8 to ``path``, whose suffix names the kind: beside it first, then renamed."""
    path = Path(path)
    data = encode(picture, path.suffix, quality)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        beside.write_bytes(data)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def _plain(image: Image.Image, channels: Literal[1, 3]) -> Image.Image:
    """A loaded image in mode RGB or L."""
    if image.mode[0] in "IF":
        image = _eight_bit(image)
    elif image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("L" if channels == 1 else "RGB")


def _eight_bit(image: Image.Image) -> Image.Image:
    """Grey of 12, 16 or 32 bits or of floats as mode L.

    The range is that of the kind: 0 to 65535, or 0 to 4095 where nothing is above it (cameras and scanners of 12 bits
    are stored in 16, and would be all but black); 0 to 1 for floats. A picture that leaves it (numbers of 32 bits or
    with a sign have no usual range) is stretched from its own darkest to its own lightest value.
    """
    values = np.nan_to_num(np.asarray(image, np.float64))
    darkest, lightest = float(values.min()), float(values.max())
    low, high = 0.0, 1.0 if image.mode == "F" else 65535.0 if lightest > 4095 else 4095.0
    if darkest < low or lightest > high:
        low, high = darkest, lightest
    return Image.fromarray(np.rint((values - low) * (255 / max(high - low, 1e-12))).astype(np.uint8))


def _reason(path: Path | str, error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such file."
    if isinstance(error, Image.DecompressionBombError):
        return f"it has more than {PIXEL_LIMIT // 10**6} megapixels; make it smaller or remove it."
    if isinstance(error, UnidentifiedImageError):
        if os.path.getsize(path) == 0:
            return "the file is empty; replace it or remove it."
        return f"it is no picture of a kind that can be read ({' '.join(FORMATS)}), or its head is damaged; remove it."
    if isinstance(error, OSError) and error.errno is not None:
        return f"it cannot be opened ({error.strerror})."
    return f"the file is damaged or cut short ({str(error) or type(error).__name__}); replace it or remove it."


def _resize(picture: Array, size: tuple[int, int], box: tuple[float, float, float, float] | None) -> Array:
    if picture.shape[:2] == size and (box is None or box == (0, 0, *reversed(size))):
        return picture
    image = Image.fromarray(_squeezed(picture))
    return np.array(image.resize((size[1], size[0]), Image.Resampling.BICUBIC, box)).reshape(*size, -1)


def _squeezed(picture: Array) -> Array:
    return picture[:, :, 0] if picture.shape[2] == 1 else picture


_quiet_lock = threading.Lock()
_quiet: list[Any] = []  # one entry for each thread inside; the first one is the `catch_warnings` that holds for all


@contextmanager
def _pillow_warnings_ignored() -> Generator[None]:
    """Pillow warns of odd metadata in good pictures. Filters belong to the process, so the threads must share one."""
    with _quiet_lock:
        if not _quiet:
            caught = warnings.catch_warnings()
            caught.__enter__()
            warnings.filterwarnings("ignore", module=r"PIL\.")
            _quiet.append(caught)
        else:
            _quiet.append(None)
    try:
        yield
    finally:
        with _quiet_lock:
            caught = _quiet.pop()
            if caught is not None:
                caught.__exit__(None, None, None)
