"""Translating files: single pictures, folders and globs, each to a file of the same name in another place."""

import errno
import glob
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from viceversa.data import images
from viceversa.errors import ConfigError, DataError, PictureError
from viceversa.inference.translator import Translator

KEPT = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff")
"""Kinds that the translated file keeps; the others are poor in colours or large, and become .png."""
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
            reasons = [f"{_shown(path)}: {reason}" for path, reason in self.failed]
            parts.append(f"{len(self.failed)} failed: " + ("" if len(reasons) == 1 else "\n  ") + "\n  ".join(reasons))
        return ", ".join(parts)


@dataclass(frozen=True, kw_only=True)
class _Job:
    source: Path
    target: Path


def translate_files(
    translator: Translator,
    inputs: Sequence[Path | str] | Path | str,
    out: Path | str,
    *,
    to: str | None = None,
    overwrite: bool = False,
    suffix: str | None = None,
    noise: bool = False,
    progress: bool = True,
) -> Summary:
    """Translates pictures into ``out``; a picture that fails is put in the summary and does not stop the others.

    JPEG (quality 95), PNG, WebP (quality 95) and TIFF stay what they are; other kinds become PNG. Where two pictures
    of a folder would then get one name, as a.gif beside a.png, the one of the other kind becomes a.gif.png. Transparent
    pictures are laid on white.

    Args:
        translator: What translates.
        inputs: Files, folders (with all that is in them; sub-folders are kept) and globs such as ``photos/*.jpg``.
        out: A folder, made if need be; or, for a single input file, a name that ends in the suffix of a picture.
        to: See :meth:`Translator.direction`.
        overwrite: Replace translations that exist, instead of skipping them.
        suffix: Write this kind only, for instance ".png".
        noise: See :meth:`Translator.__call__`.
        progress: Show a progress bar on the standard error stream.

    Raises:
        ConfigError: ``out`` would replace an input, two inputs would have one output, or a setting is wrong.
        DataError: There is nothing to translate, or the disk is full.
    """
    direction = translator.direction(to)
    if noise and not translator.has_noise(to):
        raise ConfigError("This translator has no noise: its network has no dropout; leave --noise out.")
    summary = Summary()
    inputs = [inputs] if isinstance(inputs, str | Path) else inputs
    jobs = _plan(inputs, Path(out), _checked(suffix), summary)

    def translate(job: _Job) -> None:
        picture = np.asarray(translator(job.source, direction[-1], noise=noise))
        job.target.parent.mkdir(parents=True, exist_ok=True)
        try:
            images.save(picture.reshape(*picture.shape[:2], -1), job.target, quality=_QUALITY)
        except (ValueError, OverflowError) as error:  # what encoders say of sides that their format does not have
            kind = job.target.suffix
            raise PictureError(f"{job.source}: it cannot be written as {kind} ({error}); try --format png.") from error

    with _bar(progress) as bar:
        task = bar.add_task("translating", total=len(jobs))
        for job in jobs:
            if not overwrite and os.path.lexists(job.target):
                summary.skipped.append(job.target)
            else:
                _attempt(translate, job, summary)
            bar.advance(task)
    return summary


def _attempt(translate: Callable[[_Job], None], job: _Job, summary: Summary) -> None:
    try:
        translate(job)
    except PictureError as error:
        summary.failed.append((job.source, str(error).removeprefix(f"{job.source}: ")))
    except OSError as error:
        if error.errno in _FULL:
            raise DataError(
                f"The disk is full: {_shown(job.target)} could not be written ({len(summary.done)} translated before); "
                "free some space and give the same command again, which skips what is done."
            ) from error
        summary.failed.append((job.source, f"{_shown(job.target)} cannot be written ({error.strerror or error})."))
    except (MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
        summary.failed.append((job.source, "there is not enough memory for a picture of this size; make it smaller."))
    else:
        summary.done.append(job.target)


def _plan(inputs: Sequence[Path | str], out: Path, suffix: str | None, summary: Summary) -> list[_Job]:
    """Every file to translate, with where it goes; nothing is read or written yet."""
    found: dict[tuple[Path, Path], None] = {}  # source and its place within out; a dict keeps order and drops doubles
    from_folder = False
    for text in inputs:
        paths = _expand(Path(text))
        if not paths:
            summary.failed.append((Path(text), "there is no such file or folder."))
        for path in paths:
            if path.is_dir():
                from_folder = True
                found |= {(file, file.relative_to(path)): None for file in _pictures_in(path, out)}
            else:
                found[path, Path(path.name)] = None
    if not found:
        if summary.failed and not from_folder:
            raise DataError("".join(f"{_shown(path)}: {reason} " for path, reason in summary.failed).strip())
        places = ", ".join(_shown(Path(text)) for text in inputs)
        raise DataError(f"There is nothing to translate: no picture ({' '.join(images.SUFFIXES)}) in {places}.")
    if out.suffix.lower() in images.SUFFIXES and not out.is_dir():
        if from_folder or len(found) > 1:
            raise ConfigError(f"{out} is one picture, but there are several to translate; give a folder as --out.")
        jobs = [_Job(source=source, target=out) for source, _ in found]
    else:
        if out.exists() and not out.is_dir():
            raise ConfigError(f"{out} is a file and no folder; give another --out.")
        jobs = [_Job(source=source, target=out / name) for (source, _), name in _named(found, suffix).items()]
    _refuse_replacing_inputs(jobs)
    return jobs


def _expand(path: Path) -> list[Path]:
    """The path itself if there is such a thing; else what it matches as a glob, for shells that do not expand them."""
    if path.exists():
        return [path]
    return [Path(match) for match in sorted(glob.glob(str(path), recursive=True))]


def _pictures_in(folder: Path, out: Path) -> Iterator[Path]:
    """All pictures in a folder and its sub-folders, by name; not hidden ones, nor those that lie in ``out``."""
    for place, folders, files in os.walk(folder):
        # A run that is repeated must not translate its own results.
        inner = [name for name in folders if not name.startswith(".") and not _is_same(Path(place, name), out)]
        folders[:] = sorted(inner)
        for name in sorted(files):
            if not name.startswith(".") and name.lower().endswith(images.SUFFIXES):
                yield Path(place, name)


def _named(found: dict[tuple[Path, Path], None], suffix: str | None) -> dict[tuple[Path, Path], Path]:
    """A name within ``out`` for each file: its own, with another suffix where its kind is not kept."""

    def wanted(place: Path) -> Path:
        if suffix is None:
            return place if place.suffix.lower() in KEPT else place.with_suffix(".png")
        return place if place.suffix.lower() == suffix else place.with_suffix(suffix)

    claims: dict[Path, list[tuple[Path, Path]]] = {}
    for entry in found:
        claims.setdefault(wanted(entry[1]), []).append(entry)
    names: dict[tuple[Path, Path], Path] = {}
    taken: dict[Path, Path] = {}
    for entry in found:
        source, place = entry
        name = wanted(place)
        if len(claims[name]) > 1 and name != place:
            name = place.with_name(place.name + name.suffix)
        if name in taken:
            raise ConfigError(
                f"{_shown(taken[name])} and {_shown(source)} would both become {_shown(name)}; translate their "
                "folder, which keeps sub-folders, or give them an --out each."
            )
        names[entry], taken[name] = name, source
    return names


def _refuse_replacing_inputs(jobs: list[_Job]) -> None:
    sources = {_identity(job.source): job.source for job in jobs}
    for job in jobs:
        identity = _identity(job.target)
        if identity is not None and identity in sources:
            raise ConfigError(
                f"{_shown(job.target)} would replace an input ({_shown(sources[identity])}); give another --out."
            )


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _is_same(path: Path, other: Path) -> bool:
    identity = _identity(path)
    return identity is not None and identity == _identity(other)


def _checked(suffix: str | None) -> str | None:
    if suffix is None:
        return None
    dotted = "." + suffix.lower().removeprefix(".")
    if dotted not in images.SUFFIXES:
        raise ConfigError(f"{suffix!r} is no kind of picture that can be written; use {' '.join(images.SUFFIXES)}.")
    return dotted


def _is_out_of_memory(error: BaseException) -> bool:
    # The CPU allocator has no exception of its own, only a RuntimeError with this text.
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def _shown(path: Path) -> str:
    """The path as text that any terminal takes: names on disk need not be valid UTF-8."""
    return os.fsencode(path).decode(errors="replace")


def _bar(show: bool) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), disable=not show)
