"""The vectors that a sampler makes images of: drawn from a seed, between two others, along one entry.

Everything is computed on the CPU, so a seed means the same image whatever device makes it.
"""

from collections.abc import Sequence
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from viceversa import seeding
from viceversa.errors import ConfigError
from viceversa.networks import LatentConfig

How: TypeAlias = Literal["spherical", "linear"]
STEPS = 10
_PARALLEL = 1e-4  # radians: below it the two formulas differ by less than float32 can tell


def draw(
    space: LatentConfig,
    positions: Tensor,
    seed: int,
    labels: Tensor | None = None,
    codes: Sequence[float] | None = None,
) -> Tensor:
    """``(N, inputs)``: for each position its own noise, and its own class and codes where they are not given.

    Args:
        space: What the generator takes.
        positions: ``(N,)`` int64: the numbers of the images.
        seed: With another seed, all is drawn anew.
        labels: ``(N,)`` int64.
        codes: One number a continuous code, for all images.
    """
    if space.prior == "normal":
        noise = seeding.normal(seed, "latents", positions, (space.latent,))
    else:
        noise = 2 * seeding.uniform(seed, "latents", positions, (space.latent,)) - 1
    if space.classes and labels is None:
        labels = seeding.integers(seed, "labels", positions, space.classes)
    drawn = None
    if space.codes and codes is not None:
        drawn = torch.tensor(list(codes)).expand(len(positions), -1)
    elif space.codes:
        drawn = 2 * seeding.uniform(seed, "codes", positions, (space.codes,)) - 1
    return space.join(noise, labels, drawn)


def between(space: LatentConfig, first: Tensor, second: Tensor, shares: Tensor, how: How | None = None) -> Tensor:
    """``(steps, inputs)``: from ``first`` (share 0) to ``second`` (share 1), both ``(inputs,)``.

    Gaussian noise lies near a sphere, whose inside the generator has never seen: so it is led along the sphere unless
    ``how`` says otherwise (White 2016, arXiv 1609.04468, Sec. 2.1). Uniform noise, classes and codes go straight.
    """
    how = how or ("spherical" if space.prior == "normal" else "linear")
    shares = shares[:, None]
    straight = torch.lerp(first, second, shares)  # exact at both ends
    if how == "linear":
        return straight
    noise = slerp(first[: space.latent], second[: space.latent], shares)
    return torch.cat([noise, straight[:, space.latent :]], dim=1)


def slerp(first: Tensor, second: Tensor, shares: Tensor) -> Tensor:
    """``(steps, D)``: from ``first`` to ``second``, both ``(D,)``, at an even angular speed (Shoemake 1985).

    Where there is no arc between them (parallel vectors, opposite ones, zero) it goes straight.
    """
    a, b, shares = first.double(), second.double(), shares.double()
    unit_a, unit_b = (x / x.norm().clamp_min(1e-12) for x in (a, b))
    angle = torch.acos((unit_a @ unit_b).clamp(-1, 1))
    if min(angle, torch.pi - angle) < _PARALLEL:
        return torch.lerp(a, b, shares).to(first)
    led = (torch.sin((1 - shares) * angle) * a + torch.sin(shares * angle) * b) / torch.sin(angle)
    return led.to(first)


def along(space: LatentConfig, latents: Tensor, of: str, reach: float = 1.0, steps: int = STEPS) -> list[Tensor]:
    """A traversal: the same ``latents`` ``(N, inputs)`` again for each value of one entry, and nothing else changed.

    Args:
        space: What the generator takes.
        latents: Where it starts; the entry's own value in them does not matter.
        of: "class": every class in turn; or the number of a continuous code, from "1".
        reach: A code goes from -reach to reach; it was trained between -1 and 1.
        steps: How many values of a code.

    Raises:
        ConfigError: The generator has no such entry, or ``reach`` or ``steps`` cannot be.
    """
    if of == "class" and space.classes:
        onehot = torch.eye(space.classes)
        first, values = space.latent, [row.expand(len(latents), -1) for row in onehot]
    elif of.isdecimal() and len(of) < 9 and 1 <= int(of) <= space.codes:
        if not 0 < reach < float("inf") or steps < 2:
            raise ConfigError(f"A code is led from -range to range, above 0, in 2 steps or more; got {reach}, {steps}.")
        first = space.latent + space.classes + int(of) - 1
        values = [value.expand(len(latents), 1) for value in torch.linspace(-reach, reach, steps)]
    else:
        choices = ["class"] * bool(space.classes) + [str(number + 1) for number in range(space.codes)]
        there = f"it has {', '.join(choices)}" if choices else "it takes nothing but noise"
        raise ConfigError(f"This model has no {of!r} to be led through; {there}.")
    rows: list[Tensor] = []
    for value in values:
        row = latents.clone()
        row[:, first : first + value.shape[1]] = value
        rows.append(row)
    return rows
