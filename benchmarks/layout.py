"""Where in a list the live items stand, and the fewest pages that show them all."""

import random
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

PAGE = 100
"""Items on the largest page the API gives (`conventions/pagination`)."""


@dataclass(frozen=True, slots=True)
class Layout:
    """One environment's list.

    Attributes:
        name: What the environment is called.
        items: Items in the list, live ones included.
        live: How many of them are not stopped.
        far: How many of those are anywhere in the list; the others are among the newest, two of three live.
        any_cursor: Whether the API reads on from IDs that no item has, which is not documented; else it refuses them.
    """

    name: str
    items: int
    live: int
    far: int
    any_cursor: bool = True

    def positions(self) -> list[int]:
        """Where the live items stand, ascending from 0; those near the end are as near to it whatever ``items`` is."""
        randomness = random.Random(f"{self.live} {self.far}")
        near = self.live - self.far
        newest = min(self.items, max(PAGE, near * 3 // 2)) if near else 0
        if near > newest or self.far > self.items - newest:
            raise ValueError(f"{self.name}: {self.live} live items do not fit a list of {self.items}")
        ends = randomness.sample(range(1, newest + 1), near)
        return sorted([self.items - end for end in ends] + randomness.sample(range(self.items - newest), self.far))


def fewest_windows(positions: Sequence[int], items: int) -> int:
    """The fewest pages of consecutive items that show all of these positions, by trying every page there could be.

    This shares no idea with the exporter's planner, which opens pages greedily: ``fewest[n]`` is the smallest number
    of pages that show all live items among the first ``n``, whichever item the last page begins at.
    """
    fewest = [0] * (items + 1)
    for position in range(items):
        index = bisect_left(positions, position)
        if index < len(positions) and positions[index] == position:
            fewest[position + 1] = 1 + min(fewest[max(0, position - PAGE + 1) : position + 1])
        else:
            fewest[position + 1] = fewest[position]
    return fewest[items]
