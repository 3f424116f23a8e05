"""What turns images into numbers to compare them by: EfficientNet-Lite2, the FID's Inception, or a domain classifier.

A distance means nothing without the name of its features, so every extractor carries one.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from viceversa import sizes
from viceversa.data.images import Array, to_tensor, visible
from viceversa.errors import DataError
from viceversa.evaluation import classifier as classifiers
from viceversa.evaluation import inception
from viceversa.evaluation.classifier import Classifier, FitConfig, Labels
from viceversa.evaluation.image_sets import MOST, ImageSets, resized
from viceversa.networks import efficientnet
from viceversa.sizes import SizePx

_LARGEST_PX = 64  # of a square at which domains are told apart: larger images take much longer and gain little
_IMAGES, _EPOCHS = 20_000, 100  # that a domain classifier is trained for, whichever is less
_AT_ONCE = 32
_LITE2_PX = 128  # of a square; smaller and larger images are brought to as many pixels
_LITE2_MOST = 1000  # images; the expectation of a kernel distance does not depend on how many there are
_LITE2_BLOCKS = (6, 14, 20)  # their means over the image: 48, 120 and 352 numbers
_LITE2_LENGTH = 16.0  # of the numbers of each block, so that none of the three decides alone


@dataclass(frozen=True, kw_only=True)
class Extractor:
    """Turns images into features, and says by what."""

    name: str
    """A few words: "domain classifier"."""
    about: str
    """A sentence's worth for people, which every output repeats."""
    published: bool
    """Whether these are the features of the published FID."""
    frechet: bool
    """Whether a Frechet distance by these features is meant to be taken."""
    dimensions: int
    """Numbers an image."""
    digest: str
    """Begins the hash of the network's weights: distances are comparable where it is equal."""
    most: int = MOST
    """Training images of a domain that are looked at."""
    features: Callable[[Array], Tensor] = field(repr=False)
    """``(N, H, W, C)`` uint8 to ``(N, dimensions)`` float32 on the CPU."""


@dataclass(frozen=True, kw_only=True)
class DomainClassifier:
    """A classifier that tells domain a from b, trained on training images of both."""

    model: Classifier
    size_px: SizePx
    """Images are judged at this size."""
    accuracy: dict[str, float]
    """For "a" and "b": the share of the held-out images that it names rightly."""
    pictures: dict[str, int]
    """How many of "a" and "b" it was trained on."""

    @property
    def mean_accuracy(self) -> float:
        """Over both domains, which count alike: 0.5 is guessing."""
        return (self.accuracy["a"] + self.accuracy["b"]) / 2

    def features(self, pictures: Array) -> Tensor:
        """``(N, H, W, C)`` uint8 to ``(N, D)``."""
        return self.model.features(to_tensor(resized(visible(pictures), self.size_px)))

    def named(self, features: Tensor, domain: str) -> np.ndarray:
        """``(N,)`` float64: 1 where it takes the image of these features for one of ``domain``, else 0."""
        likeliest = self.model.probabilities_of(features).argmax(1)
        return (likeliest == "ab".index(domain)).double().numpy()


def domain_classifier(
    sets: ImageSets, seed: int = 0, device: torch.device | str = "cpu", folder: Path | None = None
) -> DomainClassifier:
    """The domain classifier for these images: trained now, or found in the cache (``folder``, or the user's).

    Where one domain has fewer images, these are shown more often, so that both are equally often the answer.

    Raises:
        DataError: There are too few images to train on.
    """
    size_px = _judged_at(sizes.of(*sets.train["a"].shape[1:3]))
    train, test = (
        {domain: resized(visible(images[domain]), size_px) for domain in "ab"} for images in (sets.train, sets.test)
    )
    counts = {domain: len(pictures) for domain, pictures in train.items()}
    if min(counts.values()) < 2:
        raise DataError("A domain classifier needs two or more training images of each.")
    most = max(counts.values())
    shown = np.concatenate([pictures[np.resize(np.arange(len(pictures)), most)] for pictures in train.values()])
    config = FitConfig(
        width=16,
        features=64,
        images=min(_IMAGES, _EPOCHS * 2 * most),
        batch=min(64, 2 * most),
        learning_rate=2e-3,
        shift_px=max(1, min(sizes.sides(size_px)) // 16),
        mirror=True,
        textures=True,
        seed=seed,
    )
    made = classifiers.fitted(
        shown, _labels(most, most), np.concatenate([*test.values()]), _labels(*map(len, test.values())), config, device,
        folder,
    )  # fmt: skip
    accuracy = {
        domain: classifiers.accuracy(made, test[domain], np.full(len(test[domain]), index, np.int64))
        for index, domain in enumerate("ab")
    }
    return DomainClassifier(model=made, size_px=size_px, accuracy=accuracy, pictures=counts)


def _judged_at(size_px: SizePx) -> SizePx:
    """That size, or of the same shape one that has no more pixels than the largest square."""
    scale = min(1.0, (_LARGEST_PX**2 / sizes.pixels(size_px)) ** 0.5)
    height, width = sizes.sides(size_px)
    return sizes.of(*(max(classifiers.SMALLEST_PX, round(side * scale)) for side in (height, width)))


def best_of(classifier: DomainClassifier, device: torch.device | str = "cpu") -> Extractor:
    """Return EfficientNet-Lite2 where it is installed, else the domain classifier's own features."""
    return by_efficientnet(device) if efficientnet.installed("lite2") else by_classifier(classifier)


def by_efficientnet(device: torch.device | str = "cpu") -> Extractor:
    """Return the means of three blocks of EfficientNet-Lite2, trained on ImageNet, of images of 128 px.

    Nothing that viceversa trains has seen these features, and unlike a classifier of two domains they notice noise,
    blur and grids that neither domain has.

    Raises:
        CheckpointError: The installed file is not the published one.
        MissingExtra: It is not installed.
    """
    network = efficientnet.load("lite2").to(device)

    @torch.inference_mode()
    def of_batch(pictures: Array) -> Tensor:
        x = to_tensor(pictures).to(device)
        scale = _LITE2_PX / (x.shape[2] * x.shape[3]) ** 0.5
        size = [max(32, round(side * scale)) for side in x.shape[2:]]
        x = F.interpolate(x, size=size, mode="bicubic", antialias=True).clamp_(-1, 1)
        found = [F.normalize(each.mean((2, 3)), dim=1) for each in network(x, _LITE2_BLOCKS)]
        return (_LITE2_LENGTH * torch.cat(found, 1)).cpu()

    def features(pictures: Array) -> Tensor:
        shown = visible(pictures)
        return torch.cat([of_batch(shown[start : start + _AT_ONCE]) for start in range(0, len(shown), _AT_ONCE)])

    return Extractor(
        name="EfficientNet-Lite2",
        about="features of EfficientNet-Lite2, trained on ImageNet, not the published FID or KID",
        published=False,
        frechet=False,
        dimensions=sum(network.channels[block] for block in _LITE2_BLOCKS),
        digest=efficientnet.PUBLISHED["lite2"].sha256[:10],
        most=_LITE2_MOST,
        features=features,
    )


def by_classifier(classifier: DomainClassifier) -> Extractor:
    """The domain classifier's last layer but one."""
    return Extractor(
        name="domain classifier",
        about="features of a domain classifier trained here "
        f"({classifier.mean_accuracy:.0%} right on held-out images), not the published FID",
        published=False,
        frechet=True,
        dimensions=classifier.model.network.config.features,
        digest=_digest(classifier.model.network),
        features=classifier.features,
    )


def by_inception(given: Path, device: torch.device | str = "cpu", *, quiet: bool = True) -> Extractor:
    """The FID's Inception from a file, or downloaded.

    Raises:
        CheckpointError: The file is missing, damaged, or something else.
    """
    path = inception.find(given, quiet=quiet)
    network, published = inception.read(path)
    network = network.to(device)

    @torch.inference_mode()
    def features(pictures: Array) -> Tensor:
        parts = [
            network(to_tensor(visible(pictures[start : start + _AT_ONCE])).to(device).add_(1).div_(2)).cpu()
            for start in range(0, len(pictures), _AT_ONCE)
        ]
        return torch.cat(parts).clone()

    return Extractor(
        name="published Inception" if published else "unpublished Inception",
        about="features of the Inception of the published FID"
        if published
        else f"features of an Inception with the weights of {path.name}, not the published FID",
        published=published,
        frechet=True,
        dimensions=inception.FEATURES,
        digest=_digest(network),
        features=features,
    )


def _labels(a: int, b: int) -> Labels:
    return np.repeat(np.arange(2), [a, b])


def _digest(network: torch.nn.Module) -> str:
    digest = hashlib.blake2b(digest_size=5)
    for key, value in network.state_dict().items():
        digest.update(key.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
