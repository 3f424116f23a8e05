"""What comes in goes out: images of any kind to a network's tensors, and its answer to the same kind again.

=======================================  ==================================================================
comes in                                 goes out
=======================================  ==================================================================
PIL image                              PIL image, upright, of the same mode; P becomes RGB, 1 becomes L
a path                                   PIL image; colours have 8 bits there, as PIL has no more
`viceversa.data.picture.Picture`         Image, of the same depth
uint8 or uint16 array ``(H, W, C)``      array of the same shape and depth; ``(H, W)`` too
float array in [0, 1]                    float32 array of the same shape
=======================================  ==================================================================

Colour is made grey for a network of one channel, and grey is made colour for one of three; grey that went through a
colour network comes back grey. Where a network itself gives other channels than it takes, its own come out. Alpha
is kept beside and put back as it was.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from viceversa.counts import count
from viceversa.data import colour, formats
from viceversa.data.formats import npy, pillow
from viceversa.data.picture import About, Picture
from viceversa.data.values import Values
from viceversa.errors import PictureError

Back: TypeAlias = Callable[[Tensor], Any]

_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as Pillow's mode L
_FADES_BELOW = 1 / 8
_NEAR_PX = 8


@dataclass(frozen=True, kw_only=True)
class Taken:
    """An image made ready for a network."""

    tensor: Tensor
    """``(C, H, W)`` float32 in [-1, 1], with the channels that the network takes."""
    back: Back
    """Makes what came in of the network's answer ``(C', H, W)``."""


def take(picture: object, takes: int, gives: int, source: Values | None = None, target: Values | None = None) -> Taken:
    """Makes one image ready for a network of ``takes`` channels that answers with ``gives``.

    Where the network was trained on a range of values, ``source`` says which are black and white in what comes in, and
    ``target`` in what goes out.

    Raises:
        PictureError: It is no image, has channels that the network cannot take, or values outside its range.
    """
    if source is not None or target is not None:
        return _take_values(picture, takes, gives, source, target)
    if isinstance(picture, np.ndarray):
        return _take_array(picture, takes, gives)
    if isinstance(picture, Picture):
        return _take_picture(picture, takes, gives)
    if isinstance(picture, Image.Image):
        return _take_pil(_from_pil(picture), takes, gives)
    if isinstance(picture, str | Path):
        return _take_pil(formats.read(picture), takes, gives)
    raise PictureError(
        f"A {type(picture).__name__} is no image; give a PIL image, an array, a tensor, a path or a list of these."
    )


class Conversion:
    """From pixels of one kind to a network's tensors and back; for parts of an image too, with a `margin`."""

    def __init__(self, shape: tuple[int, ...], takes: int, gives: int):
        """For pixels ``(H, W, C)`` and a network of ``takes`` channels that answers with ``gives``.

        Raises:
            PictureError: The network does not take such an image.
        """
        channels = shape[2]
        if channels != takes and (takes not in (1, 3) or channels > 4):
            raise PictureError(
                f"This image has {count(channels, 'channel')} and the network takes {takes}; give it {takes}."
                f"{npy.hint(shape)}"
            )
        self.takes = takes
        self.alpha = channels != takes and channels in (2, 4)
        self.grey = channels - self.alpha == 1
        self.greyed = self.grey and channels != takes and takes == gives == 3
        self.margin = _NEAR_PX if self.alpha else 0
        """Pixels around a part of an image that `into` should see too."""
        self.keeps_alpha = self.alpha and gives not in (2, 4)  # whose last would be alpha beside another
        self.channels = (1 if self.greyed else gives) + self.keeps_alpha
        """Channels of what `back` gives."""

    def into(self, pixels: NDArray[Any]) -> Tensor:
        """``(H, W, C)`` to ``(takes, H, W)`` float32 in [-1, 1]."""
        x = _to_tensor(pixels[:, :, :-1] if self.alpha else pixels)
        if self.alpha:
            x = _without_rubbish(x, (_to_tensor(pixels[:, :, -1:]) + 1) / 2)
        if x.shape[0] == self.takes:
            return x
        return _grey(x) if self.takes == 1 else x.expand(3, -1, -1)

    def back(self, answer: Tensor, pixels: NDArray[Any]) -> NDArray[Any]:
        """``(gives, H, W)`` to ``(H, W, channels)`` like ``pixels``, with their alpha unless it has its own."""
        result = _from_tensor(_grey(answer) if self.greyed else answer, pixels.dtype)
        return np.concatenate([result, pixels[:, :, -1:]], 2) if self.keeps_alpha else result


def levels_of(picture: Picture, source: Values) -> tuple[Picture, int]:
    """An image of values as one of levels in [0, 1], and how many of its values were missing data.

    Raises:
        PictureError: It has an alpha channel, or no range is given and its values have none.
    """
    found = source.levels(picture.pixels)
    about = replace(picture.about, stored=picture.pixels.dtype.name)
    return Picture(pixels=found.pixels, about=about), found.missing


def _take_values(picture: object, takes: int, gives: int, source: Values | None, target: Values | None) -> Taken:
    if isinstance(picture, Image.Image):
        given = _from_pil(picture, raw=source is not None)
    elif isinstance(picture, str | Path):
        given = formats.read(picture, raw=source is not None)
    elif isinstance(picture, np.ndarray):
        flat = picture.ndim == 2
        given = Picture(pixels=picture[:, :, None] if flat else picture, about=About(kind="NPY", flat=flat))
    elif isinstance(picture, Picture):
        given = picture
    else:
        raise PictureError(f"A {type(picture).__name__} is no image; give a PIL image, an array or a path.")
    if given.pixels.shape[2] in (2, 4) and given.pixels.shape[2] != takes:
        raise PictureError("an image with alpha has no range of values; cut its last channel off.")
    dtype = np.dtype(given.about.stored or given.pixels.dtype)
    if source is not None and not given.about.stored:
        given, _ = levels_of(given, source)
    taken = _take_picture(given, takes, gives)

    def back(answer: Tensor) -> Any:
        return _as_given(picture, _valued(taken.back(answer), dtype, target))

    return Taken(tensor=taken.tensor, back=back)


def _valued(answer: Picture, dtype: "np.dtype[Any]", target: Values | None) -> Picture:
    """Levels as numbers of the target's range; without one, as whole numbers of 8 or 16 bits."""
    pixels = answer.pixels
    about = replace(answer.about, stored="", plain=target is not None and target.low is not None)
    if not about.plain:
        kept = dtype.kind == "f" or pixels.dtype.kind != "f"
        return Picture(
            pixels=pixels if kept else colour.eight_bit(pixels) if dtype == np.uint8 else colour.sixteen_bit(pixels),
            about=about,
        )
    if pixels.dtype.kind != "f":
        pixels = pixels.astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)
    assert target is not None
    return Picture(pixels=target.numbers(pixels, dtype), about=about)


def _as_given(given: object, answer: Picture) -> Any:
    """A Image for a Image, an array for an array, and a PIL image for one or for a path."""
    if isinstance(given, Picture):
        return answer
    pixels = answer.pixels
    if isinstance(given, np.ndarray):
        return pixels[:, :, 0] if answer.about.flat and pixels.shape[2] == 1 else pixels
    if not answer.about.plain:
        return pillow.to_image(answer)
    if pixels.shape[2] > 1:
        raise PictureError("no PIL image holds several channels of a range of values; give an array instead.")
    return Image.fromarray(pixels[:, :, 0].astype(np.float32 if pixels.dtype.kind == "f" else np.int32))


def _take_picture(picture: Picture, takes: int, gives: int) -> Taken:
    conversion = Conversion(picture.pixels.shape, takes, gives)

    def back(answer: Tensor) -> Picture:
        return replace(picture, pixels=conversion.back(answer, picture.pixels))

    return Taken(tensor=conversion.into(picture.pixels), back=back)


def _take_pil(picture: Picture, takes: int, gives: int) -> Taken:
    if gives > 4:
        raise PictureError(f"This network gives {gives} channels, which no PIL image holds; give an array instead.")
    taken = _take_picture(picture, takes, gives)
    return Taken(tensor=taken.tensor, back=lambda answer: pillow.to_image(taken.back(answer)))


def _take_array(array: NDArray[Any], takes: int, gives: int) -> Taken:
    if array.ndim not in (2, 3) or 0 in array.shape:
        raise PictureError(f"An image is an array (H, W) or (H, W, C) with at least one pixel; got {array.shape}.")
    flat = array.ndim == 2
    if array.dtype.kind == "f":
        array = colour.unit_floats(array)
    elif array.dtype != np.uint8 and array.dtype != np.uint16:
        raise PictureError(f"An array of {array.dtype} is no image; give uint8, uint16, or floats in [0, 1].")
    taken = _take_picture(Picture(pixels=array[:, :, None] if flat else array), takes, gives)

    def back(answer: Tensor) -> NDArray[Any]:
        result: NDArray[Any] = taken.back(answer).pixels
        return result[:, :, 0] if flat and result.shape[2] == 1 else result

    return Taken(tensor=taken.tensor, back=back)


def _from_pil(image: Image.Image, *, raw: bool = False) -> Picture:
    try:
        return pillow.from_image(image, raw=raw)
    except (OSError, SyntaxError) as error:
        raise PictureError(f"This PIL image cannot be decoded ({error}); open it anew from a whole file.") from error
    except PictureError as error:
        raise PictureError(f"This PIL image cannot be used: {error}") from error


def _without_rubbish(x: Tensor, alpha: Tensor) -> Tensor:
    """``(C, H, W)`` in [-1, 1] with other colours under its transparent pixels, where they are often rubbish.

    There it takes the mean colour of what shows nearby, so that neither rubbish nor white bleeds into edges; and white,
    on which training lays such images, where nothing shows nearby. What shows, if only a little, stays as it is.
    """
    showing, shown = _summed_nearby(alpha), _summed_nearby(x * alpha)
    nearby = torch.where(showing > 1e-3, shown / showing.clamp(min=1e-3), 1)
    share = (alpha / _FADES_BELOW).clamp(max=1)
    return x * share + nearby * (1 - share)


def _summed_nearby(x: Tensor) -> Tensor:
    side = 2 * _NEAR_PX + 1
    rows = F.avg_pool2d(x[None], (1, side), stride=1, padding=(0, _NEAR_PX))
    return F.avg_pool2d(rows, (side, 1), stride=1, padding=(_NEAR_PX, 0))[0] * side**2


def _grey(x: Tensor) -> Tensor:
    return torch.einsum("chw,c->hw", x, x.new_tensor(_LUMA))[None]


# Both by NumPy, in the thread that asks. PyTorch would start threads for it, in each thread that decodes for the server
# anew, and wait there for cores that the network has.


def _to_tensor(pixels: NDArray[Any]) -> Tensor:
    values = pixels.astype(np.float32, order="C")
    values /= _white(pixels.dtype) / 2
    values -= 1
    return torch.from_numpy(values).permute(2, 0, 1)


def _from_tensor(x: Tensor, dtype: "np.dtype[Any]") -> NDArray[Any]:
    white = _white(dtype)
    values = x.permute(1, 2, 0).numpy() + np.float32(1)
    values *= white / 2
    np.clip(values, 0, white, out=values)
    if dtype.kind != "f":
        np.rint(values, out=values)
    with np.errstate(invalid="ignore"):  # a network that is spoilt gives no numbers: black
        return values.astype(dtype, order="C", copy=False)


def _white(dtype: "np.dtype[Any]") -> np.float32:
    return np.float32(1 if dtype.kind == "f" else np.iinfo(dtype).max)
