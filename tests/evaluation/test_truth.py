"""The measure against the truth, on real avatars."""

import json

import numpy as np
import pytest

from viceversa.data import avatars
from viceversa.data.avatars import Identity
from viceversa.errors import DataError
from viceversa.evaluation.truth import measure


@pytest.fixture(scope="module")
def people():
    """Women, the same people as men, and where to look for what."""
    identities = [Identity.from_seed(seed) for seed in range(40)]
    women, men = (
        np.stack([np.asarray(avatars.draw(who, domain, 64)) for who in identities]) for domain in ("women", "men")
    )
    return women, men, [avatars.attribute_regions(who, 64) for who in identities]


def rates(report, must):
    return {reading.name: reading.rate for reading in report.attributes if reading.must == must}


@pytest.mark.parametrize("direction", [1, -1])
def test_the_truth_itself(people, direction):
    inputs, truths = people[:2][::direction]
    report = measure(inputs, truths, truths, people[2])
    assert (report.changed, report.stayed) == (1.0, 1.0)
    for region in (report.changing, report.staying, report.whole):
        assert (region.error, region.closed) == (0.0, 1.0)
    assert rates(report, "change") == dict.fromkeys(avatars.CHANGING, 1.0)
    assert rates(report, "stay") == dict.fromkeys(avatars.STAYING, 1.0)
    assert all(reading.people > 30 for reading in report.attributes if reading.name != "glasses")


@pytest.mark.parametrize("direction", [1, -1])
def test_doing_nothing(people, direction):
    inputs, truths = people[:2][::direction]
    report = measure(inputs, inputs, truths, people[2])
    assert (report.changed, report.stayed) == (0.0, 1.0)
    for region in (report.changing, report.staying, report.whole):
        assert region.error == region.nothing > 0
        assert region.closed == 0
    assert rates(report, "change") == dict.fromkeys(avatars.CHANGING, 0.0)
    assert rates(report, "stay") == dict.fromkeys(avatars.STAYING, 1.0)


def test_grey_pictures_keep_nothing(people):
    inputs, truths, regions = people
    report = measure(inputs, np.full_like(inputs, 128), truths, regions)
    assert rates(report, "stay") == dict.fromkeys(avatars.STAYING, 0.0)
    assert report.stayed < 0.1
    assert report.whole.closed < 0


def test_half_way_closes_half_of_the_gap(people):
    inputs, truths, _ = people
    half = ((inputs.astype(int) + truths) // 2).astype(np.uint8)
    assert measure(inputs, half, truths).changing.closed == pytest.approx(0.5, abs=0.02)


def test_one_attribute_alone(people):
    inputs, truths, regions = people
    outputs = inputs.copy()
    for output, truth, region in zip(outputs, truths, regions, strict=True):
        output[region["beard"]] = truth[region["beard"]]
    changes = rates(measure(inputs, outputs, truths, regions), "change")
    assert changes["beard"] == 1.0
    assert max(rate for name, rate in changes.items() if name != "beard") < 0.5


def test_another_background_is_seen(people):
    inputs, truths, regions = people
    outputs = truths.copy()
    for output, region in zip(outputs, regions, strict=True):
        output[region["background"]] = 255 - output[region["background"]]
    stays = rates(measure(inputs, outputs, truths, regions), "stay")
    assert stays == {**dict.fromkeys(avatars.STAYING, 1.0), "background": 0.0}


def test_regions_split_the_picture_and_the_error(people):
    inputs, truths, _ = people
    report = measure(inputs, np.full_like(inputs, 90), truths)
    assert report.changing.share + report.staying.share == pytest.approx(1.0)
    parts = sum(region.share * region.error for region in (report.changing, report.staying))
    assert parts == pytest.approx(report.whole.error)
    assert report.attributes == ()


def test_pictures_that_need_no_change(people):
    inputs = people[0][:2]
    report = measure(inputs, inputs, inputs)
    assert (report.changed, report.stayed, report.whole.closed) == (None, 1.0, None)
    assert report.changing.share == 0


def test_report_is_json(people):
    inputs, truths, regions = people
    report = measure(inputs, truths, truths, regions)
    values = json.loads(json.dumps(report.to_dict()))
    assert values["pictures"] == len(inputs)
    assert values["attributes"][0].keys() == {"name", "must", "rate", "people"}


def test_what_does_not_match(people):
    inputs, truths, regions = people
    with pytest.raises(DataError, match="equally many images of equal size"):
        measure(inputs, truths[:3], truths)
    with pytest.raises(DataError, match="got 2 for 40"):
        measure(inputs, truths, truths, regions[:2])
