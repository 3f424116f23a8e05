"""The checks of viceversa.testing fail, in words, where a method of one's own breaks a rule."""

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import nn

from viceversa.testing import check_discriminator, check_generator, check_method
from viceversa.testing.methods import METHOD_CHECKS

METHOD = """
import torch
from dataclasses import dataclass, field
from viceversa.data.sources import PairedData
from viceversa.methods import Method, MethodConfig, Preview, Update
from viceversa.methods.settings import NetworksConfig

@dataclass(frozen=True, kw_only=True)
class BrokenConfig(MethodConfig):
    data: PairedData = field(default_factory=PairedData)
    networks: NetworksConfig = field(default_factory=NetworksConfig)

class Broken(Method):
    name, paper, Config = "broken", "none", BrokenConfig

    def __init__(self, config):
        super().__init__(config)
        self.g = config.networks.make_generator(*config.data.channels, config.data.size_px)
        self.other, self.count = torch.nn.Linear(1, 1), 0

    def groups(self):
        return {"generator": [self.g, self.other]}

    def generators(self):
        return {"a2b": self.g}

    def preview(self, generators, batch):
        return Preview(("input", "output"), [(batch[0], generators["a2b"](batch[0]))])

    def step(self, batch, iteration):
        x, y = batch
        self.count += 1
        loss = (self.g(x).float() - y).abs().mean() + 0 * self.other.weight.sum()
        yield Update("generator", {"l1": loss.float()})
"""


def only(*names: str) -> list[str]:
    return [check.__name__ for check in METHOD_CHECKS if check.__name__ not in names]


@pytest.mark.parametrize(
    ("right", "wrong", "check", "said"),
    [
        ("loss.float()", "loss.float() * (1 + 0.1 * self.count)", "resumes", "All state must be a parameter or a buff"),
        ("loss.float()", "loss.to(x.dtype).half()", "updates_train_their_group", "the term l1 is torch.float16; begin"),
        ("loss.float()", "loss.float().detach()", "updates_train_their_group", r"belongs into Update\(log=...\)"),
        (
            "    yield",
            "    with torch.no_grad():\n            yield",
            "updates_train_their_group",
            "inside torch.no",
        ),
        ("[self.g, self.other]", "[self.g]", "groups_hold_all_weights", "groups.. lacks weights that need gradients"),
        (".mean()", ".sum()", "sums_over_batches", "accumulate 2 gives another"),
        ("generators[", "2 * generators[", "previews_images", r"a preview's images are in \[-1, 1\]"),
    ],
)
def test_a_broken_rule_is_named(right, wrong, check, said, tmp_path, own_code):
    assert right in METHOD
    code = Path(tmp_path, "broken.py")
    code.write_text(METHOD.replace(right, wrong))
    with pytest.raises(AssertionError, match=said):
        check_method(str(code), skip=only(check))


def test_the_method_without_the_fault_passes(tmp_path, own_code):
    code = Path(tmp_path, "right.py")
    code.write_text(METHOD.replace("Broken", "Right").replace("broken", "right"))
    check_method(f"{code}:Right", width=2)


@dataclass(frozen=True)
class Settings:
    in_channels: int = 3
    out_channels: int = 3
    width: int = 4


class Toy(nn.Module):
    """Two convolutions that keep to all rules; ``broken`` breaks one of them."""

    Config, multiple, broken = Settings, 1, ""

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.first = nn.Conv2d(config.in_channels, config.width, 3, padding=1, padding_mode="reflect")
        self.last = nn.Conv2d(config.width, config.out_channels, 1)
        self.unused = nn.Conv2d(1, 1, 1) if self.broken == "unused" else None

    def forward(self, x):
        hidden = torch.relu(self.first(x))
        if self.broken == "batch":
            hidden = hidden - hidden.mean(0, keepdim=True)
        y = self.last(hidden)
        return y if self.broken == "range" else torch.tanh(y[..., 1:] if self.broken == "size" else y)


def test_a_network_of_ones_own_passes():
    check_generator(Toy, skip=["is_kept_and_applied"])


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("batch", "the other image of a batch changes the answer"),
        ("range", r"values leave \[-1, 1\]"),
        ("size", "2 x 2 px became"),
        ("unused", "unused.weight has no gradient: it is not used"),
    ],
)
def test_a_fault_of_a_network_is_named(broken, said):
    with pytest.raises(AssertionError, match=said):
        check_generator(type("Faulty", (Toy,), {"broken": broken}), skip=["is_kept_and_applied"])


def test_a_discriminator_without_a_second_derivative_is_named():
    forward = {"forward": lambda self, x: x.square()[:, :1] + self.last.bias[0]}
    with pytest.raises(AssertionError, match="a gradient penalty has no gradient"):
        check_discriminator(type("Fixed", (Toy,), forward))
