"""The bar that is shown while images are decoded."""

import shutil
from pathlib import Path

import pytest

from viceversa import train
from viceversa.data.sources import UnpairedData
from viceversa.training.bar import PreparingBar


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if each image took long."""
    monkeypatch.setattr("viceversa.training.bar._MOMENT_SECONDS", 0.0)
    monkeypatch.setattr("viceversa.training.bar._PRINT_EVERY_SECONDS", 0.0)


@pytest.mark.usefixtures("impatient")
def test_each_part_has_its_bar(pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    for number in range(5):
        shutil.copy(pictures / "b" / f"{number}.png", tmp_path)
    data = UnpairedData(a=pictures / "a", b=tmp_path, size_px=16, cache=tmp_path / "cache")
    with PreparingBar(quiet=False) as bar:
        data.open(0, "cpu", bar)
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith("preparing images · 14.3 % · 1/7 images")
    shown = dict.fromkeys(line.split(" · ")[2] for line in said)  # the last of a part is shown twice
    assert list(shown) == [f"{done}/{total} images" for total in (7, 5) for done in range(1, total + 1)]
    with PreparingBar(quiet=False) as bar:
        data.open(0, "cpu", bar)
    assert not capsys.readouterr().err, "they are there already"


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("quiet", [True, False])
def test_a_run_shows_it_unless_it_is_quiet(quiet, tiny, tmp_path, capsys):
    train(tiny("pix2pix", tmp_path / "run", images=1, cache=tmp_path / "cache"), quiet=quiet)
    said = capsys.readouterr().err
    assert ("preparing images" in said) == (not quiet)
    if not quiet:
        first, second, *_ = said.splitlines()
        assert first.startswith("pix2pix on ")
        assert "32-true" in first
        assert second.startswith("preparing images")
        assert said.count("pix2pix on") == 1


def test_what_takes_but_a_moment_shows_no_bar(tiny, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("viceversa.training.bar._PRINT_EVERY_SECONDS", 0.0)
    monkeypatch.setattr("viceversa.training.bar._MOMENT_SECONDS", 1000.0)  # on this machine, as busy as it may be
    train(tiny("pix2pix", tmp_path / "run", images=1, cache=tmp_path / "cache"))
    assert "preparing" not in capsys.readouterr().err
