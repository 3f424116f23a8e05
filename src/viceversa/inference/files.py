"""Translating files: single images, videos, folders and globs, each to a file of the same name in another place."""

import contextlib
import errno
import os
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from viceversa.data import formats, others
from viceversa.data.formats.limits import TooManyPixels
from viceversa.data.pages import are_channels, stacked, unstacked
from viceversa.data.picture import Animation, Picture
from viceversa.errors import ConfigError, DataError, PictureError, ViceversaError
from viceversa.inference.applied import Applied, at_once
from viceversa.inference.conversion import levels_of
from viceversa.inference.half import Choice, Half
from viceversa.inference.half import choose as half_of
from viceversa.inference.jobs import Job, plan, shown
from viceversa.inference.masks import MaskOf, blended, masks_in
from viceversa.inference.memory import is_out_of_memory
from viceversa.inference.streaming import translate_large
from viceversa.inference.translator import Translator
from viceversa.inference.video import translate_video
from viceversa.inference.video.smoothing import Smoother

_QUALITY = 95
_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(kw_only=True)
class Summary:
    """What became of the files."""

    done: list[Path] = field(default_factory=list[Path])
    """The files written."""
    skipped: list[Path] = field(default_factory=list[Path])
    """The files left as they were, because they existed."""
    failed: list[tuple[Path, str]] = field(default_factory=list[tuple[Path, str]])
    """The inputs that could not be translated, and why."""
    notes: list[tuple[Path, str]] = field(default_factory=list[tuple[Path, str]])
    """What is to be said of videos that were translated."""
    halves: Counter[str] = field(default_factory=Counter[str])
    """Of how many images the left and the right half was translated, and not the whole."""
    others: Counter[str] = field(default_factory=Counter[str])
    """How many files of each suffix lay in the folders and are of no kind that is translated."""

    @property
    def exit_code(self) -> int:
        """0: all is well; 1: some failed; 2: all failed."""
        if not self.failed:
            return 0
        return 1 if self.done or self.skipped else 2

    def __str__(self) -> str:
        """For a person: "12 translated, 1 skipped (exists; --overwrite replaces), 1 failed: x.jpg: ..."."""
        parts = [f"{len(self.done)} translated"]
        if self.skipped:
            parts.append(f"{len(self.skipped)} skipped (exists; --overwrite replaces)")
        if self.failed:
            reasons = [f"{shown(path)}: {reason}" for path, reason in self.failed]
            parts.append(f"{len(self.failed)} failed: " + ("" if len(reasons) == 1 else "\n  ") + "\n  ".join(reasons))
        lines = [", ".join(parts), *(f"{shown(path)}: {note}." for path, note in self.notes)]
        for side, count in self.halves.items():
            images = "1 image" if count == 1 else f"{count} images"
            lines.append(f"of {images} the {side} half was translated (--half none takes the whole)")
        if self.others:
            lines.append(f"{others.counted(self.others)} passed over: {others.named(self.others)}")
        return "\n".join(lines)


def translate_files(
    translator: Translator,
    inputs: Sequence[Path | str] | Path | str,
    out: Path | str,
    *,
    to: str | None = None,
    overwrite: bool = False,
    suffix: str | None = None,
    noise: bool = False,
    tile: int | None = None,
    max_pixels: int | None = None,
    smooth: float = 0.0,
    batch_size: int = 8,
    half: Choice = "auto",
    mask: Path | str | None = None,
    progress: bool = True,
) -> Summary:
    """Translates images and videos into ``out``; one that fails is put in the summary and does not stop the others.

    Each stays what it is: its kind of file, its depth, its alpha channel, its colour profile, all frames of an
    animation; lossy kinds are written in quality 95. Where two images would get one name, as a.bmp beside a.png as
    PNG, the one of the other kind becomes a.bmp.png. Images that do not fit into memory go through it in tiles.

    Args:
        translator: What translates.
        inputs: Files, folders (with all that is in them; sub-folders are kept) and globs such as ``photos/*.jpg``.
        out: A folder, made if need be; or, for a single input file, a name that ends in the suffix of an image.
        to: See :meth:`Translator.direction`.
        overwrite: Replace translations that exist, instead of skipping them.
        suffix: Write this kind only, for instance ".png".
        noise: See :meth:`Translator.__call__`.
        tile: See :meth:`Translator.__call__`.
        max_pixels: Refuse images of more than so many pixels, of all frames together; default: 2**28, and what looks
            like a decompression bomb.
        smooth: Of videos and animations; see :meth:`Translator.video`.
        batch_size: The most frames of a video that go through the network at once.
        half: "left" or "right" translates that half of each image, "none" the whole; "auto" the half that is the input,
            of images that have the shape of the pairs side by side that it was trained on, and of others the whole.
        mask: Translate images only where masks are white: see `viceversa.inference.masks.masks_in`. Animations and
            videos are refused with it.
        progress: Show a progress bar on the standard error stream.

    Raises:
        ConfigError: ``out`` would replace an input, two inputs would have one output, or a setting is wrong.
        DataError: There is nothing to translate, or the disk is full.
    """
    applied = translator.applied(to, noise=noise, tile=tile)
    part = half_of(translator, translator.direction(to), half)
    if max_pixels is not None and max_pixels < 1:
        raise ConfigError(f"--max-pixels must be at least 1; got {max_pixels}.")
    Smoother(smooth)
    at_once(1, batch_size)
    mask_of = None if mask is None else masks_in(Path(mask))
    planned = plan([inputs] if isinstance(inputs, str | Path) else inputs, Path(out), suffix)
    summary = Summary(failed=planned.missing, others=planned.others)

    def work(job: Job) -> None:
        if job.video and mask_of:
            raise PictureError("it is a video, and --mask is for images.")
        if not job.video:
            missing, halved = _translate(applied, job, smooth, max_pixels, bar, part, mask_of)
            summary.halves.update([part.side] if halved and part.side else [])
            if missing:
                said = f"{missing:,} missing values were taken for the low end of the range"
                summary.notes.append((job.target, said))
            return
        if half in ("left", "right"):
            summary.notes.append((job.target, f"--half {half} is for images, and of a video all was translated"))
        with _part(bar, Path(job.source.name), speed=True) as frames:
            outcome = translate_video(
                applied, job.source, job.target,
                smooth=smooth, batch_size=batch_size, overwrite=overwrite, progress=frames,
            )  # fmt: skip
        if outcome.resumed:
            summary.notes.append((job.target, f"{outcome.resumed} of {outcome.frames} frames were done before"))
        summary.notes += [(job.target, note) for note in outcome.notes]

    with _bar(progress) as bar:
        task = bar.add_task("translating", total=len(planned.jobs))
        for job in planned.jobs:
            if not overwrite and os.path.lexists(job.target):
                summary.skipped.append(job.target)
            else:
                _attempt(work, job, summary)
            bar.advance(task)
    return summary


def _translate(
    applied: Applied,
    job: Job,
    smooth: float,
    max_pixels: int | None,
    bar: Progress,
    part: Half,
    mask_of: MaskOf | None = None,
) -> tuple[int, bool]:
    """One file, frame by frame, in tiles or as a whole: how many values were missing data, and if it was halved."""
    job.target.parent.mkdir(parents=True, exist_ok=True)
    try:
        raw = applied.source is not None
        halved = part.side is not None and part.is_taken(*formats.size_of(job.source, max_pixels=max_pixels))
        channels = are_channels(job.source, applied.takes, trained_so=applied.pages_as_channels, max_pixels=max_pixels)
        if not channels and (animation := formats.read_frames(job.source, max_pixels=max_pixels, raw=raw)) is not None:
            if mask_of:
                raise PictureError("it has several frames, and --mask is for images of one.")
            return _translate_frames(applied, job, smooth, animation, part), halved
        if (
            applied.valued
            or mask_of
            or halved
            or channels
            or not (tile_px := applied.tile_px(*formats.size_of(job.source, max_pixels=max_pixels)))
        ):
            if channels:
                read = stacked(job.source, applied.takes, raw=raw, max_pixels=max_pixels)
            else:
                read = formats.read(job.source, max_pixels=max_pixels, raw=raw)
            with formats.named(job.source):
                picture, missing = _levels(applied, part.of(read))
                mask = part.of(mask_of(job.source, read)) if mask_of else None
            (answer,) = applied.to_list([picture], 1)
            if mask:
                answer = blended(answer, picture, mask)
            kind = job.kind or formats.kind_for(job.target, job.source, answer.about)
            with formats.replacing(job.target) as file:
                if channels and kind == "TIFF" and answer.pixels.shape[2] not in (1, 3):
                    formats.write_frames(file, unstacked(answer), kind, _QUALITY)
                else:
                    formats.write(file, answer, kind, _QUALITY)
            return missing, halved
        with _part(bar, Path(f"{job.source.name}, in tiles")) as progress:
            translate_large(
                applied, job.source, job.target, tile_px,
                kind=job.kind, quality=_QUALITY, max_pixels=max_pixels, progress=progress,
            )  # fmt: skip
    except (ValueError, OverflowError) as error:  # what encoders say of sides that their format does not have
        said, kind = " ".join(str(error).split()), job.target.suffix
        raise PictureError(f"{job.source}: it cannot be written as {kind} ({said}); try --format png.") from error
    return 0, False


def _levels(applied: Applied, picture: Picture) -> tuple[Picture, int]:
    """What was trained on a range of values gets levels; and how many of the values were missing data."""
    return (picture, 0) if applied.source is None else levels_of(picture, applied.source)


def _translate_frames(applied: Applied, job: Job, smooth: float, animation: Animation, part: Half) -> int:
    smoother = Smoother(smooth)
    missing = 0

    def translated_one(picture: Picture) -> Picture:
        nonlocal missing
        picture, lost = _levels(applied, part.of(picture))
        missing += lost
        answer = applied.to_list([picture], 1)[0]
        if not smooth or picture.pixels.dtype != np.uint8:  # pages of a deep TIFF are no video
            return answer
        return replace(answer, pixels=smoother(picture.pixels, answer.pixels))

    translated = replace(animation, frames=map(translated_one, animation.frames))
    kind = job.kind or formats.kind_for(job.target, job.source, animation.about)
    with formats.replacing(job.target) as file:
        formats.write_frames(file, translated, kind, _QUALITY)
    return missing


def _attempt(translate: Callable[[Job], None], job: Job, summary: Summary) -> None:
    made = [folder for folder in (job.target.parent, *job.target.parent.parents) if not folder.exists()]
    try:
        translate(job)
    except (DataError, ConfigError) as error:  # the latter: there are parts of another translation of this video
        said = str(error).removeprefix(f"{job.source}: ")
        if isinstance(error, TooManyPixels) and not job.video:
            said = f"{said.removesuffix('.')}, or let it through with --max-pixels (in Python: max_pixels)."
        summary.failed.append((job.source, said))
    except OSError as error:
        if error.errno in _FULL:
            raise DataError(
                f"The disk is full: {shown(job.target)} could not be written ({len(summary.done)} translated before); "
                "free some space and give the same command again, which skips what is done."
            ) from error
        summary.failed.append((job.source, f"{shown(job.target)} cannot be written ({error.strerror or error})."))
    except ViceversaError:  # an optional part is missing: true of all
        raise
    except Exception as error:  # whatever it is, the other files are to be translated
        if is_out_of_memory(error):
            said = "there is not enough memory for an image of this size; try --tile 256."
        else:
            said = f"translating it failed ({type(error).__name__}: {' '.join(str(error).split())})."
        summary.failed.append((job.source, said))
    else:
        summary.done.append(job.target)
    finally:
        for folder in made:  # where nothing was written none is left
            with contextlib.suppress(OSError):
                folder.rmdir()


class _Speed(ProgressColumn):
    """Pieces a second, for tasks that have a unit for it."""

    def render(self, task: Task) -> Text:
        unit = task.fields.get("unit")
        return Text(f"{task.speed:.3g} {unit}" if unit and task.speed else "")


def _bar(show: bool) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Speed(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), disable=not show)


@contextlib.contextmanager
def _part(bar: Progress, name: Path, *, speed: bool = False) -> Generator[Callable[[int, int], None]]:
    """A second bar for one large file: gives what is to be called with the tiles or frames done and all."""
    task = bar.add_task(f"  {shown(name)}", total=None, unit="frames/s" if speed else None)
    try:
        yield lambda done, total: bar.update(task, completed=done, total=total)
    finally:
        bar.remove_task(task)
