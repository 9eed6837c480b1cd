"""One environment's work queue: its items in list order, what may be polled, and what time does to them."""

import heapq
from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator

from exporter.simulator.clock import Bell, microseconds
from exporter.simulator.item import ACTIVE, QUEUED, STARTING, STOPPED, STOPPING, Delivery, WorkItem, item_id
from exporter.simulator.options import Options


class WorkQueue:
    """The items of one environment, sorted by ID.

    Attributes:
        options: How this queue behaves where the documentation is silent.
        items: Every item, ascending by ID. To be changed only through the methods.
        queued: The items in state ``queued``, ascending by ID.
        forgotten: IDs that are no longer known as cursors, although their items are listed.
        pollers: When each ``Worker-ID`` polled last, in microseconds.
        arrivals: Rings when an item becomes queued.
    """

    def __init__(self, options: Options) -> None:
        self.options = options
        self.items: list[WorkItem] = []
        self.queued: list[WorkItem] = []
        self.forgotten: set[str] = set()
        self.pollers: dict[str, int] = {}
        self.arrivals = Bell()
        self._expiries: list[tuple[int, str]] = []

    def position(self, work_id: str) -> int:
        """Return how many items have a smaller ID."""
        return bisect_left(self.items, work_id, key=item_id)

    def find(self, work_id: str) -> WorkItem | None:
        """Return the item with this ID, if there is one."""
        position = self.position(work_id)
        if position < len(self.items) and self.items[position].id == work_id:
            return self.items[position]
        return None

    def add(self, item: WorkItem) -> None:
        """Insert an item where its ID belongs.

        Raises:
            ValueError: The ID is taken.
        """
        if self.find(item.id) is not None:
            raise ValueError(f"{item.id}: this work item exists already")
        insort(self.items, item, key=item_id)
        if item.state == QUEUED:
            self._enqueue(item)

    def add_history(self, items: Iterable[WorkItem]) -> None:
        """Insert many stopped items at once; their IDs must be new."""
        self.items.extend(items)
        self.items.sort(key=item_id)

    def remove(self, items: Iterable[WorkItem]) -> None:
        """Take these items out of the list for good."""
        gone = {item.id for item in items}
        if len(gone) == 1:
            del self.items[self.position(next(iter(gone)))]
        else:
            self.items = [item for item in self.items if item.id not in gone]
        self.queued = [item for item in self.queued if item.id not in gone]

    def move(self, item: WorkItem, state: str) -> None:
        """Change an item's state; its timestamps are the caller's to set."""
        before, item.state = item.state, state
        if before == QUEUED and state != QUEUED:
            del self.queued[bisect_left(self.queued, item.id, key=item_id)]
            item.delivery = None
        elif before != QUEUED and state == QUEUED:
            item.lease = None
            self._enqueue(item)

    def deliver(self, now_us: int, worker_id: str | None, reclaim_us: int) -> WorkItem | None:
        """Hand out the oldest claimable item: never delivered, or not acknowledged for ``reclaim_us`` (`work/poll`)."""
        if worker_id is not None:
            self.pollers[worker_id] = now_us
        for item in self.queued:
            if item.delivery is None or now_us - item.delivery.at_us >= reclaim_us:
                item.delivery = Delivery(now_us, worker_id, reclaim_us)
                return item
        return None

    def pending(self, now_us: int) -> Iterator[WorkItem]:
        """Give the queued items that were delivered within the redelivery window (`work/stats`)."""
        window = self.options.pending_window_seconds
        fixed_us = None if window is None else microseconds(window)
        for item in self.queued:
            if item.delivery is not None:
                window_us = item.delivery.reclaim_us if fixed_us is None else fixed_us
                if now_us - item.delivery.at_us < window_us:
                    yield item

    def workers_polling(self, now_us: int) -> int:
        """Return how many workers with a ``Worker-ID`` have polled within the window (`work/stats`)."""
        oldest_us = now_us - microseconds(self.options.workers_window_seconds)
        self.pollers = {worker: at_us for worker, at_us in self.pollers.items() if at_us >= oldest_us}
        return len(self.pollers)

    def watch_lease(self, item: WorkItem) -> None:
        """Remember when the item's lease lapses."""
        if item.lease is not None and item.lease.expires_us is not None:
            heapq.heappush(self._expiries, (item.lease.expires_us, item.id))

    def settle(self, now_us: int) -> None:
        """Do what has become due: let lapsed leases expire, by the options."""
        while self._expiries and self._expiries[0][0] <= now_us:
            expires_us, work_id = heapq.heappop(self._expiries)
            item = self.find(work_id)
            if item is not None and item.lease is not None and item.lease.expires_us == expires_us:
                self._expire(item, expires_us)

    def _expire(self, item: WorkItem, expires_us: int) -> None:
        policies = {
            STARTING: self.options.starting_expiry,
            ACTIVE: self.options.lease_expiry,
            STOPPING: self.options.stopping_expiry,
        }
        match policies.get(item.state, "keep"):
            case "requeue":
                if self.options.requeue_resets:
                    item.acknowledged_us = item.started_us = item.heartbeat_us = None
                self.move(item, QUEUED)
            case "stop":
                item.stopped_us = expires_us
                self.move(item, STOPPED)
            case _:
                pass

    def _enqueue(self, item: WorkItem) -> None:
        insort(self.queued, item, key=item_id)
        self.arrivals.ring()
