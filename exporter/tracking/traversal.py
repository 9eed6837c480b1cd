"""Reading the whole list page by page in the background: the first time, and now and then to correct drift."""

from exporter.tracking.history import SEGMENT_SIZE
from exporter.tracking.ledger import Ledger
from exporter.tracking.lookup import SAMPLE, Queued, believe_empty, prove_gone
from exporter.tracking.observation import Labeller, observe
from exporter.tracking.reading import Reading, Sighting
from exporter.tracking.source import Source
from exporter.tracking.walk import CursorLostError, Page, Walk

MAX_PAGES = 2 * SEGMENT_SIZE
"""Pages that one step may take; one is the rule, more where pages have become smaller than segments."""


class Traversal:
    """A reading of the whole list that can stop after any step and go on later, in another process if need be.

    Each step reads a stretch that ends where a segment of the ledger ends, and recounts it. Nothing else may change
    the ledger during a step.

    Args:
        source: The list.
        ledger: What is known of it.
        labeller: Turns metadata into label values.
        queued: How many items the API's statistics count as queued.
    """

    def __init__(self, source: Source, ledger: Ledger, labeller: Labeller, queued: Queued) -> None:
        self._source = source
        self._queued = queued
        self._ledger = ledger
        self._labeller = labeller
        self._walk = Walk(source, ledger.traversed, self._cursors())

    async def step(self) -> bool:
        """Read on; True if that was the end of the list.

        Raises:
            CursorLostError: Nothing leads on from where an earlier traversal stopped; it must start over.
            APIError: A request failed, or the page is not to be believed; another traversal can go on from here.
        """
        sightings: list[Sighting] = []
        before = self._go_to_start()
        for _ in range(MAX_PAGES):
            page = await self._walk.next()
            sightings += self._sightings(page, sightings[-1].item.id if sightings else before)
            cut = self._cut(sightings, page.end)
            if page.end or cut is not None:
                break
        else:
            raise CursorLostError(before)
        kept = [sighting for sighting in sightings if cut is None or sighting.item.id <= cut]
        ids = [sighting.item.id for sighting in kept]
        reading = Reading(before, cut, kept, ids)
        gone = await self._believed(reading)
        self._ledger.traverse(reading, gone, self._source.api.clock.now())
        return cut is None

    async def _believed(self, reading: Reading) -> set[str]:
        """Return what has vanished from a stretch, unless it is not to be believed.

        Raises:
            InvalidResponse: The API has what the stretch leaves out, or counts items where the stretch shows none.
        """
        expected = self._ledger.expected(reading, anchors=SAMPLE)
        gone = await prove_gone(self._source, expected.difference(reading.ids))
        # A stretch without items is no empty list: the first segments may have been deleted, and the pages be short.
        if reading.after is None and reading.through is None and not reading.ids:
            await believe_empty(self._queued)
        return gone

    def _go_to_start(self) -> str | None:
        """Go to where the next stretch begins, and return where that is."""
        position = self._ledger.stand()
        if self._walk.position != position:
            self._walk.go_to(position, self._cursors())
        return position

    def _cursors(self) -> list[str | None]:
        """IDs from which the list can be read on from where the traversal stands."""
        ledger = self._ledger
        anchors = [] if ledger.traversed is None else ledger.history.anchors_before(ledger.traversed)
        return [*ledger.cursors(ledger.traversed), *anchors, *ledger.cursors(ledger.origin), None]

    def _sightings(self, page: Page, before: str | None) -> list[Sighting]:
        sightings = []
        for item in page.items:
            sightings.append(Sighting(observe(item, self._labeller.labels(item.metadata), page.read_at), before))
            before = item.id
        return sightings

    def _cut(self, sightings: list[Sighting], end: bool) -> str | None:
        """The last ID up to which segments can be recounted; None for the end of the list, or if more is needed."""
        if end or not sightings:
            return None
        last, known = sightings[-1].item.id, self._ledger.tail.last
        if known is None or last > known:
            return last
        boundary = self._ledger.history.boundary(last)
        return boundary if boundary is not None and boundary > (self._ledger.traversed or "") else None
