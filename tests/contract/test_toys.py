"""A method and augmentations of one's own, in a file outside of the package, do all that built-in ones do."""

import pytest

import viceversa as vv
from viceversa.cli import main
from viceversa.testing import check_augmentation, check_method

TOYS = '''
"""toy: regression to the pair, and an adversary that sees negatives."""
import torch
from viceversa.data.augmentations import augmentation
from viceversa.losses import distance, l1
from viceversa.methods.augmented import discriminator_augmentation
from viceversa.methods.pix2pix import Pix2Pix


@discriminator_augmentation("negative", draws=1)
def negative(images, draws):
    return images * (1 - 2 * draws.round()[:, :, None, None].to(images))


@augmentation("stretch", draws=1, geometric=True)
def stretch(draws, size):
    return torch.diag_embed(torch.cat([1 - 0.5 * draws, torch.ones_like(draws)], 1))


class Toy(Pix2Pix):
    """One more term, with noise of its own."""

    name = "toy"

    def generator_terms(self, batch, out, iteration):
        loss = iteration.uniform("toy").mean() * l1(self.g(batch[0]), batch[1])
        return super().generator_terms(batch, out, iteration) | {"toy": distance(loss)}
'''


SMALL = {
    "generator": "resnet", "width": 4, "blocks": 1, "discriminator_width": 4, "discriminator_layers": 2, "images": 6,
    "samples": 1, "log_every": 1, "device": "cpu", "precision": "32-true", "logger": "none",
}  # fmt: skip


CHANGES = ["--augment", "stretch", "color", "--augment-d", "negative"]


def test_toys_do_what_is_built_in(tmp_path, pictures, own_code, stop_at_line, assert_same_run, capsys):
    code, whole, parted = (tmp_path / name for name in ("toys.py", "whole", "parted"))
    code.write_text(TOYS)
    folders = {side: pictures / side for side in "ab"}
    assert vv.train(
        vv.configure(
            str(code), out=whole, **folders, size_px=16, augment=("stretch", "color"), augment_d=("negative",), **SMALL
        )
    ).finished
    words = [f"--{name.replace('_', '-')}={value}" for name, value in {**folders, **SMALL, "out": parted}.items()]
    stop_at_line(parted, 3)
    for seen in "3/6 images", "6/6 images":
        assert main(["train", str(code), *words, "--size=16", *CHANGES]) == 0
        assert seen in capsys.readouterr().err
    assert_same_run(whole, parted)
    for name in "augmentation stretch", "discriminator_augmentation negative":
        assert f'"{name}"' in (whole / "config.json").read_text()
    check_augmentation("stretch")

    assert main(["translate", str(whole), str(pictures / "a" / "0.png"), f"--out={tmp_path / 'new.png'}"]) == 0
    check_method(str(code), skip=["sums_over_batches", "resumes"], width=2)
    pytest.importorskip("onnxscript", reason="needs pip install 'viceversa[export]'")
    assert main(["export", str(whole), f"--out={tmp_path / 'toy.onnx'}"]) == 0
