"""All settings of `serve`; the command line is a view of them."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from viceversa.errors import ConfigError, check, check_at_least

KEY_VARIABLE = "VICEVERSA_API_KEY"
ROOT_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)+")
_UPLOADS = 4  # at once, at least
_NAME = re.compile(r"[a-z0-9_.-]+|\[[0-9a-f:.]+\]")
_ORIGIN = re.compile(r"https?://([a-z0-9_.-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")


@dataclass(frozen=True, kw_only=True)
class ServeConfig:
    """Where the server listens, what it takes, and how much at once."""

    host: str = "127.0.0.1"
    """Address to listen on; 127.0.0.1 is reached from this machine only, 0.0.0.0 from everywhere."""

    port: int = 8000
    """Port to listen on; 0 takes a free one and says which."""

    batch: int = 8
    """Images of one size that are translated together, at most; none waits for others to come."""

    queue: int = 64
    """Requests that are accepted at once; one more is answered with 429 and when to try again."""

    max_bytes: int = 32 * 2**20
    """The largest file taken."""

    max_pixels: int = 2**24
    """The most pixels of an image; the head of the file says how many, before any is decoded."""

    max_disk_bytes: int = 4 * 2**30
    """The most that the page's visitors may put on disk, uploads and results together; the oldest go for new ones."""

    timeout_seconds: Annotated[float, tyro.conf.arg(name="timeout")] = 60.0
    """Seconds that a request may take, from its first byte; after that it is answered with 503."""

    page: bool = True
    """Show the web page at /."""

    cors: tyro.conf.UseAppendAction[Annotated[tuple[str, ...], tyro.conf.arg(metavar="ORIGIN")]] = ()
    """A web site whose scripts may use the API, such as https://example.org, or * for all; may be given again."""

    allow_host: tyro.conf.UseAppendAction[Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME")]] = ()
    """A name by which the server may be asked for, beside localhost and its address, such as swap.example.org, or * for
    any; may be given again. Left out: any, where it listens on an address that other machines reach."""

    root_path: str = ""
    """Path under which a proxy shows the server, such as /swap; left out: none."""

    api_key_file: Path | None = None
    """File with a key that every request must show. Left out: what VICEVERSA_API_KEY holds, or no key."""

    device: str = "auto"
    """Where to compute: auto, cpu, cuda or mps."""

    engine: Literal["auto", "onnxruntime", "openvino"] = "auto"
    """What computes an .onnx file; auto is OpenVINO where it is installed."""

    def __post_init__(self) -> None:
        check_at_least(self, batch=1, queue=1, max_bytes=1, max_pixels=1)
        least = _UPLOADS * self.max_bytes
        check(
            self.max_disk_bytes >= least,
            f"--max-disk-bytes must be at least {_UPLOADS} times --max-bytes, which is {least}; got "
            f"{self.max_disk_bytes}.",
        )
        check(self.timeout_seconds > 0, f"--timeout must be more than 0 seconds; got {self.timeout_seconds:g}.")
        for origin in self.cors:
            check(
                origin == "*" or _ORIGIN.fullmatch(origin),
                "--cors must be * or an origin as browsers send it, such as https://example.org or "
                f"http://localhost:3000, in small letters and without a path; got {origin!r}.",
            )
        for name in self.allow_host:
            check(
                name == "*" or _NAME.fullmatch(name),
                "--allow-host must be * or a name without a port, in small letters, such as swap.example.org; got "
                f"{name!r}.",
            )
        check(
            not self.root_path or ROOT_PATH.fullmatch(self.root_path),
            f"--root-path must be a path such as /swap, without a / at its end; got {self.root_path!r}.",
        )
        check(0 <= self.port <= 65535, f"--port must be 0 to 65535; got {self.port}.")

    def api_key(self) -> bytes | None:
        """The key that requests must show; None is no key.

        Raises:
            ConfigError: The file cannot be read, or the key is empty.
        """
        if self.api_key_file is not None:
            source = str(self.api_key_file)
            try:
                key = self.api_key_file.read_bytes().strip()
            except OSError as error:
                raise ConfigError(f"--api-key-file: {source} cannot be read ({error.strerror}).") from None
        elif KEY_VARIABLE in os.environ:
            source, key = KEY_VARIABLE, os.environ[KEY_VARIABLE].encode(errors="surrogateescape").strip()
        else:
            return None
        # A key of more than one line, or with odd characters, could not be put into a header.
        if not key or any(not 0x20 < byte < 0x7F for byte in key):
            raise ConfigError(f"{source} must hold a key of letters, digits and signs, without spaces, in one line.")
        return key
