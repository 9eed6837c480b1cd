"""How many items have stopped, in segments of the list that can be recounted one by one."""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from exporter.tracking.observation import Labels

SEGMENT_SIZE = 100
"""Items a segment holds when it is closed: a page of the list."""


Entry = tuple[str, Labels | None, bool]
"""An item in a list: its ID, its labels if it has stopped, and whether it could not be read in full."""


class Segment(msgspec.Struct, gc=False, array_like=True):
    """A stretch of the list, from just after the segment before it up to its own last item.

    Attributes:
        end: ID of its last item, an anchor from which the list can be read on.
        size: Items in it, live ones too.
        stopped: Items in it that have stopped, as pairs of labels and count.
        unreadable: How many of those could not be read in full.
    """

    end: str
    size: int
    stopped: tuple[tuple[Labels, int], ...] = ()
    unreadable: int = 0

    def count(self, labels: Labels, unreadable: bool) -> None:
        """Count one more stopped item."""
        self.unreadable += unreadable
        counts = dict(self.stopped)
        counts[labels] = counts.get(labels, 0) + 1
        self.stopped = tuple(counts.items())


class History:
    """Everything that has stopped: a count and one ID a page, not the items themselves."""

    def __init__(self, segments: Iterable[Segment] = ()) -> None:
        self._segments = list(segments)
        self._ends = [segment.end for segment in self._segments]
        self._size = sum(segment.size for segment in self._segments)
        self.unreadable = 0
        self.stopped: Counter[Labels] = Counter()
        for segment in self._segments:
            self._add(segment, 1)

    def __len__(self) -> int:
        return len(self._segments)

    @property
    def segments(self) -> Sequence[Segment]:
        """All segments, oldest first."""
        return self._segments

    @property
    def size(self) -> int:
        """Items in the list as far as it is known."""
        return self._size

    def append(self, work_id: str, stopped: Labels | None, *, unreadable: bool = False) -> int:
        """Add an item at the end of the list, and return its position in its segment.

        Args:
            work_id: Its ID.
            stopped: Its labels, or None if it is live.
            unreadable: Whether it could not be read in full.
        """
        if not self._segments or self._segments[-1].size >= SEGMENT_SIZE:
            self._segments.append(Segment(work_id, 0))
            self._ends.append(work_id)
        segment = self._segments[-1]
        segment.end = self._ends[-1] = work_id
        segment.size += 1
        self._size += 1
        if stopped is not None:
            segment.count(stopped, unreadable)
            self.stopped[stopped] += 1
            self.unreadable += unreadable
        return segment.size - 1

    def extend(self, following: "History") -> None:
        """Add what follows in the list, counted elsewhere."""
        self._segments += following._segments
        self._ends += following._ends
        self._size += following._size
        self.stopped.update(following.stopped)
        self.unreadable += following.unreadable

    def insert(self, work_id: str) -> None:
        """Make room for an item that became visible after later ones; it lies before the end of the list."""
        self._segments[self.index(work_id)].size += 1
        self._size += 1

    def count_stopped(self, work_id: str, labels: Labels, *, unreadable: bool = False) -> None:
        """Count an item already in the list as stopped."""
        self._segments[self.index(work_id)].count(labels, unreadable)
        self.stopped[labels] += 1
        self.unreadable += unreadable

    def index(self, work_id: str) -> int:
        """The segment an ID lies in; IDs after the end lie in the last."""
        return min(bisect_left(self._ends, work_id), len(self._ends) - 1)

    def positions(self, work_ids: Iterable[str], offsets: Iterable[int]) -> Iterator[int]:
        """Give how many items stand before each of these at most.

        Args:
            work_ids: IDs in ascending order.
            offsets: Their positions in their segments.
        """
        index, before, last = 0, 0, len(self._ends) - 1
        for work_id, offset in zip(work_ids, offsets, strict=True):
            while index < last and self._ends[index] < work_id:
                before += self._segments[index].size
                index += 1
            yield before + min(offset, self._segments[index].size - 1)

    def start(self, index: int) -> str | None:
        """The ID after which a segment begins, or None for the first."""
        return self._ends[index - 1] if index > 0 else None

    def anchors_before(self, work_id: str) -> list[str]:
        """IDs before ``work_id`` from which the list can be read on: near ones first, then ever farther apart."""
        position = bisect_left(self._ends, work_id)
        steps = (1 << power for power in range(position.bit_length()))
        return [self._ends[position - step] for step in steps if step <= position]

    def ends_between(self, after: str | None, through: str | None) -> Sequence[str]:
        """Return the segment ends after one ID and up to another; None is the start and the end of the list."""
        first = 0 if after is None else bisect_right(self._ends, after)
        return self._ends[first : len(self._ends) if through is None else bisect_right(self._ends, through)]

    def boundary(self, work_id: str) -> str | None:
        """The last segment end that is not after ``work_id``, or None."""
        position = bisect_right(self._ends, work_id)
        return self._ends[position - 1] if position > 0 else None

    def replace(self, after: str | None, through: str | None, items: Iterable[Entry]) -> list[int]:
        """Recount a stretch of the list, and return each item's position in its segment.

        Args:
            after: Where the stretch begins: a segment's end, or None for the start of the list.
            through: Where it ends: a segment's end, or None for the end of the list.
            items: Every item in it, in order.
        """
        first = 0 if after is None else bisect_right(self._ends, after)
        last = len(self._ends) if through is None else bisect_right(self._ends, through)
        for segment in self._segments[first:last]:
            self._add(segment, -1)
        fresh = History()
        offsets = [fresh.append(work_id, stopped, unreadable=unreadable) for work_id, stopped, unreadable in items]
        self._size += fresh._size - sum(segment.size for segment in self._segments[first:last])
        self._segments[first:last] = fresh._segments
        self._ends[first:last] = fresh._ends
        self.stopped.update(fresh.stopped)
        self.unreadable += fresh.unreadable
        return offsets

    def _add(self, segment: Segment, sign: int) -> None:
        self.unreadable += sign * segment.unreadable
        for labels, count in segment.stopped:
            self.stopped[labels] += sign * count
            if not self.stopped[labels]:
                del self.stopped[labels]
