"""The judgement of a generator from noise: how far its images are from real ones, and which classes they are of."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from viceversa import losses
from viceversa.data.images import to_tensor, to_uint8
from viceversa.data.single import SinglePictures, require_classes
from viceversa.errors import DataError
from viceversa.evaluation import classifier as classifiers
from viceversa.evaluation import digits
from viceversa.evaluation.classifier import Classifier, FitConfig
from viceversa.evaluation.digits import Effect
from viceversa.evaluation.frechet import frechet_distance
from viceversa.inference import latents as spaces
from viceversa.inference.sampler import Sampler

_SEED = 1000  # of the samples that are judged: not that of any sheet
_SWEEP_SAMPLES, _SWEEP_STEPS = 500, 9
_AT_ONCE = 500


@dataclass(frozen=True, kw_only=True)
class SampleReference:
    """A classifier and what real images look like to it."""

    classifier: Classifier
    """Trained on the images that the generators are trained on, tested on the others."""

    features: Tensor
    """``(M, D)``: of the test images."""

    floor: float
    """The Frechet distance between as many training images and these: what a perfect generator would have."""


@dataclass(frozen=True, kw_only=True)
class SampleScore:
    """What samples came to."""

    fd: float
    """Frechet distance to the test images."""

    shares: tuple[float, ...]
    """The share of the samples that look like each class."""

    asked: float | None
    """With classes to ask for: the share of samples that look like the class asked for."""

    matched: float | None
    """The same where each value of the class input stands for the class that suits it best, one for one."""

    classes: tuple[int, ...]
    """Those classes."""


def reference_of(
    pictures: SinglePictures, config: FitConfig | None = None, folder: Path | None = None
) -> SampleReference:
    """The reference for labelled ``pictures``: trained now, or found in the cache (``folder``, or the user's).

    Raises:
        DataError: They have no classes, or none are held out to test on.
    """
    require_classes(pictures)
    if pictures.held_out_kind == "training":
        raise DataError(
            "Measuring samples needs images that nobody trains on; leave --hold-out as it is, or add a test set."
        )
    test, labels = pictures.held_out()
    train, rows = np.asarray(pictures.dataset.store), pictures.dataset.rows
    if train.shape[1] != pictures.size_px:
        raise DataError("Measuring samples needs whole images; leave --load-size out.")
    made = classifiers.fitted(
        train[rows], pictures.labels[rows], to_uint8(test), labels.cpu().numpy(), config, folder=folder
    )
    features = made.features(test)
    # Spread over all of them: folders of classes lie one behind the other.
    spread = rows[np.linspace(0, len(rows) - 1, min(len(test), len(rows))).astype(np.int64)]
    alike = made.features(to_tensor(train[spread]))
    return SampleReference(classifier=made, features=features, floor=frechet_distance(features, alike))


def score(sampler: Sampler, reference: SampleReference, count: int = 10_000) -> SampleScore:
    """Judges ``count`` samples, always of the same latents; classes that can be asked for are asked for in turn."""
    labels = torch.arange(count) % sampler.space.classes if sampler.space.classes else None
    latents = sampler.latents(count, seed=_SEED, label=None if labels is None else labels.tolist())
    parts = [reference.classifier.features(sampler(part)) for part in latents.split(_AT_ONCE)]
    features = torch.cat(parts)
    probabilities = reference.classifier.probabilities_of(features)
    asked, matched, classes = None, None, ()
    if labels is not None and sampler.space.classes == probabilities.shape[1]:
        asked = digits.agreement(probabilities, labels)
        matched, classes = digits.best_match(probabilities, labels)
    return SampleScore(
        fd=frechet_distance(reference.features, features),
        shares=tuple(digits.shares(probabilities).tolist()),
        asked=asked,
        matched=matched,
        classes=classes,
    )


def effects_of_codes(sampler: Sampler) -> list[dict[str, Effect]]:
    """For each continuous code of a sampler of digits: what leading it from -1 to 1 does to their slant and width."""
    latents = sampler.latents(_SWEEP_SAMPLES, seed=_SEED)
    values = np.linspace(-1, 1, _SWEEP_STEPS)
    found: list[dict[str, Effect]] = []
    for code in range(sampler.space.codes):
        sweep = [sampler(row) for row in spaces.along(sampler.space, latents, f"{code + 1}", steps=_SWEEP_STEPS)]
        found.append(
            {
                name: digits.effect(values, np.stack([measure(pictures) for pictures in sweep]))
                for name, measure in (("slant_degrees", digits.slant_degrees), ("width_px", digits.width_px))
            }
        )
    return found


def slope(critic: nn.Module, sampler: Sampler, real: Tensor) -> float:
    """The mean length of the critic's gradient on the lines between ``real`` ``(N, C, S, S)`` and as many samples.

    WGAN-GP holds it near 1 (Gulrajani et al. 2017, Eq. 3).
    """
    fake = sampler.tensor(len(real), seed=_SEED)
    mixing = torch.rand(len(real), generator=torch.Generator().manual_seed(_SEED)).reshape(-1, 1, 1, 1)
    device: Any = next(critic.parameters()).device
    between = fake.lerp(real.cpu(), mixing).to(device)
    lengths = [losses.gradient_norm(critic, part.detach()).detach() for part in between.split(_AT_ONCE)]
    return float(torch.cat(lengths).cpu().double().mean())
