"""How large the frames of a video may be, looked at before any is decoded."""

from pathlib import Path

from viceversa.data.formats.limits import check_pixels
from viceversa.errors import DataError, PictureError

MOST_PIXELS = 2**26
"""Of a frame: twice as many as 8K has."""
_FRAME_BYTES = 12  # of a pixel: a decoder keeps several frames


class FramesTooLarge(DataError):
    """The frames of a video have more pixels than are taken."""


def options() -> dict[str, str]:
    """For ``av.open``, and for a decoder, whose packets may tell of another size than the head of the file.

    Only files are opened: a playlist must not make this program call other machines.
    """
    return {"protocol_whitelist": "file", "max_pixels": str(MOST_PIXELS)}


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
