"""The serving guide's other ways to run the server: a service of systemd, a container, Ray."""

import configparser
import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import viceversa as vv
from viceversa.serving.config import ServeConfig

from .pages import ROOT, Step, blocks
from .typist import Typist, free_port

PAGE = ROOT / "docs/guides/serving.md"
INSTRUCTIONS = {"FROM", "ENV", "RUN", "COPY", "USER", "EXPOSE", "HEALTHCHECK", "CMD"}
WITHOUT_PAGE = "--no-page"  # the commands of the guide load it; it takes seconds
ON_RAY = """
import pathlib, sys, httpx, ray
from ray import serve
ray.init(num_gpus=1, include_dashboard=False)  # one to count with: the translator computes on what there is
serve.start(http_options={"port": int(sys.argv[1])})
from swap import app
serve.run(app)
image = pathlib.Path("portrait.jpg").read_bytes()
answer = httpx.post(f"http://127.0.0.1:{sys.argv[1]}", content=image, timeout=300)
pathlib.Path("new.png").write_bytes(answer.raise_for_status().content)
"""


def block(language: str, part: str = "") -> str:
    (found,) = [text for named, text in blocks(PAGE) if named == language and part in text]
    return found


@pytest.fixture
def typist(lay_out) -> Iterator[Typist]:
    lay_out("runs/swap")
    typing = Typist()
    yield typing
    typing.stop()


def test_the_unit_of_systemd(typist, tmp_path):
    unit = configparser.ConfigParser(interpolation=None)
    unit.read_string(block("ini"))
    program, *arguments = shlex.split(unit["Service"]["ExecStart"])
    assert Path(program).name == "viceversa"
    here = ["runs/swap" if argument == "/srv/models/swap" else argument for argument in arguments]
    typist.type(Step("bash", shlex.join(["viceversa", *here, WITHOUT_PAGE])))
    assert unit.getfloat("Service", "TimeoutStopSec") > ServeConfig().timeout_seconds
    if not shutil.which("systemd-analyze"):
        pytest.skip("only served: needs systemd-analyze to check the rest of the unit")
    file = tmp_path / "viceversa.service"
    file.write_text(block("ini").replace(program, str(Path(sys.executable).with_name("viceversa"))))
    done = subprocess.run(["systemd-analyze", "verify", file], capture_output=True, text=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_container(typist):
    """As far as it goes without an engine: its folder is there, its command serves, its check sees whether it does."""
    lines = [line.split(" ", 1) for line in block("dockerfile").splitlines()]
    assert {instruction for instruction, _ in lines} == INSTRUCTIONS
    image = dict(lines)
    folder, place = image["COPY"].split()
    words = [folder if word == place else word for word in json.loads(image["CMD"])]
    assert folder in words
    assert int(image["EXPOSE"]) == ServeConfig().port
    healthy = Step("bash", image["HEALTHCHECK"].removeprefix("CMD "))
    typist.type(Step("bash", shlex.join([*words, WITHOUT_PAGE])))
    typist.type(healthy)
    typist.stop()
    with pytest.raises(AssertionError, match="Connection refused"):
        typist.type(healthy)


def test_the_replicas_of_ray_serve(typist):
    pytest.importorskip("ray", reason="needs pip install 'ray[serve]'")
    Path("swap.py").write_text(block("python", "from ray import serve"))
    Path("on_ray.py").write_text(ON_RAY)
    typist.type(Step("bash", f"python on_ray.py {free_port()}"))
    with Image.open("new.png") as answer, Image.open("portrait.jpg") as picture:
        assert np.array_equal(answer, vv.load("runs/swap")(picture, to="b"))
