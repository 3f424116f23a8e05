"""Randomness as a pure function of (seed, stream, position): nothing depends on where a generator stands.

A counter-based generator: the finaliser of SplitMix64 (Steele, Lea and Flood, OOPSLA 2014) over a mixture of the seed,
the name of the stream and the position of the sample. It is made of integer tensor operations, so one call makes the
numbers of a whole batch, on any device, and every device gives the same bits.
"""

import hashlib
import math

import numpy as np
import torch
from torch import Tensor

_GOLDEN = -0x61C8864680B583EB  # 0x9E3779B97F4A7C15 as a signed 64-bit number
_MIX_1 = -0x40A7B892E31B1A47  # 0xBF58476D1CE4E5B9
_MIX_2 = -0x6B2FB644ECCEEE15  # 0x94D049BB133111EB


def derive(seed: int, *names: int | str) -> int:
    """A 63-bit seed from ``seed`` and any names: the same names always give the same number."""
    text = "/".join(str(part) for part in (seed, *names)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") >> 1


def seed_torch(seed: int, device: torch.device) -> None:
    """Seed torch's own generators of the CPU and of ``device``.

    ``torch.manual_seed`` does so for every kind of GPU that torch knows, and takes longer than a small network's step.
    """
    torch.default_generator.manual_seed(seed)
    if device.type != "cpu":
        getattr(torch, device.type).manual_seed(seed)


def bits(seed: int, stream: str, positions: Tensor, count: int) -> Tensor:
    """``(N, count)`` int64 numbers of 63 random bits for ``positions`` ``(N,)`` int64, on the positions' device."""
    counters = torch.arange(1, count + 1, device=positions.device, dtype=torch.int64)
    keys = _finalise(positions + derive(seed, stream))
    return _finalise(keys[:, None] + counters * _GOLDEN) & 0x7FFFFFFFFFFFFFFF


def uniform(seed: int, stream: str, positions: Tensor, shape: tuple[int, ...] = ()) -> Tensor:
    """``(N, *shape)`` float32 in [0, 1)."""
    drawn = bits(seed, stream, positions, math.prod(shape))
    return ((drawn >> 39).to(torch.float32) * 2.0**-24).reshape(len(positions), *shape)


def normal(seed: int, stream: str, positions: Tensor, shape: tuple[int, ...] = ()) -> Tensor:
    """``(N, *shape)`` float32 from the standard normal distribution (Box and Muller, 1958)."""
    drawn = uniform(seed, stream, positions, (2, math.prod(shape)))
    radius = torch.sqrt(-2 * torch.log1p(-drawn[:, 0]))
    return (radius * torch.cos(2 * math.pi * drawn[:, 1])).reshape(len(positions), *shape)


def integers(seed: int, stream: str, positions: Tensor, high: int) -> Tensor:
    """``(N,)`` int64 in [0, high)."""
    return bits(seed, stream, positions, 1)[:, 0] % high


def permutation(seed: int, stream: str, epoch: int, count: int) -> np.ndarray:
    """A permutation of ``range(count)``, one for each epoch."""
    return np.random.Generator(np.random.Philox(derive(seed, stream, epoch))).permutation(count)


def _finalise(x: Tensor) -> Tensor:
    x = (x ^ _shift(x, 30)) * _MIX_1
    x = (x ^ _shift(x, 27)) * _MIX_2
    return x ^ _shift(x, 31)


def _shift(x: Tensor, by: int) -> Tensor:
    """Logical right shift of int64 (torch's is arithmetic)."""
    return (x >> by) & ((1 << (64 - by)) - 1)
