"""Videos in: upright RGB frames with their times, one after the other, and what is to be said of them again."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from viceversa.data import colour
from viceversa.data.video_changes import ON_WHITE, changes, has_alpha
from viceversa.data.videos import MOST_PIXELS, check_frame, opened
from viceversa.data.wholeness import Reach
from viceversa.errors import DataError
from viceversa.extras import need

_HD_PX = 720  # from this height on, videos that do not name their colours mean BT.709
_UNNAMED, _BT709, _BT601 = 2, 1, 5  # of ITU-T H.273
_LIMITED, _FULL = 1, 2
_MATRICES = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9, 10: 9}  # H.273's numbers to those that swscale knows
_NEARLY = (10,)  # those of them that stand for another matrix, which swscale lacks
_NONE = (0, 2, 3)  # of RGB, not named, reserved
_LONGEST_LAST = 10  # frames: what a file says of its end is not believed beyond that
_USUAL_RATE = Fraction(25)


@dataclass(frozen=True, kw_only=True)
class Colours:
    """How the numbers of a video are meant: for converting, and as they are named in the file."""

    matrix: int
    """From RGB to luma and chroma, as swscale counts."""
    range: int
    """1: 16 to 235; 2: 0 to 255."""
    named: tuple[int, int, int]
    """Matrix, primaries and transfer in what is written: the video's own, which may be "not named"; of another matrix
    than is converted by, that one."""
    lacking: int | None = None
    """The file's own matrix, if it is another than that."""

    @property
    def note(self) -> str | None:
        """What is to be said of them."""
        if self.lacking is None:
            return None
        taken = {_BT709: "BT.709", _BT601: "BT.601"}.get(self.matrix, "BT.2020, non-constant")
        return f"its colours are by matrix {self.lacking} of H.273, which ffmpeg does not convert; {taken} was taken"


@dataclass(frozen=True, kw_only=True)
class VideoInfo:
    """What is known of a video before its frames are translated."""

    path: Path
    """The file."""
    frames: int
    """How many frames there are, as far as can be told without decoding them."""
    width: int
    """Of the upright image."""
    height: int
    """Of the upright image."""
    turns: int
    """Quarter turns, anticlockwise, that make it upright."""
    time_base: Fraction
    """Seconds of a unit of time."""
    start: int
    """The time at which the video starts, in that unit."""
    end: int | None
    """When the last frame ends, with 0 as the start, if the file says so."""
    rate: Fraction
    """Frames a second, on average."""
    aspect: Fraction
    """The width of an upright pixel by its height."""
    colours: Colours
    """How its numbers are meant."""
    notes: tuple[str, ...] = ()
    """What of it is not taken as it is."""

    @property
    def step(self) -> int:
        """What a frame usually lasts, in units of time."""
        return max(1, round(1 / (self.rate * self.time_base)))


@dataclass(frozen=True, kw_only=True, eq=False)
class Frame:
    """One frame."""

    pts: int
    """When it is shown, in units of the video's time."""
    duration: int
    """How long."""
    pixels: NDArray[np.uint8]
    """``(H, W, 3)``."""


def survey(path: Path, most_pixels: int = MOST_PIXELS, still: Callable[[], None] = lambda: None) -> VideoInfo:
    """Looks at the first frame and goes through the file once, without decoding, to see that it is whole.

    ``still`` is called for each packet: it may raise to give the video up.

    Raises:
        DataError: It is no video, cannot be decoded, is cut short, or its frames are too large.
    """
    with opened(path, "video", most_pixels) as (container, stream):
        first = next((frame for frame, _ in _decoded(container, stream) if frame is not None), None)
        if first is None:
            raise DataError(f"{path}: none of its frames can be decoded; replace it.")
        check_frame(path, first.width, first.height, most_pixels)
        turns = round((first.rotation or 0) / 90) % 4
        width, height = (first.height, first.width) if turns % 2 else (first.width, first.height)
        aspect = Fraction(stream.sample_aspect_ratio or 1)
        rate = stream.average_rate or stream.guessed_rate or _USUAL_RATE
        time_base = Fraction(stream.time_base)
        start = round(Fraction(container.start_time or 0, 1_000_000) / time_base)
        end = None if stream.duration is None else (stream.start_time or 0) + stream.duration - start
        told, notes = stream.frames, changes(first, stream)
    frames = _counted(path, most_pixels, still) or told
    return VideoInfo(
        path=path, frames=frames, width=width, height=height, turns=turns, time_base=time_base,
        start=start, end=end, rate=min(max(Fraction(rate), Fraction(1, 100)), Fraction(1000)),
        aspect=1 / aspect if turns % 2 and aspect else aspect, colours=_colours(first),
        notes=tuple(notes),
    )  # fmt: skip


def _counted(path: Path, most_pixels: int, still: Callable[[], None]) -> int:
    """The number of frames; DataError if the file ends before it should."""
    av = need("av", "video")
    count = 0
    with opened(path, "video", most_pixels) as (container, stream):
        reach = Reach(container, path)
        try:
            for packet in container.demux():
                still()
                reach.see(packet)
                if packet.pts is not None:
                    count += packet.stream_index == stream.index and not packet.is_discard
        except av.FFmpegError:  # a head that promises more than there is; what is missing is told below
            pass
        reach.check()
    return count


class Reader:
    """Decodes a video."""

    def __init__(self, info: VideoInfo):
        self.info = info
        self.lost = 0
        """Frames and packets that could not be decoded, so far."""
        self.seen = 0
        """Frames that could be decoded, so far."""
        self.end = 0
        """When the last of them ends."""
        self._fitted = 0
        self._transparent = False

    def notes(self) -> list[str]:
        """What is to be said of the frames that were read so far."""
        info, lost = self.info, self.lost
        notes = [f"{lost} damaged frame{'s' * (lost > 1)} left out"] if lost else []
        if self._fitted:
            frames = f"{self._fitted} frame{'s' * (self._fitted > 1)}"
            notes.append(f"{frames} of another size stretched to {info.width} x {info.height} px")
        notes += [ON_WHITE] if self._transparent else []
        return [*notes, *info.notes, *filter(None, [info.colours.note])]

    def frames(self, skip: int = 0) -> Iterator[Frame]:
        """Every frame but the first ``skip``; their times begin with the video, and grow."""
        info = self.info
        convert = need("av.video.reformatter", "video").VideoReformatter()
        with opened(info.path, "video") as (container, stream):
            stream.thread_type = "AUTO"
            for pts, duration, frame in self._timed(container, stream):
                self.seen, self.end = self.seen + 1, pts + duration
                if self.seen > skip:
                    yield Frame(pts=pts, duration=duration, pixels=self._pixels(convert, frame))

    def _pixels(self, convert: Any, frame: Any) -> NDArray[np.uint8]:
        """``(H, W, 3)``, upright; what is transparent lies on white."""
        info, colours, alpha = self.info, _colours(frame), has_alpha(frame)
        width, height = (info.height, info.width) if info.turns % 2 else (info.width, info.height)
        self._fitted += (frame.width, frame.height) != (width, height)
        rgb = frame.format.is_rgb
        made = convert.reformat(
            frame, width, height, "rgba" if alpha else "rgb24", interpolation="BICUBIC",
            src_colorspace=None if rgb else colours.matrix, src_color_range=_FULL if rgb else colours.range,
            dst_color_range=_FULL,
        ).to_ndarray()  # fmt: skip
        self._transparent = self._transparent or (alpha and bool((made[:, :, 3] < 255).any()))
        return np.ascontiguousarray(np.rot90(colour.on_white(made), info.turns))

    def _timed(self, container: Any, stream: Any) -> Iterator[tuple[int, int, Any]]:
        """Frames with their times, and how long each is shown: what files say of that is only true of the last."""
        info, last = self.info, -self.info.step
        waiting: Any = None
        for frame, lost in _decoded(container, stream):
            self.lost += lost
            if frame is None:
                continue
            pts = last + info.step if frame.pts is None else frame.pts - info.start
            # Some files repeat a time, and a video's times must grow.
            pts = max(pts, last + 1, 0)
            if waiting is not None:
                yield last, pts - last, waiting
            last, waiting = pts, frame
        if waiting is not None:
            rest = (info.end or 0) - last
            yield last, rest if 0 < rest <= _LONGEST_LAST * info.step else waiting.duration or info.step, waiting


def _decoded(container: Any, stream: Any) -> Iterator[tuple[Any, int]]:
    """Every frame; or None, and 1, for what is damaged: the decoder goes on at the next key frame."""
    av = need("av", "video")
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError:
            return
        if packet is None:
            return
        try:
            frames = packet.decode()
        except av.FFmpegError:
            yield None, 1
            continue
        for frame in frames:
            yield (None, 1) if frame.is_corrupt else (frame, 0)


def _colours(frame: Any) -> Colours:
    matrix, primaries, transfer = int(frame.colorspace), int(frame.color_primaries), int(frame.color_trc)
    if frame.format.is_rgb or frame.format.name == "pal8":
        primaries, transfer = (_BT709 if number == _UNNAMED else number for number in (primaries, transfer))
        return Colours(matrix=_BT709, range=_LIMITED, named=(_BT709, primaries, transfer))
    usual = _BT709 if min(frame.width, frame.height) >= _HD_PX else _BT601
    full = frame.color_range == _FULL or frame.format.name.startswith("yuvj")
    taken = _MATRICES.get(matrix, usual)
    kept = matrix == _UNNAMED or (matrix in _MATRICES and matrix not in _NEARLY)
    return Colours(
        matrix=taken,
        range=_FULL if full else _LIMITED,
        named=(matrix if kept else taken, primaries, transfer),
        lacking=None if kept or matrix in _NONE else matrix,
    )
