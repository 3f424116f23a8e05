"""Where in a portrait to look for what: the attributes that a translation women <-> men must change, or must keep."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from viceversa.data.avatars.drawing import render
from viceversa.data.avatars.identity import Identity

Mask = NDArray[np.bool_]

CHANGING: Final = ("hair length", "beard", "brows", "lips", "neckline")
STAYING: Final = ("background", "skin", "eyes", "glasses", "hair colour", "clothes")


def attribute_regions(who: Identity, size_px: int) -> dict[str, Mask]:
    """For each of ``CHANGING`` and ``STAYING`` the pixels, ``(size_px, size_px)``, that show it.

    They hold for the person as a woman and as a man alike; a region is empty where a person has no such thing, as
    glasses. What stays is what both drawings show in the same place.
    """
    woman, man = (render(who, domain, size_px, labelled=True).region for domain in ("women", "men"))
    skin = woman("skin") & man("skin")
    return {
        "hair length": woman("hair") & (man("background") | man("skin") | man("neck") | man("clothes")),
        "beard": man("beard") & woman("skin"),
        "brows": (woman("brows") & man("skin")) | (man("brows") & woman("skin")),
        "lips": woman("lips"),
        "neckline": woman("neck") & man("clothes"),
        "background": woman("background") & man("background"),
        "skin": skin,
        "eyes": woman("eyes") & man("eyes"),
        "glasses": woman("glasses") & man("glasses"),
        "hair colour": woman("hair") & man("hair"),
        "clothes": woman("clothes") & man("clothes"),
    }
