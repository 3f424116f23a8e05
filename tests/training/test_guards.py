import shutil
import signal
import threading

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


def test_before_the_first_checkpoint_pictures_may_be_added(tmp_path):
    (tmp_path / "summary.json").write_text('{"pictures": {"a": 7, "b": 7}}')
    guards.check_pictures(tmp_path, {"a": 8, "b": 7})
    (tmp_path / "checkpoints" / "00000001").mkdir(parents=True)
    with pytest.raises(ConfigError, match="8"):
        guards.check_pictures(tmp_path, {"a": 8, "b": 7})


@pytest.mark.parametrize("text", ["", "[]", "{", "\x00"])
def test_a_damaged_summary_is_none(text, tmp_path):
    (tmp_path / "summary.json").write_text(text)
    assert guards.former_summary(tmp_path) == {}


def test_signals_can_be_noticed_in_the_main_thread_only():
    """Elsewhere a run trains all the same, and the handlers are let alone."""
    before, noticed = signal.getsignal(signal.SIGTERM), []

    def watch() -> None:
        with guards.signals() as event:
            noticed.append((event.is_set(), signal.getsignal(signal.SIGTERM)))

    thread = threading.Thread(target=watch)
    thread.start()
    thread.join()
    assert noticed == [(False, before)]
    with guards.signals() as event:
        assert signal.getsignal(signal.SIGTERM) is not before
        signal.raise_signal(signal.SIGTERM)
        assert event.is_set()
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_gpu_computes_deterministically_as_long_as_it_trains():
    settings = torch.utils.deterministic
    before = torch.are_deterministic_algorithms_enabled(), settings.fill_uninitialized_memory
    with guards.deterministic("cpu"):
        assert (torch.are_deterministic_algorithms_enabled(), settings.fill_uninitialized_memory) == before
    with guards.deterministic("cuda"):
        assert torch.are_deterministic_algorithms_enabled()
        assert not settings.fill_uninitialized_memory
    with pytest.raises(RuntimeError, match="any"), guards.deterministic("cuda"):
        raise RuntimeError("any")
    assert (torch.are_deterministic_algorithms_enabled(), settings.fill_uninitialized_memory) == before


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
