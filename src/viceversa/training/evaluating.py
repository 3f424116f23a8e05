"""Evaluation while training goes on: figures for the log, and the best translator so far in ``RUN/best/``.

What is measured, and when, follows from the config and the images seen alone, so a run that was resumed measures the
same; which translator is the best so far follows from the log.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from viceversa.data.pictures import PairedPictures, UnpairedPictures
from viceversa.errors import check
from viceversa.evaluation import features
from viceversa.evaluation.image_sets import image_sets
from viceversa.evaluation.translation import Direction, ReferenceStatistics, Translate, measure, reference_statistics
from viceversa.extras import need
from viceversa.inference.folder import DIRECTIONS
from viceversa.training.record import BEST_METRIC, mapping, number, read
from viceversa.training.trainer import Trainer

_MOST = 200  # images of a domain: an evaluation must not take longer than what it measures


class Evaluator:
    """Measures the averaged generators of a run every so many images."""

    def __init__(self, trainer: Trainer, pictures: Any):
        """Only looks whether it can be done.

        Raises:
            ConfigError: The method does not translate images, or none are held out.
            MissingExtra: torchmetrics is not installed.
        """
        generators = trainer.averaged.generators()
        translates = isinstance(pictures, UnpairedPictures | PairedPictures) and set(generators) <= set(DIRECTIONS)
        check(translates, f"{trainer.method.name} does not translate images; leave --evaluate-every out.")
        check(
            pictures.held_out_count >= 2 and pictures.held_out_kind != "training",
            "--evaluate-every needs two or more held-out images of each domain. Add a test folder or more images, "
            "or leave it out.",
        )
        need("torchmetrics", "evaluate")
        self.trainer, self.pictures = trainer, pictures
        self._statistics: ReferenceStatistics | None = None

    def measure(self) -> dict[str, float]:
        """The figures at this moment, by the names that the log gives them."""
        found = measure(self._translate(), self._made_statistics(), resamples=0)
        figures: dict[str, float] = {}
        for direction in found.directions:
            figures |= _named(direction)
        figures[BEST_METRIC] = found.score
        figures["judge_accuracy"] = sum(found.judge_accuracy.values()) / 2
        return {name: round(value, 6) for name, value in figures.items()}

    def is_best(self, run: Path, figures: Mapping[str, float]) -> bool:
        """Whether these are better than all in the log of ``run``, which does not hold them yet."""
        return figures[BEST_METRIC] < min((value for _, value in _errors(run, figures)), default=1e300)

    def _made_statistics(self) -> ReferenceStatistics:
        """What real images look like, found at the first evaluation; the classifier is trained once for all runs."""
        if self._statistics is None:
            sets = image_sets(self.pictures, _MOST)
            classifier = features.domain_classifier(sets, device=self.trainer.fabric.device)
            self._statistics = reference_statistics(
                sets, classifier, features.best_of(classifier, self.trainer.fabric.device)
            )
        return self._statistics

    def _translate(self) -> dict[str, Translate]:
        return {name: self._leading(network) for name, network in self.trainer.averaged.generators().items()}

    def _leading(self, network: nn.Module) -> Translate:
        trainer = self.trainer

        def translate(pictures: Tensor) -> Tensor:
            with torch.inference_mode(), trainer.fabric.autocast():
                return network(trainer.cast(pictures.to(trainer.fabric.device)))

        return translate


def without_improvement(run: Path, patience: int | None) -> str:
    """Why training is to end: in the log of ``run`` the newest ``patience`` evaluations are no better than one before.

    Empty where it is not. As it follows from the log, a run that was resumed ends where an undisturbed one does.
    """
    found = _errors(run)
    if patience is None or not found:
        return ""
    best = min(range(len(found)), key=lambda index: found[index][1])
    if len(found) - 1 - best < patience:
        return ""
    return (
        f"{BEST_METRIC} has not improved in {len(found) - 1 - best} evaluations; it was lowest at {found[best][0]:,} "
        f"images, whose translator is in {run / 'best'}"
    )


def _errors(run: Path, like: Mapping[str, float] | None = None) -> list[tuple[int, float]]:
    """Images seen and errors, of the evaluations that measured the same figures as ``like``, or as the newest.

    Another version, or another extra, may have measured by other features before the run was resumed.
    """
    lines = [line for line in read(run).lines if number(mapping(line.get("metrics")).get(BEST_METRIC)) is not None]
    names = set(like if like is not None else lines[-1]["metrics"] if lines else ())
    return [(int(line["images"]), line["metrics"][BEST_METRIC]) for line in lines if set(line["metrics"]) == names]


def _named(direction: Direction) -> dict[str, float]:
    """Figures of one direction; "classifier" says by whose features the distances are, if not by EfficientNet-Lite2."""
    scores = direction.translated
    found = {
        "classifier_fd": scores.frechet,
        "classifier_kid": scores.kernel if scores.frechet else None,
        "kernel_distance": None if scores.frechet else scores.kernel,
        "untranslated_distance": None if scores.frechet else direction.untranslated.kernel,
        "judged_share": scores.rate,
        "kept_structure": scores.ssim,
        "kept_edges": scores.edges,
        "cycle_error": scores.cycle,
        "truth_l1": scores.truth_l1,
        "truth_ssim": scores.truth_ssim,
        "truth_psnr": scores.truth_psnr,
    }
    return {f"{name}_{direction.name}": figure.value for name, figure in found.items() if figure is not None}
