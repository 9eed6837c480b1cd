"""In which order an account's environments are refreshed when there are more than its pace allows at once.

If all began at once, they would share the pace, and none would be complete before nearly all are, with data as old as
the wait. So only a few are under way at a time, and those whose last refresh is longest ago come first.
"""

import asyncio
import time
from collections.abc import Sequence
from heapq import heappop, heappush
from itertools import count

from exporter.api.client import ClientSettings
from exporter.tracking.tracker import Tracker

PLACE_SECONDS = 2.0
"""How long a refresh keeps others from beginning: one that hangs must not hold up its neighbours."""

USUAL_REQUESTS = 3
"""Requests of a usual refresh; where the pace lets that many take longer, places are kept for so long."""

MAX_INTERVAL = 60.0
"""How long after a scrape refreshes may still begin; less where scrapes come more often."""

IDLE_LAG = 0.25
"""How much longer an environment without live items waits for its turn, as a share of ``max_staleness``."""


class Schedule:
    """Lets the refreshes of one account begin.

    Args:
        client: How fast, and how much at a time, the account may be asked.
        max_staleness: Seconds after which data are withheld.
    """

    def __init__(self, client: ClientSettings, max_staleness: float) -> None:
        self._set(client, max_staleness)
        self._queue: list[tuple[float, int, Tracker]] = []
        self._waiting: dict[Tracker, tuple[float, asyncio.Future[None]]] = {}
        self._under_way = 0
        self._order = count()
        self._round: list[Tracker] = []
        self._last_scrape = self._next_scrape = 0.0

    def __len__(self) -> int:
        return len(self._waiting)

    def refresh(self, trackers: Sequence[Tracker], deadline: float) -> set[asyncio.Future[None]]:
        """Refresh these environments, each when its turn comes; return what is done when those that are due are read.

        Where requests are scarce, those that are too young now are read later in the same round: left out of it, they
        would be the oldest ones in the next. And what is left of the time until the next scrape is used for that.

        Args:
            trackers: The environments.
            deadline: On ``time.monotonic()``'s clock, as for :meth:`Tracker.refresh`; the latest that is given counts.
        """
        now = time.monotonic()
        self._next_scrape, self._last_scrape = now + min(now - self._last_scrape, MAX_INTERVAL), now
        due = {each for tracker in trackers if (each := self._refresh(tracker, deadline)) is not None}
        self._round = []
        if len(self) > self._places:
            self._round = list(trackers)
            self._add(due=False)
        return due

    def _add(self, *, due: bool) -> None:
        """Let the environments of this round wait for another turn: those that are due, or all."""
        for tracker in self._round:
            if not tracker.refreshing and tracker not in self._waiting and (tracker.due or not due):
                self._wait(tracker, time.monotonic())

    def _refresh(self, tracker: Tracker, deadline: float) -> asyncio.Future[None] | None:
        if tracker.refreshing:
            return tracker.refresh(deadline)
        if tracker not in self._waiting:
            return self._wait(tracker, deadline) if tracker.due else None
        latest, done = self._waiting[tracker]
        self._waiting[tracker] = (max(deadline, latest), done)
        return done

    def _wait(self, tracker: Tracker, deadline: float) -> asyncio.Future[None]:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[tracker] = (deadline, done)
        turn = tracker.begun_at + (0.0 if tracker.busy else self._lag)
        heappush(self._queue, (turn, next(self._order), tracker))
        self._proceed()
        return done

    def drop(self, tracker: Tracker) -> None:
        """Forget an environment that waits for its turn and is no longer watched."""
        self._round = [each for each in self._round if each is not tracker]
        _, done = self._waiting.pop(tracker, (0.0, None))
        if done is not None and not done.done():
            done.set_result(None)

    def close(self) -> None:
        """Forget all that wait for their turn."""
        self._round = []
        for tracker in list(self._waiting):
            self.drop(tracker)

    def reconfigure(self, client: ClientSettings, max_staleness: float) -> None:
        """Go on by other settings."""
        self._set(client, max_staleness)
        self._proceed()

    def _set(self, client: ClientSettings, max_staleness: float) -> None:
        self._places = client.max_concurrency
        self._place_seconds = max(PLACE_SECONDS, USUAL_REQUESTS * self._places / client.requests_per_second)
        self._lag = IDLE_LAG * max_staleness

    def _proceed(self) -> None:
        while self._queue and self._under_way < self._places:
            _, _, tracker = heappop(self._queue)
            if tracker in self._waiting:
                self._begin(tracker, *self._waiting.pop(tracker))

    def _begin(self, tracker: Tracker, deadline: float, done: asyncio.Future[None]) -> None:
        # What begins after its deadline serves the next scrape, and may try as often as if that came right now.
        patience = time.monotonic() + tracker.min_interval
        task = tracker.refresh(max(deadline, patience), sparing=len(self._waiting) > self._places)
        if task is None:
            done.set_result(None)
            return
        self._under_way += 1
        place = _Place(self)
        overdue = asyncio.get_running_loop().call_later(self._place_seconds, place.leave)

        def ended(_: asyncio.Task[None]) -> None:
            overdue.cancel()
            if not done.done():
                done.set_result(None)
            place.leave()

        task.add_done_callback(ended)

    def _left(self) -> None:
        self._under_way -= 1
        if not self._queue and time.monotonic() < self._next_scrape:
            self._add(due=True)
        self._proceed()


class _Place:
    """A place that can be left once."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule: Schedule | None = schedule

    def leave(self) -> None:
        schedule, self._schedule = self._schedule, None
        if schedule is not None:
            schedule._left()
