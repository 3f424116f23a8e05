"""What a step will cost on this machine, before the first one: counted without computing, times a probe's speed."""

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import DataDependentOutputException, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from viceversa.methods import Iteration
from viceversa.training.trainer import Trainer

_LATE = 10**6  # far into the run, when what is done only at its start is over
_BACKWARD = 1.2  # a step's operations take so much longer each than those of a forward pass alone
_TRACED = 64  # images; beyond, cost grows by the same amount with each, and pools look at each by itself
_PROBE_BYTES = 2**27  # of activations that a probe may ask for: nobody knows yet whether a batch fits into memory


@dataclass(frozen=True)
class Cost:
    """The cost of one iteration of a trainer."""

    flops: int
    """Floating-point operations of convolutions and matrix products, forward and backward."""
    saved_bytes: int
    """Activations that the larger of its updates keeps for its backward pass."""


@dataclass(frozen=True)
class Estimate:
    """What an iteration is expected to take."""

    seconds_per_step: float
    memory_bytes: int
    further_bytes: int
    """Of these, what the process does not have yet before the first iteration."""


def of(trainer: Trainer, clock: Callable[[], float] = time.perf_counter) -> Estimate | None:
    """Expected time and memory of an iteration on this machine; takes a few forward passes, which ``clock`` times.

    None where it cannot be known.
    """
    device = trainer.fabric.device
    try:
        cost = _whole(trainer)
    except DataDependentOutputException:  # a method that looks at its tensors cannot be traced without their content
        return None
    probe = max(1, min(trainer.batch_images, _PROBE_BYTES * trainer.batch_images // max(cost.saved_bytes, 1)))
    seconds = cost.flops * _seconds_per_flop(trainer, probe, clock) * _BACKWARD
    weights = sum(p.numel() * p.element_size() for params in trainer.parameters.values() for p in params)
    averaged = sum(p.numel() * p.element_size() for p in trainer.averaged.parameters())
    buffers = sum(b.numel() * b.element_size() for b in trainer.method.buffers())
    program = 600 * 2**20 if device.type == "cpu" else 800 * 2**20  # Python, torch and their libraries
    memory = program + 4 * weights + averaged + buffers + cost.saved_bytes  # weights, gradients, Adam's two means
    return Estimate(seconds, memory, 3 * weights + cost.saved_bytes)


def _whole(trainer: Trainer) -> Cost:
    """The cost of an iteration; that of a large batch follows from two smaller ones."""
    images = trainer.batch_images
    if images <= _TRACED:
        return trace(trainer)
    less, more = trace(trainer, _TRACED // 2), trace(trainer, _TRACED)
    beyond = (images - _TRACED) / (_TRACED - _TRACED // 2)
    return Cost(
        more.flops + round((more.flops - less.flops) * beyond),
        more.saved_bytes + round((more.saved_bytes - less.saved_bytes) * beyond),
    )


def trace(trainer: Trainer, images: int | None = None) -> Cost:
    """Counts an iteration's operations on tensors without content: nothing is computed, no state changes.

    ``images`` instead of the batch's own number.
    """
    method, parts = trainer.method, trainer.config.accumulate
    middle = trainer.total_images // 2  # the first images may be another phase's
    example = [trainer.cast(side) for side in trainer.pictures.batch(torch.zeros(1, dtype=torch.int64))]
    device, count = trainer.fabric.device, images or trainer.batch_images
    saved: list[int] = [0]
    calls = _Calls()
    with FakeTensorMode(allow_non_fake_inputs=True) as mode, calls:
        state: dict[str, Tensor] = {
            name: mode.from_tensor(value) for name, value in [*method.named_parameters(), *method.named_buffers()]
        }
        batch = tuple(torch.empty(count, *side.shape[1:], device=device, dtype=side.dtype) for side in example)
        positions = torch.zeros(count, dtype=torch.int64, device=device)
        with torch.nn.utils.stateless._reparametrize_module(method, state):  # pyright: ignore[reportPrivateUsage]
            steps = itertools.chain.from_iterable(
                method.step(batch, Iteration(0, positions, number=number, images=middle))
                for number in range(_LATE * method.period, (_LATE + 1) * method.period)
            )
            while True:
                held: dict[int, int] = {}

                def keep(tensor: Tensor, held: dict[int, int] = held) -> Tensor:
                    storage = tensor.untyped_storage()
                    held[id(storage)] = storage.nbytes()
                    return tensor

                with trainer.fabric.autocast(), torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
                    update = next(steps, None)
                if update is None:
                    break
                saved.append(sum(held.values()))
                trained = [p for network in method.groups()[update.group] for p in network.parameters()]
                torch.autograd.grad(torch.stack(list(update.terms.values())).sum(), trained, allow_unused=True)
    return Cost(calls.flops * parts // method.period, max(saved))


def _seconds_per_flop(trainer: Trainer, images: int, clock: Callable[[], float]) -> float:
    """What an operation of the generators takes here, at these sizes: their preview of ``images``, timed."""
    batch = tuple(trainer.cast(side) for side in trainer.pictures.batch(torch.arange(images)))
    generators, device = trainer.averaged.generators(), trainer.fabric.device

    def preview() -> float:
        _wait(device)
        start = clock()
        with torch.no_grad(), trainer.fabric.autocast():
            trainer.method.preview(generators, batch)
        _wait(device)
        return clock() - start

    with _Calls() as calls:
        seconds = preview()
    for _ in range(3 if seconds < 1 else 0):  # the first was slower: it made ready what the others find
        seconds = min(seconds, preview())
    return seconds / max(calls.flops, 1)


class _Calls(TorchDispatchMode):
    """Counts floating-point operations: torch's own FlopCounterMode stumbles over gradient penalties."""

    def __init__(self) -> None:
        super().__init__()
        self.flops = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # pyright: ignore
        result = func(*args, **(kwargs or {}))
        if count := flop_registry.get(func.overloadpacket):
            self.flops += count(*args, **(kwargs or {}), out_val=result)
        return result


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
