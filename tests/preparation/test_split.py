"""Scenes for testing, and balance of brightness."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from viceversa.preparation import balance
from viceversa.preparation.split import joined, split


@settings(max_examples=100, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 12), min_size=1, max_size=30),
    share=st.floats(0, 0.5),
    seed=st.integers(0, 3),
    settled=st.integers(0, 3),
)
def test_groups_stay_whole_and_the_share_is_kept(sizes, share, seed, settled):
    groups = [f"g{number}" for number, size in enumerate(sizes) for _ in range(size)]
    decided = {f"g{number}": "test" if number % 2 else "train" for number in range(min(settled, len(sizes)))}
    sides = split(groups, decided, share, seed)
    assert set(sides) == set(groups)
    assert all(sides[group] == side for group, side in decided.items())
    tested = sum(sides[group] == "test" for group in groups if group not in decided)
    assert tested <= max(round(share * len(groups)), len(groups) / 2)
    assert share > 0 or not tested
    assert "train" in sides.values()
    assert sides == split(groups, decided, share, seed)


def test_what_is_for_testing_depends_on_the_seed_and_on_names_only():
    groups = [f"g{number}" for number in range(50)]
    first = split(groups, {}, 0.2, 0)
    assert sum(side == "test" for side in first.values()) == 10
    assert split(groups[::-1], {}, 0.2, 0) == first
    assert split(groups, {}, 0.2, 1) != first


def test_one_large_scene_is_not_given_away():
    assert split(["a"] * 50, {}, 0.1, 0) == {"a": "train"}
    assert split(["a"] * 9 + ["b"] * 8, {}, 0.1, 0) == {"a": "train", "b": "test"}


def test_scenes_that_show_the_same_are_one_group():
    groups = joined([("a", "b"), ("c", "d"), ("b", "c"), ("x", "y")])
    assert len({groups.find(name) for name in "abcd"}) == 1
    assert groups.find("x") == groups.find("y") != groups.find("a")
    assert groups.find("z") == "z"
    assert joined({(4, 9), (9, 2), (5, 6)}).members() == [[2, 4, 9], [5, 6]]


def test_balance_takes_from_the_bins_that_have_too_much():
    random = np.random.default_rng(0)
    dark, light = random.uniform(30, 60, 300), random.uniform(150, 200, 100)
    brightness = np.concatenate([dark, light])
    sharpness = random.uniform(5, 500, 400)
    like = np.concatenate([random.uniform(30, 60, 50), random.uniform(150, 200, 150)])
    gone = balance.thin(brightness.tolist(), sharpness.tolist(), like.tolist())
    left = [place for place in range(400) if place not in gone]
    assert all(place < 300 for place in gone)  # only dark ones
    share = np.mean([brightness[place] < 64 for place in left])
    assert share == pytest.approx(1.5 * 0.25 + 2 * 0.02, abs=0.05)  # two bins: 32 to 64
    for low in (0, 32, 64):  # of each bin the sharpest stay
        bin_left = [sharpness[p] for p in left if low <= brightness[p] < low + 32]
        bin_gone = [sharpness[p] for p in gone if low <= brightness[p] < low + 32]
        assert not bin_left or not bin_gone or min(bin_left) >= max(bin_gone)


def test_balance_leaves_what_is_alike_and_never_takes_nearly_all():
    level = np.linspace(0, 255, 64).tolist()
    assert balance.thin(level, level, level) == set()
    assert len(balance.thin([10.0] * 40, [1.0] * 40, [200.0] * 40)) == 30
