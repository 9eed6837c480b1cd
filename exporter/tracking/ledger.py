"""What is known of one environment's work list: every live item, and of the stopped ones how many there are.

Only its own methods change it, each by one complete reading or by none. It knows neither HTTP nor when to read what.
"""

from collections import Counter
from collections.abc import Collection, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from exporter.tracking.history import History
from exporter.tracking.ids import created_before
from exporter.tracking.lifecycle import Counted, Lifecycle
from exporter.tracking.live import UNKNOWN, LiveItem, LiveItems
from exporter.tracking.observation import Labels, Observation
from exporter.tracking.reading import Reading, Sighting, newest
from exporter.tracking.steps import last_of
from exporter.tracking.tail import Tail
from exporter.tracking.without_id import WithoutID

STEP = 500
"""Items that are applied in one go, which takes a millisecond or two."""

LATE = 300.0
"""Seconds by which an item may become visible after its creation and still count as an event of the watch."""


@dataclass(slots=True)
class Ledger:
    """The state of one environment.

    Attributes:
        history: Counts of what has stopped.
        live: Everything else, by ID.
        lifecycle: Counters since the watch began.
        tail: The end of the list, ID by ID.
        origin: The ID after which this ledger begins (``history.lookback``), or None for the start of the list.
        foothold: An ID a little before ``origin``, from which a page shows ``origin`` itself; None for the start of the
            list.
        since: The unix time that ``origin`` was found for, or None.
        complete: Whether the whole list has been read once, so that numbers may be shown and events counted.
        traversed: How far the traversal under way has come: the last ID it has counted; ``origin`` at its start.
        doubtful: IDs of items that stand where the counts say otherwise; their segments need a recount.
        began: The unix time on the API's clock at which the whole list had been read once; None before, or unknown.
        corrections: Items whose count was found wrong when a part of the list was read again.
        without_id: Where items of the list have no ID; they are in no other number here.
        found: Live items that stood where no refresh had reason to look, since this process began.
        counted: While the list is read anew from its start: what had been counted of its live items before.
    """

    history: History = field(default_factory=History)
    live: LiveItems = field(default_factory=LiveItems)
    lifecycle: Lifecycle = field(default_factory=Lifecycle)
    tail: Tail = field(default_factory=Tail)
    origin: str | None = None
    foothold: str | None = None
    since: float | None = None
    complete: bool = False
    traversed: str | None = None
    doubtful: set[str] = field(default_factory=set)
    began: float | None = None
    corrections: int = 0
    without_id: WithoutID = field(default_factory=WithoutID)
    found: int = 0
    counted: dict[str, int] = field(default_factory=dict)

    def renewed(self) -> "Ledger":
        """Return a ledger that knows nothing of the list yet, and counts nothing twice that this one has counted."""
        counted = {work_id: item.counted & Counted.ALL for work_id, item in self.live.items()}
        return Ledger(lifecycle=self.lifecycle, corrections=self.corrections, counted=self.counted | counted)

    # -- a reading of the whole list ----------------------------------------------------------------------------------

    def begin_after(self, origin: str | None, foothold: str | None, since: float) -> None:
        """Watch what follows an ID, and forget what stands before it; the whole list must be read once more.

        Args:
            origin: The ID, or None for the start of the list.
            foothold: An ID a little before it.
            since: The unix time it was found for.
        """
        self.origin, self.foothold, self.since = origin, foothold, since
        if self.complete and origin is not None:
            self.history.replace(None, origin, ())
        self.start_over()

    def start_over(self) -> None:
        """Read the whole list from its start; what was gathered of it so far is forgotten, unless it was all of it.

        What was counted since the watch began stays in either case.
        """
        self.traversed = self.origin
        if not self.complete:
            self.history, self.live = History(), LiveItems()
            self.tail.ids = [self.origin]
            self.doubtful.clear()

    def stand(self) -> str | None:
        """Return where the reading of the whole list stands: at the end of a segment, or at its start.

        A page may have shown more than could be counted; and refreshes may have moved the ends of segments since, so
        that the reading stands within one, of which all must be counted or nothing. It then goes back.
        """
        boundary = None if self.traversed is None else self.history.boundary(self.traversed)
        self.traversed = self.origin if boundary is None else boundary
        return self.traversed

    def traverse(self, reading: Reading, gone: Collection[str], now: float) -> None:
        """Apply the next stretch of the whole list: as :meth:`recount`, and go on after it.

        Args:
            reading: The stretch.
            gone: Live items that it should show and does not, and that the API does not know.
            now: Unix time on the API's clock.
        """
        self.recount(reading, gone)
        self.traversed = reading.ids[-1] if reading.ids else reading.after
        if reading.through is None:
            self.traversed = self.origin
            if not self.complete:
                self.complete, self.began = True, now
                self.counted.clear()

    def begun_by(self, now: float) -> None:
        """Learn that the watch has begun by a unix time on the API's clock, whatever a clock said when it began."""
        if self.began is not None:
            self.began = min(self.began, now)

    # -- what to read -------------------------------------------------------------------------------------------------

    def targets(self) -> list[LiveItem]:
        """The live items in the order of the list."""
        return self.live.listed()

    def positions(self) -> Iterator[int]:
        """Give how many items stand before each live one at most; no two are farther apart than this says."""
        return self.history.positions(self.live, (item.offset for item in self.live.values()))

    @property
    def size(self) -> int:
        """How many items the list has, as far as it has been read."""
        return self.history.size

    def cursors(self, after: str | None) -> list[str | None]:
        """What to tell the API so as to read on after an ID, best first.

        Nothing may follow where the ledger begins, and what stands before may be deleted as time goes by.
        """
        return [after] if after is None or after != self.origin else [self.foothold, after, None]

    def known(self, work_id: str) -> bool:
        """Whether this very ID is remembered, so that seeing it again shows where in the list a reading is."""
        return work_id in self.live or work_id in self.tail.ids or self.history.boundary(work_id) == work_id

    def interesting(self, item_id: str, live: bool) -> bool:
        """Whether an item in a reading must be a sighting: it is live, was live, is new, or is at the list's end."""
        return live or item_id in self.live or self.tail.covers(item_id)

    def expected(self, reading: Reading, *, anchors: int = 0) -> set[str]:
        """Return the IDs that a reading should show if nothing has vanished: live ones, and the last ones of the list.

        Args:
            reading: The reading.
            anchors: How many ends of segments are expected in it, too, if there are so many. Without live items they
                are all that shows whether it is the known list that was read.
        """
        ids = {work_id for work_id in self.live.between(reading.after, reading.through) if self._listed(work_id)}
        ids.update(work_id for work_id in self.tail.ids[1:] if work_id is not None and reading.covers(work_id))
        ends = self.history.ends_between(reading.after, reading.through) if anchors else ()
        ids.update(ends[:: max(1, len(ends) // anchors)][:anchors] if ends else ())
        return ids

    def _listed(self, work_id: str) -> bool:
        return self.live[work_id].before != UNKNOWN

    def unlist(self, work_ids: Iterable[str]) -> None:
        """Expect live items on no page until one shows them again: the list leaves out what the API has."""
        for work_id in self.live.keys() & set(work_ids):
            self.live[work_id].before = UNKNOWN

    # -- what was read ------------------------------------------------------------------------------------------------

    def refresh(self, readings: Iterable[Reading], single: Iterable[Sighting], gone: Iterable[str]) -> None:
        """Apply everything one refresh has read, at once; the arguments are those of :meth:`refreshing`."""
        last_of(self.refreshing(readings, single, gone))

    def refreshing(
        self, readings: Iterable[Reading], single: Iterable[Sighting], gone: Iterable[str]
    ) -> Generator[None, None, None]:
        """Apply everything one refresh has read, step by step, so that others can work in between.

        Between two steps, and if the last ones are never made, what is known is true: of each item what was read of it
        or what was known before. It is not what is true at one moment, and so is not summed up then.

        Args:
            readings: Stretches of the list; the one that ends with the list brings the new items.
            single: Items that were read alone.
            gone: Items that were asked for alone, and that the API does not know. Nothing else vanishes: a list that
                leaves a live item out proves nothing.
        """
        readings, gone = list(readings), set(gone)
        ends = [reading for reading in readings if reading.through is None]
        seen = yield from newest(readings, single)
        vanished = (gone & self.live.keys()) - seen.keys()
        for work_id in vanished:
            self._vanish(work_id)
        for number, work_id in enumerate(sorted(seen), 1):
            self._see(seen[work_id])
            if not number % STEP:
                yield
        if ends:
            end = max(ends, key=lambda reading: reading.ids[-1] if reading.ids else "")
            # What came since that page was read, another one may show already: it is known from now on, too.
            self._end(end.after, sorted({*end.ids, *filter(end.covers, seen)}), vanished)
        elif readings:
            self.tail.reached = False

    def recount(self, reading: Reading, gone: Collection[str] = ()) -> None:
        """Apply a stretch of which every item is a sighting: recount what has stopped there.

        The stretch begins and ends at segment ends, or with the list. Before the ledger is complete this only gathers;
        afterwards items that were not known, or not known to be live, are set right, and counted as corrections.

        Args:
            reading: The stretch.
            gone: Live items that it should show and does not, and that the API does not know.
        """
        vanished = self.live.keys() & set(gone)
        for work_id in vanished:
            self._vanish(work_id)
        self.tail.forget(gone)
        old = [sighting for sighting in reading.sightings if not self.tail.precedes(sighting.item.id)]
        new = reading.sightings[len(old) :]
        # Known items first: what they count goes into the segments that are then replaced, so nothing counts twice.
        for sighting in old:
            self._see(sighting)
        to_the_end = bool(new) or reading.through is None
        counts = [
            (item.id, None if item.live else item.labels, item.unreadable)
            for item in (sighting.item for sighting in old)
        ]
        before = Counter(self.history.stopped)
        offsets = self.history.replace(reading.after, None if to_the_end else reading.through, counts)
        for sighting, offset in zip(old, offsets, strict=True):
            if sighting.item.live:
                self.live[sighting.item.id].offset = offset
        if self.complete:
            self._correct(before, [sighting.item.id for sighting in old])
        for sighting in new:
            self._see(sighting)
        if reading.through is None:
            self._end(reading.after, reading.ids, vanished)
        self.doubtful = {work_id for work_id in self.doubtful if not reading.covers(work_id)}

    def _correct(self, before: Counter[Labels], recounted: Iterable[str]) -> None:
        """Count what recounting a stretch has put right.

        An item that was counted as stopped and lives is one less there and one live item that nobody had looked for. So
        what is too much and what is too little are not added up: the larger of the two is how many were wrong at least.
        """
        more, less = self.history.stopped - before, before - self.history.stopped
        found = 0
        for work_id in recounted:
            item = self.live.get(work_id)
            if item is not None and item.counted & Counted.FOUND:
                item.counted &= ~Counted.FOUND
                found += 1
        self.corrections += max(more.total() + found, less.total())

    def doubt(self) -> None:
        """Have every segment recounted: the list is not the one that was known."""
        self.doubtful.update(segment.end for segment in self.history.segments)

    def extend(self, history: History, live: Iterable[LiveItem], last: Sequence[str]) -> None:
        """Add what follows in the list, gathered elsewhere, while the list is read for the first time.

        Args:
            history: Counts and segments of the stretch.
            live: Its live items; the ID before the stretch's first item is left out.
            last: Its last IDs, one by one, at least as many as ``tail`` holds or all of them.
        """
        for item in live:
            if item.before is None:
                item.before = self.tail.last
            item.counted |= self.counted.get(item.seen.id, 0)
            self.live[item.seen.id] = item
        self.history.extend(history)
        self.tail.append(*last)
        self.traversed = self.tail.last

    def _end(self, after: str | None, ids: Sequence[str], vanished: set[str]) -> None:
        """Remember the end of the list. What has stopped and is missing there must be recounted.

        If what is missing was live it has vanished, and that is settled; if it had stopped, nothing but its segment
        counted it, so the segment is doubtful.
        """
        self.doubtful |= self.tail.end(after, ids) - vanished

    def _see(self, sighting: Sighting) -> None:
        item = sighting.item
        known = self.live.get(item.id)
        if known is not None:
            self._update(known, sighting)
        elif self.tail.precedes(item.id):
            self._append(sighting)
        elif self.tail.covers(item.id) and item.id not in self.tail.ids:
            self._insert_late(sighting)
        elif item.live:
            # It was counted as stopped, or was never seen: recounting its segment will tell which.
            self._place(sighting, Counted.ALL | Counted.FOUND)
            self.found += 1
            self.doubtful.add(item.id)

    def _update(self, known: LiveItem, sighting: Sighting) -> None:
        item = sighting.item
        if self.complete:
            known.counted = self.lifecycle.changed(known.seen, item, known.counted)
        else:
            known.counted |= Lifecycle.past(item)
        known.seen = item
        if sighting.before != UNKNOWN:
            known.before = sighting.before
        if not item.live:
            del self.live[item.id]
            self.history.count_stopped(item.id, item.labels, unreadable=item.unreadable)

    def _append(self, sighting: Sighting) -> None:
        item = sighting.item
        counted = self._appear(item)
        offset = self.history.append(item.id, None if item.live else item.labels, unreadable=item.unreadable)
        if item.live:
            self.live[item.id] = LiveItem(item, offset, sighting.before, counted)
        self.tail.append(item.id)

    def _insert_late(self, sighting: Sighting) -> None:
        """An ID among the last ones that was not there before: it was written late, and is new."""
        item = sighting.item
        counted = self._appear(item)
        self.history.insert(item.id)
        if item.live:
            self._place(sighting, counted)
        else:
            self.history.count_stopped(item.id, item.labels, unreadable=item.unreadable)
        self.tail.insert(item.id)

    def _appear(self, item: Observation) -> int:
        """Count an item that was not in the list before, and return what of it is counted.

        One that was created before the watch began, by its time and its ID alike, should have been in it: it is put
        right, but it is no event. Its time alone proves nothing: a new ID at the end of the list is a new item.
        """
        if not self.complete:
            return Lifecycle.past(item) | self.counted.get(item.id, 0)
        # A beginning in the future was read from a clock that was wrong.
        if self.began is not None and self.began <= item.read_at and created_before(item, self.began - LATE):
            self.corrections += 1
            return Lifecycle.past(item)
        return self.lifecycle.appeared(item)

    def _place(self, sighting: Sighting, counted: int) -> None:
        """Make an item live that lies between known ones; recounting its segment will tell where exactly."""
        segment = self.history.segments[self.history.index(sighting.item.id)]
        following = self.live.following(sighting.item.id)
        near = following is not None and following.seen.id <= segment.end
        offset = following.offset if following is not None and near else max(0, segment.size - 1)
        self.live[sighting.item.id] = LiveItem(sighting.item, offset, sighting.before, counted)

    def _vanish(self, work_id: str) -> None:
        if self.live.pop(work_id, None) is not None and self.complete:
            self.lifecycle.vanished += 1
