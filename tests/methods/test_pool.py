"""The image pool against a plain one, written as the paper's authors did."""

import pytest
import torch

from viceversa.methods.pool import ImagePool
from viceversa.training.trainer import per_process, shared_buffers


class Plain:
    """Lists and conditions, one image at a time."""

    def __init__(self, capacity: int):
        self.capacity, self.stored = capacity, []

    def exchange(self, pictures: torch.Tensor, draws: torch.Tensor) -> torch.Tensor:
        given = []
        for picture, (swap, which) in zip(pictures, draws.tolist(), strict=True):
            if self.capacity == 0:
                given.append(picture)
            elif len(self.stored) < self.capacity:
                self.stored.append(picture)
                given.append(picture)
            elif swap > 0.5:
                place = int(which * self.capacity)
                given.append(self.stored[place])
                self.stored[place] = picture
            else:
                given.append(picture)
        return torch.stack(given)


@pytest.mark.parametrize("capacity", [0, 1, 3, 50])
@pytest.mark.parametrize("batch", [1, 2, 5])
def test_the_same_as_a_plain_one(capacity, batch):
    generator = torch.Generator().manual_seed(capacity + 100 * batch)
    pool, plain, swapped = ImagePool(capacity, 3, 4), Plain(capacity), 0
    for _ in range(200 // batch):
        fresh = torch.randn(batch, 3, 4, 4, generator=generator)
        draws = torch.rand(batch, 2, generator=generator)
        untouched = fresh.clone()
        given = pool.exchange(fresh, draws)
        assert torch.equal(given, plain.exchange(fresh, draws))
        assert torch.equal(fresh, untouched), "what came in is not written to"
        swapped += sum(not torch.equal(a, b) for a, b in zip(given, fresh, strict=True))
    assert int(pool.count) == len(plain.stored) == min(capacity, 200)
    for stored, expected in zip(pool.pictures, plain.stored, strict=True):
        assert torch.equal(stored, expected)
    if capacity:
        after_full = 200 - capacity
        assert 0.35 * after_full < swapped < 0.65 * after_full, "about every second one"


def test_extreme_draws_stay_within():
    pool = ImagePool(3, 1, 2)
    pictures = torch.arange(5.0).reshape(5, 1, 1, 1).expand(5, 1, 2, 2)
    largest = 1 - 2.0**-24
    draws = torch.tensor([[largest, largest]] * 5)
    given = pool.exchange(pictures, draws)
    assert given[:, 0, 0, 0].tolist() == [0, 1, 2, 2, 3]
    assert pool.pictures[:, 0, 0, 0].tolist() == [0, 1, 4]
    assert pool.exchange(pictures[3:4], torch.tensor([[0.5, 0.0]]))[0, 0, 0, 0] == 3, "one half is no swap"


def test_discriminators_get_no_gradient_into_generators():
    fresh = torch.randn(2, 3, 4, 4, requires_grad=True)
    for capacity in (0, 5):
        assert not ImagePool(capacity, 3, 4).exchange(fresh, torch.zeros(2, 2)).requires_grad


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_kinds_of_number(dtype):
    """Under autocast fakes are bfloat16, and the stored float32 holds them exactly."""
    pool = ImagePool(2, 1, 2).to(torch.float64 if dtype == torch.float64 else torch.float32)
    first, second = torch.randn(2, 1, 2, 2).to(dtype), torch.randn(2, 1, 2, 2).to(dtype)
    assert torch.equal(pool.exchange(first, torch.zeros(2, 2)), first)
    given = pool.exchange(second, torch.tensor([[0.9, 0.0], [0.9, 0.6]]))
    assert given.dtype == dtype
    assert torch.equal(given, first)


def test_all_state_is_buffers():
    pool = ImagePool(2, 1, 2)
    pool.exchange(torch.ones(1, 1, 2, 2), torch.zeros(1, 2))
    other = ImagePool(2, 1, 2)
    other.load_state_dict(pool.state_dict())
    fresh = torch.full((2, 1, 2, 2), 7.0)
    draws = torch.full((2, 2), 0.9)
    assert torch.equal(pool.exchange(fresh, draws), other.exchange(fresh, draws))
    assert torch.equal(pool.pictures, other.pictures)
    assert not list(pool.parameters())
    assert pool.per_process


def test_what_lies_within_a_pool_belongs_to_its_process_too():
    """Checkpoints always took it so; the averaging over processes once looked at the modules one by one."""
    method = torch.nn.Module()
    method.pool = ImagePool(2, 1, 4)
    method.pool.inner = torch.nn.BatchNorm2d(3)
    method.norm = torch.nn.BatchNorm2d(5)
    shared = {id(buffer) for buffer in shared_buffers(method)}
    assert shared == {id(buffer) for buffer in method.norm.buffers()}
    assert per_process(method) == ("pool.",)
