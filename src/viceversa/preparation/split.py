"""What is for testing: whole scenes, so that no frame of a test scene is in training."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Generic, Literal, TypeAlias, TypeVar

from viceversa import seeding

Side: TypeAlias = Literal["train", "test"]


Thing = TypeVar("Thing", str, int)


class Groups(Generic[Thing]):
    """Things that belong together, because they show the same; each group is named by the least of them."""

    def __init__(self) -> None:
        self._parent: dict[Thing, Thing] = {}

    def find(self, thing: Thing) -> Thing:
        """The name of the group that ``thing`` is in."""
        parent = self._parent
        while parent.setdefault(thing, thing) != thing:
            parent[thing] = parent[parent[thing]]  # so that ways stay short
            thing = parent[thing]
        return thing

    def join(self, one: Thing, other: Thing) -> None:
        """Makes one group of two."""
        first, second = sorted((self.find(one), self.find(other)))
        self._parent[second] = first

    def members(self) -> list[list[Thing]]:
        """All that was asked for or joined, by groups, in order."""
        found: dict[Thing, list[Thing]] = {}
        for thing in sorted(self._parent):
            found.setdefault(self.find(thing), []).append(thing)
        return list(found.values())


def split(groups: Sequence[str], decided: Mapping[str, Side], share: float, seed: int) -> dict[str, Side]:
    """The side of each group.

    Args:
        groups: For each image, the group that it is in.
        decided: Groups whose side is settled: the same was placed before.
        share: Of the images, to be tested with; as near to it as whole groups come, but not above it. A group that
            is too large for that is taken whole if it is the smallest and leaves half of the images for training.
        seed: Groups are taken in an order that follows from it and from their names.
    """
    sizes = Counter(groups)
    free = sorted((seeding.derive(seed, "test", group), group) for group in sizes if group not in decided)
    taken: set[str] = set()
    target = round(share * len(groups))
    count = sum(size for group, size in sizes.items() if decided.get(group) == "test")
    for _, group in free:
        if count + sizes[group] <= target:
            taken.add(group)
            count += sizes[group]
    if share > 0 and not count and len(free) > 1:
        least = min((sizes[group], order, group) for order, group in free)
        if 2 * least[0] <= len(groups):
            taken.add(least[2])
    return {group: decided.get(group, "test" if group in taken else "train") for group in sizes}


def joined(links: Iterable[tuple[Thing, Thing]]) -> Groups[Thing]:
    """Groups of the things that are linked."""
    groups = Groups[Thing]()
    for one, other in links:
        groups.join(one, other)
    return groups
