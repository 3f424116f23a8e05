import json
import shutil
import signal
import threading
from pathlib import Path

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


def test_before_the_first_checkpoint_pictures_may_be_added(tiny, tmp_path):
    pictures = tiny("cyclegan", tmp_path).method.data.open(0, "cpu")
    (tmp_path / "summary.json").write_text('{"pictures": {"a": 8, "b": 7}}')
    guards.check_pictures(tmp_path, pictures, moved=True)
    (tmp_path / "checkpoints" / "00000001").mkdir(parents=True)
    with pytest.raises(ConfigError, match="8"):
        guards.check_pictures(tmp_path, pictures, moved=False)


@pytest.mark.parametrize("method", ["cyclegan", "pix2pix", "cgan"])
def test_pictures_may_be_moved_and_not_exchanged(method, tiny, pictures, tmp_path, monkeypatch):
    """A run knows its images by their content: their folder is no part of it, what lies there is."""
    paired = method != "cgan"
    shutil.copytree(pictures, tmp_path / "first")
    monkeypatch.chdir(tmp_path)

    def at(root: Path, images: int):
        folders = {"a": root / "a", "b": root / "b"} if paired else {"root": root}
        return tiny(method, tmp_path / "run", cache=tmp_path / "cache", images=images, hold_out=0, **folders)

    assert train(at(Path("first"), 2), quiet=True).finished
    (tmp_path / "first").rename(tmp_path / "second")
    assert train(at(tmp_path / "second", 4), quiet=True).images_seen == 4
    before = (tmp_path / "run" / "metrics.jsonl").read_bytes()
    assert f'"{tmp_path / "second"}' in (tmp_path / "run" / "config.json").read_text(), "where they are now"
    folder = tmp_path / "second" / "a"
    (folder / "0.png").rename(folder / "x.png")
    (folder / "1.png").rename(folder / "0.png")
    (folder / "x.png").rename(folder / "1.png")
    with pytest.raises(ConfigError, match=r"trained on as many images, but on others.*another --out; .* NEW\.$"):
        train(at(tmp_path / "second", 6), quiet=True)
    assert (tmp_path / "run" / "metrics.jsonl").read_bytes() == before


def test_a_run_from_before_contents_were_kept_goes_on_where_its_folders_are_the_same(
    tiny, pictures, tmp_path, monkeypatch
):
    def config(images: int, **folders: Path):
        return tiny("pix2pix", tmp_path / "run", images=images, **folders)

    train(config(1), quiet=True)
    summary = tmp_path / "run" / "summary.json"
    old = {key: value for key, value in json.loads(summary.read_text()).items() if key != "content"}
    summary.write_text(json.dumps(old))
    shutil.copytree(pictures, tmp_path / "other")
    with pytest.raises(ConfigError, match=r"run was begun by a version that knew images by their folders"):
        train(config(2, a=tmp_path / "other" / "a", b=tmp_path / "other" / "b"), quiet=True)
    monkeypatch.chdir(pictures)
    assert train(config(2, a=Path("a"), b=Path("b")), quiet=True).images_seen == 2
    assert "content" in json.loads(summary.read_text()), "from now on it knows"


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
    with guards.deterministic("cpu", wanted=True):
        assert (torch.are_deterministic_algorithms_enabled(), settings.fill_uninitialized_memory) == before
    with guards.deterministic("cuda", wanted=True):
        assert torch.are_deterministic_algorithms_enabled()
        assert not settings.fill_uninitialized_memory
    with pytest.raises(RuntimeError, match="any"), guards.deterministic("cuda", wanted=True):
        raise RuntimeError("any")
    assert (torch.are_deterministic_algorithms_enabled(), settings.fill_uninitialized_memory) == before


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory"),
        MemoryError("Unable to allocate 286. GiB for an array"),
    ],
)
def test_too_little_memory_says_what_to_make_smaller(tiny, tmp_path, error):
    with (
        pytest.raises(TrainingError, match=r"--size 16 and --batch 1.*smaller --batch.*another --out"),
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


def test_what_has_no_deterministic_algorithm_is_told_of_the_switch():
    """As on a GPU: the context is the same, and this operation has none on a CPU either."""
    x, place, value = torch.zeros(3), torch.tensor([1]), torch.ones(1)
    words = r"put_ has no deterministic algorithm on a GPU\. Add --no-deterministic"
    with pytest.raises(TrainingError, match=words), guards.deterministic("cuda", wanted=True):
        x.put_(place, value)
    assert not torch.are_deterministic_algorithms_enabled()
    with guards.deterministic("cuda", wanted=False):
        x.put_(place, value)
        assert torch.backends.cudnn.benchmark
    assert x.tolist() == [0, 1, 0]
    assert not torch.backends.cudnn.benchmark
