"""Reading .xz with a bound on memory: the file decides how large its dictionary is, up to 4 GiB."""

import io
import lzma
import tarfile
from pathlib import Path
from typing import IO, Any

_DICTIONARY_BYTES = 2**27  # xz -9 has 2**26


class _Xz(io.RawIOBase):
    """Unpacks."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._unpack = file, _unpack_xz()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while True:
            if self._unpack.eof:  # another one may follow
                rest = self._unpack.unused_data.lstrip(b"\0") or self._file.read(2**16).lstrip(b"\0")
                if not rest:
                    return 0
                self._unpack = _unpack_xz()
            elif self._unpack.needs_input:
                rest = self._file.read(2**16)
                if not rest:
                    raise EOFError("it ends too early")
            else:
                rest = b""
            part = self._unpack.decompress(rest, len(buffer))
            if part:
                buffer[: len(part)] = part
                return len(part)

    def close(self) -> None:
        self._file.close()
        super().close()


def _unpack_xz() -> lzma.LZMADecompressor:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_DICTIONARY_BYTES)


def open_xz(path: Path, _mode: str) -> "_Forward":
    """The unpacked contents of a file, to be read from front to back."""
    return _Forward(io.BufferedReader(_Xz(path.open("rb"))))


class _Forward(io.RawIOBase):
    """A stream that can be sought forward, which is all that a tar needs."""

    def __init__(self, stream: io.BufferedReader) -> None:
        self._stream, self._place = stream, 0

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self._place += len(data)
        return data

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = 0) -> int:
        while self._place < offset and self.read(min(2**16, offset - self._place)):
            pass
        if self._place != offset or whence:
            raise tarfile.ReadError("it ends too early")
        return self._place

    def close(self) -> None:
        self._stream.close()
        super().close()
