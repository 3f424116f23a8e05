"""Names of files and folders as text: on Linux any bytes can be a name, and not all of them are valid UTF-8.

Python holds a byte that is not as a lone surrogate, which no file, page or terminal takes.
"""

import os
from pathlib import Path


def readable(name: str | Path) -> str:
    r"""Return ``name`` as text that everything takes: a byte that is not UTF-8 becomes, for example, ``\xe9``."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def json_bytes(text: str) -> bytes:
    r"""Return the JSON ``text`` in UTF-8; a surrogate becomes JSON's escape, ``\udce9``, and is read back as it was."""
    return text.encode("utf-8", "backslashreplace")
