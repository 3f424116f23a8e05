"""The built-in portraits as single images of two classes, women and men."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import get_args

from viceversa.data import cache
from viceversa.data.avatars.drawing import draw
from viceversa.data.avatars.identity import Gender, Identity
from viceversa.data.cache import PictureSet
from viceversa.data.images import Array, from_pil
from viceversa.data.parts import Keeping, Part, Source
from viceversa.data.recipe import Recipe

PEOPLE = 600
"""Of each class; 30 to 50 a second are drawn, the first time."""


def portraits(keeping: Keeping, people: int = PEOPLE) -> Source:
    """Portraits of ``people`` women and as many men, no two of the same person, drawn as large as they are wanted."""
    classes: tuple[Gender, ...] = get_args(Gender)
    persons: list[tuple[str, Gender]] = [(f"{who}/{number:05}", who) for number in range(people) for who in classes]

    def drawn(recipe: Recipe) -> Iterator[Array]:
        for seed, (_, gender) in enumerate(persons):
            yield from_pil(draw(Identity.from_seed(seed), gender, recipe.shape[0]), recipe.channels[0])

    def make(recipe: Recipe) -> PictureSet:
        recipe = replace(recipe, smallest_px=1, fit="crop")
        names = [name for name, _ in persons]
        about = ["avatars", people, _pencil()]
        return cache.keep(about, names, recipe, lambda: drawn(recipe), keeping.folder, progress=keeping.progress)

    train = Part(
        place="the built-in avatars",
        labels=dict(persons),
        unlabelled="",
        class_place=lambda gender: f"the built-in {gender}",
        make=make,
    )
    return Source(name="avatars", train=train, test=None, channels=3, classes=classes)


def _pencil() -> str:
    """The hash of the program that draws: when it changes, so do the portraits."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.blake2b(b"".join(file.read_bytes() for file in files)).hexdigest()
