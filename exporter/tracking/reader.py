"""Reading one environment incrementally: windows of live items, single ones, and the tail of the list."""

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any

from exporter.api.client import PAGE_SIZE
from exporter.api.errors import InvalidResponse, NotFound
from exporter.api.types import WorkItem
from exporter.tracking.ledger import Ledger, Reading, Sighting
from exporter.tracking.live import UNKNOWN, LiveItem
from exporter.tracking.observation import STOPPED, Labeller, Observation, observe
from exporter.tracking.planner import plan
from exporter.tracking.source import Source
from exporter.tracking.walk import CursorLostError, Walk

TAIL_PAGES = 10
"""Pages of new items after which they are applied, so that a failure further on does not lose them."""

REPAIR_PAGES = 4
"""Pages read from an earlier ID in search of an item whose neighbour has gone."""

ANCHORS = 7
"""Ends of segments from which the tail is looked for: each twice as far back as the one before, the last 64 pages."""


class TailLostError(InvalidResponse):
    """No remembered ID leads to a part of the list any more: it must be read from its start."""


class Reader:
    """One incremental reading of everything that can have changed, applied to the ledger piece by whole piece."""

    def __init__(self, source: Source, ledger: Ledger, labeller: Labeller) -> None:
        self._source = source
        self._ledger = ledger
        self._labeller = labeller
        self._first_page: Reading | None = None
        self._first_page_wanted = asyncio.Lock()
        self._readings: list[Reading] = []
        self._single: list[Sighting] = []
        self._gone: list[str] = []

    async def read(self) -> None:
        """Make every live item and the end of the list current.

        Raises:
            TailLostError: The end of the list, or a stretch that must be counted anew, cannot be found.
            APIError: A request failed; what is in the ledger by then is true, but not all of it is current.
        """
        due = set(self._ledger.live)
        planned = plan(self._ledger, PAGE_SIZE)
        await together(
            [
                self._tail(planned.tail_after),
                *(self._window(targets) for targets in planned.windows),
                *(self._get(target.seen.id) for target in planned.single),
            ]
        )
        due -= self._apply()
        while not self._ledger.at_end:
            await self._tail(self._ledger.recent[0])
            due -= self._apply()
        # Whatever a page should have shown and did not: nothing may be older than this refresh.
        await together([self._get(work_id) for work_id in sorted(due & self._ledger.live.keys())])
        self._apply()
        for work_id in sorted(self._ledger.doubtful):
            if work_id in self._ledger.doubtful:  # counting one segment anew may have settled others
                await self._recount(work_id)

    def _apply(self) -> set[str]:
        """Enter into the ledger what has been read since the last time, and say which items that were."""
        self._ledger.refresh(self._readings, self._single, self._gone)
        seen = {sighting.item.id for reading in self._readings for sighting in reading.sightings}
        seen.update(sighting.item.id for sighting in self._single)
        self._readings, self._single, self._gone = [], [], []
        return seen

    # -- the list's end -----------------------------------------------------------------------------------------------

    async def _tail(self, after: str | None) -> None:
        """What follows ``after``, to the end of the list or to a bound; proven by something known in it."""
        for cursor in (after, *self._earlier(after)):
            try:
                reading = await self._stretch(cursor, None, TAIL_PAGES, beyond=self._ledger.last)
            except CursorLostError:
                await self._start()
                continue
            if cursor == self._ledger.origin or self._proven(reading):
                self._readings.append(reading)
                return
        start = await self._start()
        if start.through is not None:
            message = "no known item leads to the end of the list; it is read again as a whole"
            raise TailLostError(message, endpoint="list")
        self._readings.append(start)
        self._ledger.doubt()

    def _earlier(self, after: str | None) -> list[str]:
        """Other IDs from which the tail may be found: live ones and ever older ends of segments, and the last ones.

        The last ones come first if the tail was to begin there, and else last, as live items stand before them.
        """
        if after is None:
            return []
        ledger = self._ledger
        recent = [work_id for work_id in ledger.recent[1:3] if work_id is not None]
        earlier = sorted({*ledger.live.between(None, after)[-2:], *ledger.history.anchors_before(after)[:ANCHORS]})
        others = [*recent, *reversed(earlier)] if after in ledger.recent else [*reversed(earlier), *recent]
        return [work_id for work_id in dict.fromkeys(others) if work_id != after]

    # -- live items ---------------------------------------------------------------------------------------------------

    async def _window(self, targets: Sequence[LiveItem]) -> None:
        """Neighbours on a page, read from the ID before them; found another way if that has gone."""
        try:
            reading = await self._stretch(targets[0].before, targets[-1].seen.id, REPAIR_PAGES)
        except CursorLostError:
            reading = None
        wanted = {target.seen.id for target in targets}
        if reading is not None and any(sighting.item.id in wanted for sighting in reading.sightings):
            self._readings.append(reading)
        else:
            await self._search(targets)

    async def _search(self, targets: Sequence[LiveItem]) -> None:
        """Items whose place in the list is not where it was: from an earlier ID, or else one by one."""
        last = targets[-1].seen.id
        start = await self._start()
        if start.covers(last):
            self._readings.append(start)
            return
        for anchor in self._ledger.history.anchors_before(targets[0].seen.id)[:3]:
            try:
                reading = await self._stretch(anchor, last, REPAIR_PAGES)
            except CursorLostError:
                continue
            if reading.covers(last) and self._proven(reading):
                self._readings.append(reading)
                return
        await together([self._get(target.seen.id) for target in targets])

    async def _get(self, work_id: str) -> None:
        """One item by itself; gone if the API does not know it, unless it does not know the environment."""
        try:
            answer = await self._source.get(work_id)
        except NotFound:
            await self._start()
            self._gone.append(work_id)
            return
        item = answer.value
        if item.id != work_id:
            raise InvalidResponse(f"asked for {work_id}, got another item", endpoint="get")
        self._single.append(Sighting(self._observe(item, answer.read_at), UNKNOWN))

    def _observe(self, item: WorkItem, read_at: float) -> Observation:
        known = self._ledger.live.get(item.id)
        return observe(item, self._labeller.labels(item.metadata), read_at, None if known is None else known.seen)

    # -- pieces of the list -------------------------------------------------------------------------------------------

    async def _start(self) -> Reading:
        """The first page of the list, once a refresh; if the environment itself is gone, this says so."""
        async with self._first_page_wanted:
            if self._first_page is None:
                try:
                    self._first_page = await self._stretch(self._ledger.origin, None, 1)
                except CursorLostError:
                    await self._source.list(None)
                    message = "the ID at which the watched part of the list begins has gone; it is read again"
                    raise TailLostError(message, endpoint="list") from None
        return self._first_page

    async def _recount(self, work_id: str) -> None:
        """Count the segment of an item anew, from its start or, if that has gone, from an earlier segment's."""
        history, origin = self._ledger.history, self._ledger.origin
        index = history.index(work_id)
        through = history.segments[index].end if index + 1 < len(history) else None
        beyond = self._ledger.last if through is None else through
        for back in (0, 1, 3):
            after = history.start(index - back) if index > back else origin
            try:
                reading = await self._stretch(after, through, TAIL_PAGES, beyond=beyond, everything=True)
            except CursorLostError:
                continue
            if through is not None and reading.through is not None:
                kept = [sighting for sighting in reading.sightings if sighting.item.id <= through]
                reading = Reading(after, through, kept)
            self._ledger.recount(reading)
            return
        raise TailLostError(f"the list around {work_id} cannot be found; it is read again as a whole", endpoint="list")

    async def _stretch(
        self,
        after: str | None,
        through: str | None,
        max_pages: int,
        *,
        beyond: str | None = None,
        everything: bool = False,
    ) -> Reading:
        """The list after an ID.

        Args:
            after: The ID.
            through: Where to stop; None for the end of the list.
            max_pages: How many pages to read at most …
            beyond: … where those up to this ID do not count.
            everything: Whether every item is to be a sighting.

        What is read must be bounded, but the bound must not stand in the way of its purpose. A window or a repair gives
        up after ``max_pages``, wherever it is. The tail, and a segment counted anew, must at least come past what is
        known, ``beyond``: if the tail has to be looked for from an anchor 60 pages back, those pages are the price of
        finding it, and only the new ones after them are what may be left for another reading.

        A page is whole, a stretch need not be: it ends with the last item of its last page, which may lie behind
        ``through``, and covers everything up to there.
        """
        walk = Walk(self._source, after, self._ledger.cursors(after))
        sightings: list[Sighting] = []
        ids: list[str] = []
        end = False
        pages = 0
        while pages < max_pages and not end and not (through is not None and ids and ids[-1] >= through):
            page = await walk.next()
            for item in page.items:
                work_id = item.id
                if everything or self._ledger.interesting(work_id, item.state != STOPPED):
                    seen = self._observe(item, page.read_at)
                    sightings.append(Sighting(seen, ids[-1] if ids else after))
                    work_id = seen.id
                ids.append(work_id)
            end = page.end
            pages += beyond is None or (bool(ids) and ids[-1] > beyond)  # what is known already costs nothing
        return Reading(after, None if end else ids[-1], sightings, ids)

    def _proven(self, reading: Reading) -> bool:
        """Whether something known shows that the API read on from where it was asked to."""
        return any(self._ledger.known(work_id) for work_id in reading.ids)


async def together(work: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run all at once; the first failure cancels the others and is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            for each in work:
                group.create_task(each)
    except BaseExceptionGroup as failures:
        first: BaseException = failures
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        raise first from None
