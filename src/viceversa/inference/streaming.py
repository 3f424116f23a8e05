"""Large image files from disk to disk: no more of them is in memory than a row of tiles."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from viceversa.data import exif, formats
from viceversa.data.formats.bands import Bands, in_bands, write_bands
from viceversa.errors import PictureError
from viceversa.inference.applied import Applied
from viceversa.inference.conversion import Conversion
from viceversa.inference.maps import Window
from viceversa.inference.tiling import translate_windows


def translate_large(
    applied: Applied,
    source: Path,
    target: Path,
    tile_px: int,
    *,
    kind: str | None = None,
    quality: int = 90,
    max_pixels: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Translates a file into a file, in tiles of ``tile_px``; what it needs on disk meanwhile is beside ``target``.

    Args:
        applied: What translates.
        source: The image.
        target: Where it goes; its suffix names the kind, unless ``kind`` does, or is that of ``source``.
        tile_px: See `viceversa.inference.tiling`.
        kind: One of the values of `viceversa.data.formats.KINDS`.
        quality: Of lossy kinds.
        max_pixels: See `viceversa.data.formats.read`.
        progress: Called with the windows done and all.

    Raises:
        PictureError: The file cannot be read, or not be written as this kind.
        DataError: There is not enough space on the disk.
    """
    bands = in_bands(source, max_pixels)
    with _Pixels(bands, source, target.parent) as pixels:
        about = bands.about
        del bands  # an image that was decoded as a whole is on disk now
        conversion = Conversion(pixels.shape, applied.takes, applied.gives)
        rows = _rows(applied, pixels, conversion, tile_px, target.parent, progress)
        with formats.replacing(target) as file:
            write_bands(file, rows, pixels.shape[:2], about, kind or formats.kind_for(target, source, about), quality)


def _rows(
    applied: Applied,
    pixels: "_Pixels",
    conversion: Conversion,
    tile_px: int,
    scratch: Path,
    progress: Callable[[int, int], None] | None,
) -> Iterator[NDArray[Any]]:
    """The translated image from top to bottom, one row of tiles after the other."""
    height, width = pixels.shape[:2]
    margin = conversion.margin

    def read(window: Window) -> Tensor:
        top, left = max(window.top - margin, 0), max(window.left - margin, 0)
        wider = Window(top, min(window.bottom + margin, height), left, min(window.right + margin, width))
        x = conversion.into(pixels.read(wider))
        x = x[:, window.top - top : window.bottom - top, window.left - left : window.right - left]
        return x[None].to(applied.device, copy=True)

    shape = (applied.takes, height, width)
    band = np.empty(0)
    for window, answer in translate_windows(
        applied.network, read, shape, tile_px=tile_px, scratch=scratch, progress=progress
    ):
        part = conversion.back(answer[0].cpu(), pixels.read(window))
        if window.left == 0:
            band = np.empty((part.shape[0], width, part.shape[2]), part.dtype)
        band[:, window.left : window.right] = part
        if window.right == width:
            yield band


class _Pixels:
    """An image's numbers in a file, row by row: its own if it holds them plainly, else one that no folder lists."""

    def __init__(self, bands: Bands, source: Path, scratch: Path):
        self.stored_shape, self.orientation = bands.shape, bands.orientation
        self.offset = bands.offset or 0
        self.dtype = bands.dtype
        self.file: BinaryIO
        if bands.offset is not None:
            self.file = source.open("rb")
            return
        self.file = tempfile.TemporaryFile(dir=scratch)  # noqa: SIM115  closed by __exit__
        try:
            for band in bands.read():
                self.file.write(np.ascontiguousarray(band).data)
        except BaseException:
            self.file.close()
            raise

    def __enter__(self) -> "_Pixels":
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(H, W, C)``, upright."""
        height, width, channels = self.stored_shape
        return (width, height, channels) if self.orientation > 4 else (height, width, channels)

    def read(self, window: Window) -> NDArray[Any]:
        """``(h, w, C)`` uint8, uint16 or float32 of a window of the upright image."""
        height, width, _ = self.shape
        rows, columns = exif.flips(self.orientation)
        top, bottom = (height - window.bottom, height - window.top) if rows else window[:2]
        left, right = (width - window.right, width - window.left) if columns else window[2:]
        if self.orientation > 4:
            top, bottom, left, right = left, right, top, bottom
        return exif.upright(self._stored(top, bottom, left, right), self.orientation)

    def _stored(self, top: int, bottom: int, left: int, right: int) -> NDArray[Any]:
        _, width, channels = self.stored_shape
        values = np.empty((bottom - top, right - left, channels), self.dtype)
        for row, line in enumerate(values, top):
            self.file.seek(self.offset + (row * width + left) * channels * self.dtype.itemsize)
            if self.file.readinto(line.data) != line.nbytes:  # pyright: ignore[reportAttributeAccessIssue]
                raise PictureError("the file is cut short; replace it or remove it.")
        return formats.npy.plain(values)
