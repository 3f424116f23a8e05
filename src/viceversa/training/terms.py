"""What kind of thing a loss term is, by its name and its numbers: nobody lists them, and methods name them alike."""

import re
from collections.abc import Iterable, Mapping, Sequence

_DISCRIMINATOR = re.compile(r"^(d|dis|discriminator|critic|real|fake|r1|gp|gradient|penalty)(_|$)")
_GENERATOR = re.compile(r"^(g|gan|gen|generator|adv|adversarial)(_|$)")
_PENALTY = re.compile(r"(^|_)(penalty|gp|r1)$")
_INFORMATION = re.compile(r"_(categorical|continuous)$")  # InfoGAN's, on both sides
_CROSS_ENTROPY = re.compile(r"(^|_)cross_entropy$")
_JUDGED = re.compile(r"_(real|fake|smoothed)$")  # what a discriminator's term was computed on

Values = Sequence[float | None]


def is_discriminator(term: str) -> bool:
    """Whether a loss term of this name trains a discriminator or critic."""
    return bool(_DISCRIMINATOR.match(term))


def is_information(term: str) -> bool:
    """Whether a loss term says how surely codes are read back from pictures."""
    return bool(_INFORMATION.search(term))


def is_generator(term: str) -> bool:
    """Whether a loss term is the generator's side of the game."""
    return bool(_GENERATOR.match(term)) and not is_information(term)


def is_cross_entropy(term: str) -> bool:
    """Whether a loss term is a classifier's."""
    return bool(_CROSS_ENTROPY.search(term))


def is_distance(term: str) -> bool:
    """Whether a loss term is none of these: a distance between pictures, or between what a network sees in them."""
    return not (is_discriminator(term) or is_generator(term) or is_information(term) or is_cross_entropy(term))


def discriminators(terms: Mapping[str, Values]) -> dict[str, list[float | None]]:
    """What each discriminator loses in all: its terms on all kinds of pictures summed, its penalties left out."""
    whole: dict[str, list[float | None]] = {}
    for owner, names in owners(terms).items():
        rows = zip(*(terms[name] for name in names), strict=True)
        whole[owner] = [_sum(row) for row in rows]
    return whole


def critics(terms: Mapping[str, Values]) -> dict[str, list[float | None]]:
    """Those of the discriminators whose answers have no bounds: what they lose is minus an estimate of a distance.

    A loss on real or on made pictures is below 0 for no discriminator (`viceversa.losses`), and soon for every critic.
    """
    whole, owned = discriminators(terms), owners(terms)
    return {
        owner: values
        for owner, values in whole.items()
        if any(value is not None and value < 0 for name in owned[owner] for value in terms[name])
    }


def owners(terms: Iterable[str]) -> dict[str, list[str]]:
    """The terms of each discriminator, ``{"d_a": ["d_a_real", "d_a_fake"]}``, its penalties left out."""
    found: dict[str, list[str]] = {}
    for name in terms:
        if is_discriminator(name) and not _PENALTY.search(name):
            found.setdefault(_JUDGED.sub("", name), []).append(name)
    return found


def _sum(row: Iterable[float | None]) -> float | None:
    known = list(row)
    return None if None in known else sum(value for value in known if value is not None)
