"""MNIST's idx files (LeCun, Cortes and Burges): many grey images in one file, their labels in another.

A file begins with two zeros, the kind of its numbers (8: bytes) and how many dimensions they have, then the size of
each as 32 bits, the highest byte first; what follows is the numbers. It may be packed by gzip. Nothing in it is
believed: no more is read than the header promises, and headers that promise too much are refused.
"""

import gzip
import hashlib
import math
import os
import re
import zlib
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import BufferedIOBase
from pathlib import Path

import numpy as np

from viceversa.data import cache
from viceversa.data.cache import PictureSet
from viceversa.data.formats.limits import check_ratio
from viceversa.data.images import Array, fitted
from viceversa.data.parts import Keeping, Part, Source, combined
from viceversa.data.recipe import Recipe
from viceversa.errors import DataError, PictureError
from viceversa.naming import readable

_IMAGES = re.compile(r"(?P<set>.*)images(?P<dot>[-.])idx3-ubyte(?:\.gz)?")
_LISTS = (".txt", ".lst", ".list")  # of files, which `viceversa.data.lists` reads
_PART = re.compile(r"(?<![^-_.])(train|t10k|test)(?=[-_.])")
_KIND = {1: "labels", 3: "images"}  # by their dimensions
_MAGIC = {dimensions: bytes([0, 0, 8, dimensions]) for dimensions in _KIND}
_MOST_PICTURES, _MOST_PX, _MOST_BYTES = 1_000_000, 1024, 2**31
_CHUNK_BYTES = 2**22  # read at once
_MARGIN_SHARE = 4  # a margin of at most one in so many pixels is added, instead of resizing


def in_idx(root: Path, keeping: Keeping) -> Source | None:
    """The idx files in ``root``, or ``root`` itself, an idx file of images; None where there are none.

    Found by name: train-images-idx3-ubyte or whatever-train-images-idx3-ubyte, with train-labels-idx1-ubyte beside it,
    and for testing t10k- or test- instead of train-; each with or without .gz, and with a point before idx as well.

    Raises:
        DataError: A file is damaged, or does not fit the others; the folder holds several sets.
    """
    if root.is_file() and root.suffix.lower() in _LISTS:
        return None
    images = root if root.is_file() else _training_images(root)
    if images is None:
        return None
    others = [_PART.sub(word, images.name) for word in ("t10k", "test")] if _part_of(images.name) == "train" else []
    test = next((file for name in others if (file := _either(images.with_name(name)))), None)
    name = readable(images.resolve().parent.name)
    return combined(name, _part(images, keeping), _part(test, keeping) if test else None, 1)


def read_labels(path: Path) -> Array:
    """The labels of an idx file, ``(N,)`` uint8.

    Raises:
        DataError: It is none, or damaged.
    """
    with _opened(path) as stream:
        (count,) = _header(stream, path, 1)
        return np.frombuffer(_numbers(stream, path, count, last=True), np.uint8)


def read_pictures(path: Path) -> Iterator[Array]:
    """The images of an idx file, some at a time, ``(n, H, W)`` uint8.

    Raises:
        DataError: It is none, or damaged.
    """
    with _opened(path) as stream:
        count, height, width = _header(stream, path, 3)
        step = max(1, _CHUNK_BYTES // (height * width))
        for start in range(0, count, step):
            number = min(step, count - start)
            data = _numbers(stream, path, number * height * width, last=start + number == count)
            yield np.frombuffer(data, np.uint8).reshape(number, height, width)


def squares(chunks: Iterator[Array], recipe: Recipe) -> Iterator[Array]:
    """Grey images ``(n, H, W)`` as ``(side_px, side_px, C)``, one by one.

    Square ones that are a little too small, by an even number of pixels and at most a quarter, get a margin in the
    colour of their background, so that every stroke stays as crisp as it was (28 to 32 px: 2 px all around); the
    background is the commonest value at the edges of the first images. All others are resized.
    """
    background: int | None = None
    for chunk in chunks:
        if background is None:
            edges = (chunk[:, 0], chunk[:, -1], chunk[:, :, 0], chunk[:, :, -1])
            background = int(np.bincount(np.concatenate([edge.ravel() for edge in edges])).argmax())
        height, width = chunk.shape[1:]
        margin = recipe.shape[0] - height
        if height == width and margin >= 0 and margin % 2 == 0 and margin * _MARGIN_SHARE <= height:
            around = (margin // 2, margin // 2)
            made = np.pad(chunk, ((0, 0), around, around), constant_values=background)[..., None]
        else:
            made = (fitted(picture[..., None], recipe.side_px, recipe.fit) for picture in chunk)
        for picture in made:
            yield np.repeat(picture, recipe.channels[0], axis=2)


def _training_images(folder: Path) -> Path | None:
    try:
        there = {name.removesuffix(".gz") for name in os.listdir(folder) if _IMAGES.fullmatch(name)}
    except OSError:  # whoever looks for other images there will say so
        return None
    sets = sorted(name for name in there if _part_of(name) in (None, "train"))
    if len(sets) > 1:
        several = ", ".join(sets[:4]) + (" ..." if len(sets) > 4 else "")
        raise DataError(f"{folder}/ holds {len(sets)} files of images ({several}). Name one of them by --data.")
    if there and not sets:
        raise DataError(
            f"{folder}/ holds {min(there)} but no images to train on (train-images-idx3-ubyte). Add them, or name "
            "the file itself by --data."
        )
    return _either(folder / sets[0]) if sets else None


def _part_of(name: str) -> str | None:
    found = _PART.search(name)
    return found[1] if found else None


def _either(path: Path) -> Path | None:
    """The file of that name, with or without .gz; the unpacked one where there are both."""
    plain = path.with_name(path.name.removesuffix(".gz"))
    return next((file for file in (plain, plain.with_name(f"{plain.name}.gz")) if file.is_file()), None)


def _labels_name(images: Path) -> str:
    named = _IMAGES.fullmatch(images.name)
    return f"{named['set']}labels{named['dot']}idx1-ubyte" if named else f"{images.name}-labels-idx1-ubyte"


def _part(images: Path, keeping: Keeping) -> Part:
    with _opened(images) as stream:
        count = _header(stream, images, 3)[0]
    names = [f"{number:07}" for number in range(count)]
    wanted = _labels_name(images)
    file = _either(images.with_name(wanted))
    labels = read_labels(file) if file else np.empty(0, np.uint8)
    if file and len(labels) != count:
        raise DataError(
            f"{file}: it holds {len(labels)} labels, and {images.name} {count} images. Use files that belong together."
        )

    def make(recipe: Recipe) -> PictureSet:
        recipe = replace(recipe, smallest_px=1)
        about = ["idx", _digest(images)]

        def made() -> Iterator[Array]:
            return squares(read_pictures(images), recipe)

        return cache.keep(about, names, recipe, made, keeping.folder, progress=keeping.progress)

    return Part(
        place=str(images),
        labels={name: str(label) for name, label in zip(names, labels, strict=False)},
        unlabelled=f"{images}: there is no {wanted} beside it, so its images have no labels; put that there",
        class_place=lambda label: f"{file}, label {label}",
        make=make,
    )


def _digest(path: Path) -> str:
    with _sentences(path), path.open("rb") as stream:
        return hashlib.file_digest(stream, "blake2b").hexdigest()


@contextmanager
def _opened(path: Path) -> Generator[BufferedIOBase]:
    """The file's contents, unpacked if it is packed, whatever it is called."""
    with _sentences(path), path.open("rb") as stream:
        packed = stream.read(2) == b"\x1f\x8b"
        stream.seek(0)
        if packed:
            with gzip.GzipFile(fileobj=stream) as unpacked:
                yield unpacked
        else:
            yield stream


@contextmanager
def _sentences(path: Path) -> Generator[None]:
    """What fails becomes a sentence."""
    try:
        yield
    except EOFError as error:
        raise _cut_short(path) from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path}: what gzip packed is damaged ({error}). Fetch it again.") from error
    except OSError as error:
        raise DataError(f"{path}: it cannot be read ({error.strerror or error}).") from error


def _header(stream: BufferedIOBase, path: Path, dimensions: int) -> tuple[int, ...]:
    head = stream.read(4 + 4 * dimensions)
    start, wanted = head[:4], _MAGIC[dimensions]
    if not start:
        raise DataError(f"{path}: it is empty. Fetch it again.")
    if start != wanted[: len(start)]:
        raise DataError(
            f"{path}: it is no idx file of {_KIND[dimensions]}; those begin with {wanted.hex()}, this with "
            f"{start.hex()}{' as labels do' if start == _MAGIC[1] else ''}. Name another file, or fetch it again."
        )
    if len(head) < 4 + 4 * dimensions:
        raise _cut_short(path)
    sizes = tuple(np.frombuffer(head[4:], ">u4").tolist())
    if (
        not 1 <= sizes[0] <= _MOST_PICTURES
        or not all(1 <= side <= _MOST_PX for side in sizes[1:])
        or math.prod(sizes) > _MOST_BYTES
    ):
        promised = f"{sizes[0]} {_KIND[dimensions]}" + (f" of {sizes[2]} x {sizes[1]} px" if dimensions == 3 else "")
        raise DataError(
            f"{path}: its header promises {promised}; 1 to {_MOST_PICTURES} of up to {_MOST_PX} x {_MOST_PX} px, "
            f"{_MOST_BYTES // 2**30} GB in all, can be read. Fetch it again if it is damaged."
        )
    _check_size(stream, path, math.prod(sizes))
    return sizes


def _check_size(stream: BufferedIOBase, path: Path, promised: int) -> None:
    """Before there is a name for each of a million images that are not there."""
    if not isinstance(stream, gzip.GzipFile):
        if promised > path.stat().st_size:
            raise _cut_short(path)
        return
    try:
        check_ratio(path, promised)
    except PictureError as error:
        raise DataError(f"{path}: {error}") from error


def _numbers(stream: BufferedIOBase, path: Path, count: int, *, last: bool) -> bytes:
    data = stream.read(count)
    if len(data) < count:
        raise _cut_short(path)
    if last and stream.read(1):
        raise DataError(f"{path}: it holds more than its header says. Fetch it again.")
    return data


def _cut_short(path: Path) -> DataError:
    return DataError(f"{path}: it is cut short. Fetch it again.")
