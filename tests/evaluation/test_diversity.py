"""Collapse is seen in the outputs, and said in the report."""

import json

import pytest
import torch

from viceversa.evaluation.diversity import diversity
from viceversa.methods import Preview
from viceversa.training.findings import findings

VARIED = torch.rand(8, 3, 16, 16, generator=torch.Generator().manual_seed(1)) * 2 - 1
SAME = VARIED[:1].expand(8, -1, -1, -1)


def test_outputs_that_vary_as_their_inputs_do_have_diversity_one():
    assert diversity(Preview(("input", "output"), [(VARIED, VARIED.flip(0))]), ()) == pytest.approx(1)
    assert diversity(Preview(("input", "output"), [(VARIED, VARIED / 4)]), ()) == pytest.approx(0.25)


def test_one_output_for_everything_has_none():
    assert diversity(Preview(("input", "output"), [(VARIED, SAME)]), ()) == 0
    assert diversity(Preview(("input", "output"), [(VARIED, SAME), (VARIED, VARIED)]), ()) == pytest.approx(0.5)


def test_pictures_from_noise_are_compared_with_real_ones():
    columns = tuple(VARIED.chunk(4))
    assert diversity(Preview(("",) * 4, [columns], from_noise=True), (2 * VARIED,)) == pytest.approx(0.5)


def test_sides_of_all_sizes_can_be_compared_on_an_apple_gpu(on_apple):
    x = on_apple(torch.nn.functional.interpolate(VARIED, size=48))
    assert diversity(Preview(("input", "output"), [(x, x / 4)]), ()) == pytest.approx(0.25)


def test_nothing_to_compare_is_no_collapse():
    assert diversity(Preview(("input", "output"), [(SAME, VARIED)]), ()) == 1
    assert diversity(Preview(("input", "output"), [(VARIED[:1], VARIED[:1])]), ()) == 1


@pytest.mark.parametrize(("last", "said"), [(0.05, True), (0.8, False)])
def test_the_report_warns_of_collapse_in_words(last, said):
    lines = [json.loads(json.dumps({"images": k, "metrics": {"diversity": 0.8 if k < 9 else last}})) for k in range(12)]
    found = [text for text in findings(lines) if text.startswith("Collapse")]
    assert bool(found) == said
    assert not said or "only 5% as much" in found[0]


def alike(images: int, *, total: int, best: float = 0.01) -> str:
    values = [0.01, best, *[0.01] * 10]
    lines = [{"images": images * k // 12, "metrics": {"diversity": v}} for k, v in enumerate(values, 1)]
    (found,) = findings(lines, total)
    return found


def test_outputs_that_never_varied_are_a_collapse_only_late_in_a_run():
    for images, total in (640, 640), (640, 100_000), (40_000, 100_000):
        assert alike(images, total=total).startswith("Not varied yet: the outputs differ from one another only 1%")
    late = alike(60_000, total=100_000)
    assert late.startswith("Collapse")
    assert "earlier checkpoint" not in late, "none of them is better"
    fallen = alike(640, total=640, best=0.7)
    assert fallen.startswith("Collapse")
    assert "Take an earlier checkpoint" in fallen


def test_outputs_that_are_alike_at_the_start_only_are_no_collapse():
    assert not findings([{"images": k, "metrics": {"diversity": 0.01}} for k in range(5)])
