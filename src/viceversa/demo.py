"""The demo: the main job on built-in portraits, small enough for a laptop, and measured against the truth."""

import json
import math
import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any, Literal

import numpy as np

from viceversa.config import TrainConfig, configure
from viceversa.data import avatars
from viceversa.data.images import grid, save
from viceversa.errors import ConfigError, DataError, check
from viceversa.evaluation.truth import TruthReport, measure
from viceversa.inference.translator import load
from viceversa.training.log import replace_file
from viceversa.training.report import write_report
from viceversa.training.session import train

SIZE_PX = 64
PEOPLE, TEST_PEOPLE = 300, 16
"""Portraits of each domain to train on, and to measure with."""
_SIDES: tuple[tuple[Literal["A", "B"], Literal["a", "b"]], ...] = (("A", "b"), ("B", "a"))


def recipe(out: Path, data: Path, *, minutes: float, seed: int) -> TrainConfig[Any]:
    """Women <-> men at 64 px in minutes: compact networks, and attention, which keeps from the start what stays."""
    return configure(
        "cyclegan",
        out=out,
        root=data,
        name_a="women",
        name_b="men",
        size_px=SIZE_PX,
        load_size_px=SIZE_PX + 4,
        minutes=minutes,
        batch=4,
        generator="compact",
        attention=True,
        norm="group",
        discriminator_norm="instance",
        discriminator_width=16,
        init="kaiming",
        objective="bce",
        r1_gamma=0.001,
        r1_of="sum",
        r1_every=8,
        lambda_identity=1.0,
        learning_rate=1e-3,
        ema_images=200,
        samples=24,
        seed=seed,
    )


def run_demo(out: Path, *, minutes: float, seed: int) -> int:
    """Train for ``minutes``, measure against the truth, and say what came out and what to type next.

    Returns:
        The exit code: 0.

    Raises:
        ConfigError: ``minutes`` is no number above 0.
        DataError: The portraits' folder holds others, or something else.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ConfigError("The demo runs in one process. Start it without torchrun.")
    check(0 < minutes < math.inf, f"--minutes must be above 0; got {minutes}.")
    data = out.with_name(f"{out.name}-avatars")
    print(f"Drawing portraits of women and men into {data} ...", flush=True)
    try:
        avatars.write_dataset(data, count=PEOPLE, test=TEST_PEOPLE, size_px=SIZE_PX, seed=seed)
    except DataError:
        raise DataError(
            f"{data} holds something else than the portraits of --seed {seed}: an earlier demo's of another seed, "
            "perhaps. Give that seed to go on with it, or another folder with --out."
        ) from None
    run = train(recipe(out, data, minutes=minutes, seed=seed))
    if not run.finished:
        print("Stopped. The same command goes on.")
        return 0
    reports = _measure(out, data)
    print(_words(reports))
    print(_next_steps(out, data))
    return 0


def _measure(out: Path, data: Path) -> dict[str, TruthReport]:
    """Test images through the translator: the truth report of each direction, in truth.json and the report too."""
    translator = load(out)
    reports: dict[str, TruthReport] = {}
    rows: list[list[np.ndarray]] = []
    for side, to in _SIDES:
        truth = avatars.load_truth(data, side)
        outputs = translator(truth.inputs, to=to)
        regions = [avatars.attribute_regions(who, SIZE_PX) for who in truth.identities]
        name = "women to men" if to == "b" else "men to women"
        reports[name] = measure(truth.inputs, outputs, truth.truths, regions)
        rows += [list(row) for row in zip(truth.inputs[:6], outputs[:6], truth.truths[:6], strict=True)]
    # Six people a direction: input above, output below it, the truth below that.
    across = [[row[part] for row in rows] for part in range(3)]
    save(grid([[np.repeat(np.repeat(p, 2, 0), 2, 1) for p in row] for row in across]), out / "result.png")
    tree = {name: _table(report) for name, report in reports.items()}
    replace_file(out / "truth.json", (json.dumps(tree, indent=2) + "\n").encode())
    write_report(out)
    return reports


def _table(report: TruthReport) -> dict[str, Any]:
    """What the report page shows of a truth report."""
    return {
        "must change: error, grey levels": round(report.changing.error, 1),
        "must change: error of doing nothing": round(report.changing.nothing, 1),
        "must stay: error, grey levels": round(report.staying.error, 1),
        "whole image: error, grey levels": round(report.whole.error, 1),
        "must change: share of pixels changed": report.changed,
        "must stay: share of pixels kept": report.stayed,
        **{f"{r.name} ({'changed' if r.must == 'change' else 'kept'}), rate": r.rate for r in report.attributes},
    }


def _words(reports: dict[str, TruthReport]) -> str:
    lines = ["", "Measured on people who were not trained on, against the truth (grey levels of 255):"]
    for name, report in reports.items():
        change, stay = report.changing, report.staying
        lines.append(
            f"  {name}: what must change is {change.error:.1f} off the truth (doing nothing: {change.nothing:.1f}); "
            f"what must stay is {stay.error:.1f} off; the whole image {report.whole.error:.1f}"
        )
        readings = ", ".join(f"{r.name} {r.rate:.0%}" for r in report.attributes if r.must == "change")
        kept = ", ".join(f"{r.name} {r.rate:.0%}" for r in report.attributes if r.must == "stay")
        lines += [f"    changed: {readings}", f"    kept: {kept}"]
    return "\n".join(lines)


def _next_steps(out: Path, data: Path) -> str:
    report = (out / "report.html").resolve()
    return (
        f"\nLook at {out / 'result.png'} (input, output, truth) and at {report.as_uri()}\n"
        f"Next, translate images:   {_program()} translate {out} {data / 'testA'} --to b --out {out}-translated\n"
        f"Then train on your own:     {_program()} train women-men --a FOLDER --b FOLDER --out runs/mine"
    )


def _program() -> str:
    """As a person can type it here: the shell may not know where the program lies."""
    here = Path(sys.argv[0])
    return "viceversa" if shutil.which("viceversa") or here.stem != "viceversa" else shlex.quote(str(here))
