"""A run that goes on to more images than were planned, or to fewer."""

import json
import shutil
from pathlib import Path

import pytest

from viceversa import train
from viceversa.config import from_json
from viceversa.errors import ConfigError
from viceversa.training import checkpoint

LONGER = "12 images in all, 6 were planned before: the learning rate follows the longer plan from here on"


def lines(run: Path) -> list[dict]:
    found = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [line for line in found if "losses" in line]


def summary(run: Path) -> dict:
    return json.loads((run / "summary.json").read_text())


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def plan(tiny):
    def make(out: Path, **length: float):
        return tiny("cyclegan", out, log_every=1, samples=2, **length)

    return make


@pytest.fixture(scope="module")
def finished(plan, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("extend") / "run"
    assert train(plan(out, images=6), quiet=True).finished
    return out


@pytest.fixture
def run(finished, tmp_path) -> Path:
    """A copy of the finished run."""
    return Path(shutil.copytree(finished, tmp_path / "run"))


def test_a_finished_run_goes_on(run, plan, capsys):
    assert train(plan(run, images=12)).images_seen == 12
    assert LONGER in capsys.readouterr().err
    logged = lines(run)
    assert [line["images"] for line in logged] == list(range(1, 13))
    # The rate is full until half of the plan and falls after it: it had come down, and is up again.
    factors = [1, 1, 1, 1, 2 / 3, 1 / 3, 1, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6]
    assert [line["learning_rate"] for line in logged] == pytest.approx([2e-4 * factor for factor in factors])
    assert sorted(path.name for path in (run / "samples").iterdir()) == ["00000002.jpg", "00000006.jpg", "00000012.jpg"]
    assert checkpoint.complete(run / "checkpoints")[-1] == "00000012"
    assert from_json((run / "config.json").read_text(), run).method.schedule.images == 12
    assert (summary(run)["total_images"], summary(run)["state"]) == (12, "finished")


def test_a_longer_run_that_is_stopped_goes_on_to_the_bit(run, finished, plan, tmp_path, assert_same_run, stop_at_line):
    assert train(plan(run, images=16), quiet=True).finished
    parted = Path(shutil.copytree(finished, tmp_path / "parted"))
    stop_at_line(parted, 3)  # after the six that it has
    stopped = train(plan(parted, images=16), quiet=True)
    assert 9 <= stopped.images_seen < 16
    assert train(plan(parted, images=16), quiet=True).finished
    assert_same_run(run, parted)


def test_epochs_and_images_are_two_words_for_one_thing(run, plan, capsys):
    """Seven images make an epoch."""
    assert train(plan(run, images=7)).images_seen == 7
    capsys.readouterr()
    assert train(plan(run, images=None, epochs=1.0)).images_seen == 7
    assert "learning rate" not in capsys.readouterr().err
    assert train(plan(run, images=None, epochs=1.5)).images_seen == 10
    assert "10 images in all, 7 were planned before" in capsys.readouterr().err


@pytest.mark.parametrize("length", [{"images": 5}, {"images": None, "epochs": 0.5}])
def test_fewer_images_than_were_seen_are_refused(length, run, plan):
    before = content(run)
    asked = length["images"] or 4
    with pytest.raises(ConfigError, match=rf"run has seen 6 images already, and .* asks for {asked} in all\."):
        train(plan(run, **length), quiet=True)
    assert content(run) == before


def test_fewer_images_than_were_planned_are_taken(plan, tmp_path, capsys, stop_at_line):
    stop_at_line(tmp_path, 3)
    stopped = train(plan(tmp_path, images=300), quiet=True)
    less = stopped.images_seen + 2
    assert less < 300
    assert train(plan(tmp_path, images=less)).images_seen == less
    assert f"{less} images in all, 300 were planned before: the learning rate follows the shorter plan" in (
        capsys.readouterr().err
    )
