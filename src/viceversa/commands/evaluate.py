"""viceversa evaluate."""

import sys
from pathlib import Path
from typing import Annotated

import tyro

from viceversa.data.partners import Pairing
from viceversa.naming import json_bytes
from viceversa.outputs import check_output, write_output

_MARK = b'"format": "viceversa-evaluation"'
_AS_IN_TRAINING = Pairing()


def run(
    model: Annotated[Path, tyro.conf.Positional],
    /,
    data: Annotated[Path | None, tyro.conf.arg(metavar="ROOT")] = None,
    a: Path | None = None,
    b: Path | None = None,
    paired: Annotated[bool | None, tyro.conf.arg(help_behavior_hint="(default: unset)")] = None,
    pairing: Annotated[Pairing, tyro.conf.arg(name="")] = _AS_IN_TRAINING,
    inception: Annotated[Path | None, tyro.conf.arg(metavar="FILE|download")] = None,
    pictures: int | None = None,
    resamples: int = 200,
    seed: int = 0,
    out: Annotated[Path | None, tyro.conf.arg(metavar="FILE.json")] = None,
    overwrite: bool = False,
    device: str = "auto",
) -> int:
    """Measures a translator on held-out images: do they look like the target domain, and what did they keep?

    Args:
        model: The folder of a run or of a translator, RUN/best, hf://user/name, or an exported .onnx file.
        data: A data set with training and test images. Left out: the one that the run was trained on.
        a: Instead of --data: the folder of domain A, or a list of files.
        b: The folder of domain B, or a list of files.
        paired: Whether images of A and B belong together. Left out: as in training, or by the layout of ROOT.
        pairing: How pairs are found; left out: as in training.
        inception: Measure the published FID and KID, by their Inception: pt_inception-2015-12-05-6726825d.pth, or
            the word download. Left out: distances by a classifier of the two domains, which is trained here.
        pictures: Only so many images of each domain.
        resamples: How often images are drawn anew for the 95 % intervals; 0 for none.
        seed: Of the classifier and of the intervals.
        out: Write all figures to this file.
        overwrite: Replace FILE.json also if it holds no figures of this command.
        device: Where to compute: auto, cpu, cuda or mps.
    """
    import json

    from rich.console import Console

    from viceversa.evaluation.evaluate import evaluate as measured
    from viceversa.evaluation.table import as_tables

    if out is not None:
        check_output(out, "evaluate", _MARK, overwrite=overwrite)
    found = measured(
        model, data=data, a=a, b=b, paired=paired, pairing=pairing, inception=inception, pictures=pictures,
        resamples=resamples, seed=seed, device=device, say=lambda text: print(text, file=sys.stderr),
    )  # fmt: skip
    Console().print(as_tables(found))
    if out is not None:
        write_output(out, json_bytes(json.dumps(found.to_dict(), indent=2, ensure_ascii=False) + "\n"))
        print(f"Written to {out}", file=sys.stderr)
    return 0
