"""Images that are there more than once, as they are or resized, encoded anew, brighter or darker.

Candidates are found by a perceptual hash, all against all. In images of one kind (portraits, say) that alone would
take many different ones for the same; so candidates are compared by what they look like at 16 x 16 px too.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from viceversa.preparation.doctor.scan import Inspected, Picture
from viceversa.preparation.split import joined

_MOST_BITS = 6  # of 64 that may differ between the hashes of two candidates
_ALIKE = 0.996  # correlation: copies, even at JPEG quality 60, had 0.9966 and more; 1200 drawn portraits at most 0.9932
_PLAIN = 2.0  # grey levels of standard deviation; what varies less has nothing to be recognised by
_ROWS, _CANDIDATES = 256, 8192  # at once

_Pairs = NDArray[np.int64]  # (n, 2)


@dataclass(frozen=True, kw_only=True)
class Group:
    """Images, or pairs by their A, that are all the same."""

    pictures: tuple[Picture, ...]
    """Two or more."""
    is_exact: bool
    """All files are equal, byte for byte."""

    def within_one_part(self) -> list[list[Picture]]:
        """Those that are in the same part of the same domain, where there are several."""
        parts: dict[tuple[str, str], list[Picture]] = {}
        for picture in self.pictures:
            parts.setdefault((picture.domain, picture.split), []).append(picture)
        return [part for part in parts.values() if len(part) > 1]

    def leaked(self, domain: str) -> list[tuple[Picture, Picture]]:
        """Of one domain, a training image with each test image that is the same."""
        members = [picture for picture in self.pictures if picture.domain == domain]
        twins = [picture for picture in members if picture.split == "train"][:1]
        return [(twin, picture) for twin in twins for picture in members if picture.split == "test"]

    def across(self) -> tuple[Picture, Picture] | None:
        """An image of A and one of B that are the same."""
        sides = {picture.domain: picture for picture in reversed(self.pictures)}
        return (sides["A"], sides["B"]) if len(sides) == 2 else None


def groups(inspected: Inspected) -> list[Group]:
    """All groups, the largest first; two pairs are the same where both of their halves are."""
    sides = [list(inspected.pictures)]
    if inspected.kind == "paired":
        sides = [[pair.a for pair in inspected.pairs], [pair.b for pair in inspected.pairs]]
    shown = sides[0]
    contents = [tuple(side[place].contents for side in sides) for place in range(len(shown))]
    first = {content: place for place, content in reversed(list(enumerate(contents)))}
    unique = np.array(sorted(first.values()))
    same = {(place, first[content]) for place, content in enumerate(contents) if first[content] != place}
    alike = [unique[_alike([side[place] for place in unique])] for side in sides]
    near = set[tuple[int, int]].intersection(*({(int(i), int(j)) for i, j in found} for found in alike))
    found = [
        Group(
            pictures=tuple(shown[place] for place in members),
            is_exact=len({contents[place] for place in members}) == 1,
        )
        for members in joined(same | near).members()
    ]
    return sorted(found, key=lambda group: -len(group.pictures))


def _alike(pictures: Sequence[Picture]) -> _Pairs:
    """Pairs of places, the smaller first, whose images look the same."""
    thumbs = np.stack([np.frombuffer(picture.measured.thumb, np.uint8) for picture in pictures])
    found = [pairs[_correlation(thumbs, pairs) >= _ALIKE] for pairs in _candidates(pictures)]
    return np.concatenate([np.empty((0, 2), np.int64), *found])


def _candidates(pictures: Sequence[Picture]) -> Iterator[_Pairs]:
    hashes = np.array([picture.measured.hash for picture in pictures], np.uint64)
    bits = np.unpackbits(hashes.view(np.uint8).reshape(-1, 8), axis=1).astype(np.float32) * 2 - 1
    for start in range(0, len(bits), _ROWS):
        # Of two rows of -1 and 1 the product is 64 - 2 x the bits that differ; what comes before has been compared.
        close = bits[start : start + _ROWS] @ bits[start:].T >= 64 - 2 * _MOST_BITS
        pairs = np.argwhere(close)
        pairs = pairs[pairs[:, 0] < pairs[:, 1]] + start
        yield from (pairs[at : at + _CANDIDATES] for at in range(0, len(pairs), _CANDIDATES))


def _correlation(thumbs: NDArray[np.uint8], pairs: _Pairs) -> NDArray[np.float32]:
    """Of the pixels of each pair, (n,); 0 where one of the two is plain."""
    one, other = (thumbs[pairs[:, side]].astype(np.float32) for side in (0, 1))
    one -= one.mean(1, keepdims=True)
    other -= other.mean(1, keepdims=True)
    product = (one * other).sum(1) / np.maximum(np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1), 1e-6)
    plain = np.minimum(_spread(one), _spread(other)) < _PLAIN
    return np.where(plain, 0, product).astype(np.float32)


def _spread(thumbs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Standard deviation of the strongest colour channel; a plain red image has none."""
    return thumbs.reshape(len(thumbs), -1, 3).std(axis=1).max(axis=1)
