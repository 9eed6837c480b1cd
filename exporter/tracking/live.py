"""The live items of a ledger, in the order of the list."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator, MutableMapping

import msgspec

from exporter.tracking.observation import Observation

UNKNOWN = ""
"""In place of a preceding ID that is not known; a list cannot be read from there, only the item itself."""


class LiveItem(msgspec.Struct, gc=False, array_like=True):
    """A live item and its place in the list.

    Attributes:
        seen: The item as last read.
        offset: Its position in its segment when that was last counted, from 0. Later deletions only make two items look
            farther apart than they are.
        before: The ID just before it, None if it is the first of the list, or ``UNKNOWN``.
        counted: What of it the lifecycle counters have.
    """

    seen: Observation
    offset: int
    before: str | None
    counted: int


class LiveItems(MutableMapping[str, LiveItem]):
    """Live items by ID; iterates in ascending order of the IDs, and finds those of a stretch without looking at all."""

    def __init__(self, items: Iterable[LiveItem] = ()) -> None:
        self._items = {item.seen.id: item for item in items}
        self._order = sorted(self._items)

    def __getitem__(self, work_id: str) -> LiveItem:
        return self._items[work_id]

    def __setitem__(self, work_id: str, item: LiveItem) -> None:
        if work_id not in self._items:
            insort(self._order, work_id)
        self._items[work_id] = item

    def __delitem__(self, work_id: str) -> None:
        del self._items[work_id]
        del self._order[bisect_left(self._order, work_id)]

    def __contains__(self, work_id: object) -> bool:
        return work_id in self._items

    def __iter__(self) -> Iterator[str]:
        return iter(self._order)

    def __len__(self) -> int:
        return len(self._items)

    def listed(self) -> list[LiveItem]:
        """Return all items in order."""
        return list(map(self._items.__getitem__, self._order))

    def slices(self, size: int) -> Iterator[list[LiveItem]]:
        """Give all items in order, so many at a time; nothing may change them meanwhile."""
        for start in range(0, len(self._order), size):
            yield [self._items[work_id] for work_id in self._order[start : start + size]]

    def between(self, after: str | None, through: str | None) -> list[str]:
        """The IDs after one and up to another; None is the start and the end of the list."""
        first = 0 if after is None else bisect_right(self._order, after)
        last = len(self._order) if through is None else bisect_right(self._order, through)
        return self._order[first:last]

    def following(self, work_id: str) -> LiveItem | None:
        """The first live item after an ID."""
        position = bisect_right(self._order, work_id)
        return self._items[self._order[position]] if position < len(self._order) else None
