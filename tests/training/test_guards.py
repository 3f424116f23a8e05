import shutil

import pytest
import torch

from viceversa import train
from viceversa.config import configure
from viceversa.errors import ConfigError, TrainingError
from viceversa.training import checkpoint, guards


def test_a_run_is_not_gone_on_with_when_pictures_were_added(pictures, tmp_path):
    data = tmp_path / "data"
    for side in ("a", "b"):
        shutil.copytree(pictures / side, data / side)
    config = configure(
        "cyclegan", out=tmp_path / "run", a=data / "a", b=data / "b", cache=tmp_path / "cache", size_px=16, width=4,
        blocks=1, discriminator_width=4, discriminator_layers=2, images=2, device="cpu", precision="32-true",
    )  # fmt: skip
    train(config, quiet=True)
    before = (tmp_path / "run" / "metrics.jsonl").read_bytes()
    shutil.copy(data / "a" / "0.png", data / "a" / "new.png")
    with pytest.raises(ConfigError, match=r"'a': 7, 'b': 7.*'a': 8, 'b': 7.*another --out"):
        train(config, quiet=True)
    assert (tmp_path / "run" / "metrics.jsonl").read_bytes() == before
    (data / "a" / "new.png").unlink()
    assert train(config, quiet=True).finished


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("DefaultCPUAllocator: can't allocate memory")]
)
def test_too_little_memory_says_what_to_make_smaller(tiny, tmp_path, error):
    with (
        pytest.raises(TrainingError, match=r"--size 16 and --batch 1.*smaller --batch"),
        guards.out_of_memory(tiny("cyclegan", tmp_path)),
    ):
        raise error


def test_other_errors_stay_what_they_are(tiny, tmp_path):
    with pytest.raises(RuntimeError, match="shapes"), guards.out_of_memory(tiny("cyclegan", tmp_path)):
        raise RuntimeError("shapes differ")


def test_weights_that_are_not_finite_become_no_checkpoint(tiny, make_trainer, tmp_path):
    trainer = make_trainer(tiny("cyclegan", tmp_path))
    folder = tmp_path / "checkpoints"
    checkpoint.save(trainer, folder, seconds=0.0, keep=1)
    trainer.images_seen = 7
    with torch.no_grad():
        next(trainer.method.a2b.parameters()).fill_(float("inf"))
    with pytest.raises(TrainingError, match=r"a2b\..* is no longer finite after 7 images.*00000000"):
        checkpoint.save(trainer, folder, seconds=0.0, keep=1)
    assert checkpoint.complete(folder) == ["00000000"]
    assert not list(folder.glob(".*"))
