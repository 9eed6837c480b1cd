"""Whole readings of one environment's list in the background: the first one, and now and then one that corrects drift.

A reading goes page by page, or in several ranges at once where the API allows it; it begins where the watched part of
the list begins (``history.lookback``), goes on where an earlier one stopped, and starts over where the list has lost
what it had. There is never more than one per environment.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import structlog

from exporter.api.client import WorkAPI
from exporter.api.clock import CONFIRMATIONS
from exporter.api.errors import APIError, InvalidResponse, TimedOut
from exporter.spans import monotonic
from exporter.tracking.ids import TimedID
from exporter.tracking.ledger import Ledger
from exporter.tracking.lookback import find_origin
from exporter.tracking.lookup import Queued
from exporter.tracking.observation import Labeller
from exporter.tracking.ranges import PAGES_BEFORE, Ranges
from exporter.tracking.reader import Reader, TailLostError
from exporter.tracking.settings import TrackingSettings
from exporter.tracking.snapshot import stats_of
from exporter.tracking.source import Source
from exporter.tracking.suspects import suspects
from exporter.tracking.tasks import StalledError, unless_stalled
from exporter.tracking.traversal import Traversal
from exporter.tracking.walk import CursorLostError

PROGRESS_INTERVAL = 10.0
"""Seconds between two log lines about the progress of a reading."""

LEAST_SHARE = 0.02
"""How much of the list must have been read before it is estimated how long the rest takes."""

log = structlog.get_logger()


class Resync:
    """The whole readings of one environment.

    Args:
        named: What log lines call the environment.
        api: The account's client.
        source: Makes the list as it is read in the background.
        ledger: What the readings change.
        labeller: Turns metadata into label values.
        settings: How to track.
        patience: Seconds without any response after which a reading is given up.
        ended: Called when a reading has come to its end, with whether it was one of the whole list.

    Attributes:
        reading: Held while the ledger is changed in several steps: nothing else may change it meanwhile.
        progress: What the reading under way has come to, in words, or None if none is.
    """

    def __init__(
        self,
        named: Callable[[], Mapping[str, str]],
        api: WorkAPI,
        source: Callable[[], Source],
        ledger: Ledger,
        labeller: Labeller,
        *,
        settings: TrackingSettings,
        patience: float,
        ended: Callable[[bool], None],
    ) -> None:
        self.reading = asyncio.Lock()
        self.progress: str | None = None
        self._named = named
        self._api = api
        self._new_source = source
        self._patience = patience
        self._ledger = ledger
        self._labeller = labeller
        self._settings = settings
        self._ended = ended
        self._task: asyncio.Task[bool] | None = None
        self._finished: float | None = None
        self._reported = self._started = monotonic()
        self._before = 0.0

    # -- when ---------------------------------------------------------------------------------------------------------

    @property
    def age(self) -> float | None:
        """Seconds since the last reading came to its end, or None if there was none."""
        return None if self._finished is None else monotonic() - self._finished

    def restore(self, age: float) -> None:
        """Go on as if the last reading had ended so many seconds ago, in an earlier run."""
        self._finished = monotonic() - age

    @property
    def due(self) -> bool:
        """Whether it is time for another reading, or an unfinished one must be gone on with."""
        if self._ledger.traversed != self._ledger.origin:
            return True
        interval = self._settings.resync_interval
        return interval > 0 and (self.age is None or self.age >= interval)

    def start(self) -> asyncio.Task[bool]:
        """Return the reading under way, or begin one; it goes on where an earlier one stopped."""
        if self._task is None or self._task.done():
            return self._begin(self._read)
        return self._task

    def search(self, hidden: int, oldest: float | None) -> None:
        """Look for queued items that nothing shows, unless a reading is under way: where they most likely are, first.

        Args:
            hidden: How many there are at least.
            oldest: Unix time at which one of them was created, or None.
        """
        if self._task is None or self._task.done():
            self._begin(lambda source: self._search(source, hidden, oldest))

    def _begin(self, read: Callable[[Source], Coroutine[Any, Any, bool]]) -> asyncio.Task[bool]:
        self._task = asyncio.create_task(self._run(read), name="resync")
        self._task.add_done_callback(self._done)
        return self._task

    def cancel(self) -> None:
        """Stop the reading under way as soon as it waits for something, without waiting for that."""
        if self._task is not None:
            self._task.cancel()

    async def close(self) -> None:
        """Stop the reading under way; its outcome was logged if it had one."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def _done(self, task: asyncio.Task[bool]) -> None:
        """Log a failure here, since nobody may be waiting; the next refresh begins another reading."""
        self.progress = None
        if task.cancelled():
            return
        error = task.exception()
        if error is None:
            self._ended(task.result())
        elif isinstance(error, APIError):
            log.warning("reading the whole list stopped", **self._named(), error=str(error))
        else:
            log.error(
                "reading the whole list stopped: this is a defect of the exporter",
                **self._named(),
                exc_info=error,
            )

    # -- one reading --------------------------------------------------------------------------------------------------

    async def _run(self, read: Callable[[Source], Coroutine[Any, Any, bool]]) -> bool:
        source = self._new_source()
        try:
            return await unless_stalled(read(source), lambda: source.moved, self._patience)
        except StalledError:
            message = f"nothing came back from the API for {self._patience:g} s"
            raise TimedOut(message, endpoint="list") from None

    async def _read(self, source: Source) -> bool:
        ledger = self._ledger
        first, self._started, self._before = not ledger.complete, monotonic(), self._share()
        await self._find_origin(source)
        log.debug("reading the whole list", **self._named(), first=first, after=ledger.traversed)
        await self._read_pages(source, first=first)
        self._finished = monotonic()
        log.info(
            "read the whole list",
            **self._named(),
            requests=source.requests,
            items=ledger.history.size,
            live=len(ledger.live),
        )
        return True

    async def _search(self, source: Source, hidden: int, oldest: float | None) -> bool:
        """Recount segments until as much is found as is hidden; where that is not enough, read the whole list."""
        ledger = self._ledger
        found = ledger.found
        log.warning("searching for queued items that are not counted", **self._named(), items=hidden)
        reader = Reader(source, ledger, self._labeller, self._queued(source))
        for end in suspects(ledger.history.segments, oldest):
            try:
                async with self.reading:
                    await reader.recount(end)
            except TailLostError:  # reading the whole list will tell
                break
            if ledger.found - found >= hidden:
                return False
        return await self._read(source)

    async def _read_pages(self, source: Source, *, first: bool) -> None:
        """Read from where the ledger's traversal stands to the end of the list, starting over once if need be."""
        in_ranges = first and not self._settings.metadata_keys
        traversal = self._traversal(source)
        started_over = False
        while True:
            try:
                async with self.reading:
                    if await traversal.step():
                        return
            except CursorLostError:
                if started_over:
                    message = "the list cannot be read on, not even from its start"
                    raise InvalidResponse(message, endpoint="list") from None
                started_over = True
                await self._start_over(source)
                traversal = self._traversal(source)
                continue
            self._report(source)
            if in_ranges and source.requests >= PAGES_BEFORE:
                in_ranges = False
                if await self._read_ranges(source):
                    traversal = self._traversal(source)

    def _traversal(self, source: Source) -> Traversal:
        return Traversal(source, self._ledger, self._labeller, self._queued(source))

    def _queued(self, source: Source) -> Queued:
        """Return what asks for how many items the statistics count as queued."""

        async def queued() -> int | None:
            if not self._settings.queue_stats:
                return None
            try:
                answer = await source.stats()
            except APIError:  # then the list is the only witness
                return None
            return stats_of(answer.value, answer.read_at).queued

        return queued

    async def _read_ranges(self, source: Source) -> bool:
        """Read what is left of the list in several ranges at once, if the API lets us; False if nothing was read."""
        ranges = await Ranges.plan(source, self._ledger, self._api.clock.now())
        if ranges is None:
            return False
        # Each reader pauses between its pages, so that it takes more of them than slots to keep to the pace.
        begun = self._share()
        readers = self._api.settings.max_concurrency
        await ranges.read(readers, lambda: self._report(source, begun + (1 - begun) * ranges.share))
        return True

    async def _start_over(self, source: Source) -> None:
        """Go back to the start of the list; where that is a remembered item that has gone, look for it again."""
        ledger = self._ledger
        if ledger.traversed == ledger.origin:
            if ledger.since is None:
                raise InvalidResponse("the list cannot be read on from its start", endpoint="list")
            await self._look_back(source, ledger.since)
        log.warning("the list no longer has what it had; starting over", **self._named())
        ledger.start_over()

    # -- where the watched part of the list begins --------------------------------------------------------------------

    async def _find_origin(self, source: Source) -> None:
        """Find out, once, where the work begins that is young enough to be watched."""
        lookback = self._settings.lookback
        if lookback is None or self._ledger.since is not None:
            return
        # What is fixed here stays: not on a clock of which nothing is known yet, or one answer said the absurd.
        for _ in range(CONFIRMATIONS):
            if self._api.clock.skew is None:
                await source.list(None)
        await self._look_back(source, self._api.clock.now() - lookback)

    async def _look_back(self, source: Source, since: float) -> None:
        """Watch the work created from a unix time on, and ignore what is older."""
        origin = await find_origin(source, since)
        async with self.reading:
            if origin is None:
                self._ledger.begin_after(None, None, since)
            else:
                self._ledger.begin_after(origin.id, origin.before, since)
        log.info("ignoring older work", **self._named(), before=since, after=self._ledger.origin)

    # -- what is said of it -------------------------------------------------------------------------------------------

    def _share(self) -> float:
        """Return how much of the list has been read, from 0 to 1, where IDs hold the time of their creation; else 0."""
        history, reached = self._ledger.history, self._ledger.traversed
        if not len(history) or reached is None:
            return 0.0
        first, last = TimedID.parse(history.segments[0].end), TimedID.parse(reached)
        if first is None or last is None:
            return 0.0
        return min(
            1.0, (last.milliseconds - first.milliseconds) / max(1.0, self._api.clock.now() * 1000 - first.milliseconds)
        )

    def _report(self, source: Source, share: float | None = None) -> None:
        """Say on the status page, and now and then in the log, how far the reading has come."""
        share = self._share() if share is None else share
        self.progress = f"{source.requests} requests made, {self._ledger.size} items read"
        if share >= self._before + LEAST_SHARE:
            left = (monotonic() - self._started) * (1 - share) / (share - self._before)
            self.progress += f", about {share:.0%} of the list by its time; {left:.0f} s left at this pace"
        if monotonic() - self._reported >= PROGRESS_INTERVAL:
            self._reported = monotonic()
            log.info("reading the whole list", **self._named(), progress=self.progress)
