"""Two processes cannot train in one folder, and one that was killed is in nobody's way."""

import os
import signal
import subprocess
import sys

import pytest

from viceversa import train
from viceversa.errors import ConfigError
from viceversa.training import lock

HOLDER = """
import sys, time
from pathlib import Path
from viceversa.training import lock
with lock.held(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that has the folder "run"."""
    (tmp_path / "run").mkdir()
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "run")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_the_second_is_refused_until_the_first_is_gone_however_it_went(holder, tiny, tmp_path):
    config = tiny("pix2pix", tmp_path / "run", images=2)
    words = rf"run is being trained by another process \(pid {holder.pid}\)\. .*--out\.$"
    with pytest.raises(ConfigError, match=words):
        train(config, quiet=True)
    assert [path.name for path in (tmp_path / "run").iterdir()] == [lock.FILE], "nothing was touched"
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    assert (tmp_path / "run" / lock.FILE).exists(), "it had no time to tidy up"
    assert train(config, quiet=True).finished
    assert not (tmp_path / "run" / lock.FILE).exists()


def test_the_folder_is_free_after_an_error_too(tmp_path):
    for error in RuntimeError, KeyboardInterrupt:
        with pytest.raises(error), lock.held(tmp_path):
            raise error
    with lock.held(tmp_path):
        assert (tmp_path / lock.FILE).read_text() == str(os.getpid())
    assert not list(tmp_path.iterdir())
