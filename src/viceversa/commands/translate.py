"""viceversa translate."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import tyro

from viceversa.errors import ConfigError

Inputs = Annotated[
    tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="INPUT...", help_behavior_hint="(required)")
]


def run(
    model: Annotated[Path, tyro.conf.Positional],
    inputs: Inputs,
    /,
    out: Annotated[Path, tyro.conf.arg(metavar="OUT")],
    to: str | None = None,
    overwrite: bool = False,
    format: str | None = None,
    noise: bool = False,
    tile: int | None = None,
    max_pixels: int | None = None,
    half: Literal["auto", "left", "right", "none"] = "auto",
    device: str = "auto",
    smooth: float = 0.0,
    batch: int = 8,
    engine: Literal["auto", "onnxruntime", "openvino"] = "auto",
    mask: Path | None = None,
) -> int:
    """Translates images and videos of any size; names, sub-folders and sizes are kept.

    Videos keep their sound, their frames' times and their duration; if it is broken off, the same command goes on
    at the last finished segment, which lies in OUT.parts.

    The exit code is 0 if all went well, 1 if some inputs failed, 2 if all failed or the command is mistaken.

    Args:
        model: The folder of a run or of a translator, hf://user/name, or an exported .onnx file.
        inputs: Images, videos, folders, patterns such as "photos/*.jpg", and .txt files with one path a line.
        out: The folder to write to; for a single input also a file's name, such as new.png or new.mp4.
        to: The domain to translate to: a, b, or its name. Left out: b, or the only one there is.
        overwrite: Replace translations that are there already, instead of skipping them.
        format: Write only this kind, such as png. Left out: each image keeps its own.
        noise: Keep dropout on, which is pix2pix's only source of variety.
        tile: Side in pixels of the tiles in which images are computed, 0 for none; there are no seams. Left out:
            512 for images that do not fit into half of the free memory or, on the CPU, into 512 MiB.
        max_pixels: Refuse images of more pixels, all frames together. Left out: 268 million, and what looks like
            a decompression bomb.
        half: Translate only the left or the right half of images, in which input and answer lie side by side, or
            none, which is the whole; auto: the input's half, of images in the shape of the pairs side by side that
            the model was trained on.
        device: Where to compute: auto, cpu, cuda or mps.
        smooth: Make videos flicker less where nothing moves: from 0, as the frames come, to below 1; try 0.8.
        batch: The most frames of a video that go through the network at once.
        engine: What computes an .onnx file; auto is OpenVINO where it is installed.
        mask: Translate images only where a mask is white: a folder of masks with the images' names, one image, or
            alpha for the images' own alpha channel.
    """
    from viceversa.inference.files import translate_files
    from viceversa.inference.translator import load

    if not inputs:
        raise ConfigError("Name the images or folders to translate: viceversa translate MODEL INPUT... --out OUT")
    translator = load(model, device, engine)
    summary = translate_files(
        translator, inputs, out, to=to, overwrite=overwrite, suffix=format, noise=noise,
        tile=tile, max_pixels=max_pixels, smooth=smooth, batch_size=batch, half=half, mask=mask,
    )  # fmt: skip
    way = translator.direction(to)
    print(f"{translator.domains[way[0]]} to {translator.domains[way[-1]]}: {summary}", file=sys.stderr)
    return summary.exit_code
