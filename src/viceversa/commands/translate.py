"""viceversa translate."""

import sys
from pathlib import Path
from typing import Annotated

import tyro

from viceversa.commands._call import call
from viceversa.errors import ConfigError

Inputs = Annotated[
    tuple[Path, ...], tyro.conf.Positional, tyro.conf.arg(metavar="INPUT...", help_behavior_hint="(required)")
]


def translate(arguments: list[str]) -> int:
    """Translate pictures and folders of pictures."""

    def run(
        model: Annotated[Path, tyro.conf.Positional],
        inputs: Inputs,
        /,
        out: Annotated[Path, tyro.conf.arg(metavar="OUT")],
        to: str | None = None,
        overwrite: bool = False,
        format: str | None = None,
        noise: bool = False,
        device: str = "auto",
    ) -> int:
        """Translates pictures of any size; names, sub-folders and sizes are kept.

        Args:
            model: The folder of a run, or of a translator.
            inputs: Pictures, folders and patterns such as "photos/*.jpg".
            out: The folder to write to; for a single picture also a file's name, such as new.png.
            to: The domain to translate to: a, b, or its name. Left out: b, or the only one there is.
            overwrite: Replace translations that are there already, instead of skipping them.
            format: Write only this kind, such as png. Left out: each picture keeps its own.
            noise: Keep dropout on, which is pix2pix's only source of variety.
            device: Where to compute: auto, cpu, cuda or mps.
        """
        from viceversa.inference.files import translate_files
        from viceversa.inference.translator import load

        if not inputs:
            raise ConfigError("Name the pictures or folders to translate: viceversa translate MODEL INPUT... --out OUT")
        translator = load(model, device)
        summary = translate_files(translator, inputs, out, to=to, overwrite=overwrite, suffix=format, noise=noise)
        print(summary, file=sys.stderr)
        return summary.exit_code

    return call("translate", run, arguments)
