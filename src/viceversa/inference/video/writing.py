"""Videos out: parts of H.264 that follow each other, and one video made of them, with the sound of another."""

import contextlib
import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from viceversa.data.videos import opened
from viceversa.errors import ConfigError
from viceversa.extras import need
from viceversa.inference.video.reading import VideoInfo

# Without frames that refer to later ones, parts follow each other as if they were one stream.
_ENCODERS = {"libx264": {"crf": "18", "preset": "medium", "bf": "0"}, "libopenh264": {"rc_mode": "quality"}}
ENCODER_THREADS = 8
"""Of however many processors: their number decides on the bytes, and a video may go on on another machine."""
_PLAYED_IN_MP4 = ("aac", "mp3", "ac3", "eac3", "opus", "flac", "alac")
_AAC_BITS_A_SECOND = 192_000
_AAC_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)


def find_encoder() -> str:
    """The name of ffmpeg's encoder for H.264.

    Raises:
        ConfigError: This build has none.
    """
    there = need("av", "video").codec.codecs_available
    for name in _ENCODERS:
        if name in there:
            return name
    raise ConfigError(
        f"This build of PyAV has no encoder for H.264 ({' or '.join(_ENCODERS)}); install the usual one: "
        "pip install --force-reinstall av"
    )


class Part:
    """A stretch of a video, encoded by itself; its frames keep their times within the video."""

    def __init__(self, path: Path, info: VideoInfo):
        av = need("av", "video")
        self._info = info
        self._container: Any = av.open(str(path.absolute()), "w", format="nut")
        encoder = find_encoder()
        self._stream: Any = self._container.add_stream(encoder, rate=info.rate, options=_ENCODERS[encoder])
        self._stream.time_base = info.time_base
        context = self._stream.codec_context
        context.thread_count = ENCODER_THREADS
        context.time_base = info.time_base
        context.width, context.height = even(info.width), even(info.height)
        context.pix_fmt = "yuv420p"
        context.sample_aspect_ratio = info.aspect
        context.colorspace, context.color_primaries, context.color_trc = info.colours.named
        context.color_range = info.colours.range
        self._convert = need("av.video.reformatter", "video").VideoReformatter()

    def write(self, pixels: NDArray[np.uint8], pts: int, duration: int) -> None:
        """Adds one frame, ``(H, W, 3)`` of the video's size."""
        height, width = pixels.shape[:2]
        if height % 2 or width % 2:  # half the colour resolution: the last line or column is there twice
            pixels = np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), "edge")
        rgb = need("av", "video").VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
        colours = self._info.colours
        frame = self._convert.reformat(
            rgb, format="yuv420p", interpolation="BICUBIC", dst_colorspace=colours.matrix,
            src_color_range=2, dst_color_range=colours.range,
        )  # fmt: skip
        frame.pts, frame.time_base, frame.duration = pts, self._info.time_base, duration
        self._container.mux(self._stream.encode(frame))

    def finish(self) -> None:
        """Writes what is still held back."""
        self._container.mux(self._stream.encode(None))
        self._container.close()

    def abandon(self) -> None:
        """Closes the file; what is in it is of no use."""
        with contextlib.suppress(OSError):
            self._container.close()


def even(side: int) -> int:
    """The side itself, or the next even one."""
    return side + side % 2


def join(
    parts: Sequence[Path], info: VideoInfo, end: int, out: Path, suffix: str, still: Callable[[], None] = lambda: None
) -> list[str]:
    """Puts the parts, which end at ``end``, into ``out`` with the sound of ``info``; gives what is to be said of it.

    ``still`` is called all along: it may raise to give the video up, whose sound may last for days.
    """
    av = need("av", "video")
    kind = {".mkv": "matroska", ".mov": "mov"}.get(suffix, "mp4")
    options = {} if kind == "matroska" else {"movflags": "+faststart"}
    with (
        opened(info.path, "video") as (source, stream),
        av.open(str(out.absolute()), "w", format=kind, options=options) as made,
    ):
        made.metadata.update({key: text for key, text in source.metadata.items() if key in _KEPT_WORDS})
        with av.open(str(parts[0].absolute())) as first:
            video = made.add_stream_from_template(first.streams.video[0])
        video.time_base = info.time_base
        video.metadata.update({key: text for key, text in stream.metadata.items() if key == "language"})
        sound, notes = _sounds(source, made, kind)
        notes += _left_out(source, stream)
        pictures = ((_seconds(packet), packet) for packet in _pictures(parts, video, info, end))
        sounds = ((_seconds(packet), packet) for packet in _sound_packets(source, sound, av))
        for _, packet in heapq.merge(pictures, sounds, key=lambda pair: pair[0]):
            made.mux(packet)
            still()
    return notes


_KEPT_WORDS = ("title", "artist", "date", "creation_time", "comment", "description", "location", "copyright")


def _seconds(packet: Any) -> Fraction:
    return (packet.dts if packet.dts is not None else packet.pts or 0) * Fraction(packet.time_base)


def _pictures(parts: Iterable[Path], video: Any, info: VideoInfo, end: int) -> Iterator[Any]:
    """The packets of the parts; how long each is shown is not in the parts' files."""
    waiting: Any = None
    for packet in _packets(parts):
        packet.pts = round(packet.pts * Fraction(packet.time_base) / info.time_base)
        packet.time_base, packet.dts, packet.stream = info.time_base, packet.pts, video
        if waiting is not None:
            waiting.duration = packet.pts - waiting.pts
            yield waiting
        waiting = packet
    if waiting is not None:
        waiting.duration = end - waiting.pts
        yield waiting


def _packets(parts: Iterable[Path]) -> Iterator[Any]:
    av = need("av", "video")
    for path in parts:
        with av.open(str(path.absolute())) as part:
            yield from (packet for packet in part.demux(part.streams.video[0]) if packet.pts is not None)


def _sounds(source: Any, made: Any, kind: str) -> tuple[dict[int, tuple[Any, Any]], list[str]]:
    """For each sound stream's number: the stream that is written, and a resampler if it is encoded anew."""
    av = need("av", "video")
    found: dict[int, tuple[Any, Any]] = {}
    notes: list[str] = []
    for stream in source.streams.audio:
        codec = stream.codec_context and stream.codec_context.name
        if codec is None:
            notes.append("a sound stream cannot be decoded and is left out")
            continue
        name = stream.codec.canonical_name
        if name in made.supported_codecs and (kind != "mp4" or name in _PLAYED_IN_MP4):
            found[stream.index] = made.add_stream_from_template(stream), None
        else:
            rate = next((rate for rate in _AAC_RATES if rate <= stream.rate), _AAC_RATES[-1])
            layout = "mono" if stream.codec_context.channels == 1 else "stereo"
            encoded = made.add_stream("aac", rate=rate, layout=layout)
            encoded.bit_rate = _AAC_BITS_A_SECOND
            found[stream.index] = encoded, av.AudioResampler(format="fltp", layout=layout, rate=rate)
            notes.append(f"{name} sound is encoded anew as AAC, since {kind} players do not take it")
        found[stream.index][0].metadata.update({k: v for k, v in stream.metadata.items() if k == "language"})
    return found, notes


def _left_out(source: Any, stream: Any) -> list[str]:
    notes: list[str] = []
    if count := len(source.streams.subtitles):
        notes.append(f"{count} subtitle stream{'s' * (count > 1)} left out")
    if count := sum(other.index != stream.index for other in source.streams.video):
        notes.append(f"{count} more video stream{'s' * (count > 1)} left out")
    return notes


def _sound_packets(source: Any, sound: dict[int, tuple[Any, Any]], av: Any) -> Iterator[Any]:
    """The sound packets of a video as they are to be written; their times begin with the video."""
    streams = [stream for stream in source.streams.audio if stream.index in sound]
    if not streams:
        return
    begin = Fraction(source.start_time or 0, 1_000_000)
    for packet in source.demux(streams):
        written, resampler = sound[packet.stream.index]  # a flushing packet has no index of its own
        if resampler is not None:
            yield from _encoded(packet, written, resampler, begin, av)
        elif packet.dts is not None:
            shift = round(begin / Fraction(packet.time_base))
            packet.dts -= shift
            packet.pts = None if packet.pts is None else packet.pts - shift
            packet.stream = written
            yield packet
    for written, resampler in sound.values():
        if resampler is not None:
            for frame in resampler.resample(None):
                yield from written.encode(frame)
            yield from written.encode(None)


def _encoded(packet: Any, written: Any, resampler: Any, begin: Fraction, av: Any) -> Iterator[Any]:
    try:
        frames = packet.decode()
    except av.FFmpegError:  # a damaged moment of sound; what follows keeps its time
        return
    for frame in frames:
        if frame.pts is not None:
            frame.pts -= round(begin / Fraction(frame.time_base))
        for fitting in resampler.resample(frame):
            yield from written.encode(fitting)
