"""viceversa sample."""

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro


def _left_out(default: str, **options: Any) -> Any:
    """An option that may be left out: what happens then is said by the help, instead of "None"."""
    return tyro.conf.arg(help_behavior_hint=f"(default: {default})", **options)


def run(
    model: Annotated[Path, tyro.conf.Positional],
    /,
    out: Annotated[Path, tyro.conf.arg(metavar="OUT")],
    count: Annotated[int | None, _left_out("64; a row 10; an animation 16")] = None,
    seed: int = 0,
    label: Annotated[str | None, _left_out("all", name="class")] = None,
    codes: Annotated[tuple[float, ...] | None, _left_out("drawn", metavar="FLOAT ...")] = None,
    traverse: Annotated[str | None, _left_out("no", metavar="class|1|2|...")] = None,
    reach: Annotated[float | None, _left_out("1", name="range")] = None,
    interpolate: Annotated[int | None, _left_out("4 in an animation")] = None,
    how: Annotated[Literal["spherical", "linear"] | None, _left_out("what suits the noise")] = None,
    frames: Annotated[int | None, _left_out("10; in an animation 25, a second")] = None,
    overwrite: bool = False,
    device: str = "auto",
) -> int:
    """Makes images from noise. The name of OUT says what is made.

    grid.png (.jpg, .webp): a sheet of images; of a model with classes, a row a class.

    morph.gif (.mp4, or .webp with --interpolate): an animation from image to image and back to the first.

    A name without suffix: a folder of single images. What is there is kept; the same command goes on.

    Args:
        model: The folder of a run, or of a translator.
        out: What to write; see above.
        count: How many images; in a sheet with rows of a kind, how many a row; in an animation, side by side.
        seed: Image number k of a seed is always the same.
        label: Only this class, by its name or number.
        codes: A number from -1 to 1 for each continuous code of the model (InfoGAN).
        traverse: A sheet with a row for each class, or each value of continuous code 1, 2, ...; what is in a
            column differs in nothing else.
        reach: How far a continuous code is led, below 0 and above.
        interpolate: Go through so many latents.
        how: The way from one latent to the next.
        frames: Images from one latent to the next.
        overwrite: Replace what is there.
        device: Where to compute: auto, cpu, cuda or mps.
    """
    from viceversa.inference.sample_files import Wanted, sample_files
    from viceversa.inference.sampler import load_sampler

    wanted = Wanted(
        count=count, seed=seed, label=label, codes=codes, traverse=traverse, reach=reach, interpolate=interpolate,
        how=how, frames=frames,
    )  # fmt: skip
    print(sample_files(load_sampler(model, device), out, wanted, overwrite=overwrite), file=sys.stderr)
    return 0
