"""Translating a video: it is decoded, translated and encoded at the same time, segment after segment."""

import contextlib
import gc
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from viceversa.data import formats
from viceversa.data.formats.limits import check_pixels
from viceversa.data.picture import About, Animation, Picture
from viceversa.data.videos import MOST_PIXELS, opened
from viceversa.errors import ConfigError, DataError, PictureError
from viceversa.extras import need
from viceversa.inference.applied import Applied, at_once
from viceversa.inference.video import parts as fingerprints
from viceversa.inference.video.ahead import ahead
from viceversa.inference.video.kinds import MOVING, WRITTEN
from viceversa.inference.video.parts import Parts
from viceversa.inference.video.reading import Frame, Reader, survey
from viceversa.inference.video.smoothing import Smoother
from viceversa.inference.video.writing import ENCODER_THREADS, Part, even, find_encoder, join
from viceversa.outputs import refuse_existing
from viceversa.replacing import beside

SEGMENT_FRAMES = 250
_QUALITY = 95
_BATCHES_AHEAD = 2
Progress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a video."""

    frames: int
    """How many there are in the translation."""
    resumed: int
    """How many of them an earlier attempt had finished."""
    notes: tuple[str, ...]
    """What is not as it was in the video."""


def translate_video(
    applied: Applied,
    source: Path,
    out: Path,
    *,
    smooth: float = 0.0,
    batch_size: int = 8,
    overwrite: bool = False,
    segment: int = SEGMENT_FRAMES,
    most_pixels: int = MOST_PIXELS,
    progress: Progress | None = None,
    still: Callable[[], None] = lambda: None,
) -> Outcome:
    """Translates a video into a video, or into a .gif or .webp; see `Translator.video`.

    Args:
        applied: What translates.
        source: The video.
        out: Where it goes. ``OUT.parts`` beside it holds the finished segments until all are there.
        smooth: See `Smoother`.
        batch_size: The most frames that go through the network at once.
        overwrite: Replace ``out``, and throw away segments that were made in another way.
        segment: Frames of a segment.
        most_pixels: Of a frame.
        progress: Called with the frames done and all.
        still: Called all along before that, while the video is looked through; it may raise to give it up.

    Raises:
        ConfigError: A setting cannot be, or there are segments of another translation.
        DataError: The video cannot be read, is cut short, or does not fit the translator.
    """
    suffix = out.suffix.lower()
    if suffix not in (*WRITTEN, *MOVING):
        known = " ".join((*WRITTEN, *MOVING))
        raise ConfigError(f"{out}: '{out.suffix}' is no kind of video that can be written; use one of {known}.")
    refuse_existing(out, overwrite=overwrite)
    smoother = Smoother(smooth)
    at_once(1, batch_size)
    if applied.valued:
        raise ConfigError(
            f"{source} is a video, and this model was trained on a range of values (--range-a, --range-b), which "
            "videos do not have; give images as TIFF or .npy."
        )
    with _as_sentences(source, out):
        info = survey(source, most_pixels, still)
        _check_channels(applied, source)
        out.parent.mkdir(parents=True, exist_ok=True)
        work = _Work(applied, Reader(info), smoother, batch_size, segment, progress)
        if suffix in MOVING:
            return _to_animation(work, out)
        return _to_video(work, out, overwrite)


@dataclass
class _Work:
    """One video on its way through a translator."""

    applied: Applied
    reader: Reader
    smoother: Smoother
    batch_size: int
    segment: int
    progress: Progress | None
    done: int = 0

    def frames(self, skip: int = 0) -> Generator[list[Frame]]:
        """The translated frames but the first ``skip``, in batches that do not reach over the end of a segment."""
        info = self.reader.info
        size = at_once(info.width * info.height, self.batch_size)
        with contextlib.closing(ahead(self.reader.frames(skip), _BATCHES_AHEAD * size)) as frames:
            for batch in _batches(frames, size, self.segment):
                answers = self.applied.to_list([frame.pixels for frame in batch], self.batch_size)
                yield [
                    replace(frame, pixels=_coloured(self.smoother(frame.pixels, answer)))
                    for frame, answer in zip(batch, answers, strict=True)
                ]

    def advance(self, frames: int) -> None:
        self.done += frames
        if self.progress is not None:
            self.progress(self.done, max(self.done, self.reader.info.frames))


def _batches(frames: Iterable[Frame], size: int, segment: int) -> Iterator[list[Frame]]:
    batch: list[Frame] = []
    for index, frame in enumerate(frames, 1):
        batch.append(frame)
        if len(batch) == size or index % segment == 0:
            yield batch
            batch = []
    if batch:
        yield batch


def _coloured(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return pixels if pixels.shape[2] == 3 else np.repeat(pixels, 3, axis=2)


def _to_video(work: _Work, out: Path, overwrite: bool) -> Outcome:
    info = work.reader.info
    settings = {
        "video": fingerprints.of_file(info.path),
        "model": fingerprints.of_network(work.applied),
        "smooth": work.smoother.strength,
        "batch": work.batch_size,
        "tile": work.applied.tile,
        "segment": work.segment,
        "encoder": f"{find_encoder()}, {ENCODER_THREADS} threads, PyAV {need('av', 'video').__version__}",
    }
    parts = Parts(out, settings, overwrite=overwrite)
    resumed = len(parts.finished) * work.segment
    try:
        work.smoother.restore(parts.state())
        work.advance(min(resumed, info.frames))
        _write_parts(work, parts, resumed)
        ends = out.suffix.lower()
        with beside(out) as partial:
            notes = join(parts.finished, info, work.reader.end, partial, ends, lambda: work.advance(0))
    except BaseException:
        parts.leave()
        raise
    parts.remove()
    width, height = even(info.width), even(info.height)
    if (width, height) != (info.width, info.height):
        notes.insert(0, f"{info.width} x {info.height} px became {width} x {height}: H.264 has even sides")
    return Outcome(
        frames=work.reader.seen, resumed=min(resumed, work.reader.seen), notes=(*notes, *work.reader.notes())
    )


def _write_parts(work: _Work, parts: Parts, resumed: int) -> None:
    part: Part | None = None
    written = 0
    try:
        with contextlib.closing(ahead(_with_states(work, resumed), _BATCHES_AHEAD)) as batches:
            for batch, state in batches:
                part = part or Part(parts.beside(parts.path(len(parts.finished)).name), work.reader.info)
                for frame in batch:
                    part.write(frame.pixels, frame.pts, frame.duration)
                written += len(batch)
                work.advance(len(batch))
                if written % work.segment == 0:
                    finished, part = part, None
                    finished.finish()
                    parts.finish(state)
                    del finished
                    gc.collect()  # an encoder holds many frames, and lies in a cycle of references
        if part is not None:
            finished, part = part, None
            finished.finish()
            parts.finish({})
    finally:
        if part is not None:
            part.abandon()


def _with_states(work: _Work, skip: int) -> Generator[tuple[list[Frame], dict[str, Tensor]]]:
    """Batches, each with what the next one depends on, taken before the next one is begun."""
    for batch in work.frames(skip):
        yield batch, work.smoother.state()


def _to_animation(work: _Work, out: Path) -> Outcome:
    """GIF and WebP hold durations instead of times, and Pillow writes them with all frames in memory."""
    info = work.reader.info
    with formats.named(info.path):
        check_pixels(info.path, info.width, info.height, frames=info.frames)

    def pictures() -> Iterator[Picture]:
        with contextlib.closing(ahead(work.frames(), _BATCHES_AHEAD)) as batches:
            for frame in (frame for batch in batches for frame in batch):
                start, end = (round(1000 * pts * info.time_base) for pts in (frame.pts, frame.pts + frame.duration))
                yield Picture(pixels=frame.pixels, about=About(duration_ms=end - start))
                work.advance(1)

    with formats.replacing(out) as file:
        animation = Animation(frames=pictures(), about=About(), loop=0)
        formats.write_frames(file, animation, formats.kind_of(out), _QUALITY)
    with opened(info.path, "video") as (container, _):
        notes = ["without its sound"] if container.streams.audio else []
    return Outcome(frames=work.done, resumed=0, notes=(*notes, *work.reader.notes()))


def _check_channels(applied: Applied, source: Path) -> None:
    if applied.takes not in (1, 3) or applied.gives not in (1, 3):
        raise PictureError(
            f"{source}: the translator makes {applied.gives} channels of {applied.takes}; a video has 3."
        )


@contextlib.contextmanager
def _as_sentences(source: Path, out: Path) -> Generator[None]:
    """What ffmpeg says while a video is written becomes an OSError, or a sentence."""
    av = need("av", "video")
    try:
        yield
    except av.FFmpegError as error:
        if isinstance(error, OSError):
            raise
        raise DataError(f"{source}: {out} could not be written ({error.strerror or error}).") from error
