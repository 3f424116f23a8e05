"""Images one after the other as a file: GIF, WebP or MP4."""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from PIL import Image

from viceversa.extras import need
from viceversa.replacing import beside

MOVING = (".gif", ".mp4")
"""Kinds of files that are always animations; .webp may be one."""
FRAMES_PER_SECOND = 25  # a GIF counts in hundredths of a second, so 24 and 30 cannot be had
_QUALITY = 90  # of WebP; GIF has none


def write_animation(frames: Iterator[Image.Image], path: Path) -> None:
    """Writes frames of one size, RGB or grey, that repeat endlessly where the format knows that: .gif, .webp or .mp4.

    Raises:
        MissingExtra: An .mp4 needs PyAV.
    """
    kind = path.suffix.lower()
    if kind == ".mp4":
        need("av", "video")  # before anything is written
    path.parent.mkdir(parents=True, exist_ok=True)
    with beside(path) as partial:
        if kind == ".mp4":
            _write_mp4(frames, partial)
            return
        first, duration = next(frames), 1000 // FRAMES_PER_SECOND
        with partial.open("wb") as file:  # Pillow closes its own only if nobody presses Ctrl-C
            first.save(file, kind[1:], save_all=True, append_images=frames, duration=duration, loop=0, quality=_QUALITY)


def _write_mp4(frames: Iterator[Image.Image], path: Path) -> None:
    """H.264 with half the colour resolution, which is what every player shows; for that, sides must be even."""
    av = need("av", "video")
    first = next(frames)
    size = first.width + first.width % 2, first.height + first.height % 2
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=FRAMES_PER_SECOND, options={"crf": "16", "preset": "slow"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for frame in chain([first], frames):
            even = Image.new("RGB", size, "white")
            even.paste(frame)
            container.mux(stream.encode(av.VideoFrame.from_image(even)))
        container.mux(stream.encode())
