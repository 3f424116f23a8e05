import pytest
import torch
from torch import Tensor

from viceversa.data import augment
from viceversa.data.augment import crop_and_mirror

COUNT, SIDE, SIZE = 400, 9, 6


def coordinates(count: int = COUNT, side: int = SIDE) -> Tensor:
    """Images whose pixels say where they are: (row, column, image)."""
    rows = torch.arange(side).view(1, side, 1).expand(count, side, side)
    columns = torch.arange(side).view(1, 1, side).expand(count, side, side)
    which = (torch.arange(count) % 256).view(count, 1, 1).expand(count, side, side)
    return torch.stack([rows, columns, which], dim=3).to(torch.uint8)


def cut(positions: Tensor, **options: object) -> Tensor:
    settings = {"seed": 1, "stream": "a", **options}
    return crop_and_mirror(coordinates(len(positions)), SIZE, positions=positions, **settings)


def test_windows_are_whole_and_everywhere():
    windows = cut(torch.arange(COUNT)).long()
    assert windows.shape == (COUNT, SIZE, SIZE, 3)
    top, left = windows[:, 0, 0, 0], windows[:, 0, :, 1].min(dim=1).values
    steps = windows[:, 0, 1, 1] - windows[:, 0, 0, 1]
    assert set(steps.tolist()) == {1, -1}
    assert 140 < (steps == -1).sum() < 260, "half of them are mirrored"
    assert set(zip(top.tolist(), left.tolist(), strict=True)) == {(y, x) for y in range(4) for x in range(4)}
    along = torch.arange(SIZE)
    assert torch.equal(windows[..., 0], (top[:, None] + along)[:, :, None].expand(-1, -1, SIZE))
    across = torch.where(steps[:, None] == 1, left[:, None] + along, left[:, None] + along.flip(0))
    assert torch.equal(windows[..., 1], across[:, None, :].expand(-1, SIZE, -1))
    assert torch.equal(windows[:, 0, 0, 2], torch.arange(COUNT) % 256), "each from its own image"


def test_windows_are_where_they_always_were():
    """Runs that were begun long ago go on with the same samples."""
    corners, mirrored = augment.choose(1, "a", torch.arange(4), torch.tensor([4, 4]), mirror=True)
    assert corners.tolist() == [[0, 1], [2, 3], [1, 0], [2, 1]]
    assert mirrored.tolist() == [True, False, False, True]
    windows = cut(torch.arange(4)).long()
    assert windows[:, 0, 0, 0].tolist() == [0, 2, 1, 2]
    assert windows[:, 0, :, 1].min(dim=1).values.tolist() == [1, 3, 0, 1]


def test_no_mirror():
    assert (cut(torch.arange(COUNT), mirror=False)[:, 0].long().diff(dim=1)[..., 1] == 1).all()


def test_without_margin_only_the_mirror_is_left():
    pictures = coordinates()
    windows = crop_and_mirror(pictures, SIDE, seed=0, stream="a", positions=torch.arange(COUNT))
    same = (windows == pictures).flatten(1).all(1)
    assert torch.equal(windows[~same], pictures[~same].flip(2))
    assert 140 < same.sum() < 260


def test_a_window_depends_on_its_position_alone():
    positions = torch.arange(1000, 1000 + COUNT)
    order = torch.randperm(COUNT, generator=torch.Generator().manual_seed(0))
    together = cut(positions)[..., :2]
    assert torch.equal(cut(positions[order])[..., :2], together[order])
    assert torch.equal(torch.cat([cut(part)[..., :2] for part in positions.split(7)]), together)


@pytest.mark.parametrize("other", [{"seed": 2}, {"stream": "b"}])
def test_other_seeds_and_streams_give_other_windows(other: dict[str, object]):
    positions = torch.arange(COUNT)
    same = (cut(positions) == cut(positions, **other)).flatten(1).all(1)
    assert same.sum() < COUNT / 8


def test_both_ways_of_cutting_are_equal():
    generator = torch.Generator().manual_seed(0)
    size = SIZE, SIZE - 2
    corners = torch.randint(0, SIDE - SIZE + 1, (COUNT, 2), generator=generator)
    mirrored = torch.rand(COUNT, generator=generator) < 0.5
    arguments = coordinates(), size, corners, mirrored
    assert torch.equal(augment._by_slices(*arguments), augment._by_index(*arguments))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_cuts_the_same_windows():
    positions = torch.arange(COUNT)
    there = crop_and_mirror(coordinates().cuda(), SIZE, seed=1, stream="a", positions=positions)
    assert torch.equal(there.cpu(), cut(positions))
