"""What the machine is said to be, and what is chosen for it."""

import pytest
import torch

from viceversa import bfloat16
from viceversa.errors import ConfigError
from viceversa.training import machine


def test_the_machine_is_what_it_says(tmp_path):
    assert machine.choose_device("cpu") == "cpu"
    assert machine.choose_precision("64-true", "cpu") == "64-true"
    gain = bfloat16.gain("cpu")
    assert (gain > 0) == bfloat16.instructions("cpu")
    assert machine.choose_precision("auto", "cpu") == ("bf16-mixed" if bfloat16.pays("cpu") else "32-true")
    assert bfloat16.gain("cpu") == gain, "measured once, so that a process never changes its mind"
    assert "32-true" in machine.describe("cpu", "32-true", 1)
    assert "2 processes" in machine.describe("cpu", "32-true", 2)
    if not torch.cuda.is_available():
        with pytest.raises(ConfigError, match=r"--device cuda is not there; this machine has .*cpu"):
            machine.choose_device("cuda")


def test_the_precision_that_fabric_run_took_for_itself_counts(monkeypatch):
    monkeypatch.setenv("LT_PRECISION", "32-true")
    monkeypatch.setattr(bfloat16, "pays", lambda device: True)
    assert machine.choose_precision("auto", "cpu") == "bf16-mixed", "not started by fabric run"
    monkeypatch.setenv("LT_CLI_USED", "1")
    assert machine.choose_precision("auto", "cpu") == "32-true"
    assert machine.choose_precision("32-true", "cpu") == "32-true"
    with pytest.raises(ConfigError, match=r"given --precision 32-true, and the run has 64-true. Pass --precision 64"):
        machine.choose_precision("64-true", "cpu")
    monkeypatch.setenv("LT_PRECISION", "bf16")
    assert machine.choose_precision("auto", "cpu") == "bf16-mixed"
    monkeypatch.setenv("LT_PRECISION", "16-mixed")
    with pytest.raises(ConfigError, match=r"no --precision 16-mixed.*take 32-true, bf16-mixed, 64-true"):
        machine.choose_precision("auto", "cpu")
