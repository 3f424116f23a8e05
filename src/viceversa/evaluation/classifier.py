"""A small classifier of labelled images, trained on the spot: it measures samples, and its features measure them.

No weights are downloaded: whoever has labelled images (digits, women and men) has one in minutes. Its
loop is its own, the one exception to the rule that the trainer alone takes steps: a classifier is no method, it has no
generator, no run folder and nothing to resume.
"""

import dataclasses
import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

from viceversa import seeding, sizes
from viceversa.data.augment import crop_and_mirror
from viceversa.data.cache import user_folder
from viceversa.data.images import Array, to_tensor
from viceversa.errors import CheckpointError, ConfigError, DataError
from viceversa.evaluation import textures
from viceversa.sizes import SizePx
from viceversa.training.log import replace_file
from viceversa.weights import open_weights

FORMAT, VERSION = "viceversa-classifier", 1
SMALLEST_PX, LARGEST_PX = 4, 1024
_AT_ONCE = 500  # images judged in one go
Labels = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """What a classifier's network is made from."""

    classes: int
    """Kinds of images."""
    channels: int
    """1 for grey, 3 for colour."""
    size_px: SizePx
    """Pixels of a side, or height and width."""
    width: int
    """Channels of the first layer; the deeper ones have twice as many."""
    features: int
    """Numbers of the last layer but one, by which images are compared."""

    def __post_init__(self) -> None:
        for part in dataclasses.fields(self):
            value = getattr(self, part.name)
            if part.name != "size_px" and (type(value) is not int or value < 1):
                raise ConfigError(f"A classifier's {part.name} must be a whole number from 1 on; got {value!r}.")
        size_px = sizes.checked(self.size_px, "A classifier's size")
        object.__setattr__(self, "size_px", size_px)  # a list in JSON
        if not all(SMALLEST_PX <= side <= LARGEST_PX for side in sizes.sides(size_px)) or self.classes < 2:
            raise ConfigError(
                f"A classifier tells two or more kinds of images of {SMALLEST_PX} to {LARGEST_PX} px apart; got "
                f"{self.classes} of {sizes.words(size_px)} px."
            )


@dataclass(frozen=True, kw_only=True)
class FitConfig:
    """How a classifier is trained; the defaults suit digits of 32 px."""

    width: int = 32
    """Channels of the first layer."""
    features: int = 128
    """Numbers of the last layer but one."""
    images: int = 120_000
    """Images seen in all."""
    batch: int = 128
    """Images a step."""
    learning_rate: float = 4e-3
    """The highest of the one cycle (Smith and Topin 2017, arXiv 1708.07120), with Adam."""
    shift_px: int = 2
    """Each image is moved by up to so many pixels, both ways; its border is repeated."""
    mirror: bool = False
    """Mirror half of them; for faces, not for digits."""
    textures: bool = False
    """Lay `viceversa.evaluation.textures` over the images of all kinds, so that none is told by a texture."""
    seed: int = 0
    """Weights, order and shifts follow from it."""

    def __post_init__(self) -> None:
        if self.batch < 2 or self.images < self.batch or self.learning_rate <= 0 or self.shift_px < 0:
            raise ConfigError(
                f"A classifier needs a batch of 2 or more, no more than its images, a learning rate above 0 and no "
                f"negative shift; got {self.batch}, {self.images}, {self.learning_rate} and {self.shift_px}."
            )


class ClassifierNetwork(nn.Module):
    """Strided convolutions with batch norm, down to 4 px or less, then two full layers."""

    def __init__(self, config: NetworkConfig):
        super().__init__()
        self.config = config
        c, sides = config.width, _halved(sizes.sides(config.size_px))
        layers = self._stage(config.channels, c, stride=2)
        while max(sides) > 4:
            layers += [*self._stage(c, c, stride=1), *self._stage(c, 2 * config.width, stride=2)]
            c, sides = 2 * config.width, _halved(sides)
        full = nn.Linear(c * math.prod(sides), config.features, bias=False)
        self.body = nn.Sequential(*layers, nn.Flatten(), full, nn.BatchNorm1d(config.features), nn.ReLU())
        self.head = nn.Sequential(nn.Dropout(0.25), nn.Linear(config.features, config.classes))

    def forward(self, x: Tensor) -> Tensor:
        """``(N, C, H, W)`` in [-1, 1] to logits ``(N, classes)``."""
        return self.head(self.body(x))

    @staticmethod
    def _stage(c_in: int, c_out: int, stride: int) -> list[nn.Module]:
        conv = nn.Conv2d(c_in, c_out, 3, stride, padding=1, bias=False)
        return [conv, nn.BatchNorm2d(c_out), nn.ReLU(inplace=True)]


def _halved(sides: tuple[int, int]) -> tuple[int, int]:
    """What a convolution of stride 2 leaves of them."""
    return (sides[0] + 1) // 2, (sides[1] + 1) // 2


class Classifier:
    """A trained network that tells kinds of images apart."""

    def __init__(self, network: ClassifierNetwork, accuracy: float):
        self.network = network.eval().requires_grad_(False)
        self.accuracy = accuracy
        """Share of the test images that it names rightly."""

    @torch.no_grad()
    def features(self, pictures: Tensor) -> Tensor:
        """``(N, C, H, W)`` in [-1, 1] to ``(N, features)`` float32 on the CPU, by the last layer but one.

        Raises:
            DataError: The images are of another size or number of channels than it was trained on.
        """
        c = self.network.config
        height, width = sizes.sides(c.size_px)
        if pictures.shape[1:] != (c.channels, height, width):
            raise DataError(f"This classifier takes (N, {c.channels}, {height}, {width}); got {tuple(pictures.shape)}.")
        device = next(self.network.parameters()).device
        parts = [self.network.body(part.to(device, torch.float32)).cpu() for part in pictures.split(_AT_ONCE)]
        return torch.cat(parts)

    def probabilities(self, pictures: Tensor) -> Tensor:
        """``(N, C, H, W)`` in [-1, 1] to ``(N, classes)`` float32 on the CPU; each row sums to 1."""
        return self.probabilities_of(self.features(pictures))

    @torch.no_grad()
    def probabilities_of(self, features: Tensor) -> Tensor:
        """`features` to ``(N, classes)``: where both are wanted, the images are looked at once."""
        device = next(self.network.parameters()).device
        return self.network.head(features.to(device)).softmax(1).cpu()

    def save(self, path: Path) -> None:
        """Writes a .safetensors file that describes itself, beside and then renamed."""
        about = {
            "format": FORMAT,
            "version": VERSION,
            "accuracy": self.accuracy,
            "network": dataclasses.asdict(self.network.config),
        }
        tensors = {key: value.detach().cpu().contiguous() for key, value in self.network.state_dict().items()}
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, to_bytes(tensors, {"config": json.dumps(about)}))


def load(path: Path, device: torch.device | str = "cpu") -> Classifier:
    """The classifier that `Classifier.save` wrote.

    Raises:
        CheckpointError: The file is missing, damaged, or no such classifier.
    """
    try:
        with open_weights(path) as opened:
            about: Any = json.loads((opened.metadata() or {})["config"])
            if about["format"] != FORMAT or about["version"] != VERSION:
                raise ValueError(f"it is a {about['format']} of version {about['version']}")
            config, accuracy = NetworkConfig(**about["network"]), float(about["accuracy"])
            with torch.device("meta"):  # sizes that the file does not hold end below, before they cost memory
                network = ClassifierNetwork(config)
            shapes = {key: tuple(opened.get_slice(key).get_shape()) for key in sorted(opened.keys())}
            if shapes != {key: tuple(value.shape) for key, value in network.state_dict().items()}:
                raise ValueError("it does not hold the weights of the network it tells of")
            network = network.to_empty(device="cpu")
            network.load_state_dict({key: opened.get_tensor(key) for key in shapes})
    except FileNotFoundError:
        raise CheckpointError(f"There is no {path}.") from None
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, ConfigError, RuntimeError) as error:
        raise CheckpointError(f"{path} is no classifier of viceversa, or damaged ({error}); make it anew.") from None
    return Classifier(network.to(device), accuracy)


def fit(
    pictures: Array,
    labels: Labels,
    test_pictures: Array,
    test_labels: Labels,
    config: FitConfig | None = None,
    device: torch.device | str = "cpu",
) -> Classifier:
    """Trains a classifier; equal images and settings give an equal one.

    Args:
        pictures: ``(N, H, W, C)`` uint8.
        labels: ``(N,)``, from 0 on, without gaps.
        test_pictures: ``(M, H, W, C)`` uint8, on which its accuracy is measured.
        test_labels: ``(M,)``.
        config: How to train.
        device: Where to.

    Raises:
        DataError: Images and labels do not fit each other, or a class is empty.
    """
    config = config or FitConfig()
    classes = _checked(pictures, labels, test_pictures, test_labels)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seeding.derive(config.seed, "classifier"))
        network = ClassifierNetwork(
            NetworkConfig(
                classes=classes,
                channels=pictures.shape[3],
                size_px=sizes.of(*pictures.shape[1:3]),
                width=config.width,
                features=config.features,
            )
        )
        _train(network.to(device), pictures, labels, config)
    trained = Classifier(network, 0.0)
    trained.accuracy = accuracy(trained, test_pictures, test_labels)
    return trained


def fitted(
    pictures: Array,
    labels: Labels,
    test_pictures: Array,
    test_labels: Labels,
    config: FitConfig | None = None,
    device: torch.device | str = "cpu",
    folder: Path | None = None,
) -> Classifier:
    """As `fit`, but the one in the cache (``folder``, or the user's) if these images and settings made it before."""
    config = config or FitConfig()
    digest = hashlib.blake2b(json.dumps([VERSION, dataclasses.asdict(config)]).encode(), digest_size=20)
    for array in (pictures, labels, test_pictures, test_labels):
        digest.update(f"{array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    path = (folder or user_folder()) / "classifiers" / f"{digest.hexdigest()}.safetensors"
    if path.exists():
        try:
            return load(path, device)
        except CheckpointError:  # damaged: it is made again
            path.unlink()
    made = fit(pictures, labels, test_pictures, test_labels, config, device)
    made.save(path)
    return made


def accuracy(classifier: Classifier, pictures: Array, labels: Labels) -> float:
    """Share of ``pictures`` ``(N, H, W, C)`` uint8 that it names as ``labels`` do."""
    right = 0
    for start in range(0, len(pictures), _AT_ONCE):
        part = to_tensor(np.array(pictures[start : start + _AT_ONCE]))
        named = classifier.probabilities(part).argmax(1).numpy()
        right += int((named == labels[start : start + _AT_ONCE]).sum())
    return right / len(pictures)


def _train(network: ClassifierNetwork, pictures: Array, labels: Labels, config: FitConfig) -> None:
    device, count = next(network.parameters()).device, len(pictures)
    steps = config.images // config.batch
    optimizer = torch.optim.Adam(network.parameters(), lr=config.learning_rate, fused=device.type in ("cpu", "cuda"))
    cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, config.learning_rate, total_steps=steps)
    orders: dict[int, NDArray[np.int64]] = {}
    network.train()
    for step in range(steps):
        positions = np.arange(step * config.batch, (step + 1) * config.batch)
        for epoch in {int(positions[0]) // count, int(positions[-1]) // count} - orders.keys():
            orders[epoch] = seeding.permutation(config.seed, "classifier", epoch, count)
        rows = np.array([orders[position // count][position % count] for position in positions.tolist()])
        batch = _changed(pictures[rows], torch.from_numpy(positions), config)
        loss = F.cross_entropy(network(batch.to(device)), torch.from_numpy(labels[rows]).to(device))
        loss.backward()  # by itself: it is no method, and stands apart from the training that it measures
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        cycle.step()


def _changed(pictures: Array, positions: Tensor, config: FitConfig) -> Tensor:
    """``(N, H, W, C)`` to ``(N, C, H, W)`` in [-1, 1], as they are seen at these positions."""
    s = config.shift_px
    padded = torch.from_numpy(np.pad(pictures, ((0, 0), (s, s), (s, s), (0, 0)), mode="edge"))
    drawn: Any = {"seed": config.seed, "stream": "classifier", "positions": positions}
    shifted = to_tensor(crop_and_mirror(padded, sizes.of(*pictures.shape[1:3]), **drawn, mirror=config.mirror))
    return textures.laid(shifted, **drawn) if config.textures else shifted


def _checked(pictures: Array, labels: Labels, test_pictures: Array, test_labels: Labels) -> int:
    """The number of classes."""
    if len(pictures) != len(labels) or len(test_pictures) != len(test_labels) or not len(test_pictures):
        raise DataError(
            f"A classifier needs a label for every image, and some to test it; got {len(labels)} for {len(pictures)} "
            f"and {len(test_labels)} for {len(test_pictures)} of the test."
        )
    if pictures.shape[1:] != test_pictures.shape[1:]:
        raise DataError(
            f"A classifier needs images of one size; got {pictures.shape[1:]} and {test_pictures.shape[1:]}."
        )
    found = np.bincount(labels.clip(min=0))
    if min(labels.min(), test_labels.min()) < 0 or len(found) < 2 or not found.all() or test_labels.max() >= len(found):
        raise DataError(
            f"A classifier needs images of two or more classes, of each some to train on; got {found.tolist()}."
        )
    return len(found)
