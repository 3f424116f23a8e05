"""A new method is one class and its Config: it trains, resumes, is listed and is used without anything else."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest

from viceversa import configure, load, methods, train
from viceversa.cli import main
from viceversa.data.sources import PairedData
from viceversa.losses import l1
from viceversa.methods import METHODS, Method, MethodConfig, Preview, Update
from viceversa.methods.settings import NetworksConfig


@pytest.fixture
def regression() -> Iterator[type[Method]]:
    """Plain regression, with a generator that is trained on its own output once more in each iteration."""

    @dataclass(frozen=True, kw_only=True)
    class RegressionConfig(MethodConfig):
        data: PairedData = field(default_factory=PairedData)
        networks: NetworksConfig = field(default_factory=NetworksConfig)
        lambda_again: float = 0.5
        """Weight of the second pass."""

    class Regression(Method):
        """A generator and nothing else."""

        name = "regression"
        paper = "none"
        Config = RegressionConfig

        def __init__(self, config):
            super().__init__(config)
            self.g = config.networks.make_generator(config.data.channels_a, config.data.channels_b, config.data.size_px)

        def groups(self):
            return {"generator": [self.g]}

        def step(self, batch, iteration):
            x, y = batch
            noisy = x + 0.1 * iteration.normal("noise", x.shape[1:]).to(x)
            yield Update("generator", {"l1": l1(self.g(noisy), y)})
            yield Update("generator", {"again": self.config.lambda_again * l1(self.g(self.g(x)), y)})

        def generators(self):
            return {"a2b": self.g}

        def preview(self, generators, batch):
            x, y = batch
            return Preview(("input", "output", "truth"), [(x, generators["a2b"](x), y)])

    assert METHODS["regression"] is Regression
    yield Regression
    del METHODS["regression"]


def test_a_toy_method_trains(regression, pictures, tmp_path, assert_same_run):
    common = {
        "a": pictures / "a", "b": pictures / "b", "cache": tmp_path / "cache", "size_px": 16, "width": 4, "blocks": 1,
        "images": 40, "samples": 2, "device": "cpu", "precision": "32-true", "log_every": 10, "learning_rate": 0.002,
        "ema_images": 0,
    }  # fmt: skip
    config = configure("regression", out=tmp_path / "run", **common)
    run = train(config, quiet=True)
    assert run.finished
    lines = [line for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines() if "losses" in line]
    assert len(lines) == 4
    first, last = (float(line.split('"l1": ')[1].split(",")[0]) for line in (lines[0], lines[-1]))
    assert last < first, "it learns"
    assert sorted(path.name for path in (tmp_path / "run" / "samples").iterdir()) == ["00000010.jpg", "00000040.jpg"]
    translator = load(tmp_path / "run", device="cpu")
    assert translator(np.zeros((20, 30, 3), np.uint8)).shape == (20, 30, 3)

    flags = ["--a", pictures / "a", "--b", pictures / "b", "--cache", tmp_path / "cache", "--size", 16, "--width", 4]
    flags += ["--blocks", 1, "--images", 40, "--samples", 2, "--device", "cpu", "--precision", "32-true"]
    flags += ["--log-every", 10, "--learning-rate", 0.002, "--ema-images", 0, "--out", tmp_path / "typed"]
    assert main(["train", "regression", *map(str, flags)]) == 0
    assert_same_run(tmp_path / "run", tmp_path / "typed")


def test_it_is_listed_like_any_other(regression, capsys):
    assert methods.find("regression") is regression
    assert main(["methods"]) == 0
    listed = capsys.readouterr().out
    assert listed.index("\n  vgg ") < listed.index("\n  regression "), "after those that come with the program"
    with pytest.raises(SystemExit) as end:
        main(["train", "regression", "--help"])
    assert end.value.code == 0
    assert "--lambda-again" in capsys.readouterr().out
