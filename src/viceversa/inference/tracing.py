"""What a network does, as maps: it is run on a stand-in for an image, which notes what is done to it.

Nothing is computed then, and nothing is changed in torch, so other threads may use the same network meanwhile.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from viceversa.errors import ConfigError
from viceversa.inference.maps import Convolved, Enlarged, Map, Mirrored, Normalised, Pointwise, Repeated


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

    def __add__(self, other: Any) -> Any:
        return torch.add(self, other)  # pyright: ignore[reportArgumentType, reportCallIssue]

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


def _repeated(x: Map, size: Any = None, scale_factor: Any = None, mode: str = "nearest", *_: Any, **__: Any) -> Map:
    times = _one(scale_factor or 0)
    if mode != "nearest" or times < 1 or times != int(times):
        raise ConfigError(_cannot("it enlarges otherwise than by whole numbers"))
    return Repeated(x, int(times))


def _group_normed(x: Map, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Map:
    if num_groups != x.shape[0]:
        raise ConfigError(_cannot("it normalises groups of channels"))
    return Normalised(x, eps, weight, bias)


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


def _added(x: Map, y: Map) -> Map:
    made = Pointwise([x, y], x.shape[0], torch.add)
    made.dear = True  # else the sum at the end of a row of residual blocks would take the maps of all of them
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
    torch.add: _added,
    torch.cat: _joined,
    **{function: _pointwise(function) for function in (F.relu, F.leaky_relu, torch.relu, torch.tanh, torch.sigmoid)},
}


def _one(value: Any) -> Any:
    """The number that all of ``value`` are."""
    numbers = set(value) if isinstance(value, Sequence) else {value}
    if len(numbers) != 1:
        raise ConfigError(_cannot("its kernels are not square"))
    return numbers.pop()
