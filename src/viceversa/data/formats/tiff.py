"""TIFFs that Pillow does not read whole: colours of 16 bits or floats, many channels, and large ones band by band."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from viceversa.data import colour, exif
from viceversa.data.formats import inflating
from viceversa.data.formats.directories import check_tiff
from viceversa.data.formats.quiet import unheard
from viceversa.data.picture import About, Picture
from viceversa.data.values import UnusualValues
from viceversa.errors import PictureError
from viceversa.extras import need

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_KINDS = ("uint8", "uint16", "float16", "float32", "float64")
_TILE_PX = 256


class Reader:
    """A page of a TIFF, the first one unless another is asked for.

    Raises:
        PictureError: It cannot be read; the text is the rest of a sentence that begins with the file's name.
        MissingExtra: tifffile is not installed.
    """

    def __init__(self, path: Path | str, max_pixels: int | None = None, *, raw: bool = False, page: int = 0):
        """Opens it; ``raw`` as of `viceversa.data.formats.read`."""
        self.raw = raw
        unheard("tifffile")
        module = need("tifffile", "formats")
        check_tiff(path, max_pixels)  # tifffile believes what a directory says
        self.file = module.TiffFile(path)
        try:
            found = self.page = self.file.pages[page]
            self._check()
            self._contiguous, self._compression = found.is_contiguous, int(found.compression)
            found.compression = 1  # see _parts
            self._decode: Any = found.decode
        except BaseException:
            self.file.close()
            raise

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels, as they are stored."""
        return self.page.imagelength, self.page.imagewidth, self.page.samplesperpixel

    @property
    def dtype(self) -> "np.dtype[Any]":
        """Uint8, uint16 or float32; another one only where the numbers are raw."""
        if self.raw:
            return self.page.dtype.newbyteorder("=")
        return np.dtype(np.float32) if self.page.dtype.kind == "f" else self.page.dtype.newbyteorder("=")

    @property
    def orientation(self) -> int:
        """As EXIF counts them, 1 is upright."""
        tag = self.page.tags.get(274)
        return int(tag.value) if tag is not None and tag.value in range(1, 9) else 1

    @property
    def about(self) -> About:
        """What can be said again."""
        tags = self.page.tags
        resolution = self.page.get_resolution(2) if 282 in tags and 283 in tags else None
        return About(
            kind="TIFF",
            icc=self.page.iccprofile,
            exif=exif.from_texts({tag: str(tags[tag].value) for tag in exif.TEXTS if tag in tags}),
            dpi=resolution if resolution and all(0 < side < 1e5 for side in resolution) else None,
        )

    def read(self) -> Picture:
        """The whole of it, as it is stored."""
        height, width, _ = self.shape
        if self._contiguous:
            array = np.asarray(self.page.asarray(squeeze=False))[:, 0]
        else:
            array = np.zeros((self.page.shaped[0], height, width, self.page.shaped[4]), self.page.dtype)
            for part, plane, top, left in self._parts(may_lack=True):
                array[plane, top : top + part.shape[0], left : left + part.shape[1]] = part
        if self.page.planarconfig == 2:
            array = np.moveaxis(array, 0, -1)
        return Picture(pixels=self._plain(array.reshape(self.shape)), about=self.about)

    @property
    def in_bands(self) -> bool:
        """Whether it is cut into parts that hold all channels."""
        return self.page.planarconfig == 1 and len(self.page.dataoffsets) > 1

    def bands(self) -> Iterator[NDArray[Any]]:
        """From top to bottom, ``(h, W, C)``."""
        _, width, _ = self.shape
        band = np.empty(0)
        for part, _, _, left in self._parts():
            if left == 0:
                band = np.zeros((part.shape[0], width, part.shape[2]), part.dtype)
            band[:, left : left + part.shape[1]] = part
            if left + part.shape[1] == width:
                yield self._plain(band)

    def _parts(self, *, may_lack: bool = False) -> Iterator[tuple[NDArray[Any], int, int, int]]:
        """Each strip or tile ``(h, w, C)``, without what lies outside, and where it goes: plane, top and left.

        tifffile unpacks without a limit, so it gets what has been unpacked already, as if the page were not packed.
        """
        page, stream = self.page, self.file.filehandle
        rows, columns = (page.tilelength, page.tilewidth) if page.is_tiled else (page.rowsperstrip, page.imagewidth)
        most = rows * columns * page.shaped[4] * page.dtype.itemsize
        for index, (place, count) in enumerate(zip(page.dataoffsets, page.databytecounts, strict=False)):
            if not place or not count:
                if may_lack:  # what is empty need not be there
                    continue
                raise PictureError("the file is damaged or cut short (a part is missing); replace it or remove it.")
            stream.seek(place)
            data = inflating.inflated(self._compression, stream.read(min(count, stream.size)), most)
            part, (plane, _, top, left, _), _ = self._decode(data, index, _fullsize=page.is_tiled)
            if plane < page.shaped[0] and top < self.shape[0]:
                yield part[0, : self.shape[0] - top, : self.shape[1] - left], plane, top, left

    def _check(self) -> None:
        page = self.page
        if page.dtype is None or page.dtype.kind not in "iuf":
            raise PictureError(f"it holds numbers of {page.dtype}, which are no image; save it with 8 or 16 bits.")
        if page.photometric not in (0, 1, 2):
            raise PictureError(
                f"its colours ({page.photometric.name}) cannot be read with {page.bitspersample} bits; save it as RGB."
            )
        if page.imagedepth != 1 or page.tiledepth != 1:
            raise PictureError("it holds a volume; save it as single images.")
        inflating.check(page.compression)
        if page.predictor not in need("tifffile", "formats").TIFF.UNPREDICTORS:
            raise PictureError(f"its predictor ({page.predictor}) cannot be undone; save it with Deflate or none.")

    def _plain(self, array: NDArray[Any]) -> NDArray[Any]:
        if str(self.page.dtype) not in _KINDS and not self.raw:
            raise UnusualValues(array)
        if self.raw and str(self.page.dtype) not in ("uint8", "uint16"):
            return array.astype(self.dtype, copy=False)
        array = colour.unit_floats(array) if array.dtype.kind == "f" else array.astype(self.dtype, copy=False)
        if self.page.photometric == 0:  # white is zero
            array = (1 if array.dtype.kind == "f" else np.iinfo(array.dtype).max) - array
        if 1 in self.page.extrasamples and array.shape[2] in (2, 4):
            array = colour.straight(array)
        return array


def write(file: BinaryIO, picture: Picture) -> None:
    """An image of any depth and channels."""
    height = picture.pixels.shape[0]
    bands = (picture.pixels[top : top + _TILE_PX] for top in range(0, height, _TILE_PX))
    write_bands(file, bands, picture.pixels.shape, picture.pixels.dtype, picture.about)


def pages(path: Path | str, max_pixels: int | None = None) -> tuple[int, ...]:
    """Places of the pages that are images of their own: no reduced ones, and no masks."""
    found = check_tiff(path, max_pixels)
    return tuple(place for place, page in enumerate(found) if not page.kind & (1 | 4)) or (0,)


def write_pages(file: BinaryIO, pictures: Iterable[Picture]) -> None:
    """A page for each image, of any depth and channels."""
    with need("tifffile", "formats").TiffWriter(file) as writer:
        for picture in pictures:
            _write_page(writer, picture)


def _write_page(writer: Any, picture: Picture) -> None:
    pixels, channels = picture.pixels, picture.pixels.shape[2]
    alpha = {"extrasamples": ["unassalpha"]} if channels in (2, 4) else {}
    writer.write(
        np.ascontiguousarray(pixels if channels > 1 else pixels[:, :, 0]),
        photometric="rgb" if channels in (3, 4) else "minisblack",
        planarconfig="contig" if channels > 1 else None,
        compression="zlib",
        metadata=None,
        software=False,
        **alpha,
    )


def write_bands(
    file: BinaryIO, bands: Iterator[NDArray[Any]], shape: tuple[int, ...], dtype: "np.dtype[Any]", about: About
) -> None:
    """Bands of any heights, in tiles packed by Deflate; a BigTIFF where it has to be."""
    tifffile = need("tifffile", "formats")
    height, width, channels = shape
    alpha = {"extrasamples": ["unassalpha"]} if channels in (2, 4) else {}
    space = "RGB" if channels in (3, 4) else "L"
    texts = exif.texts(about.exif)
    with tifffile.TiffWriter(file, bigtiff=height * width * channels * dtype.itemsize > 2**31) as writer:
        writer.write(
            _tiles(bands, width),
            shape=(height, width, channels) if channels > 1 else (height, width),
            dtype=dtype,
            photometric="rgb" if space == "RGB" else "minisblack",
            planarconfig="contig" if channels > 1 else None,
            tile=(_TILE_PX, _TILE_PX),
            compression="zlib",
            predictor=False,
            metadata=None,
            software=False,
            iccprofile=colour.fitting_profile(about.icc, space),
            resolution=about.dpi,
            resolutionunit=2 if about.dpi else None,
            extratags=[(code, 2, 0, text, True) for code, text in texts.items() if text.isascii()],
            **alpha,
        )


def _tiles(bands: Iterator[NDArray[Any]], width: int) -> Iterator[NDArray[Any]]:
    waiting: list[NDArray[Any]] = []
    rows = 0

    def cut(strip: NDArray[Any]) -> Iterator[NDArray[Any]]:
        strip = strip[:, :, 0] if strip.shape[2] == 1 else strip
        for left in range(0, width, _TILE_PX):
            yield np.ascontiguousarray(strip[:, left : left + _TILE_PX])

    for band in bands:
        waiting.append(band)
        rows += len(band)
        while rows >= _TILE_PX:
            joined = np.concatenate(waiting)
            yield from cut(joined[:_TILE_PX])
            waiting, rows = [joined[_TILE_PX:]], rows - _TILE_PX
    if rows:
        yield from cut(np.concatenate(waiting))
