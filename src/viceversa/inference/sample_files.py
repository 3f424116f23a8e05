"""Samples as files: a sheet, an animation, or single images in a folder, as the name of the output has it."""

import hashlib
import json
import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor

from viceversa.data import images
from viceversa.errors import ConfigError, check, check_at_least
from viceversa.inference import latents as spaces
from viceversa.inference.animation import FRAMES_PER_SECOND, MOVING, write_animation
from viceversa.inference.latents import How
from viceversa.inference.sampler import Sampler
from viceversa.naming import json_bytes
from viceversa.outputs import refuse_existing, refuse_unwritable
from viceversa.replacing import replace_file

__all__ = ["Wanted", "sample_files"]

SETTINGS_FILE = "samples.json"
STILL = tuple(suffix for suffix in images.SUFFIXES if suffix != ".gif")
_COUNT, _COLUMNS, _CELLS, _STOPS, _STRIP_STEPS = 64, 10, 16, 4, 10
_SHEET_PIXELS = 10**8
_QUALITY = 95


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What to make. What is None is chosen by what there is to make."""

    count: int | None = None
    """Images of a sheet or a folder; of a sheet with rows, how many a row; of interpolations, how many of them."""
    seed: int = 0
    """Other seeds give other images."""
    label: str | int | None = None
    """The class of all images, by name or number."""
    codes: Sequence[float] | None = None
    """A number in [-1, 1] for each continuous code."""
    traverse: str | None = None
    """A sheet with a row for each class ("class"), or for each value of a continuous code ("1", "2", ...)."""
    reach: float | None = None
    """A code goes from -reach to reach; None is 1."""
    interpolate: int | None = None
    """Go through so many latents."""
    how: How | None = None
    """The way from one latent to the next; see :func:`viceversa.inference.latents.between`."""
    frames: int | None = None
    """Images from one latent to the next."""

    def __post_init__(self) -> None:
        check_at_least(self, count=1, frames=2)
        check(
            self.traverse is None or self.interpolate is None,
            "--traverse and --interpolate are two different images; give one of them.",
        )
        check(
            self.interpolate is None or self.interpolate >= 2,
            f"--interpolate needs at least 2 latents to go through; got {self.interpolate}.",
        )
        check(
            self.reach is None or self.traverse not in (None, "class"),
            "--range says how far a continuous code goes; give its number too, as in --traverse 1.",
        )


def sample_files(
    sampler: Sampler, out: Path | str, wanted: Wanted, *, overwrite: bool = False, progress: bool = True
) -> str:
    """Writes samples to ``out``, and says what it wrote.

    A name such as grid.png becomes a sheet; morph.gif, .mp4 or (of an interpolation) .webp an animation, which goes
    back to where it began; a name without suffix a folder of images 000000.png and on, where those that are there
    are left, so that the same call goes on after an interruption.

    Raises:
        ConfigError: What is wanted cannot be made of this model or in this kind of file, or ``out`` exists.
        MissingExtra: An .mp4 needs PyAV.
    """
    out, suffix = Path(out), Path(out).suffix.lower()
    moving = suffix in MOVING or (suffix == ".webp" and wanted.interpolate is not None)
    if not moving and wanted.interpolate is None and (wanted.how, wanted.frames) != (None, None):
        raise ConfigError("--how and --frames belong to --interpolate; give how many latents to go through.")
    if out.is_dir() or not suffix:
        return _write_folder(sampler, out, wanted, overwrite, progress)
    if not moving and suffix not in STILL:
        known = " ".join([*STILL, *MOVING])
        raise ConfigError(f"{out}: {suffix} is no kind of file for samples; use {known}, or a folder's name.")
    if moving and wanted.traverse is not None:
        raise ConfigError("A traversal is an image; give an --out such as codes.png.")
    refuse_existing(out, overwrite=overwrite)
    refuse_unwritable(out)
    if moving:
        return _write_animation(sampler, out, wanted, progress)
    rows, about = _sheet(sampler, wanted)
    pictures = iter(sampler.arrays(torch.cat(rows)))
    sheet = images.grid([[next(pictures) for _ in row] for row in rows])
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        images.save(sheet, out, quality=_QUALITY)
    except (ValueError, OverflowError) as error:  # what encoders say of sides that their format does not have
        raise ConfigError(f"{out} cannot be written as {suffix} ({error}); make fewer images, or a .png.") from error
    return f"{out}: {about}"


def _sheet(sampler: Sampler, wanted: Wanted) -> tuple[list[Tensor], str]:
    """The latents of each row, and what the sheet shows."""
    label, codes, seed, space = wanted.label, wanted.codes, wanted.seed, sampler.space
    if wanted.interpolate is not None:
        count, steps = wanted.count or 1, wanted.frames or _STRIP_STEPS
        _check_size(sampler, count * (wanted.interpolate - 1) * steps)
        ways = _ways(sampler, wanted, count, wanted.interpolate)
        shares = torch.linspace(0, 1, steps)
        pairs = [(one, other) for way in ways for one, other in pairwise(way)]
        rows = [spaces.between(space, one, other, shares, wanted.how) for one, other in pairs]
        return rows, f"{len(rows)} way{'s' * (len(rows) > 1)} from one latent to another, a row each"
    traverse = wanted.traverse
    if traverse is None and sampler.classes and label is None:
        traverse = "class"
    if traverse is None:
        count = wanted.count or _COUNT
        side = math.ceil(math.sqrt(count))
        _check_size(sampler, count)
        rows = list(sampler.latents(count, seed=seed, label=label, codes=codes).split(side))
        return rows, f"{count} images"
    columns = wanted.count or _COLUMNS
    _check_size(sampler, columns * max(space.classes, spaces.STEPS))
    if traverse == "class" and label is not None:
        raise ConfigError("--traverse class shows all classes; leave --class out.")
    if traverse != "class" and sampler.classes and label is None:  # all of them next to each other
        labels = [column % space.classes for column in range(columns)]
        start = sampler.latents(columns, seed=seed, label=labels, codes=codes)
    else:
        start = sampler.latents(columns, seed=seed, label=label, codes=codes)
    rows = spaces.along(space, start, traverse, wanted.reach or 1.0)
    if traverse == "class":
        return rows, f"a row a class ({', '.join(sampler.classes)}), a column a latent"
    reach = wanted.reach or 1.0
    return rows, f"a row a value of code {traverse}, from {-reach:g} to {reach:g}; a column a latent"


def _ways(sampler: Sampler, wanted: Wanted, count: int, stops: int) -> Tensor:
    """``(count, stops, inputs)``: what each interpolation goes through."""
    latents = sampler.latents(count * stops, seed=wanted.seed, label=wanted.label, codes=wanted.codes)
    return latents.reshape(count, stops, -1)


def _write_animation(sampler: Sampler, out: Path, wanted: Wanted, progress: bool) -> str:
    count, stops = wanted.count or _CELLS, wanted.interpolate or _STOPS
    steps = wanted.frames or FRAMES_PER_SECOND
    side = math.ceil(math.sqrt(count))
    _check_size(sampler, count)
    ways = _ways(sampler, wanted, count, stops)
    at_once = max(1, sampler.batch // count)

    def frames(advance: Callable[[], None]) -> Iterator[Image.Image]:
        for stop in range(stops):
            shares = torch.arange(steps) / steps
            ends = [(way[stop], way[(stop + 1) % stops]) for way in ways]
            paths = torch.stack([spaces.between(sampler.space, *end, shares, wanted.how) for end in ends], dim=1)
            for part in paths.split(at_once):
                arrays = sampler.arrays(part.flatten(0, 1))
                for frame in arrays.reshape(len(part), count, *arrays.shape[1:]):
                    sheet = images.grid([list(frame[first : first + side]) for first in range(0, count, side)])
                    picture = Image.fromarray(sheet)
                    yield picture.convert("L") if sampler.channels == 1 else picture
                    advance()

    with _bar(progress) as bar:
        task = bar.add_task("drawing", total=stops * steps)
        write_animation(frames(lambda: bar.advance(task)), out)
    return f"{out}: {stops * steps} frames through {stops} latents and back to the first"


def _write_folder(sampler: Sampler, out: Path, wanted: Wanted, overwrite: bool, progress: bool) -> str:
    if wanted.traverse is not None or wanted.interpolate is not None:
        kind = "A traversal" if wanted.traverse is not None else "An interpolation"
        raise ConfigError(f"{kind} is one image, and {out} a folder; give an --out such as {out}.png.")
    if os.path.lexists(out) and not out.is_dir():
        raise ConfigError(f"{out} is a file and no folder; give another --out.")
    count = wanted.count or _COUNT
    sampler.latents(1, seed=wanted.seed, label=wanted.label, codes=wanted.codes)  # mistakes end here
    settings = _settings(sampler, wanted)
    there = _numbered(out)
    if there and _read_settings(out) != settings:
        if not overwrite:
            raise ConfigError(
                f"{out} holds images of another model, seed, class or codes; give another --out, or --overwrite to "
                "replace them."
            )
        if max(there) >= count:
            raise ConfigError(
                f"{out} holds more images of another model, seed, class or codes than the {count} that would replace "
                "them; empty it, or give another --out."
            )
        for number in there:  # all of them, so that a folder never holds images of two kinds
            (out / f"{number:06d}.png").unlink()
        there = set()
    out.mkdir(parents=True, exist_ok=True)
    replace_file(out / SETTINGS_FILE, json_bytes(json.dumps(settings, indent=2, ensure_ascii=False) + "\n"))
    present: set[int] = set() if overwrite else there
    with _bar(progress) as bar:
        task = bar.add_task("sampling", total=count)
        for first in range(0, count, sampler.batch):
            numbers = range(first, min(first + sampler.batch, count))
            if not present.issuperset(numbers):
                latents = sampler.latents(
                    len(numbers), seed=wanted.seed, label=wanted.label, codes=wanted.codes, first=first
                )
                for number, array in zip(numbers, sampler.arrays(latents), strict=True):
                    if number not in present:
                        images.save(array, out / f"{number:06d}.png")
            bar.advance(task, len(numbers))
    kept = len(present.intersection(range(count)))
    return f"{out}: {count - kept} images" + (f", beside {kept} that were there" if kept else "")


def _numbered(folder: Path) -> set[int]:
    names = os.listdir(folder) if folder.is_dir() else []
    stems = [name.removesuffix(".png") for name in names if name.endswith(".png")]
    return {int(stem) for stem in stems if 6 <= len(stem) < 12 and stem.isascii() and stem.isdecimal()}


def _settings(sampler: Sampler, wanted: Wanted) -> dict[str, Any]:
    """All that decides what image number k looks like."""
    digest = hashlib.blake2b(digest_size=16)
    for key, value in sampler.network.state_dict().items():
        digest.update(key.encode())
        digest.update(value.cpu().contiguous().numpy().tobytes())
    return {
        "of": sampler.name,
        "weights": digest.hexdigest(),
        "seed": wanted.seed,
        "class": None if wanted.label is None else sampler.classes[sampler.index(wanted.label)],
        "codes": None if wanted.codes is None else [float(code) for code in wanted.codes],
    }


def _read_settings(folder: Path) -> Any:
    try:
        return json.loads((folder / SETTINGS_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def _check_size(sampler: Sampler, count: int) -> None:
    if count * sampler.size_px**2 > _SHEET_PIXELS:
        raise ConfigError(
            f"{count} images of {sampler.size_px} px are too many for one; make fewer (--count), or give a "
            "folder as --out."
        )


def _bar(show: bool) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), disable=not show)
