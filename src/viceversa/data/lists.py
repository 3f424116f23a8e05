"""Lists of files: a text file that names images, one path a line, can stand wherever a folder of images can."""

import codecs
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from viceversa.data.formats import SUFFIXES
from viceversa.errors import DataError

_LARGEST_BYTES = 64 * 2**20
_BYTE_ORDER_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))


@dataclass(frozen=True, kw_only=True)
class FileList:
    """What a list names."""

    lines: tuple[Path, ...]
    """The files in the order of the lines, one that is named twice twice."""

    base: Path
    """The deepest folder that holds all of them: names below it are equal on every machine."""

    @property
    def files(self) -> list[Path]:
        """The files in the order of the lines, each once."""
        return list(dict.fromkeys(self.lines))


def is_list(place: Path) -> bool:
    """Return whether ``place`` is a file that may be a list: any file but an image."""
    return place.suffix.lower() not in SUFFIXES and place.is_file()


def read_list(file: Path, flag: str = "--data") -> FileList:
    """Read the paths that a list names.

    A path is absolute or relative to the list's folder. Empty lines and lines that begin with ``#`` are comments. The
    text is UTF-8, or UTF-16 with its mark, as some shells of Windows write it; bytes that are no text stay what they
    are, since names of files may be so.

    Args:
        file: The list.
        flag: The option that named it, for messages.

    Raises:
        DataError: It is no list, names nothing, or names files that do not exist.
    """
    advice = f"Point {flag} at a folder of images, or at a text file with one path a line."
    found = named_in(file, advice)
    missing = [(number, line, path) for number, line, path in found if not os.path.isfile(path)]
    if missing:
        number, line, path = missing[0]
        shown = line if len(line) <= 200 else f"{line[:200]}..."
        what = "is a folder and no file" if os.path.isdir(path) else "is not there"
        raise DataError(
            f"{len(missing)} of the {len(found)} files that {file} names cannot be found; the first, in line {number}, "
            f"{what}: {shown}. Paths are absolute, or relative to {file.parent}/; mend the list, or leave them out."
        )
    every = [path for _, _, path in found]
    if len({os.path.isabs(path) for path in every}) > 1:
        every = [os.path.abspath(path) for path in every]
    return FileList(lines=tuple(Path(path) for path in every), base=base_of(every))


def named_in(file: Path, advice: str) -> list[tuple[int, str, str]]:
    """Return the number of each line that is no comment, its text, and the path that it names, which may not exist.

    Raises:
        DataError: It is no list, or names nothing; the message ends with ``advice``.
    """
    paths = [(number, line) for number, line in enumerate(_lines(file, advice), 1) if line and not line.startswith("#")]
    if not paths:
        raise DataError(f"{file} is not a folder, and as a list of files it is empty. {advice}")
    return [(number, line, os.path.normpath(os.path.join(file.parent, line))) for number, line in paths]


def base_of(paths: Sequence[str]) -> Path:
    """Return the deepest folder that holds all ``paths``, which are all absolute or all relative."""
    return Path(os.path.commonpath([os.path.dirname(path) for path in paths]))


def repeated(files: Sequence[Path]) -> int:
    """Return how many of the lines name a file that an earlier one names."""
    return len(files) - len(set(files))


def _lines(file: Path, advice: str) -> list[str]:
    """The lines of the text without space around them."""
    try:
        size = file.stat().st_size
        if size > _LARGEST_BYTES:
            raise DataError(f"{file} is not a folder, and with {size / 1e6:.0f} MB too large for a list. {advice}")
        content = file.read_bytes()
    except OSError as error:
        raise DataError(f"{file} cannot be read ({error.strerror or error}). Mend that, and try again.") from None
    mark, encoding = next(
        ((mark, name) for mark, name in _BYTE_ORDER_MARKS if content.startswith(mark)), (b"", "utf-8")
    )
    text = content[len(mark) :].decode(encoding, "surrogateescape" if encoding == "utf-8" else "replace")
    if "\0" in text:
        raise DataError(f"{file} is not a folder, and no list of files, for it is no text. {advice}")
    return [line.strip() for line in text.split("\n")]
