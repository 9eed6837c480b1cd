"""What was true of an environment when it was last read: immutable, and all that metrics are made of."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from exporter.api.types import QueueStats, unix
from exporter.histogram import Histogram
from exporter.tracking.ledger import Ledger
from exporter.tracking.live import LiveItem
from exporter.tracking.observation import QUEUED, STATES, STOPPED, Labels, plausible

MAX_UNKNOWN_STATES = 5
"""States this version does not know that are shown under their own name; further ones are ``other``."""

MOVING_SECONDS = 5.0
"""How long ago an item may have come or been acknowledged for the statistics to have another count."""

SLICE = 2000
"""Live items that are summed up in one go, which takes some milliseconds."""

OTHER = "other"


@dataclass(frozen=True, slots=True)
class Queue:
    """The work items of one environment. Ages and lags are seconds at the moment each item was read, never negative.

    Attributes:
        counts: Items by state and labels.
        oldest_age: How long the item longest in each live state has been in it.
        oldest_queued_at: Unix time at which the oldest queued item was created.
        queue_age: Ages of the queued items.
        max_heartbeat_lag: The longest time since the last heartbeat.
        oldest_heartbeat_at: Unix time it is counted from.
        heartbeat_lag: That lag of every item that should send heartbeats.
        moving: Live items that were created or acknowledged in the last seconds: by so much, what was read at another
            moment of the refresh may differ.
        unreadable: Items that could not be read in full; they are among the counts, but for those without an ID.
    """

    counts: Mapping[tuple[str, Labels], int]
    oldest_age: Mapping[str, float]
    oldest_queued_at: float | None
    queue_age: Histogram
    max_heartbeat_lag: float
    oldest_heartbeat_at: float | None
    heartbeat_lag: Histogram
    moving: int = 0
    unreadable: int = 0


@dataclass(frozen=True, slots=True)
class Stats:
    """The API's own statistics; None where it gives none.

    Attributes:
        depth: Queued items that can be claimed.
        pending: Queued items delivered and not acknowledged.
        workers_polling: Workers that polled lately.
        oldest_queued_at: Unix time.
        oldest_queued_age: Seconds at the moment of reading.
    """

    depth: int | None
    pending: int | None
    workers_polling: int | None
    oldest_queued_at: float | None
    oldest_queued_age: float

    @property
    def queued(self) -> int | None:
        """Return how many items are queued at least, or None if it is not said."""
        known = [count for count in (self.depth, self.pending) if count is not None]
        return max(known) if known else None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One environment at one moment.

    Attributes:
        read_at: Unix time on this machine's clock at which the reading began.
        queue: The work items, or None while the whole list has not been read yet.
        stats: The API's own statistics, or None if they are not read or could not be.
    """

    read_at: float
    queue: Queue | None
    stats: Stats | None

    @property
    def counts(self) -> Mapping[tuple[str, Labels], int]:
        """Items by state and labels; empty while the list is not complete."""
        return self.queue.counts if self.queue is not None else {}


def stats_of(stats: QueueStats, read_at: float) -> Stats:
    """What the API's statistics, read at this unix time on its clock, say."""
    oldest = None if stats.oldest_queued_at is None else unix(stats.oldest_queued_at)
    oldest = oldest if oldest is not None and plausible(oldest, read_at) else None
    age = 0.0 if oldest is None else max(0.0, read_at - oldest)
    return Stats(stats.depth, stats.pending, stats.workers_polling, oldest, age)


class Tally:
    """Sums up live items, as many at a time as the caller likes.

    Args:
        ledger: What has stopped is taken from it at the end.
        keys: The number of configured labels.
    """

    def __init__(self, ledger: Ledger, keys: int) -> None:
        self._ledger = ledger
        self._no_labels = ("",) * keys
        self._counts: Counter[tuple[str, Labels]] = Counter()
        self._oldest_age = dict.fromkeys(STATES[:4], 0.0)
        self._queue_age, self._heartbeat_lag = Histogram(), Histogram()
        self._max_lag = 0.0
        self._oldest_heartbeat: float | None = None
        self._oldest_queued: float | None = None
        self._moving = self._unreadable = 0

    def add(self, items: Sequence[LiveItem]) -> None:
        """Add some live items."""
        ages, lags = [], []
        for live in items:
            item = live.seen
            self._counts[item.state, item.labels] += 1
            self._unreadable += item.unreadable
            since = item.state_since
            if since is not None and item.read_at - since > self._oldest_age[item.state]:
                self._oldest_age[item.state] = item.read_at - since
            moved = item.created if item.state == QUEUED else item.acknowledged
            self._moving += moved is not None and moved >= item.read_at - MOVING_SECONDS
            if item.state == QUEUED and item.created is not None:
                ages.append(max(0.0, item.read_at - item.created))
                self._oldest_queued = _earlier(self._oldest_queued, item.created)
            beating = item.beating_since
            if beating is not None:
                lags.append(max(0.0, item.read_at - beating))
                self._oldest_heartbeat = _earlier(self._oldest_heartbeat, beating)
        self._queue_age.observe_all(ages)
        self._heartbeat_lag.observe_all(lags)
        self._max_lag = max([self._max_lag, *lags])

    def queue(self) -> Queue:
        """Return everything measured of what was added, and of what has stopped."""
        counts = Counter(self._counts)
        for labels, count in self._ledger.history.stopped.items():
            counts[STOPPED, labels] += count
        return Queue(
            counts=_zero_filled(_bounded(counts), self._no_labels),
            oldest_age=self._oldest_age,
            oldest_queued_at=self._oldest_queued,
            queue_age=self._queue_age,
            max_heartbeat_lag=self._max_lag,
            oldest_heartbeat_at=self._oldest_heartbeat,
            heartbeat_lag=self._heartbeat_lag,
            moving=self._moving,
            unreadable=self._unreadable + self._ledger.history.unreadable + self._ledger.without_id.number,
        )


def queue_of(ledger: Ledger, keys: int) -> Queue:
    """Return everything measured of the items in a ledger at once; ``keys`` is the number of configured labels."""
    tally = Tally(ledger, keys)
    tally.add(ledger.targets())
    return tally.queue()


async def queue_in_slices(ledger: Ledger, keys: int) -> Queue:
    """Return the same, and let others work in between; nothing may change the ledger meanwhile."""
    tally = Tally(ledger, keys)
    for items in ledger.live.slices(SLICE):
        tally.add(items)
        await asyncio.sleep(0)
    return tally.queue()


def _earlier(known: float | None, other: float) -> float:
    return other if known is None else min(known, other)


def _bounded(counts: Mapping[tuple[str, Labels], int]) -> Counter[tuple[str, Labels]]:
    """The counts with at most so many states that are not documented, the first ones by name."""
    unknown = sorted({state for state, _ in counts} - set(STATES))
    kept = {*STATES, *unknown[:MAX_UNKNOWN_STATES]}
    bounded: Counter[tuple[str, Labels]] = Counter()
    for (state, labels), count in counts.items():
        bounded[state if state in kept else OTHER, labels] += count
    return bounded


def _zero_filled(counts: Counter[tuple[str, Labels]], no_labels: Labels) -> Mapping[tuple[str, Labels], int]:
    """The counts with every documented state in them, so that none looks like missing data."""
    present = {state for state, _ in counts}
    for state in STATES:
        if state not in present:
            counts[state, no_labels] = 0
    return dict(sorted(counts.items(), key=lambda entry: (_order(entry[0][0]), entry[0])))


def _order(state: str) -> int:
    return STATES.index(state) if state in STATES else len(STATES)
