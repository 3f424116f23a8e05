"""The methods that make images from noise, on handwritten digits, all judged by one classifier.

    OMP_NUM_THREADS=1 python benchmarks/family.py --data MNIST --out runs/family    # all: about 115 minutes of one core
    python benchmarks/family.py --methods dcgan wgan --seeds 0 --data MNIST --out runs/family
    python benchmarks/family.py --table --out runs/family                           # what is there, as a table
    python benchmarks/family.py --methods dcgan wgan-gp --seeds 0 --data FACES --size 64 --hold-out 600 --minutes 30
        --samples 2000 --out runs/colour                                            # other images: folders of classes

MNIST is a folder with the four idx files. The classifier is trained on its training images (about two minutes, then
kept in the user's cache folder). Each method is trained on them for so many minutes of this process's time (MINUTES),
however busy the machine is, and scored by 10,000 samples against the 10,000 test images. Each method and seed has a
file of its own, METHOD-SEED.json, and what is there is not made again: the command can be stopped and goes on, and two
can share the methods. Beside it lie sample sheets, traversals of InfoGAN's codes, and the generators, for
`viceversa sample`.
"""

import argparse
import copy
import dataclasses
import json
import statistics
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from viceversa import methods
from viceversa.allocator import keep_freed_memory
from viceversa.config import TrainConfig, configure, to_json
from viceversa.data.images import grid, save
from viceversa.data.single import SingleData, SinglePictures
from viceversa.evaluation import samples
from viceversa.evaluation.samples import SampleReference
from viceversa.inference import latents as spaces
from viceversa.inference.folder import save_translator
from viceversa.inference.sampler import Sampler
from viceversa.training import machine
from viceversa.training.log import replace_file
from viceversa.training.trainer import Trainer

CONVOLUTIONAL = {"width": 32, "discriminator_width": 32}
SETTINGS: dict[str, dict[str, Any]] = {
    "gan": {},
    "dcgan": CONVOLUTIONAL,
    "cgan": {**CONVOLUTIONAL, "batch": 32, "latent": 16},
    "infogan": {**CONVOLUTIONAL, "batch": 32, "hidden": 0, "augment_q": True},
    "wgan": {"width": 16, "discriminator_width": 16, "learning_rate": 2e-4},
    "wgan-gp": {"width": 16, "discriminator_width": 16, "learning_rate": 5e-4},
}
"""What differs from the methods' defaults, so that minutes on one core are enough."""
MINUTES = {"gan": 6.0, "dcgan": 6.0, "cgan": 8.0, "infogan": 8.0, "wgan": 5.0, "wgan-gp": 5.0}
CRITICS = ("wgan", "wgan-gp")
MOMENTS = 10  # of training, at which the Frechet distance is measured
SAMPLES_AT_MOMENTS = 2000
RECENT = 100  # iterations that a critic's estimate is the mean of


def main(arguments: list[str] | None = None) -> None:
    """Trains and scores what is missing, and prints the table."""
    options = _options(arguments)
    if not options.table:
        keep_freed_memory()
        options.out.mkdir(parents=True, exist_ok=True)
        data = SingleData(root=options.data, size_px=options.size, hold_out=options.hold_out)
        pictures = data.open(0, "cpu")
        reference = samples.reference_of(pictures)
        said = {"accuracy": reference.classifier.accuracy, "fd_of_training_pictures": reference.floor}
        _write(options.out / "reference.json", said)
        print(f"The classifier names {reference.classifier.accuracy:.2%} of the test images rightly.", flush=True)
        for method, seed in [(method, seed) for seed in options.seeds for method in options.methods]:
            path = options.out / f"{method}-{seed}.json"
            if not path.exists():
                run = _run(method, seed, options, pictures, reference)
                _write(path, run)
                print({key: run[key] for key in ("method", "seed", "images", "fd", *_own_keys(method))}, flush=True)
    runs = [json.loads(path.read_text()) for path in sorted(options.out.glob("*-[0-9]*.json"))]
    print(table(json.loads((options.out / "reference.json").read_text()), runs))


def _write(path: Path, content: dict[str, Any]) -> None:
    replace_file(path, (json.dumps(content, indent=1) + "\n").encode())


def _run(
    method: str, seed: int, options: argparse.Namespace, pictures: SinglePictures, reference: SampleReference
) -> dict[str, Any]:
    """One method and seed: trained, scored, drawn."""
    config = configuration(method, seed, options)
    fabric = machine.make_fabric("cpu", config.precision)
    trainer = Trainer(config, methods.make(config.method, pictures, seed), config.method.data.open(seed, "cpu"), fabric)
    minutes = options.minutes or MINUTES[method]
    moments: list[dict[str, Any]] = []
    estimates: deque[float] = deque(maxlen=RECENT)

    def after_each(trainer: Trainer) -> None:
        losses = trainer.take_means()
        estimates.append(-(losses["d_real"] + losses["d_fake"]))

    def at_moment(trainer: Trainer, seconds: float) -> None:
        sampler = _sampler(trainer, pictures)
        fd = samples.score(sampler, reference, min(options.samples, SAMPLES_AT_MOMENTS)).fd
        moments.append({
            "images": trainer.images_seen, "seconds": round(seconds, 1),
            "fd": fd, "estimate": statistics.fmean(estimates),
        })  # fmt: skip
        if options.sheets:
            _, rows = next(_sheets(sampler, ()))
            save(grid(rows), options.out / f"{method}-{seed}-{len(moments)}.png")

    _train(trainer, 60 * minutes, after_each, at_moment)
    sampler = _sampler(trainer, pictures)
    found = dataclasses.asdict(samples.score(sampler, reference, options.samples))
    if sampler.space.codes:
        found["effects"] = [
            {name: dataclasses.asdict(effect) for name, effect in code.items()}
            for code in samples.effects_of_codes(sampler)
        ]
    if method in CRITICS:
        found["rank_correlation"] = _rank_correlation(moments)
        found["slope"] = samples.slope(trainer.method.d, sampler, pictures.held_out(2000)[0])
    folder = options.out / f"{method}-{seed}"
    save_translator(
        folder / "translator",
        trainer.averaged.generators(),
        method=method,
        domains=pictures.domains,
        size_px=sampler.size_px,
        images=trainer.images_seen,
        classes=sampler.classes,
    )
    for name, rows in _sheets(sampler, found["classes"]):
        save(_enlarged(grid(rows)), options.out / f"{method}-{seed}{name}.png")
    images, threads = trainer.images_seen, torch.get_num_threads()
    settings = json.loads(to_json(config))
    return {
        "method": method, "seed": seed, "minutes": minutes, "images": images, "threads": threads, **found,
        "moments": moments, "settings": settings,
    }  # fmt: skip


def configuration(method: str, seed: int, options: argparse.Namespace) -> TrainConfig[Any]:
    """The settings of a run; it is stopped by the clock."""
    own = {"precision": "32-true", "images": 10**8, **SETTINGS[method], **options.set}
    return configure(
        method, out=options.out / f"{method}-{seed}", root=options.data, size_px=options.size,
        hold_out=options.hold_out, seed=seed, device="cpu", **own,
    )  # fmt: skip


def _train(trainer: Trainer, seconds: float, after_each: Callable[..., None], at_moment: Callable[..., None]) -> None:
    """Trains for ``seconds`` of this process's time; what `at_moment` takes does not count."""
    points = [seconds * k / MOMENTS for k in range(1, MOMENTS + 1)]
    started, paused = time.process_time(), 0.0

    def after(trainer: Trainer) -> bool:
        nonlocal paused
        after_each(trainer)
        used = time.process_time() - started - paused
        if used >= points[0]:
            before = time.process_time()
            at_moment(trainer, used)
            trainer.method.train()
            paused += time.process_time() - before
            while points and points[0] <= used:
                points.pop(0)
        return not points

    trainer.run(after)


def _sampler(trainer: Trainer, pictures: SinglePictures) -> Sampler:
    """Of a copy of the averaged generator, since it is changed."""
    generator = copy.deepcopy(trainer.averaged.generators()["z2a"])
    classes = pictures.classes if trainer.method.name == "cgan" else ()
    return Sampler(generator, name=pictures.domains["a"], classes=classes)


def _rank_correlation(moments: list[dict[str, Any]]) -> float:
    """Spearman's, of the critic's estimate and the Frechet distance."""
    from scipy.stats import spearmanr

    return float(spearmanr([m["estimate"] for m in moments], [m["fd"] for m in moments]).statistic)


def _sheets(sampler: Sampler, stands_for: tuple[int, ...]) -> Iterator[tuple[str, list[list[np.ndarray]]]]:
    """Samples, a column a class if there are classes; and for each code what it does to each class, a row a class."""
    count = sampler.space.classes or 10
    order = sorted(range(count), key=lambda k: stands_for[k] if stands_for else k)
    rows = [
        sampler.arrays(sampler.latents(count, first=count * row, label=order if sampler.classes else None))
        for row in range(10)
    ]
    yield "", [list(row) for row in rows]
    for code in range(sampler.space.codes):
        latents = sampler.latents(1, codes=[0.0] * sampler.space.codes, label=0).repeat(count, 1)
        starts = spaces.along(sampler.space, latents[:1], "class")
        swept = spaces.along(sampler.space, torch.cat([starts[k] for k in order]), f"{code + 1}")
        across = [sampler.arrays(column) for column in swept]
        yield f"-code{code + 1}", [list(row) for row in zip(*across, strict=True)]


def _enlarged(picture: np.ndarray) -> np.ndarray:
    return picture.repeat(2, 0).repeat(2, 1)


def table(reference: dict[str, Any], runs: list[dict[str, Any]]) -> str:
    """The results in Markdown: mean over the seeds, and the worst."""
    lines = [
        f"Classifier: {reference['accuracy']:.2%} of the test images named rightly; "
        f"Frechet distance of training images: {reference['fd_of_training_pictures']:.2f}. Mean over seeds (worst).",
        "",
        "| method | seeds | minutes | images | Frechet distance | share of the rarest digit | what else must show |",
        "|---|---|---|---|---|---|---|",
    ]
    for method in SETTINGS:
        if found := [run for run in runs if run["method"] == method]:
            fd, rarest = [run["fd"] for run in found], [min(run["shares"]) for run in found]
            images = statistics.fmean(run["images"] for run in found)
            lines.append(
                f"| {method} | {len(found)} | {found[0]['minutes']:g} | {images / 1000:.0f} k | "
                f"{statistics.fmean(fd):.1f} ({max(fd):.1f}) | "
                f"{statistics.fmean(rarest):.1%} ({min(rarest):.1%}) | {_own(method, found)} |"
            )
    return "\n".join(lines)


def _own_keys(method: str) -> tuple[str, ...]:
    keys = {
        "cgan": ("asked",),
        "infogan": ("matched", "effects"),
        **dict.fromkeys(CRITICS, ("rank_correlation", "slope")),
    }
    return keys.get(method, ())


def _own(method: str, runs: list[dict[str, Any]]) -> str:
    """What must show of this method alone."""

    def mean_and_worst(key: str, form: str) -> str:
        values = [run[key] for run in runs]
        return f"{statistics.fmean(values):{form}} ({min(values):{form}})"

    if method == "cgan":
        return f"the digit asked for: {mean_and_worst('asked', '.1%')}"
    if method == "infogan":
        return f"the code names the digit: {mean_and_worst('matched', '.1%')}; {_codes(runs)}"
    if method == "wgan":
        return (
            f"rank correlation of the critic's estimate with the distance: {mean_and_worst('rank_correlation', '.2f')}"
        )
    if method == "wgan-gp":
        slopes = [run["slope"] for run in runs]
        worst = max(slopes, key=lambda slope: abs(slope - 1))
        return f"the critic's slope: {statistics.fmean(slopes):.3f} ({worst:.3f})"
    return ""


def _codes(runs: list[dict[str, Any]]) -> str:
    """How far the code that turns most turns, and how much wider the other one makes."""
    turns, widths = [], []
    for run in runs:
        slants = [effect["slant_degrees"] for effect in run["effects"]]
        turning = max(range(len(slants)), key=lambda code: abs(slants[code]["change"]))
        other = [effect["width_px"] for code, effect in enumerate(run["effects"]) if code != turning]
        turns.append(slants[turning])
        widths.append(max(other, key=lambda effect: abs(effect["change"])))
    parts = []
    for name, effects, unit in ("one code turns by", turns, "degrees"), ("the other widens by", widths, "px"):
        changes, correlations = ([abs(effect[key]) for effect in effects] for key in ("change", "correlation"))
        parts.append(
            f"{name} {statistics.fmean(changes):.1f} ({min(changes):.1f}) {unit}, "
            f"r {statistics.fmean(correlations):.2f} ({min(correlations):.2f})"
        )
    return "; ".join(parts)


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="+", default=list(SETTINGS), choices=list(SETTINGS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--minutes", type=float, help="of training, instead of MINUTES")
    parser.add_argument("--samples", type=int, default=10_000, help="that a Frechet distance is measured on")
    parser.add_argument("--data", type=Path, help="the folder of MNIST's four idx files, or of a sub-folder a class")
    parser.add_argument("--size", type=int, default=28, help="pixels of a side")
    parser.add_argument("--hold-out", type=int, default=64, help="images to compare with, where there is no test set")
    parser.add_argument(
        "--set", nargs="+", default=[], metavar="NAME=VALUE", help="further settings, as in config.json"
    )
    parser.add_argument("--sheets", action="store_true", help="a sample sheet at each moment too")
    parser.add_argument("--out", type=Path, default=Path("runs/family"))
    parser.add_argument("--table", action="store_true", help="only print the table of what is there")
    options = parser.parse_args(arguments)
    options.set = {name: json.loads(value) for name, value in (item.split("=", 1) for item in options.set)}
    if options.data is None and not options.table:
        parser.error("--data is needed: the folder of MNIST's four idx files")
    return options


if __name__ == "__main__":
    main()
