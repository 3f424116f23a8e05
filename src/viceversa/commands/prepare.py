"""viceversa prepare."""

import sys
from pathlib import Path
from typing import Annotated

import tyro

from viceversa.preparation.config import PrepareConfig

Sources = Annotated[
    tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="SOURCE...", help_behavior_hint="(required)")
]
_DEFAULTS = PrepareConfig()


def run(
    sources: Sources,
    /,
    out: Annotated[Path, tyro.conf.arg(metavar="ROOT")],
    config: Annotated[PrepareConfig, tyro.conf.arg(name="")] = _DEFAULTS,
) -> int:
    """Makes a data set of videos, folders and archives of images; the sources are only read.

    Of each scene of a video the best frames are kept. What is dark, blurred, fading, text, or there already is
    dropped; black bars are cut off. Do it once for A and once for B with the same --out. Given again, the same
    command goes on where it was stopped.

    Args:
        sources: Videos, folders, zip and tar archives.
        out: The data set's folder.
        config: What to keep and how to cut it.
    """
    from viceversa.preparation.prepare import prepare as make

    print(make(sources, out, config), file=sys.stderr)
    return 0
