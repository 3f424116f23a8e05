"""A run whose length is one of time: it ends by the clock, its learning rate with it, and a busy machine is no loss."""

import json
import shutil
import time

import pytest

from viceversa import train
from viceversa.cli import main
from viceversa.config import configure, read_config
from viceversa.errors import CheckpointError, ConfigError

SECONDS = 0.6


def lines(run, key="losses"):
    found = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [line for line in found if key in line]


@pytest.fixture(scope="module")
def run(tiny, tmp_path_factory):
    """A finished run, and the call's answer."""
    out = tmp_path_factory.mktemp("minutes") / "run"
    return out, train(tiny("pix2pix", out, images=None, minutes=SECONDS / 60, constant=0.0, samples=4), quiet=True)


def test_the_rate_reaches_its_end_with_the_run(run):
    out, result = run
    rates = [line["learning_rate"] for line in lines(out)]
    assert result.finished
    assert rates == sorted(rates, reverse=True)
    assert rates[0] == 2e-4
    assert rates[-1] < rates[0]
    sheets = sorted(path.name for path in (out / "samples").iterdir())
    assert 2 <= len(sheets) <= 4
    assert sheets[-1] == f"{result.images_seen:08d}.jpg"
    summary = json.loads((out / "summary.json").read_text())
    assert (summary["state"], summary["total_images"]) == ("finished", result.images_seen)
    newest = max((out / "checkpoints").iterdir())
    assert json.loads((newest / "progress.json").read_text())["trained_seconds"] >= SECONDS
    assert train_again(out, run) == 0


def train_again(out, run) -> int:
    """Images that the same command trains on a finished run."""
    return train(read_config(out / "config.json", out), quiet=True).images_seen - run[1].images_seen


def test_a_stopped_run_goes_on_with_the_rest_and_a_longer_one_with_more(tiny, tmp_path, stop_at_line, capsys):
    def plan(seconds):
        return tiny("pix2pix", tmp_path / "run", images=None, minutes=seconds / 60, log_every=1)

    stop_at_line(tmp_path / "run")
    stopped = train(plan(SECONDS), quiet=True)
    assert not stopped.finished
    rest = train(plan(SECONDS), quiet=True)
    assert rest.finished
    assert rest.images_seen > stopped.images_seen
    longer = train(plan(2 * SECONDS))
    assert longer.images_seen > rest.images_seen
    assert "0.02 minutes in all, 0.01 were planned before: the learning rate follows the longer plan" in (
        capsys.readouterr().err
    )
    with pytest.raises(ConfigError, match=r"has trained for 0\.0\d+ minutes already, and --minutes asks for 0.01"):
        train(plan(SECONDS), quiet=True)


@pytest.mark.parametrize("seconds", ["soon", float("nan"), None, -1])
def test_a_time_that_is_none_is_a_damaged_checkpoint(seconds, run, tmp_path):
    shutil.copytree(run[0], tmp_path / "run")
    path = max((tmp_path / "run" / "checkpoints").iterdir()) / "progress.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"trained_seconds": seconds}))
    with pytest.raises(CheckpointError, match=r"progress\.json is missing or damaged\. Delete that folder"):
        train(read_config(tmp_path / "run" / "config.json", tmp_path / "run"), quiet=True)


def test_waiting_for_a_busy_machine_is_no_training(tiny, tmp_path, make_trainer):
    """As another program would take it, by sleeping between the iterations."""
    trainer, slept = make_trainer(tiny("pix2pix", tmp_path, images=None, minutes=SECONDS / 60)), 0.0

    def wait(_):
        nonlocal slept
        time.sleep(0.01)
        slept += 0.01
        return False

    begun = time.monotonic()
    trainer.run(wait)
    assert trainer.progress == 1
    assert slept > 0
    assert time.monotonic() - begun >= trainer.seconds + slept * 0.9


@pytest.mark.parametrize("method", ["cartoongan", "wgan"])
def test_the_first_phase_takes_its_share_of_the_time(method, tiny, tmp_path, make_trainer):
    """CartoonGAN's content alone takes half of the run at most, WGAN's critic alone a tenth."""
    phase = {"init_images": None, "init_epochs": 1e6} if method == "cartoongan" else {"warm_up": 10**6, "n_critic": 1}
    trainer = make_trainer(tiny(method, tmp_path, images=None, minutes=1.0, **phase))
    share = 0.5 if method == "cartoongan" else 0.1

    def trained(progress):
        trainer.seconds = 60 * progress
        trainer.sums = {}
        trainer.step([trainer._load(0)])
        return {"gan"} & set(trainer.sums)

    assert not trained(share - 0.01)
    assert trained(share)


def test_minutes_and_images_are_one_too_many(tmp_path, pictures, capsys):
    with pytest.raises(ConfigError, match="--minutes and --images both say how long the run is"):
        configure("cyclegan", out=tmp_path, images=5, minutes=1)
    with pytest.raises(ConfigError, match="--minutes must be above 0; got 0"):
        configure("cyclegan", out=tmp_path, minutes=0)


def test_a_recipe_for_so_many_minutes(tmp_path, pictures):
    assert configure("women-men", out=tmp_path, minutes=1).method.schedule.images is None
    folders = [
        "--a",
        str(pictures / "a"),
        "--b",
        str(pictures / "b"),
        "--size",
        "32",
        "--cache",
        str(tmp_path / "cache"),
    ]
    assert (
        main(["train", "women-men", *folders, "--width", "4", "--minutes", "0.001", "--out", str(tmp_path / "run")])
        == 0
    )
    assert json.loads((tmp_path / "run" / "config.json").read_text())["method"]["schedule"]["minutes"] == 0.001
