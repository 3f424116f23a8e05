"""The Inception network of the published FID, as plain modules that take the weights' own names.

Szegedy et al.: Rethinking the Inception Architecture for Computer Vision. CVPR 2016, arXiv 1512.00567.
The FID (Heusel et al. 2017, arXiv 1706.08500) is defined by one set of weights, of December 2015. Its PyTorch copy,
``pt_inception-2015-12-05-6726825d.pth``, is read here; that network differs from other Inceptions in that mean pooling
leaves the border out, and in that its last block pools by maxima.
"""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from viceversa.data.cache import user_folder
from viceversa.errors import CheckpointError
from viceversa.networks import vgg_file
from viceversa.networks.pth import read_pth

PUBLISHED = "pt_inception-2015-12-05-6726825d.pth"
URL = f"https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/{PUBLISHED}"
SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
FEATURES = 2048
_SIDE_PX = 299
_LARGEST_BYTES = 2**28  # the published file has 95,628,359
_DOWNLOAD = Path("download")  # what --inception says instead of a file
_HELP = f"--inception takes the published {PUBLISHED} (96 MB, from {URL}; --inception download fetches it)."
_IGNORED = ("fc.weight", "fc.bias")  # the layer behind the features

Step = str | tuple[str, ...] | Callable[[Tensor], Tensor]
"""One of a block's convolutions, several side by side, or a pooling."""


class _Conv(nn.Module):
    """Convolution, batch norm, ReLU."""

    def __init__(self, c_in: int, c_out: int, kernel: int | tuple[int, int], stride: int = 1, padded: bool = True):
        super().__init__()
        height, width = (kernel, kernel) if isinstance(kernel, int) else kernel
        padding = (height // 2, width // 2) if padded else 0
        self.conv = nn.Conv2d(c_in, c_out, (height, width), stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(c_out, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)), inplace=True)


class _Mixed(nn.Module):
    """Several ways side by side, whose results lie one behind the other in the channels."""

    def __init__(self, ways: list[tuple[Step, ...]], convolutions: Mapping[str, _Conv]):
        super().__init__()
        self.ways = ways
        for name, convolution in convolutions.items():
            self.add_module(name, convolution)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self._along(way, x) for way in self.ways], 1)

    def _along(self, way: tuple[Step, ...], x: Tensor) -> Tensor:
        for step in way:
            if isinstance(step, tuple):
                x = torch.cat([self.get_submodule(name)(x) for name in step], 1)
            else:
                x = self.get_submodule(step)(x) if isinstance(step, str) else step(x)
        return x


class InceptionV3(nn.Module):
    """``(N, 3, H, W)`` in [0, 1] to features ``(N, 2048)``."""

    def __init__(self):
        super().__init__()
        self.Conv2d_1a_3x3 = _Conv(3, 32, 3, stride=2, padded=False)
        self.Conv2d_2a_3x3 = _Conv(32, 32, 3, padded=False)
        self.Conv2d_2b_3x3 = _Conv(32, 64, 3)
        self.Conv2d_3b_1x1 = _Conv(64, 80, 1)
        self.Conv2d_4a_3x3 = _Conv(80, 192, 3, padded=False)
        self.Mixed_5b, self.Mixed_5c, self.Mixed_5d = _block_a(192, 32), _block_a(256, 64), _block_a(288, 64)
        self.Mixed_6a = _block_b(288)
        self.Mixed_6b, self.Mixed_6c = _block_c(128), _block_c(160)
        self.Mixed_6d, self.Mixed_6e = _block_c(160), _block_c(192)
        self.Mixed_7a = _block_d(768)
        self.Mixed_7b, self.Mixed_7c = _block_e(1280, _mean), _block_e(2048, _maximum)

    def forward(self, x: Tensor) -> Tensor:
        """As the class says."""
        # Not anti-aliased: that is how the published numbers were made.
        x = F.interpolate(x, (_SIDE_PX, _SIDE_PX), mode="bilinear", align_corners=False) * 2 - 1
        x = _halved(self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x))))  # (N, 64, 73, 73)
        x = _halved(self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(x)))  # (N, 192, 35, 35)
        x = self.Mixed_6a(self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(x))))  # (N, 768, 17, 17)
        x = self.Mixed_6e(self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(x))))
        return self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x))).mean((2, 3))  # from (N, 2048, 8, 8)


def _mean(x: Tensor) -> Tensor:
    return F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)


def _maximum(x: Tensor) -> Tensor:
    return F.max_pool2d(x, 3, 1, 1)


def _halved(x: Tensor) -> Tensor:
    return F.max_pool2d(x, 3, 2)


def _block_a(c: int, pooled: int) -> _Mixed:
    return _Mixed(
        [
            ("branch1x1",),
            ("branch5x5_1", "branch5x5_2"),
            ("branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3"),
            (_mean, "branch_pool"),
        ],
        {
            "branch1x1": _Conv(c, 64, 1),
            "branch5x5_1": _Conv(c, 48, 1),
            "branch5x5_2": _Conv(48, 64, 5),
            "branch3x3dbl_1": _Conv(c, 64, 1),
            "branch3x3dbl_2": _Conv(64, 96, 3),
            "branch3x3dbl_3": _Conv(96, 96, 3),
            "branch_pool": _Conv(c, pooled, 1),
        },
    )


def _block_b(c: int) -> _Mixed:
    return _Mixed(
        [("branch3x3",), ("branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3"), (_halved,)],
        {
            "branch3x3": _Conv(c, 384, 3, stride=2, padded=False),
            "branch3x3dbl_1": _Conv(c, 64, 1),
            "branch3x3dbl_2": _Conv(64, 96, 3),
            "branch3x3dbl_3": _Conv(96, 96, 3, stride=2, padded=False),
        },
    )


def _block_c(inner: int) -> _Mixed:
    c, wide, high = 768, (1, 7), (7, 1)
    return _Mixed(
        [
            ("branch1x1",),
            ("branch7x7_1", "branch7x7_2", "branch7x7_3"),
            tuple(f"branch7x7dbl_{number}" for number in range(1, 6)),
            (_mean, "branch_pool"),
        ],
        {
            "branch1x1": _Conv(c, 192, 1),
            "branch7x7_1": _Conv(c, inner, 1),
            "branch7x7_2": _Conv(inner, inner, wide),
            "branch7x7_3": _Conv(inner, 192, high),
            "branch7x7dbl_1": _Conv(c, inner, 1),
            "branch7x7dbl_2": _Conv(inner, inner, high),
            "branch7x7dbl_3": _Conv(inner, inner, wide),
            "branch7x7dbl_4": _Conv(inner, inner, high),
            "branch7x7dbl_5": _Conv(inner, 192, wide),
            "branch_pool": _Conv(c, 192, 1),
        },
    )


def _block_d(c: int) -> _Mixed:
    return _Mixed(
        [("branch3x3_1", "branch3x3_2"), tuple(f"branch7x7x3_{number}" for number in range(1, 5)), (_halved,)],
        {
            "branch3x3_1": _Conv(c, 192, 1),
            "branch3x3_2": _Conv(192, 320, 3, stride=2, padded=False),
            "branch7x7x3_1": _Conv(c, 192, 1),
            "branch7x7x3_2": _Conv(192, 192, (1, 7)),
            "branch7x7x3_3": _Conv(192, 192, (7, 1)),
            "branch7x7x3_4": _Conv(192, 192, 3, stride=2, padded=False),
        },
    )


def _block_e(c: int, pool: Callable[[Tensor], Tensor]) -> _Mixed:
    return _Mixed(
        [
            ("branch1x1",),
            ("branch3x3_1", ("branch3x3_2a", "branch3x3_2b")),
            ("branch3x3dbl_1", "branch3x3dbl_2", ("branch3x3dbl_3a", "branch3x3dbl_3b")),
            (pool, "branch_pool"),
        ],
        {
            "branch1x1": _Conv(c, 320, 1),
            "branch3x3_1": _Conv(c, 384, 1),
            "branch3x3_2a": _Conv(384, 384, (1, 3)),
            "branch3x3_2b": _Conv(384, 384, (3, 1)),
            "branch3x3dbl_1": _Conv(c, 448, 1),
            "branch3x3dbl_2": _Conv(448, 384, 3),
            "branch3x3dbl_3a": _Conv(384, 384, (1, 3)),
            "branch3x3dbl_3b": _Conv(384, 384, (3, 1)),
            "branch_pool": _Conv(c, 192, 1),
        },
    )


def find(given: Path, *, quiet: bool = True) -> Path:
    """The file that ``--inception`` stands for: itself, or the published one, downloaded and compared with its hash.

    Raises:
        CheckpointError: There is no such file, or it cannot be had.
    """
    if given == _DOWNLOAD:
        return vgg_file.downloaded(user_folder() / "inception", quiet=quiet, url=URL, flag="--inception")
    if not given.is_file():
        raise CheckpointError(f"--inception: there is no file {given}. {_HELP}")
    return given


def read(path: Path) -> tuple[InceptionV3, bool]:
    """The network with the weights of ``path``, and whether that is the published file. Nothing in it is executed.

    Another file of the same names and shapes is taken too, but what it measures is not the published FID.

    Raises:
        CheckpointError: The file is damaged, or holds something else.
    """
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise CheckpointError(f"{path} is too large for an Inception v3. {_HELP}")
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read ({error.strerror}). {_HELP}") from None
    if path.name == PUBLISHED and digest != SHA256:
        raise CheckpointError(
            f"{path} is damaged or cut short: its SHA-256 begins with {digest[:8]} instead of {SHA256[:8]}. Fetch it "
            f"again. {_HELP}"
        )
    state = _state(path)
    with torch.device("meta"):
        network = InceptionV3()
    expected = network.state_dict()
    for key, value in expected.items():
        if key.endswith("num_batches_tracked"):  # plays no part; older files lack it
            state[key] = torch.zeros((), dtype=torch.int64)
            continue
        found = state.get(key)
        if found is None or found.shape != value.shape:
            what = "is missing" if found is None else f"has the shape {tuple(found.shape)}"
            raise CheckpointError(f"{path} holds no Inception v3 of the FID: {key} {what}. {_HELP}")
    network.load_state_dict({key: state[key] for key in expected}, assign=True)
    return network.eval().requires_grad_(False), digest == SHA256


def _state(path: Path) -> dict[str, Tensor]:
    named = read_pth(path, f". {_HELP}")
    floats = {key: value for key, value in named.items() if value.is_floating_point() and key not in _IGNORED}
    if not all(bool(torch.isfinite(value).all()) for value in floats.values()):
        raise CheckpointError(f"{path} holds numbers that are not finite; it is damaged. {_HELP}")
    return {key: value.to(torch.float32) for key, value in floats.items()}
