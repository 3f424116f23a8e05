"""Recipes: settings that were found to work for a task, under a name that stands in place of a method's."""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from viceversa import methods, plugins
from viceversa.errors import ConfigError

LENGTH = ("epochs", "images", "minutes")
"""The settings that say how long a run is."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A method with settings of its own; every one of them can be overridden."""

    method: str
    about: str
    """What it does, in a few words."""
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Flat names of the settings that differ from the method's defaults."""

    def combined(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The recipe's settings under those ``given``; the length of training is replaced as a whole."""
        own = dict(self.settings)
        if not given.keys().isdisjoint(LENGTH):
            own = {name: value for name, value in own.items() if name not in LENGTH}
        return {**own, **given}


_COMPACT: dict[str, Any] = {
    "generator": "compact",
    "attention": True,
    "width": 64,
    "norm": "group",
    "discriminator": "projected",
    "discriminator_norm": "spectral",
    "discriminator_width": 16,
    "init": "kaiming",
    "objective": "bce",
    "lambda_cycle": 3.0,
    "lambda_identity": 0.0,
    "batch": 4,
    "learning_rate": 1e-3,
    "ema_images": 500,
}
"""For minutes of a CPU; docs/quality.md has what was tried."""

_STYLE: dict[str, Any] = {
    **_COMPACT,
    "attention": False,
    "discriminator": "patchgan",
    "discriminator_norm": "instance",
    "discriminator_width": 32,
    "r1_gamma": 1e-3,
    "r1_of": "sum",
    "r1_every": 8,
    "lambda_cycle": 10.0,
    "lambda_identity": 0.5,
}
"""Where all of an image changes: a mask, or a discriminator on features, ends in one face for all images there."""

RECIPES: dict[str, Recipe] = {
    "women-men": Recipe(
        method="cyclegan",
        about="faces of women into those of men, and back, at 64 px",
        settings={**_COMPACT, "name_a": "women", "name_b": "men", "size_px": 64, "minutes": 15.0},
    ),
    "animals": Recipe(
        method="cyclegan",
        about="heads of cats into those of dogs, and back, at 64 px",
        settings={**_COMPACT, "name_a": "cats", "name_b": "dogs", "size_px": 64, "minutes": 15.0},
    ),
    "photo-anime": Recipe(
        method="cyclegan",
        about="photographs into images of an anime video, and back, at 128 px",
        settings={**_STYLE, "name_a": "photos", "name_b": "anime", "size_px": 128, "minutes": 30.0},
    ),
    "photo-anime-cartoongan": Recipe(
        method="cartoongan",
        about="the same by CartoonGAN, in one direction",
        settings={
            "name_a": "photos",
            "name_b": "anime",
            "size_px": 128,
            "width": 16,
            "blocks": 6,
            "upsample": "resize",
            "discriminator_width": 16,
            "images": 4000,
            "init_epochs": 2.0,
        },
    ),
    "portrait-painting": Recipe(
        method="cyclegan",
        about="photographs into paintings, and back, at 128 px",
        settings={**_COMPACT, "name_a": "photos", "name_b": "paintings", "size_px": 128, "minutes": 30.0},
    ),
    "labels-facade": Recipe(
        method="pix2pix",
        about="maps of the parts of a house front into photographs, at 128 px",
        settings={
            "name_a": "photo",
            "name_b": "labels",
            "direction": "b2a",
            "size_px": 128,
            "width": 32,
            "discriminator_width": 32,
            "images": 5000,
        },
    ),
}


def find(name: str) -> Recipe:
    """The recipe called ``name``; a method's name, or the file that defines one, is that of its defaults.

    Raises:
        ConfigError: There is neither; the message says which there are, and the nearest.
    """
    if name in RECIPES:
        return RECIPES[name]
    if re.search(r"\.py(:\w[\w-]*)?$", name):
        return Recipe(method=methods.of_code(name).name, about="")
    if name in methods.METHODS or plugins.find("method", name):
        return Recipe(method=name, about="")
    file = [f"{name}.py"] if Path(f"{name}.py").is_file() else []
    near = file or difflib.get_close_matches(name, [*methods.METHODS, *RECIPES], 1)
    hint = f" Perhaps you meant {near[0]}." if near else ""
    raise ConfigError(
        f"There is no method {name!r}; there are {', '.join(methods.METHODS)}, and the recipes {', '.join(RECIPES)}."
        f"{hint}"
    )
