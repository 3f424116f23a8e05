"""The pictures that an evaluation needs: of both domains those that were trained on, and those held out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from viceversa.data.images import Array, resize, to_uint8
from viceversa.data.pictures import Deck, HeldOutKind, PairedPictures, UnpairedPictures
from viceversa.errors import DataError

MOST = 4000
"""Training pictures of a domain that an evaluation looks at; more make it slower and hardly better."""
_AT_ONCE = 64


@dataclass(frozen=True, kw_only=True)
class Heaps:
    """Square pictures ``(N, S, S, C)`` uint8, by domain: "a" and "b"."""

    train: dict[str, Array]
    """Pictures for training; none of them is held out."""
    test: dict[str, Array]
    """Held-out pictures: what is translated, and what real ones look like. Where nothing is held out (``kind``), those
    are pictures that the translator was trained on; they are not in ``train`` all the same."""
    domains: dict[str, str]
    """Names for people."""
    kind: HeldOutKind
    """Where the held-out pictures are from."""
    paired: bool
    """Whether the held-out pictures of a and b belong together, one for one."""


def heaps_of(pictures: UnpairedPictures | PairedPictures, most: int | None = None) -> Heaps:
    """The opened pictures of a run as an evaluation takes them: whole, at the run's size.

    Args:
        pictures: As `open` of their settings gives them.
        most: Pictures of each heap at most.

    Raises:
        DataError: Fewer than two pictures of a domain are held out.
    """
    paired = isinstance(pictures, PairedPictures)
    decks = [pictures.pairs] if paired else [pictures.a, pictures.b]
    if pictures.held_out_kind == "training":
        decks = [_halved(deck) for deck in decks]
    train = [_whole(deck, min(most or MOST, MOST)) for deck in decks]
    test = [_held_out(deck, most) for deck in decks]
    edges = np.cumsum(decks[0].channels)[:-1] if paired else decks[-1].channels[:1]  # CartoonGAN's twins lie behind
    if paired:
        train, test = ([np.ascontiguousarray(part) for part in np.split(heap[0], edges, 3)] for heap in (train, test))
    else:
        train[1], test[1] = train[1][..., : edges[0]], test[1][..., : edges[0]]
    if min(len(heap) for heap in test) < 2:
        raise DataError("An evaluation needs two or more held-out pictures of each domain; add a test set.")
    return Heaps(
        train=dict(zip("ab", train, strict=True)),
        test=dict(zip("ab", test, strict=True)),
        domains=pictures.domains,
        kind=pictures.held_out_kind,
        paired=paired,
    )


def _halved(deck: Deck) -> Deck:
    """Every second picture is kept from the others: else real ones would be measured against themselves."""
    return replace(deck, rows=deck.rows[::2], kept_rows=deck.rows[1::2], weights=None)


def _whole(deck: Deck, most: int) -> Array:
    """Up to ``most`` of the pictures that are trained on, spread evenly over them all, at the deck's size."""
    rows = deck.rows[spread(len(deck.rows), most)]
    if isinstance(deck.store, torch.Tensor):
        stored: Array = deck.store[torch.from_numpy(rows).to(deck.device)].cpu().numpy()
    else:
        stored = deck.store[rows]
    return resized(stored, deck.size_px, deck.channels)


def spread(count: int, most: int) -> NDArray[np.int64]:
    """Up to ``most`` of the numbers below ``count``, spread evenly over them all."""
    return np.unique(np.linspace(0, count - 1, min(most, count)).astype(np.int64))


def _held_out(deck: Deck, most: int | None) -> Array:
    """Up to ``most`` of the held-out pictures, at the deck's size; few as floats at once."""
    count = min(most or len(deck.kept_rows), len(deck.kept_rows))
    starts = range(0, max(1, count), _AT_ONCE)
    return np.concatenate([to_uint8(deck.held_out(min(_AT_ONCE, count - start), start)) for start in starts])


def resized(pictures: Array, side_px: int, channels: Sequence[int] | None = None) -> Array:
    """``(N, L, L, C)`` uint8 at ``side_px``; ``channels`` says how C is made up, where it is of several pictures."""
    if pictures.shape[1] == side_px:
        return pictures
    edges = np.cumsum(channels or [pictures.shape[3]])[:-1]
    return np.stack(
        [
            np.concatenate([resize(part, (side_px, side_px)) for part in np.split(picture, edges, axis=2)], axis=2)
            for picture in pictures
        ]
    )
