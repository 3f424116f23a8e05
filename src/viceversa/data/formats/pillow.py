"""The formats that Pillow reads and writes: all but 16-bit colour, HEIC and arrays."""

import contextlib
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from viceversa.data import colour, exif
from viceversa.data.formats.directories import is_sound
from viceversa.data.formats.limits import check_frames, check_pixels
from viceversa.data.formats.quiet import warnings_ignored
from viceversa.data.labels import is_label_map
from viceversa.data.picture import About, Animation, Picture

KINDS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "AVIF")
"""What is tried, whatever the file is called."""
ANIMATED = ("GIF", "WEBP", "PNG", "AVIF", "TIFF")
"""Kinds of several images a file. The others of a JPEG (MPO) are previews or depth, and of another size."""
WITHOUT_ALPHA = ("JPEG", "BMP")
_PROFILE = "Raw profile type exif"  # of a PNG: EXIF as text


@contextlib.contextmanager
def opened(path: Path | str, max_pixels: int | None = None) -> Generator[Image.Image]:
    """The file, of which no more than the head has been read, once it is sure that it is not too large."""
    with warnings_ignored(), Image.open(path, formats=KINDS) as image:
        check_pixels(path, image.width, image.height, max_pixels)
        if not _sound(image):  # whoever asks for it would read gigabytes
            for name in ("exif", _PROFILE):
                image.info.pop(name, None)
        yield image


def reads_tiff(path: Path | str, page: int = 0) -> bool:
    """Whether a TIFF comes out right in Pillow: beyond 8 bits it has one channel only, of which zero is black."""
    try:
        with warnings_ignored(), Image.open(path, formats=("TIFF",)) as image:
            image.seek(page)
            tags: Any = image.tag_v2  # pyright: ignore[reportAttributeAccessIssue]
            bits, photometric = tags.get(258, (1,)), tags.get(262)
            if max(bits) == 8 and tags.get(339, (1,))[0] == 2:  # Pillow takes signed bytes for unsigned ones
                return False
            return max(bits) <= 8 or (len(bits) == tags.get(277, 1) == 1 and photometric != 0)
    except (UnidentifiedImageError, Image.DecompressionBombError, ValueError, SyntaxError, EOFError):
        return False


def read(
    path: Path | str,
    max_pixels: int | None = None,
    at_least_px: int | None = None,
    *,
    raw: bool = False,
    page: int = 0,
) -> Picture:
    """The first frame, or another page of a TIFF; see `viceversa.data.formats.read`."""
    with opened(path, max_pixels) as image:
        if page:
            image.seek(page)
            check_pixels(path, image.width, image.height, max_pixels)
        if at_least_px is not None and image.format == "JPEG":
            image.draft(None, (at_least_px, at_least_px))
        return from_image(image, raw=raw)


def read_frames(path: Path | str, max_pixels: int | None = None) -> Animation | None:
    """All frames, upright; None if there is but one."""
    with opened(path, max_pixels) as image:
        count = getattr(image, "n_frames", 1) if image.format in ANIMATED else 1
        if count == 1:
            return None
        check_frames(count)
        check_pixels(path, image.width, image.height, max_pixels, frames=count)
        icc = colour.true_profile(image.info.get("icc_profile"), image.mode)
        about = About(kind=str(image.format), icc=icc)
        loop = image.info.get("loop")

    def frames() -> Iterator[Picture]:
        with Image.open(path, formats=KINDS) as image:
            for index in range(count):
                with warnings_ignored():
                    image.seek(index)
                    check_pixels(path, image.width, image.height, max_pixels)  # pages of a TIFF have sizes of their own
                    picture = from_image(image)
                yield picture

    return Animation(frames=frames(), about=about, loop=loop)


def from_image(image: Image.Image, *, raw: bool = False) -> Picture:
    """A Pillow image of any mode, upright; ``raw`` as of `viceversa.data.formats.read`."""
    stored: Any = getattr(image, "tag_v2", {})
    lies = stored.get(ExifTags.Base.Orientation, 1)
    image.load()
    found = _exif(
        image
    )  # only after loading: Pillow turns TIFFs by itself then, and PNGs may have it behind the pixels
    labels = is_label_map(image)
    pixels, mode = colour.to_array(image, raw=raw)
    orientation = exif.orientation(found)
    pixels = exif.upright(pixels, orientation)
    dpi = image.info.get("dpi")
    about = About(
        kind="JPEG" if image.format == "MPO" else image.format or "",
        mode=mode,
        icc=colour.true_profile(image.info.get("icc_profile"), mode),
        exif=exif.kept(found, (pixels.shape[1], pixels.shape[0])),
        dpi=(float(dpi[0]), float(dpi[1])) if dpi and all(0 < float(side) < 1e5 for side in dpi) else None,
        duration_ms=image.info.get("duration"),
        turned=orientation > 1 or lies in range(2, 9),
        several=bool(getattr(image, "is_animated", False)),
        labels=labels,
    )
    return Picture(pixels=pixels, about=about)


def to_image(picture: Picture) -> Image.Image:
    """A Pillow image of 8 bits, or of one channel of 16 or of floats, which carries profile and EXIF with it."""
    pixels, about = picture.pixels, picture.about
    if pixels.shape[2] > 1:
        pixels = colour.eight_bit(pixels)
    image = colour.from_array(pixels, about.mode, about.icc)
    if icc := colour.fitting_profile(about.icc, image.mode):
        image.info["icc_profile"] = icc
    if about.exif:
        image.info["exif"] = about.exif
    return image


def write(file: BinaryIO, picture: Picture, kind: str, quality: int) -> None:
    """One image of pixels that the kind holds."""
    image = to_image(picture)
    if kind == "GIF":
        image = _paletted(image)
    image.save(file, kind, **_options(image, picture.about, kind, quality))


def write_bands(
    file: BinaryIO, bands: Iterator[NDArray[Any]], size: tuple[int, int], about: About, kind: str, quality: int
) -> None:
    """One image of ``size`` = (height, width), put together of its rows."""
    whole: Image.Image | None = None
    top = 0
    for band in bands:
        part = to_image(Picture(pixels=band, about=about))
        if whole is None:
            whole = Image.new(part.mode, (size[1], size[0]))
        whole.paste(part, (0, top))
        top += len(band)
    if whole is not None:
        whole = _paletted(whole) if kind == "GIF" else whole
        whole.save(file, kind, **_options(whole, about, kind, quality))


def write_frames(file: BinaryIO, animation: Animation, kind: str, quality: int) -> None:
    """All frames, which Pillow wants together."""
    durations: list[int] = []
    images: list[Image.Image] = []
    for picture in animation.frames:
        durations.append(round(picture.about.duration_ms or 0))
        image = to_image(picture)
        images.append(_paletted(image) if kind == "GIF" else image)
    options = _options(images[0], animation.about, kind, quality) | {"save_all": True, "append_images": images[1:]}
    if kind != "TIFF":
        options["duration"] = durations
        if animation.loop is not None:
            options["loop"] = animation.loop
    if kind == "GIF":
        options |= {"disposal": 2 if "transparency" in images[0].info else 1, "optimize": False}
    images[0].save(file, kind, **options)


def _options(image: Image.Image, about: About, kind: str, quality: int) -> dict[str, Any]:
    options: dict[str, Any] = {"icc_profile": colour.fitting_profile(about.icc, image.mode)}
    if kind in ("JPEG", "WEBP", "AVIF"):
        options["quality"] = quality
    if kind == "JPEG":
        options["subsampling"] = 0  # in small flat images the usual halving of the colours' resolution is plain
    if kind == "TIFF":
        # Pillow cannot compress a TIFF that has EXIF blocks.
        options["compression"] = None if exif.has_blocks(about.exif) else "tiff_adobe_deflate"
    if about.exif and kind in ("JPEG", "PNG", "WEBP", "TIFF", "AVIF"):
        options["exif"] = about.exif
    if about.dpi and kind in ("JPEG", "PNG", "BMP", "TIFF"):
        options["dpi"] = about.dpi
    return options


def _paletted(image: Image.Image) -> Image.Image:
    """At most 255 colours of its own, dithered, and one for what is transparent."""
    if image.mode == "L":
        return image
    colours = image.convert("RGB")
    paletted = colours.quantize(palette=colours.quantize(255), dither=Image.Dither.FLOYDSTEINBERG)
    if image.has_transparency_data:
        opacity = image.getchannel("A")
        paletted.paste(255, mask=opacity.point([255] * 128 + [0] * 128))
        paletted.info["transparency"] = 255
    return paletted


def _exif(image: Image.Image) -> Image.Exif | None:
    try:
        return image.getexif() if _sound(image) else None
    except Exception:  # a damaged EXIF block is no reason to lose a good image
        return None


def _sound(image: Image.Image) -> bool:
    """Whether all EXIF that is known of by now can be read; see `is_sound`."""
    profile = "".join(str(image.info.get(_PROFILE, "")).split("\n")[3:])
    try:
        return is_sound(image.info.get("exif", b"")) and is_sound(bytes.fromhex(profile))
    except ValueError:
        return False
