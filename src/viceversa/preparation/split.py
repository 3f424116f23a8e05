"""What is for testing: whole scenes, so that no frame of a test scene is in training."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, TypeAlias

from viceversa import seeding

Side: TypeAlias = Literal["train", "test"]


class Groups:
    """Scenes that belong together, because they show the same."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}

    def find(self, scene: str) -> str:
        """The name of the group that ``scene`` is in."""
        root = scene
        while (parent := self._parent.get(root, root)) != root:
            root = parent
        while (parent := self._parent.get(scene, root)) != root:
            self._parent[scene], scene = root, parent
        return root

    def join(self, one: str, other: str) -> None:
        """Makes one group of two."""
        first, second = sorted((self.find(one), self.find(other)))
        self._parent[second] = first


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
    target, count = round(share * len(groups)), _tested(sizes, decided)
    for _, group in free:
        if count + sizes[group] <= target:
            taken.add(group)
            count += sizes[group]
    if share > 0 and not count and len(free) > 1:
        least = min((sizes[group], order, group) for order, group in free)
        if 2 * least[0] <= len(groups):
            taken.add(least[2])
    return {group: decided.get(group, "test" if group in taken else "train") for group in sizes}


def _tested(sizes: Mapping[str, int], decided: Mapping[str, Side]) -> int:
    return sum(size for group, size in sizes.items() if decided.get(group) == "test")


def joined(links: Iterable[tuple[str, str]]) -> Groups:
    """Groups of the scenes that are linked."""
    groups = Groups()
    for one, other in links:
        groups.join(one, other)
    return groups
