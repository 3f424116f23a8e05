"""The measurement of a translator on held-out images, each figure beside what doing nothing and real images get."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from viceversa import sizes
from viceversa.data.images import Array, to_tensor, to_uint8
from viceversa.data.pictures import HeldOutKind
from viceversa.errors import DataError
from viceversa.evaluation import bootstrap, content, distances
from viceversa.evaluation.bootstrap import Figure
from viceversa.evaluation.features import DomainClassifier, Extractor
from viceversa.evaluation.image_sets import ImageSets, spread
from viceversa.sizes import SizePx

FORMAT, VERSION = "viceversa-evaluation", 1
_POOR = 0.75  # of the held-out images
_EASY = 0.99
_AT_ONCE = 16
ABOUT_DISTANCES = "Distances are by "
"""Begins the note on the features."""

Translate = Callable[[Tensor], Tensor]
"""``(N, C, H, W)`` in [-1, 1] to images of the other domain, of the same shape but for C."""


@dataclass(frozen=True, kw_only=True)
class Scores:
    """What one set of images gets; None is what was not measured or says nothing."""

    frechet: Figure | None = None
    """Frechet distance to training images of the target domain; 0 is best. Not by EfficientNet-Lite2."""
    kernel: Figure | None = None
    """Kernel distance (KID) to them; about 0 is best."""
    rate: Figure | None = None
    """The share that the domain classifier takes for images of the target domain."""
    ssim: Figure | None = None
    """Structural similarity of luminance with the input; 1 is equal."""
    edges: Figure | None = None
    """How well edges agree with the input's: `viceversa.evaluation.content.edge_agreement`."""
    cycle: Figure | None = None
    """Mean absolute difference, in grey levels, of the input and what it becomes there and back again."""
    truth_l1: Figure | None = None
    """With pairs: mean absolute difference from the truth in grey levels."""
    truth_ssim: Figure | None = None
    """With pairs: structural similarity of luminance with the truth."""
    truth_psnr: Figure | None = None
    """With pairs: peak signal-to-noise ratio in dB."""


@dataclass(frozen=True, kw_only=True)
class Direction:
    """What one direction does."""

    name: str
    """ "a2b" or "b2a"."""
    source: str
    """The domain's name for people."""
    target: str
    pictures: int
    """Held-out images that were translated."""
    measured: int
    """Images of each set (translated, untranslated, real) that distances are measured of: those of the domain with
    fewer, since a Frechet distance is the larger the fewer images there are."""
    reference: int
    """Training images of the target domain that distances are measured to."""
    translated: Scores
    untranslated: Scores
    """The same inputs, as they are: what doing nothing gets."""
    real: Scores
    """Held-out images of the target domain: what the best translator could get. With pairs they are the truth;
    without, ssim and edges show what images that have nothing to do with each other get."""
    mean: Scores | None
    """With pairs: the mean training image of the target domain, always the same one."""

    @property
    def names(self) -> tuple[str, str]:
        """The domains' names in the order of `name`."""
        return self.source, self.target


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What `measure` found; every part is plain data."""

    features: str
    """By what distances are measured."""
    published_fid: bool
    """Whether those are the features of the published FID."""
    features_digest: str
    """Compare distances only where this is equal."""
    dimensions: int
    """Numbers of an image's features."""
    judge_accuracy: dict[str, float]
    """By domain: the share of held-out real images that the domain classifier names rightly."""
    judge_pictures: dict[str, int]
    """How many it was trained on."""
    size_px: SizePx
    held_out: HeldOutKind
    """Where the images are from; "training" are those that the model was trained on."""
    directions: tuple[Direction, ...]
    notes: tuple[str, ...]
    """What to mind when reading the figures."""
    model: str = ""
    data: str = ""

    @property
    def score(self) -> float:
        """The lower, the better: with pairs the mean L1 of the directions, else their mean distance.

        That is the kernel distance by EfficientNet-Lite2, and Frechet's by other features.
        """
        found = [d.translated.truth_l1 or d.translated.frechet or d.translated.kernel for d in self.directions]
        return sum(figure.value for figure in found if figure) / len(found)

    def to_dict(self) -> dict[str, Any]:
        """As plain values for JSON."""
        return {"format": FORMAT, "version": VERSION, **asdict(self)}


@dataclass(frozen=True, kw_only=True)
class ReferenceStatistics:
    """What translators are held to: made once, used for any number of them."""

    sets: ImageSets
    classifier: DomainClassifier
    extractor: Extractor
    reference: dict[str, Tensor]
    """Features of training images, by domain."""
    test: dict[str, Tensor]
    """Features of held-out images, by domain."""


def reference_statistics(sets: ImageSets, classifier: DomainClassifier, extractor: Extractor) -> ReferenceStatistics:
    """Looks at all real images."""
    return ReferenceStatistics(
        sets=sets,
        classifier=classifier,
        extractor=extractor,
        reference={
            domain: extractor.features(images[spread(len(images), extractor.most)])
            for domain, images in sets.train.items()
        },
        test={domain: extractor.features(images) for domain, images in sets.test.items()},
    )


def measure(
    translate: Mapping[str, Translate],
    statistics: ReferenceStatistics,
    *,
    resamples: int = 200,
    seed: int = 0,
    model: str = "",
    data: str = "",
) -> Evaluation:
    """Translates the held-out images and measures what comes.

    Args:
        translate: What leads to the other domain: "a2b", "b2a" or both.
        statistics: What it is held to.
        resamples: For the 95 % intervals; 0 leaves them out.
        seed: Of the resampling.
        model: What is measured, for the reader.
        data: On what.
    """
    sets, classifier, extractor = statistics.sets, statistics.classifier, statistics.extractor
    meter = _Meter(statistics, resamples, seed)
    directions = tuple(meter.direction(name, translate) for name in translate)
    return Evaluation(
        features=extractor.about,
        published_fid=extractor.published,
        features_digest=extractor.digest,
        dimensions=extractor.dimensions,
        judge_accuracy=classifier.accuracy,
        judge_pictures=classifier.pictures,
        size_px=sizes.of(*sets.test["a"].shape[1:3]),
        held_out=sets.kind,
        directions=directions,
        notes=(
            *([] if sets.paired else _worse_than_nothing(directions, model)),
            *_notes(statistics),
            *([] if sets.paired else _lost(directions, model)),
        ),
        model=model,
        data=data,
    )


class _Meter:
    """Measures sets of images against the same reference statistics."""

    def __init__(self, statistics: ReferenceStatistics, resamples: int, seed: int):
        self.statistics, self.resamples, self.seed = statistics, resamples, seed

    def direction(self, name: str, translate: Mapping[str, Translate]) -> Direction:
        source, target = name[0], name[-1]
        sets, features = self.statistics.sets, self.statistics.test
        inputs, truths = sets.test[source], sets.test[target]
        outputs = _translated(translate[name], inputs)
        back = translate.get(f"{target}2{source}")
        real = self._scores(truths, target, features[target])
        return Direction(
            name=name,
            source=sets.domains[source],
            target=sets.domains[target],
            pictures=len(inputs),
            measured=_fewest(sets),
            reference=len(self.statistics.reference[target]),
            translated=replace(
                self._scores(outputs, target),
                **self._kept(inputs, outputs),
                cycle=self._mean(content.distance(inputs, _translated(back, outputs))) if back else None,
                **(self._truth(outputs, truths) if sets.paired else {}),
            ),
            untranslated=replace(
                self._scores(inputs, target, features[source]),
                **(self._truth(inputs, truths) if sets.paired else {}),
            ),
            # Without pairs, the first of one domain and the first of the other have nothing to do with each other.
            real=replace(real, **self._kept(inputs[: len(truths)], truths[: len(inputs)])),
            mean=Scores(**self._truth(_mean_picture(sets.train[target], truths), truths)) if sets.paired else None,
        )

    def _scores(self, pictures: Array, target: str, features: Tensor | None = None) -> Scores:
        """The distances and the classifier's rate, which any images have; ``features`` where they are known already."""
        extractor, classifier = self.statistics.extractor, self.statistics.classifier
        found = extractor.features(pictures) if features is None else features
        judged = found if extractor.features == classifier.features else classifier.features(pictures)
        reference, how = self.statistics.reference[target], (self.resamples, self.seed)
        alike = found[spread(len(found), _fewest(self.statistics.sets))]
        return Scores(
            frechet=distances.frechet(reference, alike, *how) if extractor.frechet else None,
            kernel=distances.kernel(reference, alike, *how),
            rate=bootstrap.share(classifier.named(judged, target), self.resamples),
        )

    def _kept(self, inputs: Array, outputs: Array) -> dict[str, Figure]:
        return {
            "ssim": self._mean(content.ssim(inputs, outputs)),
            "edges": self._mean(content.edge_agreement(inputs, outputs)),
        }

    def _truth(self, pictures: Array, truths: Array) -> dict[str, Figure]:
        return {
            "truth_l1": self._mean(content.distance(pictures, truths)),
            "truth_ssim": self._mean(content.ssim(pictures, truths)),
            "truth_psnr": self._mean(content.psnr(pictures, truths)),
        }

    def _mean(self, values: content.Floats) -> Figure:
        return bootstrap.mean(values, self.resamples, self.seed)


def _fewest(sets: ImageSets) -> int:
    return min(len(images) for images in sets.test.values())


def _translated(translate: Translate, pictures: Array) -> Array:
    """Rounded to whole grey levels, as the files are that people get.

    Raises:
        DataError: It gives numbers that are none; rounded they would be black images.
    """
    parts: list[Array] = []
    for start in range(0, len(pictures), _AT_ONCE):
        made = translate(to_tensor(pictures[start : start + _AT_ONCE]))
        if not torch.isfinite(made).all():
            raise DataError(
                "The translator gives numbers that are not finite (NaN or infinity), which are no image: its weights "
                "are damaged, or its training went astray. Take an earlier checkpoint, or train it anew."
            )
        parts.append(to_uint8(made))
    return np.concatenate(parts)


def _mean_picture(train: Array, truths: Array) -> Array:
    """The mean of ``train``, once for each of ``truths``."""
    middle = np.rint(train.mean(0, dtype=np.float64)).astype(np.uint8)
    return np.broadcast_to(middle, truths.shape)


def _worse_than_nothing(directions: Sequence[Direction], model: str) -> Iterator[str]:
    for one in directions:
        found, nothing = one.translated.kernel, one.untranslated.kernel
        if found and nothing and found.value > nothing.value:
            name = f"{model}, " if model else ""
            yield (
                f"{name}{one.source} to {one.target}: worse than doing nothing. Translations are further from images "
                f"of {one.target} (kernel distance {found.value:.2f}) than the untranslated images are "
                f"({nothing.value:.2f})."
            )


def _lost(directions: Sequence[Direction], model: str) -> Iterator[str]:
    """Noise can have a small distance and be taken for either domain; but it keeps nothing of its image."""
    for one in directions:
        kept, chance = one.translated.edges, one.real.edges
        if kept and chance and kept.value <= chance.value:
            name = f"{model}, " if model else ""
            yield (
                f"{name}{one.source} to {one.target}: what comes out has no more edges in common with its image "
                f"({kept.value:.2f}) than unrelated images have ({chance.value:.2f}). It is noise, or another "
                "image altogether, whatever its distance and rate say."
            )


def _notes(statistics: ReferenceStatistics) -> list[str]:
    sets, classifier, extractor = statistics.sets, statistics.classifier, statistics.extractor
    fewest = min(len(images) for images in (*sets.test.values(), *sets.train.values()))
    counts = " or ".join(str(count) for count in dict.fromkeys(map(len, statistics.reference.values())))
    notes = [
        f"{ABOUT_DISTANCES}{extractor.about}. Compare them only with those by the same features "
        f"({extractor.digest}), of as many images; they are to {counts} training images of the target."
    ]
    if extractor.features == classifier.features:
        notes.append(
            "A classifier's features see what tells these domains apart and little else: grain or a grid may not "
            "count. EfficientNet-Lite2 is harder to fool: pip install 'viceversa[features]'"
        )
    if len({len(images) for images in sets.test.values()}) > 1:
        few, many = sorted(sets.test, key=lambda domain: len(sets.test[domain]))
        notes.append(
            f"Distances are of {len(sets.test[few])} images of each column, as many as {sets.domains[few]} has "
            f"held out ({sets.domains[many]} has {len(sets.test[many])}): unequal ones cannot be compared."
        )
    if extractor.frechet and fewest <= extractor.dimensions:
        notes.append(
            f"The Frechet distance is unstable here: {fewest} images are too few for {extractor.dimensions} "
            "features. The kernel distance suffers less; more images help both."
        )
    if classifier.mean_accuracy < _POOR:
        by = " and the distances by its features" if extractor.features == classifier.features else ""
        notes.append(
            f"The domain classifier is poor: it names only {classifier.mean_accuracy:.0%} of the real held-out images "
            f"rightly, so its "
            f"rates{by} say little."
        )
    if classifier.mean_accuracy > _EASY and extractor.features == classifier.features:
        notes.append(
            "These domains are so easy to tell apart that a classifier's features need to see little of an image: a "
            "small distance and a high rate do not show that translations look real."
        )
    if sets.kind == "training":
        notes.append("Nothing is held out: these images were trained on, so all figures flatter.")
    return notes
