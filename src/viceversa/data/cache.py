"""Images decoded once, into memory-mapped arrays on disk.

An entry is found by its contents: the key is a hash of every file's bytes and of the recipe, so a changed file makes a
new entry, and a copied or renamed folder finds the old one. An entry is made in a folder of its own and renamed, so no
half-written one is ever seen and several processes may make the same one at once: the first wins, the others use its.
"""

import errno
import hashlib
import json
import math
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from viceversa.data.folders import Item
from viceversa.data.images import Pixels
from viceversa.data.ragged import Ragged
from viceversa.data.reading import Remark, gathered
from viceversa.data.recipe import Made, Recipe, decode
from viceversa.errors import DataError, MissingExtra, PictureError
from viceversa.privacy import user_folder

Progress: TypeAlias = Callable[[int, int], None]
"""Called with the number of items done and the number of all."""

_FORMAT = 2  # of an entry; to be raised whenever the same files and recipe would give other images
ENTRIES, ENTRY_FILE = "pictures", "entry.json"
_CHUNK = 64  # items decoded ahead of the writer
_HEX_DIGITS = 40
_SETTLED_SECONDS = 2  # a file changed more recently could change again without a new time stamp
_OF_THE_FILE = (None, errno.EINVAL)  # Pillow's own errors have no number; damaged files have it look at negative places


@dataclass(frozen=True, kw_only=True)
class Skipped:
    """A file that was not used."""

    path: Path
    """The file."""

    reason: str
    """Why not, and what to do; the rest of a sentence that begins with the file's name."""


@dataclass(frozen=True, kw_only=True)
class PictureSet:
    """Decoded images, read from disk as they are looked at."""

    pictures: np.memmap[tuple[int, int, int, int], np.dtype[np.uint8 | np.uint16]] | Ragged
    """``(N, H, W, C)`` uint8 or uint16, not to be written to; or images of different sides, for the fit "window"."""

    names: tuple[str, ...]
    """The N names of the items."""

    skipped: tuple[Skipped, ...]
    """What was left out."""

    key: str
    """A hash of all that the images follow from: the bytes of their files, and the recipe."""

    sides: NDArray[np.int64]
    """``(N, 2)``: height and width of the images before they were fitted; ``(0, 2)`` where that was not recorded."""

    remarks: tuple[Remark[Path], ...] = ()
    """What of the files was not used or changed; none of entries that were made before there were remarks."""

    nearest: tuple[tuple[int, ...], ...] = ()
    """By half of a pair, which of the N were resized by nearest neighbor, and have to be when they are again."""

    def identity(self, *labels: str) -> str:
        """A hash of the images, of their names, and of ``labels``: equal wherever the folder lies."""
        return _hash([self.key, self.names, labels])


def build(
    items: Sequence[Item],
    recipe: Recipe,
    folder: Path | None = None,
    *,
    strict: bool = False,
    progress: Progress | None = None,
) -> PictureSet:
    """The decoded ``items``, from the cache in ``folder`` (default: `user_folder`), made there first if need be.

    An item that cannot be used is left out and recorded. That is remembered, so it holds for damaged and unfit
    images alone: what can pass, such as too little memory or a disk that does not answer, ends it all.

    Raises:
        PictureError: With ``strict``, for the first item that cannot be used; always, where a file cannot be read now.
        DataError: No item can be used, or the cache cannot be written.
    """
    folder = user_folder() if folder is None else folder
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        entry = folder / ENTRIES / _key(items, recipe, folder, pool)
        found = _found_or_made(entry, items, recipe, lambda: _decoded(items, recipe, pool, strict, progress))
    if strict and found.skipped:
        raise PictureError(f"{found.skipped[0].path}: {found.skipped[0].reason}")
    return found


def keep(
    about: object,
    names: Sequence[str],
    recipe: Recipe,
    pictures: Callable[[], Iterator[Pixels]],
    folder: Path | None = None,
    *,
    progress: Progress | None = None,
) -> PictureSet:
    """Images that are no files of their own (drawn ones, or many in one file), from the cache like those of `build`.

    Args:
        about: What they follow from, as JSON can say it; other images need another.
        names: One for each.
        recipe: Their side and channels.
        pictures: Makes them, each of the recipe's shape; called if they are not there yet.
        folder: Of the cache; default: `user_folder`.
        progress: Called after each image made.

    Raises:
        DataError: The cache cannot be written.
    """

    def make() -> Iterator[Made]:
        for done, picture in enumerate(pictures(), 1):
            yield Made(pixels=picture)
            if progress is not None:
                progress(done, len(names))

    folder = user_folder() if folder is None else folder
    entry = folder / ENTRIES / _hash([_FORMAT, "kept", about, recipe.about()])
    return _found_or_made(entry, [Item(name=name, files=()) for name in names], recipe, make)


def _found_or_made(
    entry: Path, items: Sequence[Item], recipe: Recipe, make: Callable[[], Iterator[Made | PictureError]]
) -> PictureSet:
    found = _open(entry, items, recipe.bits)
    for _ in range(3):  # another process that mends a damaged entry may take ours away just as we made it
        if found is not None:
            with suppress(OSError):  # it may be another user's; the time is that of the last use, for `cached`
                os.utime(entry / ENTRY_FILE)
            return found
        _make(entry, items, recipe, make())
        found = _open(entry, items, recipe.bits)
    if found is None:
        raise DataError(f"The image cache {entry} was damaged as soon as it was written. Check the disk.")
    return found


def _key(items: Sequence[Item], recipe: Recipe, folder: Path, pool: ThreadPoolExecutor) -> str:
    """The hash of all contents and the recipe; not worked out again while no file's size or times change."""
    files = [file for item in items for file in item.files]
    different = list(dict.fromkeys(files))  # pages of one file are many items
    pages = [item.pages for item in items]
    head = [_FORMAT, recipe.about()]
    stamp_of = {file: _stamp(file) for file in different}
    stamps = [stamp_of[file] for file in files]
    which = [pages] if any(pages) else []  # without pages the same as ever
    known = folder / "known" / _hash([*head, [str(file.absolute()) for file in files], stamps, *which])
    with suppress(OSError):
        if len(key := known.read_text(encoding="utf-8")) == _HEX_DIGITS:
            return key
    contents = dict(zip(different, pool.map(_contents, different), strict=True))
    key = _hash([*head, [len(item.files) for item in items], [contents[file] for file in files], *which])
    youngest = max((max(stamp[1:3]) for stamp in stamps), default=0)
    if time.time_ns() - youngest > _SETTLED_SECONDS * 10**9:
        with suppress(OSError):  # without this note the next start is slower, no more
            known.parent.mkdir(parents=True, exist_ok=True)
            beside = known.with_name(f".{known.name}.{secrets.token_hex(4)}")
            beside.write_text(key, encoding="utf-8")
            beside.replace(known)
    return key


def _stamp(file: Path) -> tuple[int, int, int, int]:
    try:
        status = file.stat()
    except OSError:
        return (-1, 0, 0, 0)
    # The time of the last change of status cannot be set by hand, as that of the contents can.
    return (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


def _contents(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=_HEX_DIGITS // 2)).hexdigest()
    except OSError as error:
        raise _unreadable(file, error) from error


def _hash(value: object) -> str:
    return hashlib.blake2b(json.dumps(value).encode(), digest_size=_HEX_DIGITS // 2).hexdigest()


def _open(entry: Path, items: Sequence[Item], bits: Literal[8, 16]) -> PictureSet | None:
    """What lies in ``entry``; None if it is not there, damaged or cut short."""
    try:
        about = json.loads((entry / ENTRY_FILE).read_text(encoding="utf-8"))
        shape = tuple(about["shape"])
        file = entry / _file(bits)
        if file.stat().st_size != math.prod(shape) * bits // 8:
            return None
        values = np.memmap(file, "<u2" if bits == 16 else np.uint8, "r", shape=shape)
        kept_sides = about.get("kept_sides")
        return PictureSet(
            pictures=values if kept_sides is None else Ragged(pixels=values, sides=_sides(kept_sides)),
            sides=_sides(about.get("sides", ())),
            names=tuple(items[index].name for index in about["kept"]),
            skipped=tuple(
                Skipped(path=items[index].files[half], reason=reason) for index, half, reason in about["skipped"]
            ),
            key=entry.name,
            remarks=tuple(
                Remark(kind=kind, images=images, total=total, example=items[index].files[half], half=side)
                for kind, images, total, index, half, side in about.get("remarks", ())
            ),
            nearest=tuple(map(tuple, about.get("nearest", ()))),
        )
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _sides(listed: Sequence[Sequence[int]]) -> NDArray[np.int64]:
    return np.array(listed, np.int64).reshape(-1, 2)


def _file(bits: Literal[8, 16]) -> str:
    return f"pictures.u{bits}"


def _make(entry: Path, items: Sequence[Item], recipe: Recipe, decoded: Iterator[Made | PictureError]) -> None:
    making = entry.with_name(f".making-{entry.name[:8]}-{secrets.token_hex(4)}")
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        _sweep(entry.parent)
        making.mkdir()
        _write(making, items, recipe, decoded)
        _publish(making, entry, items, recipe)
    except OSError as error:
        megabytes = math.ceil(len(items) * math.prod(recipe.shape) * recipe.bits / 8e6)
        raise DataError(
            f"The cache of decoded images ({megabytes} MB) cannot be written to {entry.parent} ({error.strerror}). "
            "Free some space, or point --cache at a folder where there is more."
        ) from error
    finally:
        shutil.rmtree(making, ignore_errors=True)


def _write(making: Path, items: Sequence[Item], recipe: Recipe, decoded: Iterator[Made | PictureError]) -> None:
    """Writes the files of an entry. Plain writes, not a memory map: a full disk is an error here and a crash there."""
    kept: list[int] = []
    skipped: list[tuple[int, int, str]] = []
    counts: list[tuple[tuple[int, int], int, dict[str, int]]] = []
    nearest: list[list[int]] = [[] for _ in recipe.channels]
    sides: list[tuple[int, int]] = []
    kept_sides: list[tuple[int, int]] = []
    with (making / _file(recipe.bits)).open("wb") as stream:
        for index, result in enumerate(decoded):
            if isinstance(result, PictureError):
                skipped.append((index, *_blame(items[index], result)))
                continue
            for half, found in enumerate(result.remarks):
                counts.append(((index, min(half, len(items[index].files) - 1)), half, found))
            for half in np.flatnonzero(result.nearest).tolist():
                nearest[half].append(len(kept))
            kept.append(index)
            pixels = result.pixels
            kept_sides.append((pixels.shape[0], pixels.shape[1]))
            sides += [result.sides] if result.sides else []
            stream.write(pixels.astype(pixels.dtype.newbyteorder("<"), copy=False).tobytes())
        stream.flush()
        os.fsync(stream.fileno())
    if not kept:
        index, half, reason = skipped[0]
        what = "pairs" if len(items[index].files) > 1 or (len(recipe.channels) > 1 and not recipe.alpha) else "images"
        raise DataError(f"None of {len(items)} {what} can be used; the first is {items[index].files[half]}: {reason}")
    ragged = recipe.fit == "window"  # one image behind the other: (pixels, channels)
    shape = (sum(map(math.prod, kept_sides)), recipe.shape[2]) if ragged else (len(kept), *recipe.shape)
    remarks = [(one.kind, one.images, one.total, *one.example, one.half) for one in gathered(counts)]
    about: dict[str, Any] = {"shape": shape, "kept": kept, "skipped": skipped, "remarks": remarks, "nearest": nearest}
    about |= {"sides": sides} | ({"kept_sides": kept_sides} if ragged else {})
    (making / ENTRY_FILE).write_text(json.dumps(about), encoding="utf-8")


def _decoded(
    items: Sequence[Item], recipe: Recipe, pool: ThreadPoolExecutor, strict: bool, progress: Progress | None
) -> Iterator[Made | PictureError]:
    def attempt(item: Item) -> Made | PictureError:
        try:
            return decode(item, recipe)
        except PictureError as error:
            cause = error.__cause__
            if isinstance(cause, MissingExtra):  # installed later, it would change what is trained on
                raise
            if isinstance(cause, MemoryError) or (isinstance(cause, OSError) and cause.errno not in _OF_THE_FILE):
                raise _unreadable(item.files[_blame(item, error)[0]], cause) from error
            return error
        except MemoryError as error:
            raise _unreadable(item.files[0], error) from error

    for start in range(0, len(items), _CHUNK):
        for done, result in enumerate(pool.map(attempt, items[start : start + _CHUNK]), start + 1):
            if strict and isinstance(result, PictureError):
                raise result
            yield result
            if progress is not None:
                progress(done, len(items))


def _unreadable(file: Path, cause: OSError | MemoryError) -> PictureError:
    reason = cause.strerror if isinstance(cause, OSError) else "not enough memory"
    return PictureError(
        f"{file}: it cannot be read at the moment ({reason}). Mend that, or remove the file, and give the same command "
        "again."
    )


def _blame(item: Item, error: PictureError) -> tuple[int, str]:
    """Which file of the item is at fault, and the reason without the file's name."""
    text = str(error)
    for half, file in enumerate(item.files):
        if text.startswith(f"{file}: "):
            return half, text.removeprefix(f"{file}: ")
    return 0, text


def _publish(making: Path, entry: Path, items: Sequence[Item], recipe: Recipe) -> None:
    try:
        making.rename(entry)
    except OSError:
        if not entry.exists():
            raise
        # Unless it is damaged another process was faster, and its images are the same.
        if _open(entry, items, recipe.bits) is None:
            aside = making.with_name(making.name + "-damaged")
            entry.rename(aside)
            shutil.rmtree(aside, ignore_errors=True)
            making.rename(entry)


def _sweep(folder: Path) -> None:
    """Removes what killed processes left behind."""
    for left in folder.glob(".making-*"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > 86400:
                shutil.rmtree(left, ignore_errors=True)
