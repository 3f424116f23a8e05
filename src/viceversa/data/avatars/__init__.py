"""Avatars: portraits drawn from a number, the data set that needs no download and of which the truth is known.

The same person can be drawn in every domain (``women``, ``men``, and in their own gender as ``photo`` or ``anime``), so
what a translator should have made of an image is known to the pixel. Everything in a portrait follows from
``Identity.from_seed(seed)``; only what ``CHANGING`` names differs between a woman and a man of the same identity.
"""

from viceversa.data.avatars.dataset import Truth, load_truth, write_dataset
from viceversa.data.avatars.drawing import draw
from viceversa.data.avatars.identity import Domain, Gender, Identity
from viceversa.data.avatars.regions import CHANGING, STAYING, attribute_regions

__all__ = [
    "CHANGING",
    "STAYING",
    "Domain",
    "Gender",
    "Identity",
    "Truth",
    "attribute_regions",
    "draw",
    "load_truth",
    "write_dataset",
]
