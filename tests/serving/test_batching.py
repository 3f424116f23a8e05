"""Images that wait together are computed together, and come out as if each had been alone."""

import threading
import time
from concurrent.futures import wait

import numpy as np
import pytest
import torch
from torch import nn

from viceversa.inference.applied import Applied
from viceversa.inference.translator import Translator
from viceversa.serving.batching import Batcher

DOMAINS = {"a": "women", "b": "men"}


def levels(x: torch.Tensor) -> np.ndarray:
    return ((x + 1) * 127.5).round().clamp(0, 255).numpy()


def tensors(count: int, height: int = 16, width: int = 12) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(count)
    return [torch.rand(3, height, width, generator=generator) * 2 - 1 for _ in range(count)]


@pytest.fixture
def busy(held):
    """A batcher whose thread is held by a first image of another size; what comes now gathers."""
    applied = Translator({"a2b": held}, domains=DOMAINS, size_px=32).applied()
    seen: list[int] = []
    batcher = Batcher(4, lambda applied, pictures, seconds: seen.append(pictures))
    first = batcher.submit(applied, tensors(1, 8, 8)[0])
    for _ in range(500):
        if batcher.waiting == 0:
            break
        time.sleep(0.01)
    yield batcher, applied, held, seen
    held.go.set()
    batcher.close()
    assert first.done()


def test_what_waits_is_computed_together_and_equals_what_is_computed_alone(busy):
    batcher, applied, held, seen = busy
    given = tensors(6)
    futures = [batcher.submit(applied, x) for x in given]
    assert batcher.waiting == 6
    held.go.set()
    answers = [future.result(20) for future in futures]
    assert seen == [1, 4, 2]
    for x, answer in zip(given, answers, strict=True):
        alone = applied(x[None])[0]
        assert np.abs(levels(answer) - levels(alone)).max() <= 1
    assert np.abs(levels(answers[0]) - levels(answers[1])).mean() > 5  # each has its own


def test_only_pictures_of_one_size_and_network_are_computed_together(busy):
    batcher, applied, held, seen = busy
    other = Translator({"a2b": held}, domains=DOMAINS, size_px=32).applied()
    wide, tall = tensors(3, 12, 16), tensors(2, 16, 12)
    order = [(applied, wide[0]), (applied, tall[0]), (applied, wide[1]), (other, wide[2]), (applied, tall[1])]
    futures = [batcher.submit(network, x) for network, x in order]
    held.go.set()
    assert [future.result(20).shape for future in futures] == [x.shape for _, x in order]
    assert seen == [1, 2, 2, 1]
    assert [shape[0] for shape in held.sizes] == [1, 2, 2, 1]


def test_what_is_given_up_is_not_computed(busy):
    batcher, applied, held, seen = busy
    futures = [batcher.submit(applied, x) for x in tensors(3)]
    assert futures[1].cancel()
    held.go.set()
    wait(futures, timeout=300)
    assert seen == [1, 2]


def test_what_is_given_up_does_not_stay_in_memory(busy):
    batcher, applied, held, _ = busy
    futures = [batcher.submit(applied, x) for x in tensors(3)]
    for future in futures:
        assert future.cancel()
    last = batcher.submit(applied, tensors(1)[0])
    assert batcher.waiting == 1
    held.go.set()
    assert last.result(20).shape == (3, 16, 12)


class TooFull(nn.Module):
    """A network that has memory for one image at a time, and for none that is black."""

    def __init__(self, inner):
        super().__init__()
        self.inner, self.config, self.multiple = inner, inner.config, inner.multiple
        self.go = threading.Event()

    def forward(self, x):
        assert self.go.wait(300)
        if len(x) > 1 or x.max() == -1:
            raise MemoryError
        return self.inner(x)


def test_a_batch_that_fails_is_done_one_by_one_and_one_failure_is_nobody_elses(held):
    network = TooFull(held.inner)
    applied = Applied(network, torch.device("cpu"), None)
    batcher = Batcher(4)
    first = batcher.submit(applied, tensors(1, 8, 8)[0])
    x = tensors(2)
    futures = [batcher.submit(applied, one) for one in (x[0], torch.full_like(x[0], -1), x[1])]
    network.go.set()
    assert first.result(20) is not None
    assert futures[0].result(20).shape == futures[2].result(20).shape == (3, 16, 12)
    assert isinstance(futures[1].exception(20), MemoryError)
    batcher.close()


def test_closing_finishes_what_was_submitted(busy):
    batcher, applied, held, _ = busy
    futures = [batcher.submit(applied, x) for x in tensors(5)]
    threading.Timer(0.05, held.go.set).start()
    batcher.close()
    assert all(future.done() and not future.exception() for future in futures)
    with pytest.raises(RuntimeError, match="closed"):
        batcher.submit(applied, tensors(1)[0])
