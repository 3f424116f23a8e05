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
