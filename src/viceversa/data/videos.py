"""Videos are opened here alone: files of frames that are not too large, and that name no other files."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from viceversa.data.formats.limits import check_pixels
from viceversa.errors import DataError, PictureError
from viceversa.extras import need

MOST_PIXELS = 2**26
"""Of a frame: twice as many as 8K has."""
_FRAME_BYTES = 12  # of a pixel: a decoder keeps several frames
_LISTS = ("hls", "dash", "concat")  # kinds that name other files, which whoever sent the list may not be meant to see


class FramesTooLarge(DataError):
    """The frames of a video have more pixels than are taken."""


@contextmanager
def opened(path: Path, extra: str, most_pixels: int = MOST_PIXELS) -> Generator[tuple[Any, Any]]:
    """Open a video: its container and its video stream, of frames of at most ``most_pixels`` by its head.

    Args:
        path: The file.
        extra: What is installed with PyAV, if that is missing.
        most_pixels: Of a frame.

    Raises:
        DataError: It is no video, one without images, or its frames are too large.
    """
    av = need("av", extra)
    # Only files are opened: a playlist must not make this program call other machines. The packets may tell of another
    # size than the head of the file.
    options = {"protocol_whitelist": "file", "max_pixels": str(MOST_PIXELS)}
    try:
        container = av.open(str(path.absolute()), options=options)
    except (av.FFmpegError, ValueError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        if isinstance(error, FileNotFoundError | PermissionError | IsADirectoryError):
            raise DataError(f"{path}: it cannot be opened ({reason}); name another, or mend that.") from error
        raise DataError(
            f"{path}: it cannot be read as a video ({reason}): it is damaged, cut short or of another kind; replace it "
            "or leave it out."
        ) from error
    with container:
        if any(kind in _LISTS for kind in container.format.name.split(",")):
            raise DataError(f"{path}: it is a list of other files and no video; give those, or make one video of them.")
        cover = av.stream.Disposition.attached_pic
        streams = [stream for stream in container.streams.video if not stream.disposition & cover]
        if not streams:
            raise DataError(f"{path}: it has no video stream, so there are no images in it; leave it out.")
        if streams[0].codec_context is None:
            raise DataError(f"{path}: it is coded in a way that cannot be decoded; convert it to H.264 first.")
        context = streams[0].codec_context
        check_frame(path, context.width, context.height, most_pixels)
        context.options = options
        yield container, streams[0]


def check_frame(path: Path, width: int, height: int, most: int = MOST_PIXELS) -> None:
    """Refuses frames that are too large, or for so small a file most likely a bomb; 0 is a size that is not known yet.

    Raises:
        FramesTooLarge: They are.
    """
    if width * height > most:
        raise FramesTooLarge(
            f"{path}: it has frames of {width} x {height} px, more than {most / 1e6:.3g} megapixels; make them smaller."
        )
    if not width or not height:
        return
    try:
        check_pixels(path, width, height, pixel_bytes=_FRAME_BYTES)
    except PictureError as error:
        raise FramesTooLarge(
            f"{path}: it has frames of {width} x {height} px in {path.stat().st_size:,} bytes, like a decompression "
            "bomb; make them smaller."
        ) from error
