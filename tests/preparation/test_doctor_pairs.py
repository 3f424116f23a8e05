"""Pairs: what is wrong with some is found by name, and good ones give no finding."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from viceversa.errors import DataError
from viceversa.preparation.config import PrepareConfig
from viceversa.preparation.doctor import Diagnosis, examine, layout
from viceversa.preparation.prepare import prepare

from .doctoring import scene

pytest.importorskip("imagehash", reason="needs the extra prepare")

COUNT = 50


def halves(seed: int, right: int = 0, down: int = 0) -> tuple[Image.Image, Image.Image]:
    """A photograph and its drawing, which may lie beside it."""
    wide = scene(seed, 160, 160, cells=11)
    drawn = wide.convert("L").filter(ImageFilter.MedianFilter(5)).point(lambda level: 255 * (level > 110))
    return wide.crop((32, 32, 128, 128)), drawn.convert("RGB").crop((32 - right, 32 - down, 128 - right, 128 - down))


def side_by_side(folder: Path, seeds: range, right: int = 0) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        both = Image.new("RGB", (192, 96))
        for half, left in zip(halves(seed, right), (0, 96), strict=True):
            both.paste(half, (left, 0))
        both.save(folder / f"{seed}.png")


def two_folders(root: Path, names: range, shuffled: bool = False) -> tuple[Path, Path]:
    for side in "ab":
        (root / side).mkdir(parents=True)
    order = np.roll(np.array(names), 3) if shuffled else np.array(names)
    for name, seed in zip(names, order.tolist(), strict=True):
        halves(name)[0].save(root / "a" / f"{name}.png")
        halves(seed)[1].save(root / "b" / f"{name}.png")
    return root / "a", root / "b"


def codes(diagnosis: Diagnosis) -> list[str]:
    return [finding.code for finding in diagnosis.findings]


def test_good_pairs_are_recognised_and_give_no_findings(tmp_path):
    side_by_side(tmp_path / "train", range(COUNT))
    side_by_side(tmp_path / "val", range(COUNT, COUNT + 5))
    diagnosis = examine(tmp_path)
    assert codes(diagnosis) == []
    assert diagnosis.inspected.kind == "paired"
    assert diagnosis.inspected.layout.is_guessed
    assert [len(diagnosis.inspected.of(side, split)) for side in "AB" for split in ("train", "test")] == [
        COUNT,
        5,
        COUNT,
        5,
    ]


def test_misaligned_pairs(tmp_path):
    side_by_side(tmp_path, range(COUNT - 5))
    side_by_side(tmp_path, range(COUNT - 5, COUNT), right=6)
    (found,) = examine(tmp_path).findings
    assert found.code == "misaligned"
    assert found.what == "In 5 of 50 pairs the edges of B lie beside those of A (B lies 6 % right of A, in the middle)"
    assert {example.split()[0] for example in found.examples} == {f"{seed}.png" for seed in range(COUNT - 5, COUNT)}


def test_halves_of_unequal_size(tmp_path):
    a, b = two_folders(tmp_path, range(COUNT))
    Image.open(b / "7.png").resize((90, 96)).save(b / "7.png")
    (found,) = examine(a=a, b=b, kind="paired").findings
    assert (found.code, found.severity) == ("unequal", "problem")
    assert found.examples == (f"{a / '7.png'} (96 x 96 and 90 x 96 px)",)


def test_odd_width_side_by_side(tmp_path):
    side_by_side(tmp_path, range(COUNT))
    with Image.open(tmp_path / "9.png") as whole:
        whole.crop((0, 0, 191, 96)).save(tmp_path / "9.png")
    assert codes(examine(tmp_path)) == ["unequal"]


def test_names_without_partner(tmp_path):
    a, b = two_folders(tmp_path, range(COUNT + 1))
    (b / "3.png").rename(b / "three.png")
    (found,) = examine(a=a, b=b, kind="paired").findings
    assert (found.code, found.severity) == ("lonely", "problem")
    assert found.what == "2 images have no partner of the same name"
    assert set(found.examples) == {str(a / "3.png"), str(b / "three.png")}


def test_pairs_in_the_wrong_order(tmp_path):
    a, b = two_folders(tmp_path, range(COUNT), shuffled=True)
    assert "unrelated" in codes(examine(a=a, b=b, kind="paired"))


def test_no_partners_at_all(tmp_path):
    a, b = two_folders(tmp_path, range(4))
    for file in list(b.iterdir()):
        file.rename(b / f"{file.name}-other{file.suffix}")
    found = examine(a=a, b=b, kind="paired")
    (matched,) = (finding for finding in found.findings if finding.code == "matched")
    assert matched.what.startswith('Pairs were found by equal names without "')
    for number, file in enumerate(list(b.iterdir())):
        file.rename(b / f"{number + 90}{file.suffix}")
    with pytest.raises(DataError, match=r"No image of .* has a partner in .* --pair-suffix _A,_B"):
        examine(a=a, b=b, kind="paired")


def test_layouts_and_lists_that_training_takes(tmp_path):
    a, b = two_folders(tmp_path, range(4))
    for name, folder in ("A", a), ("B", b):
        (tmp_path / "set" / name).mkdir(parents=True)
        folder.rename(tmp_path / "set" / name / "train")
    inspected = examine(tmp_path / "set").inspected
    assert (inspected.kind, len(inspected.of("A")), len(inspected.of("B"))) == ("unpaired", 4, 4)
    assert inspected.pictures[0].name.startswith("A/train/")
    assert len(examine(tmp_path / "set", kind="paired").inspected.pairs) == 4
    lists: list[Path] = []
    for name in "AB":
        files = sorted((tmp_path / "set" / name / "train").iterdir())
        lists.append(tmp_path / f"{name}.txt")
        lists[-1].write_text("\n".join(map(str, files)))
    inspected = examine(a=lists[0], b=lists[1], kind="paired").inspected
    assert (len(inspected.pairs), inspected.layout.titles) == (4, {"A": "A", "B": "B"})


def test_a_pair_that_leaks_and_a_copy(tmp_path):
    side_by_side(tmp_path / "train", range(COUNT))
    side_by_side(tmp_path / "test", range(COUNT - 2, COUNT + 5))
    side_by_side(tmp_path / "train" / "again", range(3))
    diagnosis = examine(tmp_path)
    assert codes(diagnosis) == ["leak", "copies"]
    assert diagnosis.findings[0].what == "2 of 7 pairs for testing are among those for training too"
    assert diagnosis.findings[1].what.startswith("3 images are copies of others, byte for byte")


def test_a_folder_with_training_folders_may_hold_pairs(tmp_path):
    a, b = two_folders(tmp_path, range(COUNT))
    a.rename(tmp_path / "trainA")
    b.rename(tmp_path / "trainB")
    assert examine(tmp_path).inspected.kind == "unpaired"
    diagnosis = examine(tmp_path, kind="paired")
    assert diagnosis.inspected.kind == "paired"
    assert codes(diagnosis) == []


def test_prepared_pairs_that_are_no_squares_are_pairs(tmp_path):
    for side in "ab":
        (tmp_path / side).mkdir()
    for number in range(4):
        for side, half in zip("ab", halves(number), strict=True):
            half.save(tmp_path / side / f"{number}.png")
    settings = PrepareConfig(pair_with=tmp_path / "b", size_px=(32, 48), workers=1)
    summary = prepare(tmp_path / "a", tmp_path / "set", settings, progress=False)
    assert str(summary).count("by equal names") == 1, "said once"
    found = layout.find(tmp_path / "set", None, None)
    assert found.kind == "paired"
    assert {job.domain for job in found.jobs} == {"AB"}
