"""Two processes open the images one after the other, and what goes wrong in one of them ends both."""

import json
from dataclasses import replace

import pytest

from viceversa.config import to_json

# Each process does every job and writes down how it ended. They do all of them in one go: where one process had been
# left behind in an earlier job, the two would never again come to the same end.
WORKER = """
import json, os, resource, sys
from pathlib import Path
from viceversa import train
from viceversa.config import from_json
from viceversa.data import cache
from viceversa.errors import ViceversaError

rank, decode, decoded = int(os.environ["RANK"]), cache.decode, []
cache.decode = lambda item, recipe: decoded.append(item.name) or decode(item, recipe)
for job in json.loads(Path(sys.argv[1]).read_text()):
    out, config = Path(job["out"]), job["configs"][rank]
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    if job["full"] == rank:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    decoded.clear()
    try:
        said = str(train(from_json(config, out), quiet=True).images_seen)
    except ViceversaError as error:
        said = f"{type(error).__name__}: {error}"
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    Path(f"{out}.{rank}.json").write_text(json.dumps({"said": said, "decoded": len(decoded)}))
"""


@pytest.fixture(scope="module")
def ended(tiny, torchrun, tmp_path_factory) -> dict[str, list[dict]]:
    """How two processes ended, job by job."""
    folder = tmp_path_factory.mktemp("together")
    jobs: list[dict] = []

    def job(name: str, *, full: int | None = None, other=None) -> None:
        config = tiny("cyclegan", folder / name, images=4, samples=1, cache=folder / f"cache of {name}")
        config = replace(config, precision="32-true")
        configs = [to_json(config), to_json(other(config) if other else config)]
        jobs.append({"out": str(config.out), "configs": configs, "full": full})

    def without_pictures(config):
        return replace(config, method=replace(config.method, data=replace(config.method.data, a=folder / "nothing")))

    job("no images for one", other=without_pictures)
    job("no summary")
    (folder / "no summary" / "summary.json").mkdir(parents=True)
    (folder / "no summary" / "config.json").write_text(jobs[-1]["configs"][0])
    job("no report", full=0)
    job("two precisions", other=lambda config: replace(config, precision="bf16-mixed"))
    job("all is well")
    (folder / "worker.py").write_text(WORKER)
    (folder / "jobs.json").write_text(json.dumps(jobs))
    torchrun(folder / "worker.py", folder / "jobs.json")
    names = [job["out"].rsplit("/", 1)[-1] for job in jobs]
    return {name: [json.loads((folder / f"{name}.{rank}.json").read_text()) for rank in (0, 1)] for name in names}


OTHER = "TrainingError: Another process of this run cannot go on; its message says why."


def test_pictures_that_only_one_process_misses(ended):
    """The first has decoded its own by then, and would wait for the second for ever."""
    first, second = ended["no images for one"]
    assert first == {"said": OTHER, "decoded": 14}
    assert second["said"].startswith("DataError: ")
    assert "nothing does not exist" in second["said"]


@pytest.mark.parametrize(("job", "file"), [("no summary", "summary.json"), ("no report", "report.html")])
def test_what_only_the_first_process_cannot_write(ended, job, file):
    """Before the first iteration, and while training goes on."""
    first, second = (process["said"] for process in ended[job])
    assert first.startswith("TrainingError: Cannot write ")
    assert f"/{job}/{file} (" in first
    assert second == OTHER


def test_processes_that_computed_in_different_precisions_would_not_be_one_run(ended):
    assert {process["said"] for process in ended["two precisions"]} == {
        "ConfigError: bfloat16 is faster on one of the machines, and not on another. "
        "Say --precision 32-true or bf16-mixed."
    }


def test_afterwards_they_still_walk_in_step(ended):
    assert [process["said"] for process in ended["all is well"]] == ["4", "4"]


def test_the_first_process_decodes_and_the_others_find_it(ended):
    assert [process["decoded"] for process in ended["all is well"]] == [14, 0]
