"""Reading one environment incrementally: windows of live items, single ones, and the tail of the list."""

import asyncio
from collections.abc import Collection, Sequence

from exporter.api.client import PAGE_SIZE
from exporter.api.errors import InvalidResponse
from exporter.api.types import WorkItem
from exporter.tracking.ledger import Ledger
from exporter.tracking.live import UNKNOWN, LiveItem
from exporter.tracking.lookup import SAMPLE, LeftOutError, Lookup, Queued, believe_empty, prove_gone
from exporter.tracking.observation import STOPPED, Labeller, Observation, observe
from exporter.tracking.planner import planning
from exporter.tracking.reading import Reading, Sighting
from exporter.tracking.source import Source
from exporter.tracking.steps import in_turn
from exporter.tracking.tasks import together
from exporter.tracking.walk import CursorLostError, Walk

TAIL_PAGES = 10
"""Pages of new items after which they are applied, so that a failure further on does not lose them."""

REPAIR_PAGES = 4
"""Pages read from an earlier ID in search of an item whose neighbour has gone."""

ANCHORS = 7
"""Ends of segments from which the tail is looked for: each twice as far back as the one before, the last 64 pages."""


AT_ONCE = 10
"""Pages that are compared with the ledger in one go."""

MAX_TAILS = 50
"""Readings of new items after which a refresh fails; the next one goes on there."""

MAX_EXTRA = 500
"""Requests that a refresh may make beyond its plan, whatever the API answers."""

RESERVE = 10
"""Of those, what is not spent on items that are asked for alone."""


class TailLostError(InvalidResponse):
    """No remembered ID leads to a part of the list any more: it must be read from its start."""


class Reader:
    """One incremental reading of everything that can have changed, applied to the ledger piece by whole piece.

    Args:
        source: The list.
        ledger: What is known of it.
        labeller: Turns metadata into label values.
        queued: How many items the API's statistics count as queued.
        unlisted: Items that the list has left out for so long that it no longer speaks against it.
    """

    def __init__(
        self,
        source: Source,
        ledger: Ledger,
        labeller: Labeller,
        queued: Queued,
        *,
        unlisted: Collection[str] = (),
    ) -> None:
        self._source = source
        self._ledger = ledger
        self._labeller = labeller
        self._queued = queued
        self._unlisted = unlisted
        self._first_page: Reading | None = None
        self._first_page_wanted = asyncio.Lock()
        self._readings: list[Reading] = []
        self._alone = Lookup()
        self._gone: set[str] = set()
        self._emptied = False

    async def read(self) -> None:
        """Make every live item and the end of the list current.

        Raises:
            TailLostError: The end of the list, or a stretch that must be recounted, cannot be found.
            LeftOutError: The list leaves out what the API has.
            APIError: A request failed; what is in the ledger by then is true, but not all of it is current.
        """
        ledger = self._ledger
        planned = await in_turn(planning(ledger, PAGE_SIZE))
        self._source.limit = self._source.requests + planned.requests + MAX_EXTRA
        await together(
            [
                self._tail(planned.tail_after),
                *(self._window(targets) for targets in planned.windows),
                self._alone.ask(self._source, [target.seen.id for target in planned.single]),
            ]
        )
        await self._apply(ledger.live)
        for _ in range(MAX_TAILS):
            if ledger.tail.reached:
                break
            self._source.limit = self._source.requests + MAX_EXTRA
            await self._tail(ledger.tail.ids[0])
            await self._apply(())
        else:
            raise InvalidResponse("there are more new items than one refresh reads", endpoint="list")
        for work_id in sorted(ledger.doubtful):
            if work_id in ledger.doubtful:  # recounting one segment may have settled others
                await self.recount(work_id)

    async def _apply(self, due: Collection[str]) -> None:
        """Apply what has been read since the last time, once it is believed, and whatever else is due by itself.

        Nothing that a page leaves out is believed to be gone before it has been asked for; nothing that is there is
        older than this refresh.
        """
        readings, alone = self._readings, self._alone
        self._readings, self._alone = [], Lookup()
        shown: set[str] = set()
        left_out: set[str] = set()
        for number, reading in enumerate(readings, 1):
            shown.update(reading.ids)
            left_out |= self._ledger.expected(reading).difference(reading.ids)
            if not number % AT_ONCE:
                await asyncio.sleep(0)
        # What one page leaves out and another shows has not vanished.
        left_out -= shown
        asked = alone.found.keys() | alone.gone
        unread = {each for each in due if each not in shown and each not in asked}
        unread |= left_out - asked
        later = await self._ask(alone, sorted(unread), left_out)
        if alone.gone:
            await self._source.list(None)  # an environment that has gone knows none of its items either
            self._gone |= alone.gone
        if not later and self._ledger.size and any(r.after is None and not r.ids for r in readings):
            await believe_empty(self._queued)
        single = [Sighting(self._observe(answer.value, answer.read_at), UNKNOWN) for answer in alone.found.values()]
        if later:
            self._ledger.refresh((), single, alone.gone)
            message = f"{later} items that the list leaves out must be asked for one by one before it is believed"
            raise InvalidResponse(message, endpoint="list")
        if self._emptied:
            self._ledger.doubt()
        await in_turn(self._ledger.refreshing(readings, single, alone.gone))
        self._ledger.unlist(left_out & alone.found.keys())

    async def _ask(self, alone: Lookup, work_ids: list[str], left_out: Collection[str]) -> int:
        """Ask for items one by one, a few of them first, and return for how many there was no room.

        Raises:
            LeftOutError: One of them is there that a page has left out.
        """
        room = int(min(len(work_ids), max(0, self._source.left - RESERVE)))
        sample = work_ids[: SAMPLE if left_out else 0]
        for some in (sample, work_ids[len(sample) : room]):
            await alone.ask(self._source, some)
            refuted = (alone.found.keys() & left_out) - set(self._unlisted)
            if refuted:
                raise LeftOutError(refuted)
        return len(work_ids) - room

    # -- the list's end -----------------------------------------------------------------------------------------------

    async def _tail(self, after: str | None) -> None:
        """What follows ``after``, to the end of the list or to a bound; proven by something known in it."""
        for cursor in (after, *self._earlier(after)):
            try:
                reading = await self._stretch(cursor, None, TAIL_PAGES, beyond=self._ledger.tail.last)
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
        self._emptied = True

    def _earlier(self, after: str | None) -> list[str]:
        """Other IDs from which the tail may be found: live ones and ever older ends of segments, and the last ones.

        The last ones come first if the tail was to begin there, and else last, as live items stand before them.
        """
        if after is None:
            return []
        ledger = self._ledger
        recent = [work_id for work_id in ledger.tail.ids[1:3] if work_id is not None]
        earlier = sorted({*ledger.live.between(None, after)[-2:], *ledger.history.anchors_before(after)[:ANCHORS]})
        others = [*recent, *reversed(earlier)] if after in ledger.tail.ids else [*reversed(earlier), *recent]
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
        """Items that are not where they were in the list, from an earlier ID; what is not found is asked for alone."""
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

    async def recount(self, work_id: str) -> None:
        """Recount the segment of an item, from its start or, if that has gone, from an earlier segment's.

        Raises:
            TailLostError: It cannot be found.
            LeftOutError: What was read leaves out what the API has.
            APIError: A request failed.
        """
        history, origin = self._ledger.history, self._ledger.origin
        index = history.index(work_id)
        through = history.segments[index].end if index + 1 < len(history) else None
        beyond = self._ledger.tail.last if through is None else through
        for back in (0, 1, 3):
            after = history.start(index - back) if index > back else origin
            try:
                reading = await self._stretch(after, through, TAIL_PAGES, beyond=beyond, everything=True)
            except CursorLostError:
                continue
            if through is not None and reading.through is not None:
                kept = [sighting for sighting in reading.sightings if sighting.item.id <= through]
                reading = Reading(after, through, kept, [sighting.item.id for sighting in kept])
            expected = self._ledger.expected(reading, anchors=SAMPLE)
            gone = await prove_gone(self._source, expected.difference(reading.ids, self._unlisted, self._gone))
            self._ledger.recount(reading, gone)
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
        up after ``max_pages``, wherever it is. The tail, and a segment being recounted, must at least come past what is
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
