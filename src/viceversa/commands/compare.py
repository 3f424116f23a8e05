"""viceversa compare."""

import sys
from pathlib import Path
from typing import Annotated

import tyro

from viceversa.data.partners import Pairing
from viceversa.sizes import SizePx

Models = Annotated[
    tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="RUN...", help_behavior_hint="(required)")
]
_AS_IN_TRAINING = Pairing()


def run(
    models: Models,
    /,
    out: Annotated[Path, tyro.conf.arg(metavar="FILE.html")],
    data: Annotated[Path | None, tyro.conf.arg(metavar="ROOT")] = None,
    a: Path | None = None,
    b: Path | None = None,
    to: str | None = None,
    paired: Annotated[bool | None, tyro.conf.arg(help_behavior_hint="(default: unset)")] = None,
    pairing: Annotated[Pairing, tyro.conf.arg(name="")] = _AS_IN_TRAINING,
    pictures: int = 12,
    size: SizePx | None = None,
    resamples: int = 200,
    seed: int = 0,
    device: str = "auto",
    overwrite: bool = False,
) -> int:
    """Writes one HTML page with the same held-out images through each model, and their figures side by side.

    All are measured alike: the same images, the same size, the same features.

    Args:
        models: Two or more: the folder of a run or of a translator, RUN/best, hf://user/name, or an exported
            .onnx file; with a name for its column: NAME=RUN.
        out: The page; it needs no other file and no network.
        data: A data set with training and test images. Left out: the one that the runs were trained on.
        a: Instead of --data: the folder of domain A, or a list of files.
        b: The folder of domain B, or a list of files.
        to: The domain to translate to: a, b, or its name. Left out: every direction that all models have.
        paired: Whether images of A and B belong together. Left out: as in training, or by the layout of ROOT.
        pairing: How pairs are found; left out: as in training.
        pictures: How many images of each domain are shown; all that are held out are measured.
        size: 256 for squares, 256x512 for height x width. Left out: the largest that a model was trained at.
        resamples: How often images are drawn anew for the 95 % intervals; 0 for none.
        seed: Of the domain classifier and of the intervals.
        device: Where to compute: auto, cpu, cuda or mps.
        overwrite: Replace FILE.html also if it is no page of this command.
    """
    from viceversa.evaluation.comparison import compare as compared

    compared(
        models, data, out=out, a=a, b=b, to=to, paired=paired, pairing=pairing, pictures=pictures, size=size,
        resamples=resamples, seed=seed, device=device, overwrite=overwrite,
        say=lambda text: print(text, file=sys.stderr),
    )  # fmt: skip
    print(f"Written to {out}", file=sys.stderr)
    return 0
