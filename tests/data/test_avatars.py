"""The built-in avatars: the same in every process, alike where they must be, plainly different where they must be."""

import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from PIL import Image

from viceversa.data import avatars
from viceversa.data.avatars import Domain, Identity
from viceversa.errors import ConfigError, DataError

SEEDS = range(24)
FINGERPRINT = """
import hashlib
from viceversa.data.avatars import Identity, draw
print(hashlib.sha256(b"".join(draw(Identity.from_seed(s), d, 64).tobytes()
      for s in (3, 77) for d in ("women", "men", "photo", "anime"))).hexdigest())
"""


def pixels(who: Identity, domain: Domain, size_px: int = 64) -> np.ndarray:
    return np.asarray(avatars.draw(who, domain, size_px))


def test_same_seed_gives_the_same_pixels_in_another_process():
    here = hashlib.sha256(
        b"".join(pixels(Identity.from_seed(s), d).tobytes() for s in (3, 77) for d in get_args(Domain))
    ).hexdigest()
    there = subprocess.run([sys.executable, "-c", FINGERPRINT], capture_output=True, text=True, check=True)
    assert there.stdout.strip() == here


@pytest.mark.parametrize("size_px", [16, 64, 100])
@pytest.mark.parametrize("domain", get_args(Domain))
def test_every_look_is_drawn_at_the_size_asked_for(domain, size_px):
    picture = avatars.draw(Identity.from_seed(1), domain, size_px)
    assert (picture.mode, picture.size) == ("RGB", (size_px, size_px))
    assert np.asarray(picture).std() > 20


def test_looks_of_one_person_all_differ():
    who = Identity.from_seed(5)
    looks = {domain: pixels(who, domain).astype(int) for domain in get_args(Domain)}
    assert (looks["photo"] == looks[who.gender]).all()
    for first, second in (("women", "men"), ("photo", "anime")):
        assert np.abs(looks[first] - looks[second]).mean() > 4


def test_people_differ():
    assert len({pixels(Identity.from_seed(seed), "photo", 32).tobytes() for seed in SEEDS}) == len(SEEDS)


def test_what_is_not_of_a_gender_is_equal_bit_by_bit():
    for seed in SEEDS:
        who = Identity.from_seed(seed)
        regions = avatars.attribute_regions(who, 64)
        difference = np.abs(pixels(who, "women").astype(int) - pixels(who, "men")).mean(axis=-1)
        equal = difference == 0
        # One pixel in from the edges, which a neighbouring part of the other drawing may touch.
        assert equal[shrunk(regions["background"])].all()
        assert equal[regions["background"]].mean() > 0.95
        # Hair of another length casts another shadow, lashes touch the eyes, and so on: alike, not equal.
        for name in avatars.STAYING:
            if regions[name].any():
                assert difference[regions[name]].mean() < 16, name


def test_gender_of_the_person_shows_in_photo_alone():
    woman, man = (replace(Identity.from_seed(9), gender=gender) for gender in ("women", "men"))
    assert (pixels(woman, "women") == pixels(man, "women")).all()
    assert (pixels(woman, "photo") != pixels(man, "photo")).any()


def test_regions_of_attributes():
    found = dict.fromkeys((*avatars.CHANGING, *avatars.STAYING), 0)
    for seed in SEEDS:
        who = Identity.from_seed(seed)
        regions = avatars.attribute_regions(who, 64)
        difference = np.abs(pixels(who, "women").astype(int) - pixels(who, "men")).max(axis=-1)
        for name, region in regions.items():
            assert region.shape == (64, 64)
            assert region.dtype == bool
            found[name] += bool(region.sum() >= 4)
        assert difference[regions["hair length"]].mean() > 25
        assert regions["glasses"].any() == (who.glasses != "none")
        staying = np.logical_or.reduce([regions[name] for name in avatars.STAYING])
        changing = np.logical_or.reduce([regions[name] for name in ("hair length", "beard", "neckline")])
        assert not (staying & changing).any()
    assert 0 < found.pop("glasses") < len(SEEDS)
    assert set(found.values()) == {len(SEEDS)}


def test_dataset_on_disk(tmp_path):
    root = avatars.write_dataset(tmp_path / "data", count=5, test=3, size_px=32, seed=4)
    assert {path.name: len(list(path.glob("*.png"))) for path in root.iterdir() if path.name[0] == "t"} == {
        "trainA": 5, "trainB": 5, "testA": 3, "testB": 3, "truth": 0,
    }  # fmt: skip
    about = json.loads((root / "avatars.json").read_text())
    assert (about["version"], about["domains"], about["seed"]) == (1, ["women", "men"], 4)
    people = [seed for seeds in about["identities"].values() for seed in seeds]
    assert len(set(people)) == len(people) == 16

    for side, domain in (("A", "women"), ("B", "men")):
        for place, name in ((f"train{side}", domain), (f"test{side}", domain)):
            who = Identity.from_seed(about["identities"][place][2])
            with Image.open(root / place / "00002.png") as picture:
                assert (np.asarray(picture) == pixels(who, name, 32)).all()
        truth = avatars.load_truth(root, side)
        other = "men" if domain == "women" else "women"
        assert truth.inputs.shape == truth.truths.shape == (3, 32, 32, 3)
        assert (truth.truths[1] == pixels(truth.identities[1], other, 32)).all()
        assert [path.name for path in sorted((root / "truth" / f"test{side}").iterdir())] == list(truth.names)


def test_dataset_is_written_once(tmp_path):
    settings = {"count": 2, "test": 1, "size_px": 16, "domains": ("photo", "anime")}
    root = avatars.write_dataset(tmp_path / "data", **settings)
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    assert avatars.write_dataset(root, **settings) == root
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before
    assert list(tmp_path.iterdir()) == [root]  # nothing is left beside it


def test_seed_changes_everybody(tmp_path):
    for seed in (0, 1):
        avatars.write_dataset(tmp_path / str(seed), count=2, test=0, size_px=16, seed=seed)
    assert (tmp_path / "0/trainA/00000.png").read_bytes() != (tmp_path / "1/trainA/00000.png").read_bytes()


def test_other_files_are_never_replaced(tmp_path):
    avatars.write_dataset(tmp_path / "data", count=1, test=0, size_px=16)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    for name in ("data", "mine"):
        with pytest.raises(DataError, match=f"{name} already holds something else"):
            avatars.write_dataset(tmp_path / name, count=2, test=0, size_px=16)
    assert (tmp_path / "mine" / "notes.txt").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "mine"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"domains": ("women", "cats")}, "two different domains of women, men, photo, anime; got women, cats"),
        ({"domains": ("men", "men")}, "two different domains"),
        ({"count": 0}, "at least 1 image"),
        ({"size_px": 8}, "16 to 2048"),
    ],
)
def test_settings_that_cannot_be(tmp_path, settings, words):
    with pytest.raises(ConfigError, match=words):
        avatars.write_dataset(tmp_path / "data", **settings)
    assert not (tmp_path / "data").exists()


def test_truth_of_another_folder(tmp_path):
    with pytest.raises(DataError, match=r"avatars\.json"):
        avatars.load_truth(tmp_path, "A")


def shrunk(mask: np.ndarray) -> np.ndarray:
    padded = np.pad(mask, 1, constant_values=True)
    return np.logical_and.reduce([padded[y : y + len(mask), x : x + len(mask)] for y in range(3) for x in range(3)])
