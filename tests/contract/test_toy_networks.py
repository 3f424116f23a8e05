"""A generator and a discriminator of one's own, in a file outside of the package, do all that built-in ones do."""

import numpy as np
import pytest
from PIL import Image

import viceversa as vv
from viceversa import plugins
from viceversa.cli import main
from viceversa.testing import check_discriminator, check_generator

TOYS = '''
from dataclasses import dataclass
import torch
from torch import nn
from viceversa.networks import discriminator, generator

@dataclass(frozen=True)
class ToyConfig:
    in_channels: int = 3
    out_channels: int = 3
    width: int = 8
    depths: tuple[int, ...] = (2, 1)

@generator("toy")
class Toy(nn.Module):
    """Three convolutions.

    And no more.
    """
    Config, multiple = ToyConfig, 1
    def __init__(self, config):
        super().__init__()
        c, self.config = config.width, config
        hidden = [nn.Sequential(nn.Conv2d(c, c, 3, padding=1), nn.ReLU()) for _ in range(sum(config.depths))]
        self.body = nn.Sequential(nn.Conv2d(config.in_channels, c, 1), *hidden, nn.Conv2d(c, config.out_channels, 1))
    def forward(self, x):
        return torch.tanh(self.body(x))

@discriminator("two-scales")
class TwoScales(nn.Module):
    Config = ToyConfig
    def __init__(self, config):
        super().__init__()
        self.fine, self.coarse = (nn.Conv2d(config.in_channels, 1, 4, stride) for stride in (2, 4))
    def forward(self, x):
        return [self.fine(x), self.coarse(x).square()]
'''


def test_toys_do_what_is_built_in(tmp_path, pictures, own_code, stop_at_line, assert_same_run, capsys):
    code, whole, parted = (tmp_path / name for name in ("networks.py", "whole", "parted"))
    code.write_text(TOYS)
    words = f"--a={pictures / 'a'} --b={pictures / 'b'} --size=16 --generator=toy --generator-options depths=[1,2] "
    words += "--discriminator=two-scales --width=4 --images=6 --samples=1 --log-every=1 --device=cpu --logger=none "
    command = ["train", "cyclegan", *f"{words} --precision=32-true --import {code} --out".split()]
    assert main([*command, str(whole)]) == 0
    stop_at_line(parted, 3)
    assert [main([*command, str(parted)]) for _ in range(2)] == [0, 0]
    assert_same_run(whole, parted)
    assert vv.load(whole, device="cpu").networks["a2b"].config.depths == (1, 2)
    image, new = pictures / "a" / "0.png", tmp_path / "new"
    assert main(["translate", str(whole), str(image), "--tile=64", f"--out={tmp_path / 'new.png'}"]) == 0
    on = f"--a={pictures / 'a'} --b={pictures / 'b'} --size=16 --images=2 --samples=1 --device=cpu --from {whole}"
    assert main(["train", "cyclegan", *on.split(), f"--out={new}"]) == 0
    assert '"depths=[1, 2]"' in (new / "config.json").read_text(), "a model to begin with says what it is made of"
    check_generator("toy", skip=["is_kept_and_applied"])
    check_discriminator("two-scales")
    plugins._forget(plugins.import_code(code))
    for command in f"translate {whole} {image} --out={new}.png", f"train cyclegan {on} --generator=toy --out={new}2":
        assert main(command.split()) == 2
        assert "--import" in capsys.readouterr().err
    capsys.readouterr()
    assert main(["methods", "--import", str(code)]) == 0
    listed = capsys.readouterr().out.split("Generators (--generator):")[1]
    generators, discriminators = listed.split("Discriminators (--discriminator):")
    assert "\n  toy         Three convolutions (networks.py)\n" in generators
    assert "\n  two-scales  (networks.py)\n" in discriminators
    module = plugins.import_code(code)
    pytest.importorskip("onnxscript", reason="needs pip install 'viceversa[export]'")
    exported, answer = tmp_path / "toy.onnx", tmp_path / "exported.png"
    assert main(["export", str(whole), f"--out={exported}"]) == 0
    plugins._forget(module)
    assert main(["translate", str(exported), str(image), "--engine=onnxruntime", f"--out={answer}"]) == 0
    difference = np.asarray(Image.open(answer)) - np.asarray(Image.open(tmp_path / "new.png"), np.int16)
    assert abs(difference).max() <= 1, "an exported network needs no code"
