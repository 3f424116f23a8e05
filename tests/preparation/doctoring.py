"""Images and measurements for the tests of the doctor."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from viceversa.preparation.doctor.layout import Layout
from viceversa.preparation.doctor.measure import HUES, THUMB_PX, Measurement
from viceversa.preparation.doctor.scan import Inspected, Picture


def scene(seed: int, width: int = 96, height: int = 96, cells: int = 8) -> Image.Image:
    """An image unlike any of another seed: coloured cells with sharp edges."""
    coarse = np.random.default_rng(seed).integers(0, 256, (cells, cells, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.NEAREST)


def measured(**values: Any) -> Measurement:
    """A measurement of a sharp, coloured image of middling brightness, but for ``values``."""
    usual = {
        "width": 128, "height": 128, "format": "PNG", "mode": "RGB", "jpeg_quality": None, "brightness": 0.5,
        "contrast": 0.2, "saturation": 0.3, "is_grey": False, "hues": (1.0,) + (0.0,) * (HUES - 1), "sharpness": 0.9,
        "borders": (0.0, 0.0, 0.0, 0.0), "hash": 0, "thumb": bytes(3 * THUMB_PX**2), "labels": "",
        "remarks": (), "spread": None,
    }  # fmt: skip
    assert set(usual) == {field.name for field in fields(Measurement)}
    return Measurement(**{**usual, **values})


def pictures(letter: str, count: int = 60, split: str = "train", **columns: Any) -> list[Picture]:
    """``count`` images; a value of ``columns`` is one for all of them, or a list or an array of ``count``."""
    rows = [
        {name: column[row] if isinstance(column, list | np.ndarray) else column for name, column in columns.items()}
        for row in range(count)
    ]
    return [
        Picture(
            name=f"{split}{letter}/{row}.png",
            domain=letter,
            split=split,
            file=Path(f"{split}{letter}/{row}.png"),
            half=None,
            contents=f"{letter}{split}{row}".encode(),
            measured=measured(**values),
        )
        for row, values in enumerate(rows)
    ]


def inspected(*parts: list[Picture], kind: str = "unpaired", **titles: str) -> Inspected:
    """A data set of these images."""
    names = titles or {"A": "women", "B": "men"}
    layout = Layout(place="here", kind=kind, is_guessed=False, titles=names, jobs=(), lonely=())
    return Inspected(layout=layout, pictures=tuple(p for part in parts for p in part), pairs=(), broken=())
