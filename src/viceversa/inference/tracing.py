"""What a network does, as maps: it is run on a stand-in for an image, which notes what is done to it.

Nothing is computed then, and nothing is changed in torch, so other threads may use the same network meanwhile.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from viceversa.errors import ConfigError
from viceversa.inference.maps import (
    Convolved,
    Enlarged,
    Interpolated,
    Map,
    Mirrored,
    Normalised,
    Pointwise,
    Repeated,
    Unshuffled,
)


def trace(network: nn.Module, picture: Map) -> Map:
    """The last of the maps that ``network`` makes of ``picture``; the others are its inputs, theirs, and so on.

    Raises:
        ConfigError: The network does something that cannot be done to one window at a time.
    """
    try:
        return network(_Symbol(picture)).map
    except (TypeError, AttributeError) as error:
        raise ConfigError(_cannot(f"it computes with tensors otherwise than by torch's functions ({error})")) from error


class _Symbol:
    """Stands for a tensor: what is done to it becomes a map. Torch asks it, by the protocol ``__torch_function__``."""

    is_cuda = False
    device = torch.device("cpu")
    dtype = torch.float32

    def __init__(self, made: Map):
        self.map = made

    @property
    def shape(self) -> torch.Size:
        return torch.Size((1, *self.map.shape))

    def dim(self) -> int:
        return 4

    def __add__(self, other: Any) -> "_Symbol":
        return _Symbol(_combined(torch.add)(self.map, _maps(other)))

    def __sub__(self, other: Any) -> "_Symbol":
        return _Symbol(_combined(torch.sub)(self.map, _maps(other)))

    def __mul__(self, other: Any) -> "_Symbol":
        return _Symbol(_combined(torch.mul)(self.map, _maps(other)))

    def __getitem__(self, place: Any) -> "_Symbol":
        return _Symbol(_channels(self.map, place))

    @classmethod
    def __torch_function__(
        cls, function: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> "_Symbol":
        if function not in _OPERATIONS:
            name = getattr(function, "__name__", str(function))
            raise ConfigError(_cannot(f"nothing is known of its operation {name!r}"))
        made = _OPERATIONS[function](*_maps(args), **{key: _maps(value) for key, value in (kwargs or {}).items()})
        return cls(made)


def _cannot(reason: str) -> str:
    return f"This network cannot be applied in tiles: {reason}."


def _maps(value: Any) -> Any:
    if isinstance(value, _Symbol):
        return value.map
    return type(value)(map(_maps, value)) if isinstance(value, list | tuple) else value


def _convolved(
    x: Map, weight: Tensor, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
) -> Map:
    _one(weight.shape[2:])
    return Convolved(x, weight, bias, _one(stride), _one(padding), _one(dilation), groups)


def _enlarged(
    x: Map,
    weight: Tensor,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    extra: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Map:
    _one(weight.shape[2:])
    if _one(dilation) != 1:
        raise ConfigError(_cannot("a transposed convolution of it is dilated"))
    if weight.shape[2] < _one(stride):
        raise ConfigError(_cannot("a transposed convolution of it leaves gaps"))
    return Enlarged(x, weight, bias, _one(stride), _one(padding), _one(extra), groups)


def _padded(x: Map, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Map:
    if mode != "reflect" or len(pad) != 4:
        raise ConfigError(_cannot(f"it pads by {mode!r}, and only 'reflect' is known"))
    left, right, top, bottom = pad
    return Mirrored(x, top, bottom, left, right)


def _repeated(
    x: Map,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    **_: Any,
) -> Map:
    times = _one(scale_factor or 0)
    if mode not in ("nearest", "bilinear") or times < 1 or times != int(times):
        raise ConfigError(_cannot("it enlarges otherwise than by whole numbers"))
    if mode == "nearest":
        return Repeated(x, int(times))
    if align_corners:
        raise ConfigError(_cannot("it enlarges with aligned corners"))
    return Interpolated(x, int(times))


def _unshuffled(x: Map, downscale_factor: int) -> Map:
    if any(side % downscale_factor for side in x.shape[1:]):
        raise ConfigError(_cannot(f"the size of a map is no multiple of the {downscale_factor} px of its blocks"))
    return Unshuffled(x, downscale_factor)


def _channels(x: Map, place: Any) -> Map:
    every = slice(None)
    batch, channels, *rest = place if isinstance(place, tuple) else (place, every)
    if batch != every or any(part != every for part in rest) or not isinstance(channels, slice):
        raise ConfigError(_cannot("it cuts maps otherwise than by channels"))

    def cut(x: Tensor) -> Tensor:
        return x[:, channels]

    return Pointwise([x], len(range(*channels.indices(x.shape[0]))), cut)


def _group_normed(x: Map, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Map:
    weight, bias = (None if one is None else one.detach() for one in (weight, bias))
    return Normalised(x, eps, weight, bias, num_groups)


def _batch_normed(x: Map, mean: Any, var: Any, weight: Any, bias: Any, training: bool, *rest: Any, **named: Any) -> Map:
    if training:
        raise ConfigError(_cannot("it is being trained"))

    def normed(x: Tensor) -> Tensor:
        return F.batch_norm(x, mean, var, weight, bias, False, *rest, **named)

    return Pointwise([x], x.shape[0], normed)


def _dropped(x: Map, p: float = 0.5, training: bool = True, inplace: bool = False) -> Map:
    made = _pointwise(F.dropout)(x, p, training)
    made.random = training
    return made


def _pointwise(function: Callable[..., Tensor]) -> Callable[..., Map]:
    def made(x: Map, *args: Any, **named: Any) -> Map:
        def applied(x: Tensor) -> Tensor:
            return function(x, *args, **named)

        return Pointwise([x], x.shape[0], applied)

    return made


def _combined(function: Callable[..., Tensor]) -> Callable[[Map, Any], Map]:
    """Two maps, or a map and a number, become one."""

    def made(x: Map, y: Any) -> Map:
        if not isinstance(y, Map):
            return _pointwise(function)(x, y)
        both = Pointwise([x, y], max(x.shape[0], y.shape[0]), function)
        both.dear = True  # else the sum at the end of a row of residual blocks would take the maps of all of them
        return both

    return made


def _joined(maps: Sequence[Map], dim: int = 0) -> Map:
    if dim != 1:
        raise ConfigError(_cannot("it joins maps otherwise than by channels"))

    def joined(*parts: Tensor) -> Tensor:
        return torch.cat(parts, 1)

    return Pointwise(maps, sum(x.shape[0] for x in maps), joined)


_OPERATIONS: dict[Any, Callable[..., Map]] = {
    F.conv2d: _convolved,
    F.conv_transpose2d: _enlarged,
    F.pad: _padded,
    F.interpolate: _repeated,
    F.group_norm: _group_normed,
    F.batch_norm: _batch_normed,
    F.dropout: _dropped,
    F.pixel_unshuffle: _unshuffled,
    **{function: _combined(function) for function in (torch.add, torch.sub, torch.mul)},
    torch.cat: _joined,
    **{function: _pointwise(function) for function in (F.relu, F.leaky_relu, torch.relu, torch.tanh, torch.sigmoid)},
}


def _one(value: Any) -> Any:
    """The number that all of ``value`` are."""
    numbers = set(value) if isinstance(value, Sequence) else {value}
    if len(numbers) != 1:
        raise ConfigError(_cannot("its kernels are not square"))
    return numbers.pop()
