"""Images with classes, of which two folders are one way to give them: what a classifier is trained on."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from viceversa.data import folders
from viceversa.data.parts import Keeping, Source, in_domains
from viceversa.data.single import SQUARE, SingleData
from viceversa.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class LabelledData(SingleData):
    """A folder of one sub-folder a class, MNIST's idx files, built-in images, or the folders a and b."""

    a: Path | None = None
    """A folder of images of one kind; with --b, instead of --data."""

    b: Path | None = None
    """A folder of images of another kind."""

    size_px: Annotated[int, tyro.conf.arg(name="size"), SQUARE] = 64
    """Pixels of a side of the square images, 16 to 128."""

    mirror: bool = True
    """Mirror half of the samples left to right."""

    def __post_init__(self) -> None:
        if not 16 <= self.size_px <= 128:
            raise ConfigError(f"--size must be 16 to 128 pixels for a classifier; got {self.size_px}.")
        super().__post_init__()
        if (self.root or self.builtin) and (self.a or self.b):
            raise ConfigError("--a or --b was given beside --data or --builtin. Name one of them.")

    def _source(self, keeping: Keeping) -> Source:
        if self.a is None and self.b is None:
            return super()._source(keeping)
        a, b = folders.unpaired(None, self.a, self.b)
        return in_domains(a, b, keeping)

    def _places(self) -> list[Path]:
        """The folders that images are taken from."""
        return [*super()._places(), *(folder for folder in (self.a, self.b) if folder is not None)]
