"""Reading a long list for the first time in several ranges at once, where the API reads on from IDs no item has.

The rest of the list is cut into ranges of equal time. Each is read on its own, and is proven to be contiguous with the
next when it comes upon the very item with which the next began. Ranges enter the ledger in the order of the list, so
that what is in it is always the list's beginning, from which a later traversal can go on.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from exporter.tracking.history import History
from exporter.tracking.ids import TimedID, foreign_cursors_work
from exporter.tracking.ledger import Ledger
from exporter.tracking.lifecycle import Lifecycle
from exporter.tracking.live import LiveItem
from exporter.tracking.observation import observe
from exporter.tracking.source import Source
from exporter.tracking.tail import OVERLAP
from exporter.tracking.walk import CursorLostError, Walk

PAGES_BEFORE = 10
"""Pages read one after another before it pays to ask whether ranges are possible."""

PAGES_A_RANGE = 20
"""Pages that a range should have; unequal ones leave nobody idle, as there are more ranges than readers."""

MAX_RANGES = 256


class Range:
    """A stretch of the list between two IDs that need be no item's.

    Args:
        after: Where it begins, exclusive.
        until: Where it ends, inclusive; None for the end of the list.
    """

    def __init__(self, after: str, until: str | None) -> None:
        self.after = after
        self.until = until
        self.history = History()
        self.live: list[LiveItem] = []
        self.first: str | None = None
        self.following: str | None = None
        self.last: deque[str] = deque(maxlen=OVERLAP + 1)
        self.done = False

    async def read(self, source: Source) -> None:
        """Read it to its end.

        Raises:
            APIError: A request failed.
            CursorLostError: The API does not know where the range begins.
        """
        walk = Walk(source, self.after)
        while not self.done:
            page = await walk.next()
            for item in page.items:
                if self.until is not None and item.id > self.until:
                    self.following, self.done = item.id, True
                    break
                seen = observe(item, (), page.read_at)
                offset = self.history.append(item.id, None if seen.live else (), unreadable=seen.unreadable)
                if seen.live:
                    before = self.last[-1] if self.last else None
                    self.live.append(LiveItem(seen, offset, before, Lifecycle.past(seen)))
                self.first = self.first or item.id
                self.last.append(item.id)
            self.done = self.done or page.end


class Ranges:
    """The rest of a list, read by several readers at once. Only for ledgers whose items have no labels."""

    def __init__(self, source: Source, ledger: Ledger, ranges: Sequence[Range]) -> None:
        self._source = source
        self._ledger = ledger
        self._ranges = ranges
        self._entered = 0
        self._expected: str | None = None

    @property
    def share(self) -> float:
        """How much of it has been read, from 0 to 1."""
        return sum(each.done for each in self._ranges) / len(self._ranges)

    @classmethod
    async def plan(cls, source: Source, ledger: Ledger, now: float) -> "Ranges | None":
        """Cut what is left of the list into ranges, or None where that is not possible or does not pay.

        Args:
            source: The list.
            ledger: Its beginning.
            now: Unix time on the API's clock.
        """
        ends = [segment.end for segment in ledger.history.segments]
        first, last = (TimedID.parse(end) for end in (ends[0], ends[-1]))
        if first is None or last is None or len(ledger.tail.ids) < 2:
            return None
        start, end = last.milliseconds, int(now * 1000)
        left = (end - start) * (len(ends) - 1) // max(1, start - first.milliseconds)
        number = min(MAX_RANGES, left // PAGES_A_RANGE, (end - start) // 2)
        before, newest = ledger.tail.ids[-2:]
        if number < 2 or before is None or newest is None or not await foreign_cursors_work(source, before, newest):
            return None
        cuts = [newest, *(last.at(start + (end - start) * index // number) for index in range(1, number)), None]
        return cls(source, ledger, [Range(after, until) for after, until in _pairs(cuts)])

    async def read(self, readers: int, progress: Callable[[], None]) -> None:
        """Read all ranges and enter them into the ledger as far as they join.

        Args:
            readers: How many are read at once.
            progress: Called after each range.

        Raises:
            APIError: A request failed; another traversal can go on from what is in the ledger.
        """
        waiting = iter(self._ranges)
        workers = [asyncio.create_task(self._work(waiting, progress)) for _ in range(readers)]
        try:
            done, _ = await asyncio.wait(workers, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
            self._enter(unfinished=True)
        for worker in done:
            worker.result()

    async def _work(self, waiting: Iterator[Range], progress: Callable[[], None]) -> None:
        for each in waiting:
            try:
                await each.read(self._source)
            except CursorLostError:
                # The list is read page by page from here on: what comes after this range cannot join.
                return
            self._enter()
            progress()

    def _enter(self, *, unfinished: bool = False) -> None:
        """Enter every range that is read and joins what is in the ledger; of an unfinished one, what there is.

        Ranges end in any order, and enter in the order of the list: range 3 waits until 1 and 2 are in. Range 1, read
        to its end, saw the first item behind it, ``following``; range 2 joins if that very item is its first, or, where
        range 2 is empty, if it saw the same item behind itself. Anything else means that the API skipped something,
        and nothing after that enters; it is then read page by page. An unfinished range is the last that can enter.
        """
        while self._entered < len(self._ranges):
            each = self._ranges[self._entered]
            joins = self._entered == 0 or (each.first or each.following) == self._expected
            if not joins or not (each.done or (unfinished and each.history.size)):
                return
            self._ledger.extend(each.history, each.live, list(each.last))
            self._expected = each.following
            self._entered = self._entered + 1 if each.done else len(self._ranges)


def _pairs(cuts: Sequence[str | None]) -> Iterator[tuple[str, str | None]]:
    for after, until in pairwise(cuts):
        if after is not None:
            yield after, until
