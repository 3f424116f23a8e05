"""The public names: all there, nothing else, and found without loading anything heavy."""

import subprocess
import sys

import pytest

import viceversa

HEAVY = ("torch", "lightning_fabric", "tensorboard", "gradio", "PIL", "numpy", "rich", "cattrs", "tyro")


@pytest.mark.parametrize("name", viceversa.__all__)
def test_every_public_name_resolves_to_a_thing_of_that_name(name):
    found = getattr(viceversa, name)
    assert found.__name__ == name
    assert found.__module__.startswith("viceversa.")
    assert found.__doc__


def test_all_is_sorted_and_complete():
    assert viceversa.__all__ == sorted(viceversa.__all__)
    assert set(viceversa.__all__) == set(viceversa._HOMES)


def test_dir_shows_the_public_names():
    assert set(viceversa.__all__) <= set(dir(viceversa))


def test_nothing_else_is_public():
    """Names without underscore are the public ones, submodules, and what those needed."""
    visible = {name for name in dir(viceversa) if not name.startswith("_")}
    others = visible - set(viceversa.__all__)
    assert {name for name in others if not isinstance(getattr(viceversa, name), type(sys))} <= {"TYPE_CHECKING", "Any"}


def test_other_names_are_refused_by_name():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = viceversa.nonsense


def imported_by(code: str) -> set[str]:
    """The heavy modules that a fresh Python has loaded after ``code``."""
    script = f"import sys\n{code}\nprint('LOADED', *[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split()[1:])


def test_importing_the_package_loads_nothing_heavy():
    assert imported_by("import viceversa; dir(viceversa)") == set()


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["nonsense"], ["translate", "--help"], ["import", "-h"]]
)
def test_help_and_mistakes_load_nothing_heavy(arguments):
    code = f"from viceversa.cli import main\ntry: main({arguments!r})\nexcept SystemExit: pass"
    assert imported_by(code) <= {"tyro"}


def test_errors_are_importable_alone():
    assert imported_by("from viceversa import ViceversaError; ViceversaError.__doc__") == set()
