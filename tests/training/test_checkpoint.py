"""Checkpoints are written whole or not at all, and read whole or not at all."""

import json
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from viceversa.cli import main
from viceversa.config import to_json
from viceversa.errors import CheckpointError, TrainingError
from viceversa.training import checkpoint

FILES = ["optimizers.safetensors", "progress.json", "rank-0.safetensors", "state.safetensors"]


@pytest.fixture
def trained(tiny, make_trainer, tmp_path):
    """A trainer after some steps, and its checkpoints after each of them."""
    trainer = make_trainer(tiny("cyclegan", tmp_path, pool=2))

    def after_each(trainer) -> bool:
        checkpoint.save(trainer, tmp_path / "checkpoints", seconds=10.0 * trainer.images_seen, keep=3)
        return trainer.images_seen == 4

    trainer.run(after_each)
    return trainer


@pytest.fixture
def fresh(tiny, make_trainer, tmp_path) -> Callable[[], object]:
    return lambda: make_trainer(tiny("cyclegan", tmp_path, pool=2, seed=5))


def everything(trainer) -> dict[str, torch.Tensor]:
    optimizers = {
        f"{group} {index} {name}": value
        for group, optimizer in trainer.optimizers.items()
        for index, state in optimizer.state_dict()["state"].items()
        for name, value in state.items()
    }
    modules = {**trainer.method.state_dict(), **trainer.averaged.state_dict(prefix="averaged.")}
    return {**modules, **optimizers, **{f"sum of {name}": value for name, value in trainer.sums.items()}}


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.usefixtures("files_of_windows")
def test_checkpoints_can_be_written_on_windows(trained, fresh, tmp_path):
    trainer = fresh()
    assert checkpoint.load_newest(trainer, tmp_path / "checkpoints") == 40


def test_what_is_saved_comes_back(trained, fresh, tmp_path):
    folder = tmp_path / "checkpoints"
    assert checkpoint.complete(folder) == ["00000002", "00000003", "00000004"]
    assert sorted(path.name for path in (folder / "00000004").iterdir()) == FILES
    trainer = fresh()
    assert checkpoint.load_newest(trainer, folder) == 40
    assert trainer.images_seen == 4
    saved, loaded = everything(trained), everything(trainer)
    assert saved.keys() == loaded.keys()
    assert list(trained.sums) == list(trainer.sums), "the order of the terms is that of the log"
    assert len([name for name in saved if name.startswith("generators")]) > 10
    for name, value in saved.items():
        assert value.dtype == loaded[name].dtype, name
        assert torch.equal(value, loaded[name]), name
    assert saved["pool_a.count"] == 2
    for group, parameters in trainer.parameters.items():
        for index, parameter in enumerate(parameters):
            state = trainer.optimizers[group].state[parameter]
            assert state["exp_avg"].stride() == parameter.stride(), f"{group} {index} lies otherwise in memory"


def test_without_a_checkpoint_training_starts(fresh, tmp_path):
    trainer = fresh()
    before = {name: value.clone() for name, value in everything(trainer).items()}
    assert checkpoint.load_newest(trainer, tmp_path / "nothing") is None
    assert all(torch.equal(before[name], value) for name, value in everything(trainer).items())


@pytest.mark.parametrize("keep", [1, 2, 5])
def test_the_newest_are_kept(keep, tiny, make_trainer, tmp_path):
    trainer = make_trainer(tiny("pix2pix", tmp_path))
    for images in range(8, 13):
        trainer.images_seen = images
        checkpoint.save(trainer, tmp_path, seconds=0, keep=keep)
    assert checkpoint.complete(tmp_path) == [f"{images:08d}" for images in range(8, 13)][-keep:]


def test_a_count_of_nine_digits_is_newer_than_one_of_eight(tiny, make_trainer, tmp_path):
    trainer = make_trainer(tiny("pix2pix", tmp_path))
    for images in 99_999_999, 100_000_000:
        trainer.images_seen = images
        checkpoint.save(trainer, tmp_path, seconds=0, keep=1)
    assert checkpoint.complete(tmp_path) == ["100000000"]


@pytest.mark.parametrize("file", FILES)
def test_a_file_cut_in_half(file, trained, fresh, tmp_path):
    path = tmp_path / "checkpoints" / "00000004" / file
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    refused(fresh(), tmp_path, path, "Delete that folder to go on from 00000003.")


@pytest.mark.parametrize("file", FILES)
def test_a_missing_file(file, trained, fresh, tmp_path):
    path = tmp_path / "checkpoints" / "00000004" / file
    path.unlink()
    refused(fresh(), tmp_path, path, "Delete that folder to go on from 00000003.")


@pytest.mark.parametrize("file", FILES)
def test_a_flipped_bit(file, trained, fresh, tmp_path):
    """Wherever it is: the checkpoint is refused, or what is loaded is what was saved."""
    path = tmp_path / "checkpoints" / "00000004" / file
    whole = path.read_bytes()
    # All of the small file of text, and of the others' headers and numbers a sample.
    places = range(len(whole)) if file == "progress.json" else range(0, len(whole), len(whole) // 6)
    outcomes, trainer = set(), fresh()
    for place in places:
        for bit in (0, 2, 6) if file == "progress.json" else (4,):
            changed = bytearray(whole)
            changed[place] ^= 1 << bit
            path.write_bytes(changed)
            outcomes.add(outcome(trained, trainer, tmp_path, f"byte {place}, bit {bit}"))
    path.write_bytes(whole)
    assert outcomes <= ({"refused", "loaded"} if file == "progress.json" else {"refused"})
    assert outcome(trained, trainer, tmp_path, "mended") == "loaded"


def outcome(trained, trainer, tmp_path: Path, where: str) -> str:
    trainer.images_seen = 0
    try:
        checkpoint.load_newest(trainer, tmp_path / "checkpoints")
    except CheckpointError as error:
        named = str(tmp_path / "checkpoints" / "00000004") in str(error)
        return "refused" if named and trainer.images_seen == 0 else f"{where}: {error}"
    assert trainer.images_seen == trained.images_seen, where
    saved, loaded = everything(trained), everything(trainer)
    assert all(torch.equal(value, loaded[name]) for name, value in saved.items()), where
    return "loaded"


def refused(trainer, tmp_path: Path, path: Path, advice: str) -> None:
    with pytest.raises(CheckpointError) as caught:
        checkpoint.load_newest(trainer, tmp_path / "checkpoints")
    assert str(path) in str(caught.value)
    assert str(caught.value).endswith(advice)
    shutil.rmtree(path.parent)
    assert checkpoint.load_newest(trainer, tmp_path / "checkpoints") == 30, "as the sentence says"


def test_the_only_checkpoint_damaged(tiny, make_trainer, tmp_path):
    trainer = make_trainer(tiny("pix2pix", tmp_path))
    target = checkpoint.save(trainer, tmp_path / "checkpoints", seconds=0, keep=1)
    (target / "progress.json").unlink()
    with pytest.raises(
        CheckpointError, match=r"progress.json is missing or damaged\. Delete that folder to start anew"
    ):
        checkpoint.load_newest(trainer, tmp_path / "checkpoints")


def test_another_number_of_processes(trained, fresh, tmp_path):
    path = tmp_path / "checkpoints" / "00000004" / "progress.json"
    said = json.loads(path.read_text())
    path.write_text(json.dumps({**said, "processes": 4}))
    with pytest.raises(CheckpointError, match="written by 4 processes and this is 1; start the same number"):
        checkpoint.load_newest(fresh(), tmp_path / "checkpoints")


def test_a_checkpoint_of_another_network(trained, tiny, make_trainer, tmp_path):
    other = make_trainer(tiny("cyclegan", tmp_path, pool=2, width=6))
    with pytest.raises(CheckpointError, match="00000004 does not hold what this run needs: "):
        checkpoint.load_newest(other, tmp_path / "checkpoints")


def test_what_a_kill_left_is_ignored_and_cleaned_away(trained, fresh, tmp_path):
    folder = tmp_path / "checkpoints"
    shutil.copytree(folder / "00000004", folder / ".00000009.partial")
    (folder / ".00000009.partial" / "progress.json").unlink()
    (folder / "notes.txt").write_text("mine")
    trainer = fresh()
    assert checkpoint.load_newest(trainer, folder) == 40
    assert sorted(path.name for path in folder.iterdir()) == ["00000002", "00000003", "00000004", "notes.txt"]


def test_a_step_that_is_saved_again(trained, tmp_path):
    folder = tmp_path / "checkpoints"
    before = content(folder)
    trained.sums = {name: value + 1 for name, value in trained.sums.items()}
    checkpoint.save(trained, folder, seconds=99, keep=3)
    after = content(folder)
    assert after.keys() == before.keys()
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"00000004/rank-0.safetensors", "00000004/progress.json"}


@pytest.mark.parametrize("bytes_", [100, 10_000, 60_000])
def test_a_file_that_must_not_grow_so_large(bytes_, trained, tmp_path):
    """The system's limit for a file's size stands for every failure in the middle of writing."""
    folder = tmp_path / "checkpoints"
    before = content(folder)
    trained.images_seen = 12
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_, hard))
    try:
        with pytest.raises(TrainingError) as caught:
            checkpoint.save(trained, folder, seconds=120, keep=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert str(caught.value) == (
        f"The checkpoint {folder / '00000012'} could not be written: File too large. Mend that and run it again."
    )
    assert content(folder) == before, "older ones are untouched, and nothing half-written is left"


def test_a_full_disk(tmp_path, pictures):
    """A whole run on a real file system of its own, too small for a second checkpoint beside the first."""
    (tmp_path / "disk").mkdir()
    mount = 'mount -t tmpfs -o size=1000k tmpfs "$1"'
    apart = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    if not shutil.which("unshare") or subprocess.run([*apart, mount, "sh", str(tmp_path / "disk")]).returncode:
        pytest.skip("this system lends no mount namespace to make a small disk in")
    flags = [
        "--a",
        pictures / "a",
        "--b",
        pictures / "b",
        "--cache",
        pictures.with_name("cache"),
        "--size",
        16,
        "--width",
        6,
    ]
    flags += ["--discriminator-width", 6, "--discriminator-layers", 2, "--blocks", 1, "--images", 12, "--pool", 2]
    flags += ["--checkpoint-minutes", 0, "--keep", 9, "--samples", 1, "--sample-pictures", 1, "--device", "cpu"]
    out = tmp_path / "disk" / "run"
    command = [sys.executable, "-m", "viceversa", "train", "cyclegan", *map(str, flags), "--out", str(out)]
    inside = f'{mount} && shift && "$@"; echo "$?" >&2; cp -r "{out}" "{tmp_path}/kept"'
    done = subprocess.run([*apart, inside, "sh", str(tmp_path / "disk"), *command], capture_output=True, text=True)
    *_, sentence, code = done.stderr.strip().splitlines()
    assert code == "2", done.stderr
    assert sentence.startswith("viceversa: The disk is full: ")
    assert sentence.endswith("Free some space and run it again.")
    assert "Traceback" not in done.stderr
    names = checkpoint.complete(tmp_path / "kept" / "checkpoints")
    assert names
    assert sorted(path.name for path in (tmp_path / "kept" / "checkpoints").iterdir()) == names
    # With space again, and no limit to it, the same command goes on from there to the end.
    again = ["train", "cyclegan", *map(str, flags), "--out", str(tmp_path / "kept")]
    assert main(again) == 0
    assert checkpoint.complete(tmp_path / "kept" / "checkpoints")[-1] == "00000012"


def test_a_damaged_checkpoint_ends_the_command_in_one_sentence(trained, tiny, tmp_path, pictures, capsys):
    config = tiny("cyclegan", tmp_path, pool=2)
    (tmp_path / "config.json").write_text(to_json(config))
    path = tmp_path / "checkpoints" / "00000004" / "state.safetensors"
    path.write_bytes(path.read_bytes()[:5000])
    flags = [
        "--a",
        pictures / "a",
        "--b",
        pictures / "b",
        "--cache",
        pictures.with_name("cache"),
        "--size",
        16,
        "--width",
        4,
    ]
    flags += ["--discriminator-width", 4, "--discriminator-layers", 2, "--blocks", 1, "--images", 12, "--pool", 2]
    flags += ["--log-every", 1, "--samples", 2, "--sample-pictures", 1, "--device", "cpu", "--precision", "32-true"]
    before = content(tmp_path / "checkpoints")
    assert main(["train", "cyclegan", *map(str, flags), "--ema-images", "10", "--out", str(tmp_path)]) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert said[-1].startswith(f"viceversa: {path} is damaged: 5000 of ")
    assert said[-1].endswith(" bytes are there. Delete that folder to go on from 00000003.")
    assert content(tmp_path / "checkpoints") == before
