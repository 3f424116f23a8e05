"""Images in zip and tar archives, read as a stream: nothing is unpacked to disk, and no name in them becomes a path.

Archives come from anywhere, so what no honest one holds is refused as a whole: entries that point outside, links,
devices, and entries that unpack to far more than they take. Archives inside of archives stay closed.
"""

import bz2
import gzip
import io
import lzma
import re
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any, TypeAlias

from viceversa.data.images import SUFFIXES
from viceversa.data.makeable import ARCHIVE_SUFFIXES
from viceversa.errors import DataError
from viceversa.preparation.xz import open_xz

MOST_ENTRIES = 400_000  # each takes about 600 bytes of memory
LARGEST_ENTRY = 256 * 2**20  # bytes, which are read as a whole
FREE_RATIO, FREE_BYTES = 100, 64 * 2**20  # more than both at once is a bomb; images hardly shrink any further
_HEADER_BYTES = 2**20  # of a tar's long names and the like
_ENTRY_BYTES, _LONGEST_ENTRY = 46, 512  # of a zip's list, at least and usually at most
_END = struct.Struct("<4s4H2IH")  # of a zip
_END64 = struct.Struct("<4sQ2H2I4Q")

_Read: TypeAlias = Callable[[], bytes]
_DAMAGE = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, RuntimeError,
    UnicodeError, ValueError, OSError,
)  # fmt: skip


def is_archive(path: Path) -> bool:
    """By its name or by its contents."""
    if path.name.lower().endswith(ARCHIVE_SUFFIXES):
        return True
    try:
        return zipfile.is_zipfile(path) or tarfile.is_tarfile(path)
    except _DAMAGE:
        return False


def names(path: Path) -> list[str]:
    """The names of its images, in the order in which `pictures` gives them; hidden ones are passed over.

    Raises:
        DataError: The archive cannot be read, holds no image, or holds what no honest archive does.
    """
    with _readable(path):
        found = [name for name, _ in _members(path)]
    if not found:
        raise DataError(f"{path} holds no images ({' '.join(SUFFIXES)}). Give another archive, or leave it out.")
    return found


def pictures(path: Path) -> Iterator[tuple[str, bytes]]:
    """Name and contents of each image, one after the other.

    Raises:
        DataError: As of `names`.
    """
    members = _members(path)
    while True:
        # Only reading is guarded: what happens to an image meanwhile is no fault of the archive.
        with _readable(path):
            member = next(members, None)
            content = member[1]() if member is not None else b""
        if member is None:
            return
        yield member[0], content


def _members(path: Path) -> Iterator[tuple[str, _Read]]:
    return _zip(path) if zipfile.is_zipfile(path) else _tar(path)


def _zip(path: Path) -> Iterator[tuple[str, _Read]]:
    _check_list(path)
    with zipfile.ZipFile(path) as archive:
        guard = _Guard(path)
        entries = archive.infolist()
        for entry in entries:
            # The upper half holds Unix's mode; only programs that know of links set it.
            kind = (entry.external_attr >> 16) & 0o170000
            guard.check(entry.filename, entry.file_size, special=kind not in (0, 0o100000, 0o040000))
            if entry.flag_bits & 1:
                raise DataError(f"{path} is locked with a password. Unlock it, or unpack it and give the folder.")
            if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                # Python unpacks the others without a limit.
                raise DataError(
                    f"{path}: its entry {guard.shown(entry.filename)!r} is packed in another way than by Deflate. "
                    "Unpack it and give the folder, or repack it."
                )
        for entry in entries:
            if not entry.is_dir() and _wanted(entry.filename):
                yield entry.filename, partial(_zip_content, archive, entry)


def _check_list(path: Path) -> None:
    """Sees that the list of entries, which is read as a whole, is not too long; from the end of the file."""
    with path.open("rb") as file:
        size = file.seek(0, io.SEEK_END)
        file.seek(max(0, size - 2**16 - _END.size - 2**10))
        tail = file.read()
        bytes_listed = 0
        for end, mark, field in (_END, b"PK\5\6", 5), (_END64, b"PK\6\6", 8):
            place = tail.rfind(mark)
            if 0 <= place <= len(tail) - end.size and (found := end.unpack_from(tail, place)[field]) != 2**32 - 1:
                bytes_listed = max(bytes_listed, found)
        if MOST_ENTRIES * _ENTRY_BYTES < bytes_listed <= size:
            file.seek(max(0, size - len(tail) - bytes_listed))
            long = bytes_listed > MOST_ENTRIES * _LONGEST_ENTRY
            if long or file.read().count(b"PK\1\2") > MOST_ENTRIES:
                raise _too_many(path)


def _zip_content(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """What the list promises, and not what is there."""
    with archive.open(entry) as file:
        content = file.read(entry.file_size)
        if file.read(1):
            raise zipfile.BadZipFile("an entry is larger than the list says")
        return content


def _tar(path: Path) -> Iterator[tuple[str, _Read]]:
    guard = _Guard(path)
    with _unpacked(path) as stream, _open_tar(bounded := _Bounded(stream)) as archive:
        while (entry := archive.next()) is not None:
            guard.check(entry.name, entry.size, special=not (entry.isreg() or entry.isdir()) or entry.issparse())
            archive.members = []  # pyright: ignore[reportAttributeAccessIssue]  (it would remember every entry)
            if entry.isreg() and _wanted(entry.name):
                yield entry.name, partial(_tar_content, archive, entry, bounded)


def _tar_content(archive: tarfile.TarFile, entry: tarfile.TarInfo, bounded: "_Bounded") -> bytes:
    file = archive.extractfile(entry)
    if file is None:
        raise tarfile.ReadError("an entry has no contents")
    bounded.most = LARGEST_ENTRY + 1
    try:
        with file:
            return file.read()
    finally:
        bounded.most = _HEADER_BYTES


def _open_tar(stream: "_Bounded") -> tarfile.TarFile:
    return tarfile.open(fileobj=stream, mode="r:")  # pyright: ignore[reportCallIssue, reportArgumentType]


@contextmanager
def _unpacked(path: Path) -> Generator[Any]:
    """The bytes of a tar, whatever they are packed by."""
    with path.open("rb") as file:
        magic = file.read(6)
    kinds: tuple[tuple[bytes, Any], ...] = ((b"\x1f\x8b", gzip.open), (b"BZh", bz2.open), (b"\xfd7zXZ\x00", open_xz))
    opener = next((opener for start, opener in kinds if magic.startswith(start)), open)
    with opener(path, "rb") as stream:
        yield stream


class _Bounded(io.RawIOBase):
    """A stream that refuses to hand over more at once than there may be: long names and headers are read whole."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.most = _HEADER_BYTES

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= self.most:
            raise tarfile.ReadError("a header is too large")
        return self._stream.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()


class _Guard:
    """Looks at every entry of an archive before anything of it is read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._packed = max(1, path.stat().st_size)
        self._entries, self._bytes = 0, 0

    def check(self, name: str, size: int, *, special: bool) -> None:
        self._entries += 1
        self._bytes += size
        shown = self.shown(name)
        if _leads_outside(name):
            raise DataError(
                f"{self._path}: its entry {shown!r} points outside of the archive, which no honest one does. "
                "Do not trust it; if you know better, unpack it yourself and give the folder."
            )
        if special:
            raise DataError(
                f"{self._path}: its entry {shown!r} is a link, a device or the like. Only files and folders are read; "
                "pack the images anew without links."
            )
        if self._entries > MOST_ENTRIES:
            raise _too_many(self._path)
        if self._bytes > max(FREE_BYTES, FREE_RATIO * self._packed) or (size > LARGEST_ENTRY and _wanted(name)):
            raise DataError(
                f"{self._path} would unpack to far more than images do ({shown!r}: {size:,} bytes; the archive has "
                f"{self._packed:,}). If you trust it, unpack it yourself and give the folder."
            )

    @staticmethod
    def shown(name: str) -> str:
        return name.encode("utf-8", "replace").decode("utf-8")


def _too_many(path: Path) -> DataError:
    return DataError(f"{path} has more than {MOST_ENTRIES:,} entries. Unpack it and give the folder.")


@contextmanager
def _readable(path: Path) -> Generator[None]:
    try:
        yield
    except DataError:
        raise
    except _DAMAGE as error:
        reason = str(error) or type(error).__name__
        raise DataError(
            f"{path} cannot be read as a zip or tar archive ({reason}). Get it anew or repack it."
        ) from error


def _leads_outside(name: str) -> bool:
    parts = re.split(r"[/\\]", name)
    return ".." in parts or parts[0] == "" or bool(re.match(r"[A-Za-z]:", name)) or "\0" in name


def _wanted(name: str) -> bool:
    parts = name.split("/")
    return name.lower().endswith(SUFFIXES) and not any(
        (part.startswith(".") and part != ".") or part == "__MACOSX" for part in parts
    )
