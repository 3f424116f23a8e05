"""The commands and the Python of the guides and recipes run as they are written, and write what they name."""

import re
import tomllib
from pathlib import Path

import pytest

from viceversa.data.augmentations import AUGMENTATIONS
from viceversa.methods import METHODS
from viceversa.methods.augmented import CHANGES
from viceversa.networks import DISCRIMINATORS, GENERATORS

from .pages import NOT_RUN, PAGES, ROOT, RUN, SHOWN, blocks, reason_not_to_run, steps
from .typist import Typist

# The hub's client's own, of the library below it.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

REGISTERS = METHODS, AUGMENTATIONS, CHANGES, GENERATORS, DISCRIMINATORS


def name(page: Path) -> str:
    return page.relative_to(ROOT / "docs").as_posix()


@pytest.mark.parametrize("page", [page for page in PAGES if steps(page)], ids=name)
def test_a_page_runs(page, lay_out):
    lay_out(page.read_text())
    typist, registers = Typist(), [(register, dict(register)) for register in REGISTERS]
    try:
        for step in steps(page):
            if reason_not_to_run(step) is None:
                print(f"\n>>> {step.text}")
                typist.type(step)
    finally:
        typist.stop()
        for register, before in registers:  # a page may define what it names
            register.clear()
            register.update(before)


def test_what_is_not_run_still_stands_in_a_guide():
    texts = [step.text for page in PAGES for step in steps(page)]
    assert [part for part in NOT_RUN if not any(part in text for text in texts)] == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_block_has_a_language_that_is_known(page):
    assert {language for language, _ in blocks(page)} <= RUN | SHOWN


def test_what_is_to_be_installed_is_an_extra():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    named = {
        extra
        for page in PAGES
        for part in re.findall(r"viceversa\[([\w,]+)\]", page.read_text())
        for extra in part.split(",")
    }
    assert named <= set(extras)
