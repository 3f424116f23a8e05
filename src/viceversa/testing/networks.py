"""What every network keeps to: `check_generator` and `check_discriminator` for one of your own."""

import contextlib
import dataclasses
import itertools
import tempfile
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from viceversa.errors import ConfigError, MissingExtra
from viceversa.inference.folder import save_translator
from viceversa.inference.onnx.export import export
from viceversa.inference.tiling import SMALLEST_TILE_PX
from viceversa.inference.translator import Translator, load
from viceversa.networks import DISCRIMINATORS, GENERATORS, initialise

Make = Callable[..., nn.Module]
"""``make(**changes)``: a small network with weights drawn, whose settings are those of its Config, changed."""
_SMALL = {"width": 4, "blocks": 1, "levels": 3, "layers": 2}


def check_generator(network: str | type[nn.Module], *, skip: Collection[str] = (), **settings: Any) -> None:
    """Check a generator of images from images by all of `GENERATOR_CHECKS`.

    Args:
        network: Its name, or its class: a module that is made of one ``Config``, whose ``multiple`` says which
            multiples of pixels it takes.
        skip: Names of checks that cannot hold.
        settings: Fields of its Config.

    Raises:
        AssertionError: Something does not hold; the message says what.
    """
    _check(GENERATOR_CHECKS, GENERATORS.find(network) if isinstance(network, str) else network, skip, settings)


def check_discriminator(network: str | type[nn.Module], *, skip: Collection[str] = (), **settings: Any) -> None:
    """Check a discriminator by all of `DISCRIMINATOR_CHECKS`; arguments and errors as of `check_generator`."""
    _check(DISCRIMINATOR_CHECKS, DISCRIMINATORS.find(network) if isinstance(network, str) else network, skip, settings)


def _check(
    checks: Collection[Callable[[Make], None]], network: Any, skip: Collection[str], settings: dict[str, Any]
) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for check in checks:
            if check.__name__ not in skip:
                check(partial(small, network, **settings))


def small(network: Any, **settings: Any) -> nn.Module:
    """Return a network of ``settings``, small where they do not say otherwise, with weights drawn."""
    there = {part.name for part in dataclasses.fields(network.Config)}
    made = network(network.Config(**{**{name: value for name, value in _SMALL.items() if name in there}, **settings}))
    initialise(made, "kaiming", 1.0, torch.Generator().manual_seed(1))
    return made


def _whole(answer: Any) -> Tensor:
    """An answer, or the list of them that a discriminator of several scales gives, as one tensor ``(N, ...)``."""
    return answer if isinstance(answer, Tensor) else torch.cat([scale.flatten(1) for scale in answer], 1)


def keeps_the_size(make: Make) -> None:
    """An image keeps its height and width, and values stay in [-1, 1]."""
    for c_in, c_out in (3, 3), (1, 3), (4, 2):
        network = make(in_channels=c_in, out_channels=c_out).eval()
        multiple: Any = network.multiple
        # From the first size that a reflection of three pixels, and a norm over more than one, can be taken of.
        for height, width in itertools.product([2 * multiple, 3 * multiple, 7 * multiple], repeat=2):
            with torch.inference_mode():
                y = network(torch.rand(2, c_in, height, width) * 2 - 1)
            assert y.shape == (2, c_out, height, width), f"{height} x {width} px became {tuple(y.shape[2:])}"
            assert y.abs().max() <= 1, "values leave [-1, 1]; end with tanh"
            assert y.std() > 0.01, "nothing comes through: the answer is nearly constant"


def says_which_sizes_it_takes(make: Make) -> None:
    """Sizes that are no multiple of ``multiple`` are not kept."""
    network = make().eval()
    multiple: Any = network.multiple
    for extra in [m for m in range(1, multiple) if multiple % m == 0]:
        x = torch.zeros(1, 3, 3 * multiple + extra, 3 * multiple)
        with torch.inference_mode():
            try:
                shape = network(x).shape
            except RuntimeError:
                continue
        assert shape != x.shape, f"multiple is {multiple}, and yet {extra} px more are kept: it could be smaller"


def weights_follow_the_seed(make: Make) -> None:
    """Each initialisation draws weights as a function of the seed."""
    for kind in "normal", "xavier", "kaiming", "orthogonal":
        states = list[dict[str, Tensor]]()
        for seed in 1, 1, 2:
            network = make()
            initialise(network, kind, 0.5, torch.Generator().manual_seed(seed))
            states.append(dict(network.state_dict()))
        first, same, other = states
        assert all(torch.equal(first[name], same[name]) for name in first), f"{kind}: a seed gives several weights"
        drawn = [name for name in first if first[name].dim() >= 2]
        assert drawn, "there are no weights to draw"
        kept = [name for name in drawn if torch.equal(first[name], other[name])]
        assert not kept, f"{kind}: the seed does not reach {kept[:3]}"


def takes_each_image_by_itself(make: Make) -> None:
    """In evaluation mode the answer to an image does not depend on the others of its batch."""
    network = make().eval()
    side = 4 * getattr(network, "multiple", 8)
    x = torch.rand(2, 3, side, side) * 2 - 1
    with torch.inference_mode():
        apart = (_whole(network(x))[:1] - _whole(network(x[:1]))).abs().max()
    assert apart < 1e-4, f"the other image of a batch changes the answer to this one by {apart:.2g}"


def computes_in_bfloat16(make: Make) -> None:
    """Under autocast the answer is finite and near that of float32, and has gradients."""
    network = make().train()
    side = 4 * getattr(network, "multiple", 8)
    x = torch.rand(2, 3, side, side) * 2 - 1
    exact = _whole(network(x))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = _whole(network(x))
    assert torch.isfinite(rough).all(), "bfloat16 gives values that are not finite"
    apart = (rough.float() - exact).abs().mean() / exact.abs().mean().clamp_min(1)
    assert apart < 0.05, f"bfloat16 is {apart:.2g} from float32"
    parameters = dict(network.named_parameters())
    slopes = torch.autograd.grad(rough.float().square().mean(), list(parameters.values()), allow_unused=True)
    for name, slope in zip(parameters, slopes, strict=True):
        assert slope is not None, f"{name} has no gradient: it is not used"
        assert torch.isfinite(slope).all(), f"the gradient of {name} is not finite"


def is_kept_and_applied(make: Make) -> None:
    """A translator folder gives it back; in tiles, and as ONNX, it does the same, or says in words that it cannot."""
    network = make().eval()
    image = np.random.default_rng(0).integers(0, 256, (SMALLEST_TILE_PX + 24, SMALLEST_TILE_PX + 40, 3), dtype=np.uint8)
    about: dict[str, Any] = {"domains": {"a": "A", "b": "B"}, "size_px": 32}
    wanted = Translator({"a2b": network}, **about)(image, tile=0)
    with tempfile.TemporaryDirectory() as folder:
        save_translator(folder, {"a2b": network}, method="test", images=0, **about)
        translator = load(folder, "cpu")
        assert np.array_equal(translator(image, tile=0), wanted), "a translator folder gives back another network"
        with contextlib.suppress(ConfigError):  # it says that it cannot be applied in tiles
            apart = np.abs(translator(image, tile=SMALLEST_TILE_PX).astype(int) - wanted).mean()
            assert apart < 0.1, f"in tiles the image differs by {apart:.2g} grey levels on the mean"
        with contextlib.suppress(MissingExtra):
            export(folder, Path(folder, "model.onnx"))  # raises if it differs from torch


def judges_every_image(make: Make) -> None:
    """It gives a logit, a map of them, or a list of such, for each image, with two derivatives (R1, WGAN-GP)."""
    network = make().train()
    x = (torch.rand(2, 3, 64, 64) * 2 - 1).requires_grad_()
    answer: Any = network(x)
    for scale in [answer] if isinstance(answer, Tensor) else answer:
        assert scale.shape[:2] == (2, 1), f"logits are (N, 1) or (N, 1, H, W); got {tuple(scale.shape)}"
    logits = _whole(answer)
    (slope,) = torch.autograd.grad(logits.mean(), x, create_graph=True)
    assert slope.abs().max() > 0, "the logits do not depend on the image"
    again = torch.autograd.grad(slope.square().sum(), list(network.parameters()), allow_unused=True)
    assert any(part is not None and part.abs().max() > 0 for part in again), "a gradient penalty has no gradient"


GENERATOR_CHECKS: tuple[Callable[[Make], None], ...] = (
    keeps_the_size,
    says_which_sizes_it_takes,
    weights_follow_the_seed,
    takes_each_image_by_itself,
    computes_in_bfloat16,
    is_kept_and_applied,
)
DISCRIMINATOR_CHECKS: tuple[Callable[[Make], None], ...] = (
    judges_every_image,
    weights_follow_the_seed,
    takes_each_image_by_itself,
    computes_in_bfloat16,
)
