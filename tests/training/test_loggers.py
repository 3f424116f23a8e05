"""Where curves go besides the report: TensorBoard, Weights & Biases (offline), or nowhere."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from viceversa import train
from viceversa.config import to_json
from viceversa.errors import ConfigError, MissingExtra
from viceversa.training import loggers

# In a process of its own: wandb starts another one, and registers what is done when the interpreter ends.
WORKER = """
import sys
from pathlib import Path
from viceversa import train
from viceversa.config import from_json

for config in sys.argv[2:]:
    train(from_json(Path(config).read_text(), Path(sys.argv[1])), quiet=True)
"""


@pytest.mark.skipif(importlib.util.find_spec("wandb") is None, reason="needs wandb: pip install 'viceversa[wandb]'")
def test_a_resumed_run_is_one_run_of_weights_and_biases(tiny, tmp_path):
    out, home = tmp_path / "women and men", tmp_path / "home"
    configs = []
    for images in (2, 4):
        configs.append(tmp_path / f"{images}.json")
        configs[-1].write_text(to_json(tiny("cyclegan", out, images=images, logger="wandb")))
    environment = {**os.environ, "WANDB_MODE": "offline", "HOME": str(home), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    home.mkdir()
    command = [sys.executable, "-c", WORKER, str(out), *map(str, configs)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stderr[-2000:]

    name = json.loads((out / "wandb.json").read_text())["id"]
    sessions = sorted((out / "wandb").glob("offline-run-*"))
    assert [session.name.rpartition("-")[2] for session in sessions] == [name, name]
    for session, images in zip(sessions, (2, 4), strict=True):
        kept = next(session.glob("*.wandb")).read_bytes()
        for part in ("losses/cycle_a", "learning_rate", "images_per_second", "metrics/diversity", "lambda_cycle"):
            assert part.encode() in kept, (images, part)
        assert list(session.glob("files/media/images/samples_*.png"))
    assert not list(out.glob("events.out.tfevents.*"))
    assert not list(home.iterdir()), "nothing is left outside the run and the cache"


def test_a_logger_that_cannot_be_opened_leaves_the_folder_free(tiny, tmp_path, monkeypatch):
    def refuse(*_):  # as Weights & Biases without a login; that takes seconds
        raise ConfigError("Weights & Biases cannot be logged to")

    with monkeypatch.context() as patch:
        patch.setattr(loggers, "opened", refuse)
        with pytest.raises(ConfigError, match="cannot be logged to"):
            train(tiny("dcgan", tmp_path / "run", images=2), quiet=True)
    train(tiny("dcgan", tmp_path / "run", images=2, seed=7, logger="none"), quiet=True)  # no run of other settings
    assert (tmp_path / "run" / "summary.json").exists()
    with monkeypatch.context() as patch:
        patch.setattr(loggers, "opened", refuse)
        with pytest.raises(ConfigError, match="cannot be logged to"):
            train(tiny("dcgan", tmp_path / "run", images=2, seed=7, logger="none"), quiet=True)
    assert (tmp_path / "run" / "config.json").exists(), "what a run has come to stays"


@pytest.mark.parametrize("logger", ["tensorboard", "none"])
def test_the_other_loggers_need_no_wandb(logger, tiny, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    train(tiny("dcgan", tmp_path / "run", images=2, logger=logger), quiet=True)
    assert bool(list((tmp_path / "run").glob("events.out.tfevents.*"))) == (logger == "tensorboard")
    assert not (tmp_path / "run" / "wandb.json").exists()


@pytest.mark.parametrize("logger", ["wandb", "both"])
def test_a_missing_wandb_is_told_before_anything_is_done(logger, tiny, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(MissingExtra, match=r"needs wandb.*pip install 'viceversa\[wandb\]'"):
        train(tiny("dcgan", tmp_path / "run", logger=logger), quiet=True)
    assert not Path(tmp_path / "run").exists()
