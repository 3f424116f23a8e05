"""What every method keeps to, whichever it is."""

import dataclasses
from functools import partial
from pathlib import Path

import pytest

from viceversa import train
from viceversa.cli import main
from viceversa.methods import METHODS
from viceversa.testing.methods import METHOD_CHECKS, generators_are_kept, resumes_in_bfloat16

from .conftest import VARIANTS


@pytest.mark.parametrize("method", list(METHODS))
def test_a_run_resumes_to_the_bit(method, tiny, tmp_path, assert_same_run, stop_at_line):
    settings = {"log_every": 3, "images": 10}
    assert train(tiny(method, tmp_path / "whole", **settings), quiet=True).finished
    again = tiny(method, tmp_path / "parted", **settings)
    stop_at_line(again.out, 2)
    stopped = train(again, quiet=True)
    assert 3 <= stopped.images_seen < 10
    finished = train(again, quiet=True)
    assert finished.images_seen == 10
    assert_same_run(tmp_path / "whole", tmp_path / "parted")
    files, same = (made(tmp_path / run) for run in ("whole", "parted"))
    assert files.keys() == same.keys()
    assert {file.suffix for file in files} >= {".jpg", ".safetensors"}
    for file in files:
        assert files[file] == same[file], file


def made(run: Path) -> dict[Path, bytes]:
    """The images and the networks that a run has come to."""
    kinds = [path for kind in ("samples/*", "translator/*", "*.safetensors") for path in run.glob(kind)]
    return {path.relative_to(run): path.read_bytes() for path in kinds}


CASES = [
    pytest.param(variant, check, id=f"{variant}-{check.__name__}")
    for variant in VARIANTS
    for check in METHOD_CHECKS
    if variant in METHODS or check not in (resumes_in_bfloat16, generators_are_kept)  # the same with other settings
]


@pytest.mark.parametrize(("case", "check"), CASES)
def test_the_contract(case, check, tiny_variant, tmp_path):
    check(partial(tiny_variant, case), tmp_path)


@pytest.mark.parametrize("method", list(METHODS))
def test_the_defaults_can_be_and_help_names_every_setting(method, capsys):
    config = METHODS[method].Config()
    with pytest.raises(SystemExit) as end:
        main(["train", method, "--help"])
    assert end.value.code == 0
    shown = capsys.readouterr().out
    missing = [flag for flag in flags(config) if f"--{flag} " not in shown and f"--{flag}," not in shown]
    assert not missing
    assert method in shown
    assert main(["methods"]) == 0
    assert f" {method} " in capsys.readouterr().out


def flags(config) -> list[str]:
    """The names of all settings on the command line: those of the dataclass, but where it says otherwise."""
    renamed = {"root": "data", "size_px": "size", "load_size_px": "load-size"}
    found = []
    for part in dataclasses.fields(config):
        value = getattr(config, part.name)
        found += (
            flags(value) if dataclasses.is_dataclass(value) else [renamed.get(part.name, part.name).replace("_", "-")]
        )
    return found
