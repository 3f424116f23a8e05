"""Whether bfloat16 pays is found once for a processor: all processes and all days come to the same answer."""

import json
import subprocess
import sys

import pytest

from viceversa import bfloat16

ASK = "from viceversa import bfloat16; print(bfloat16.gain('cpu'), bfloat16.pays('cpu'))"


@pytest.mark.skipif(not bfloat16.instructions("cpu"), reason="this processor has no bfloat16 instructions")
def test_what_was_found_is_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    runs = [subprocess.Popen([sys.executable, "-c", ASK], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    answers = {run.communicate()[0] for run in runs}
    assert len(answers) == 1, "two processes that start together come to one answer"
    (kept,) = (tmp_path / "viceversa").iterdir()
    assert answers == {f"{(gain := json.loads(kept.read_text())['gain'])} {gain > 1.15}\n"}
    kept.write_text('{"gain": 7.5}')
    bfloat16._gain_of_this_processor.cache_clear()
    try:
        assert (bfloat16.gain("cpu"), bfloat16.pays("cpu")) == (7.5, True)
        kept.write_text("{")
        bfloat16._gain_of_this_processor.cache_clear()
        assert bfloat16.gain("cpu") != 7.5, "a damaged file is measured anew"
    finally:
        bfloat16._gain_of_this_processor.cache_clear()


def test_devices_that_have_no_instructions_gain_nothing():
    assert bfloat16.gain("mps") == 0
    assert not bfloat16.pays("mps")
