"""viceversa inspect."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import tyro

from viceversa.naming import json_bytes
from viceversa.outputs import INSPECT_JSON, check_output, page_mark, write_output

Kind = Literal["unpaired", "paired", "single"]
File = Annotated[Path | None, tyro.conf.arg(metavar="FILE")]


def run(
    root: Annotated[Path | None, tyro.conf.Positional] = None,
    /,
    a: Path | None = None,
    b: Path | None = None,
    kind: Kind | None = None,
    pair_suffix: str | None = None,
    html: File = None,
    json: File = None,
    overwrite: bool = False,
    strict: bool = False,
) -> int:
    """Looks at every image of a data set and says what will go wrong in training, and what to do about it.

    The exit code is 2 if training would refuse the data set, for too few of its images can be used.

    Args:
        root: A data set, a folder or a list of files, in any layout that training takes.
        a: Instead of ROOT: the folder of domain A, or a list of files.
        b: The folder of domain B, or a list of files.
        kind: Say that A and B are pairs by equal names, or that a folder holds pairs side by side, or not.
        pair_suffix: What names of pairs end in on each side, with a comma between: "_A,_B".
        html: Write a page with images and histograms.
        json: Write all findings and what each image measures.
        overwrite: Replace these files also if they are none of this command.
        strict: Exit with code 1 if there is a problem or a warning.
    """
    import shutil

    from rich.console import Console
    from rich.progress import Progress

    from viceversa.errors import DataError
    from viceversa.preparation.doctor import examine, to_html, to_json, to_text
    from viceversa.preparation.doctor.diagnosis import unusable

    for file, mark in ((html, page_mark("inspect")), (json, INSPECT_JSON)):
        if file is not None:
            check_output(file, "inspect", mark, overwrite=overwrite)
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("Looking", total=None)

        def look(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        diagnosis = examine(root, a, b, kind=kind, pair_suffix=pair_suffix, progress=look)
    print(to_text(diagnosis, columns=min(120, shutil.get_terminal_size().columns)))
    if json is not None:
        write_output(json, json_bytes(to_json(diagnosis)))
    if html is not None:
        write_output(html, to_html(diagnosis).encode(errors="replace"))
        print(f"Written to {html}")
    if refusal := unusable(diagnosis.inspected):
        raise DataError(refusal)
    return int(strict and any(finding.severity != "note" for finding in diagnosis.findings))
