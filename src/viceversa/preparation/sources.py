"""From what a person names to sources: videos, folders, archives and single images, told apart and checked."""

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from viceversa.data import folders, formats, images
from viceversa.data.images import SUFFIXES
from viceversa.data.makeable import ARCHIVE_SUFFIXES, VIDEO_SUFFIXES
from viceversa.data.partners import Pairing
from viceversa.errors import ConfigError, DataError, PictureError
from viceversa.preparation import archives, pictures
from viceversa.preparation.assemble import Root
from viceversa.preparation.config import PrepareConfig
from viceversa.preparation.parallel import Team
from viceversa.preparation.seen import Source
from viceversa.preparation.videos import Video


def find(paths: Sequence[Path], root: Root, team: Team) -> list[Source]:
    """Every source, in the order named; a folder is a source of images, and one for each video and archive in it.

    Everything is opened once, so that mistakes are found before any work is done. What is named twice counts once.

    Raises:
        DataError: There is no such file, or it is of no kind that can be read, or there is nothing in it.
        ConfigError: Pairs from something else than folders, or a source in the folders that are written to.
    """
    if not paths:
        raise ConfigError("Name what to prepare: viceversa prepare FILM|FOLDER|ARCHIVE ... --out ROOT")
    other_half = root.config.pair_with
    for path in (*paths, *([other_half] if other_half else [])):
        _keep_apart(path, root)
    if root.config.pair_with is not None:
        return [_pairs(paths, root.config, team)]
    found: dict[str, Source] = {}
    single: list[Path] = []
    for path in paths:
        for source in _sources(path, single, team):
            found.setdefault(source.key, source)
    if single:
        files = [(path.name, path) for path in dict.fromkeys(single)]
        source = pictures.of_files(single[0], _key_of_files(files, team), files)
        found.setdefault(source.key, source)
    return list(found.values())


def _sources(path: Path, single: list[Path], team: Team) -> Iterator[Source]:
    """The sources that ``path`` is; images that are named one by one are put into ``single``."""
    if path.is_dir():
        yield from _folder(path, team)
    elif not path.is_file():
        what = "is no file" if path.exists() else "does not exist"
        raise DataError(f"{path} {what}. Name videos, folders or archives that are there.")
    elif archives.is_archive(path):
        yield pictures.of_archive(path, _key(path))
    elif path.suffix.lower() == ".txt":
        base, listed = folders.pictures_in(path, "viceversa prepare")
        files = [(file.relative_to(base).as_posix(), file) for file in listed]
        yield pictures.of_files(path, _key_of_files(files, team), files)
    elif _is_picture(path):
        single.append(path)
    else:
        yield _video(path)


def _video(path: Path) -> Video:
    """A video; what is not called one and is none may be anything, so all that is taken is named."""
    try:
        return Video(path, _key(path))
    except PictureError:
        raise
    except DataError:
        if path.name.lower().endswith((*VIDEO_SUFFIXES, *SUFFIXES)):
            raise
        raise DataError(
            f"{path} is no video, folder, zip or tar archive, or image that can be read; unpack or convert it first."
        ) from None


def _folder(folder: Path, team: Team) -> Iterator[Source]:
    others = [file for file in _walk(folder) if _is_named_otherwise(file)]
    try:
        found = [file for file in folders.find_pictures(folder, "viceversa prepare") if file not in others]
    except DataError:
        if not others:
            raise
        found = []
    for file in others:
        yield from _sources(file, [], team)
    if found:
        files = [(file.relative_to(folder).as_posix(), file) for file in found]
        yield pictures.of_files(folder, _key_of_files(files, team), files)


def _pairs(paths: Sequence[Path], config: PrepareConfig, team: Team) -> Source:
    assert config.pair_with is not None
    if len(paths) != 1:
        raise ConfigError(
            f"--pair-with takes one folder to pair with another, and {len(paths)} were named: viceversa prepare A "
            "--pair-with B ..."
        )
    for place in (paths[0], config.pair_with):
        _refuse_file(place)
    how = Pairing(pair_suffix=config.pair_suffix, skip_unpaired=config.skip_unpaired)
    pairs = folders.paired(None, paths[0], config.pair_with, how, ("viceversa prepare", "--pair-with"))
    items = list(pairs.train)
    files = [(f"{half}/{item.name}", file) for item in items for half, file in zip("ab", item.files, strict=True)]
    notes = pairs.notes
    if unequal := sum(a != b for a, b in (map(_size, item.files) for item in items)):
        notes += (f"{unequal} of them are not equally large: B is resized to the size of A",)
    return pictures.of_pairs(paths[0], _key_of_files(files, team), items, config, notes)


def _refuse_file(place: Path) -> None:
    """A file can be a list of images, but no side of pairs by itself."""
    name = place.name.lower()
    if not place.is_file() or not name.endswith((*VIDEO_SUFFIXES, *ARCHIVE_SUFFIXES, *SUFFIXES)):
        return
    way_out = "name its folder"
    if not name.endswith(SUFFIXES):
        way_out = f"make images of it first: viceversa prepare {place} --crop none --out SET"
    raise ConfigError(
        f"--pair-with takes one folder of images, or a list of them, for each side; {place} is none: {way_out}"
    )


def _size(file: Path) -> tuple[int, int] | None:
    try:
        return formats.size_of(file)
    except (DataError, OSError):  # which is told when it is read
        return None


def _keep_apart(path: Path, root: Root) -> None:
    """A source is never written to, and results are never taken for sources."""
    here, out = path.resolve(), root.path.resolve()
    if here == out or here in out.parents:
        raise ConfigError(f"--out {root.path} lies in the source {path}, which is not written to. Name another --out.")
    written = [out / name for split in ("train", "test") for name in root.config.folders(split)]
    if any(here == place or place in here.parents for place in written):
        raise ConfigError(f"The source {path} lies in the data set that is being made. Name another --out.")


def _is_named_otherwise(file: Path) -> bool:
    """Whether a file of a folder is a video or an archive, by its name; a GIF that moves is a video."""
    if file.suffix.lower() != ".gif":
        return file.name.lower().endswith((*VIDEO_SUFFIXES, *ARCHIVE_SUFFIXES))
    try:
        return not _is_picture(file)
    except PictureError:  # which is told, and passed over, with the other images
        return False


def _is_picture(path: Path) -> bool:
    """Whether it is a still image."""
    if path.name.lower().endswith(VIDEO_SUFFIXES):
        return False
    try:
        with images.opened(path) as image:
            return getattr(image, "n_frames", 1) == 1 or image.format != "GIF"
    except Exception:  # Pillow has an error of its own for every kind of damage
        if not path.name.lower().endswith(SUFFIXES):
            return False
        images.read(path)  # of a kind that Pillow does not know, or damaged, which is said then
        return True


def _walk(folder: Path) -> Iterator[Path]:
    for place, names, files in os.walk(folder):
        names[:] = sorted(name for name in names if not name.startswith("."))
        yield from (Path(place, name) for name in sorted(files) if not name.startswith("."))


def _key(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    except OSError as error:
        raise PictureError(f"{path}: it cannot be read ({error.strerror}).") from error


def _key_of_files(files: Iterable[tuple[str, Path]], team: Team) -> str:
    named = list(files)
    digest = hashlib.blake2b(digest_size=16)
    for (name, _), key in zip(named, team.map(_key, (path for _, path in named)), strict=True):
        digest.update(f"{key} {name}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()
