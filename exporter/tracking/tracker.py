"""Keeping one environment current: one refresh at a time, the whole list now and then, and what to show of it."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable

import structlog

from exporter.api.client import WorkAPI
from exporter.api.errors import REASONS, APIError, InvalidResponse
from exporter.tracking.checkpoint import EnvironmentRecord, record_lifecycle, restore_ledger, restore_lifecycle
from exporter.tracking.ledger import Ledger
from exporter.tracking.lookback import find_origin
from exporter.tracking.observation import Labeller, Observation
from exporter.tracking.outcomes import Outcomes, outcome_of
from exporter.tracking.ranges import PAGES_BEFORE, Ranges
from exporter.tracking.reader import Reader, TailLostError
from exporter.tracking.settings import TrackingSettings
from exporter.tracking.snapshot import Queue, Snapshot, Stats, queue_of, stats_of
from exporter.tracking.source import Source
from exporter.tracking.traversal import Traversal
from exporter.tracking.view import EnvironmentIdentity, EnvironmentView
from exporter.tracking.walk import CursorLostError

INTERNAL = "internal"
"""The reason of a failure that is the exporter's own fault."""

PROGRESS_INTERVAL = 10.0
"""Seconds between two log lines about the progress of a traversal."""

log = structlog.get_logger()


class Tracker:
    """One environment over time.

    Args:
        environment: Which, and how it is called; may be renamed later.
        api: The account's client.
        settings: How to track.
        page_interval: Seconds between the pages of one walk through the list.
        record: What is known from an earlier run.
        now: Unix time on this machine's clock.
    """

    def __init__(
        self,
        environment: EnvironmentIdentity,
        api: WorkAPI,
        settings: TrackingSettings,
        *,
        page_interval: float,
        record: EnvironmentRecord | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.environment = environment
        self.ledger = Ledger()
        self.labeller = Labeller(settings.metadata_keys, settings.max_label_values)
        self.traversed_at: float | None = None
        self._api = api
        self._settings = settings
        self._page_interval = page_interval
        self._now = now
        self._reading = asyncio.Lock()
        self._refresh: asyncio.Task[None] | None = None
        self._begun = -float("inf")
        self._traversal: asyncio.Task[None] | None = None
        self._progress: str | None = None
        self._reported = time.monotonic()
        self._snapshot: Snapshot | None = None
        self._up = False
        self._error: str | None = None
        self._failures = Counter(dict.fromkeys((*REASONS, INTERNAL), 0))
        self._duration: float | None = None
        self._requests: int | None = None
        self._outcomes = Outcomes()
        if record is not None:
            self._restore(record)

    # -- for the fleet ------------------------------------------------------------------------------------------------

    def refresh(self, deadline: float) -> asyncio.Task[None] | None:
        """The refresh under way, or a new one; None if the data are too young to be read again.

        Args:
            deadline: On ``time.monotonic()``'s clock. The refresh goes on after it, but retries nothing.
        """
        if self._refresh is not None and not self._refresh.done():
            return self._refresh
        if time.monotonic() - self._begun < self._settings.min_interval:
            return None
        self._begun = time.monotonic()
        self._refresh = asyncio.create_task(self._run(deadline), name=f"refresh {self.environment.id}")
        return self._refresh

    def view(self) -> EnvironmentView:
        """What to show now."""
        fresh = self._snapshot is not None and self._now() - self._snapshot.read_at <= self._settings.max_staleness
        return EnvironmentView(
            environment=self.environment,
            up=self._up,
            history_complete=self.ledger.complete,
            snapshot=self._snapshot if fresh else None,
            lifecycle=self.ledger.lifecycle.copy() if self.ledger.complete else None,
            refresh_duration=self._duration,
            refresh_requests=self._requests,
            failures=dict(self._failures),
            error=self._error,
            progress=self._progress,
            outcomes=self._outcomes.newest_first(),
            failing_since=self._outcomes.failing_since,
            read_at=None if self._snapshot is None else self._snapshot.read_at,
        )

    def items(self) -> tuple[Observation, ...]:
        """The live items as last read, in the order of the list; made on demand, and each has its own ``read_at``."""
        return tuple(live.seen for live in self.ledger.live.values())

    async def complete(self) -> None:
        """Read everything there is to read, however long it takes."""
        while True:
            self._begun = -float("inf")
            deadline = time.monotonic() + self._settings.max_staleness
            await (self.refresh(deadline) or asyncio.sleep(0))
            if not self._up or (self._snapshot is not None and self._snapshot.queue is not None):
                return

    def record(self) -> EnvironmentRecord:
        """What a later run must know."""
        ledger = self.ledger
        return EnvironmentRecord(
            base_url=self._api.settings.base_url,
            environment_id=self.environment.id,
            saved_at=self._now() // 3600 * 3600,
            metadata_keys=self._settings.metadata_keys,
            max_label_values=self._settings.max_label_values,
            label_values=self.labeller.known,
            lookback=self._settings.lookback,
            traversed_at=self.traversed_at,
            lifecycle=record_lifecycle(ledger.lifecycle),
            segments=list(ledger.history.segments),
            live=list(ledger.live.values()),
            recent=ledger.recent,
            origin=ledger.origin,
            foothold=ledger.foothold,
            since=ledger.since,
            traversed=ledger.traversed,
            doubtful=sorted(ledger.doubtful),
            complete=ledger.complete,
            next_rank=ledger.next_rank,
        )

    def _restore(self, record: EnvironmentRecord) -> None:
        """Go on where an earlier run stopped; counts that were made by other rules are made anew."""
        settings = self._settings
        same_labels = record.metadata_keys == settings.metadata_keys and (
            not settings.metadata_keys or record.max_label_values == settings.max_label_values
        )
        if same_labels and record.lookback == settings.lookback:
            self.ledger = restore_ledger(record)
            self.traversed_at = record.traversed_at
            self.labeller = Labeller(settings.metadata_keys, settings.max_label_values, record.label_values)
        else:
            self.ledger.lifecycle = restore_lifecycle(record.lifecycle)
            why = "lookback has changed" if same_labels else "metadata_labels or max_label_values have changed"
            log.info("the whole list is read again", environment=self.environment.id, why=why)

    async def close(self) -> None:
        """Stop whatever is under way."""
        while tasks := [task for task in (self._refresh, self._traversal) if task is not None and not task.done()]:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    # -- one refresh --------------------------------------------------------------------------------------------------

    async def _run(self, deadline: float) -> None:
        """One refresh, with its outcome on record."""
        start = time.monotonic()
        source = self._source(deadline)
        reason: str | None = None
        failed: Exception | None = None
        try:
            await self._read(source, deadline)
        except APIError as error:
            failed = error
            reason, self._error = error.reason, str(error)
            log.warning("refresh failed", environment=self.environment.id, reason=reason, error=self._error)
        except Exception as error:
            failed = error
            reason, self._error = INTERNAL, f"{type(error).__name__}: {error}"
            log.exception("refresh failed: this is a defect of the exporter", environment=self.environment.id)
        else:
            self._error = None
        finally:
            self._duration, self._requests = time.monotonic() - start, source.requests
        if reason is not None:
            self._failures[reason] += 1
        self._outcomes.add(outcome_of(self._now(), self._duration, self._requests, reason, failed))
        self._up = reason is None

    async def _read(self, source: Source, deadline: float) -> None:
        read_at = self._now()
        stats = asyncio.create_task(self._read_stats(source))
        try:
            if not self.ledger.complete:
                await self._first_traversal(stats, deadline)
            queue = await self._read_queue(source) if self.ledger.complete else None
        except BaseException:
            stats.cancel()
            await asyncio.gather(stats, return_exceptions=True)
            raise
        # Whole counts are shown even where the API's statistics fail; that failure is then the refresh's.
        failure = (await asyncio.gather(stats, return_exceptions=True))[0]
        self._snapshot = Snapshot(read_at, queue, failure if isinstance(failure, Stats) else None)
        if isinstance(failure, BaseException):
            raise failure

    async def _read_stats(self, source: Source) -> Stats | None:
        if not self._settings.queue_stats:
            return None
        answer = await source.stats()
        return stats_of(answer.value, answer.read_at)

    async def _read_queue(self, source: Source) -> Queue:
        if self._traversal_due():
            self._start_traversal()
        async with self._reading:
            try:
                await Reader(source, self.ledger, self.labeller).read()
            except TailLostError:
                self._start_traversal()
                raise
            await asyncio.sleep(0)  # with a large backlog reading it in took a while, and so will summing it up
            return queue_of(self.ledger, len(self._settings.metadata_keys))

    async def _first_traversal(self, stats: asyncio.Task[Stats | None], deadline: float) -> None:
        """Wait for the first reading of the whole list as long as the scraper does, showing the statistics so far."""
        traversal = self._start_traversal()
        waiting = {traversal, stats}
        while not traversal.done():
            timeout = max(0.0, deadline - time.monotonic())
            done, waiting = await asyncio.wait(waiting, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            if stats in done and not stats.cancelled() and stats.exception() is None:
                self._snapshot = Snapshot(self._now(), None, stats.result())
            if not done:
                return
        await traversal

    # -- the whole list -----------------------------------------------------------------------------------------------

    def _traversal_due(self) -> bool:
        interval = self._settings.resync_interval
        if self.ledger.traversed != self.ledger.origin:
            return True
        return interval > 0 and self._now() - (self.traversed_at or 0.0) >= interval

    def _start_traversal(self) -> asyncio.Task[None]:
        """The reading of the whole list under way, or a new one that goes on where an earlier one stopped."""
        if self._traversal is None or self._traversal.done():
            self._traversal = asyncio.create_task(self._traverse(), name=f"traversal {self.environment.id}")
            self._traversal.add_done_callback(self._traversal_ended)
        return self._traversal

    def _traversal_ended(self, task: asyncio.Task[None]) -> None:
        """Log a failure here, since nobody may be waiting; the next refresh goes on from where it stopped."""
        self._progress = None
        if task.cancelled():
            return
        error = task.exception()
        if isinstance(error, APIError):
            log.warning("reading the whole list stopped", environment=self.environment.id, error=str(error))
        elif error is not None:
            what = "reading the whole list stopped: this is a defect of the exporter"
            log.error(what, environment=self.environment.id, exc_info=error)
        elif (self._snapshot is None or self._snapshot.queue is None) and (
            self._refresh is None or self._refresh.done()
        ):
            # Nobody waits any more for what can be shown now for the first time.
            self._begun = -float("inf")
            self.refresh(time.monotonic() + self._api.settings.request_timeout)

    async def _traverse(self) -> None:
        first = not self.ledger.complete
        source = self._source(0.0, background=True)
        await self._find_origin(source)
        log.debug("reading the whole list", environment=self.environment.id, first=first, after=self.ledger.traversed)
        in_ranges = first and not self._settings.metadata_keys
        traversal = Traversal(source, self.ledger, self.labeller)
        finished = started_over = False
        while not finished:
            try:
                async with self._reading:
                    finished = await traversal.step()
            except CursorLostError:
                if started_over:
                    raise InvalidResponse(
                        "the list cannot be read on, not even from its start", endpoint="list"
                    ) from None
                started_over = True
                await self._start_over(source, first)
                traversal = Traversal(source, self.ledger, self.labeller)
                continue
            self._report_progress(source)
            if in_ranges and not finished and source.requests >= PAGES_BEFORE:
                in_ranges = False
                if await self._read_ranges(source):
                    traversal = Traversal(source, self.ledger, self.labeller)
        self.traversed_at = self._now()
        log.info(
            "read the whole list",
            environment=self.environment.id,
            requests=source.requests,
            items=self.ledger.history.size,
            live=len(self.ledger.live),
        )

    async def _read_ranges(self, source: Source) -> bool:
        """Read what is left of the list in several ranges at once, if the API lets us; False if nothing was read."""
        ranges = await Ranges.plan(source, self.ledger, self._api.clock.now())
        if ranges is None:
            return False
        await ranges.read(self._api.settings.background_concurrency, lambda: self._report_progress(source))
        return True

    def _report_progress(self, source: Source) -> None:
        """Say on the status page, and now and then in the log, how far the reading of the whole list has come."""
        self._progress = f"{source.requests} requests made, {self.ledger.next_rank} items read"
        if time.monotonic() - self._reported >= PROGRESS_INTERVAL:
            self._reported = time.monotonic()
            log.info("reading the whole list", environment=self.environment.id, progress=self._progress)

    async def _start_over(self, source: Source, first: bool) -> None:
        """Go back to the start of the list; where that is a remembered item that has gone, look for it anew."""
        ledger = self.ledger
        if ledger.traversed == ledger.origin:
            if ledger.since is None:
                raise InvalidResponse("the list cannot be read on from its start", endpoint="list")
            await self._look_back(source, ledger.since)
        log.warning("the list no longer has what it had; starting over", environment=self.environment.id)
        if first:
            ledger.start_over()
        else:
            ledger.traversed = ledger.origin

    async def _find_origin(self, source: Source) -> None:
        """Find out, once, where the work begins that is young enough to be watched."""
        lookback = self._settings.lookback
        if lookback is not None and self.ledger.since is None:
            await self._look_back(source, self._api.clock.now() - lookback)

    async def _look_back(self, source: Source, since: float) -> None:
        """Watch the work created from a unix time on, and ignore what is older."""
        ledger = self.ledger
        origin = await find_origin(source, since)
        async with self._reading:
            ledger.origin, ledger.foothold = (origin.id, origin.before) if origin is not None else (None, None)
            ledger.since = since
            if not ledger.complete:
                ledger.start_over()
            else:
                if origin is not None:
                    ledger.history.replace(None, origin.id, ())
                ledger.traversed = ledger.origin
        log.info("ignoring older work", environment=self.environment.id, before=since, after=ledger.origin)

    def _source(self, deadline: float, *, background: bool = False) -> Source:
        patience = self._api.settings.request_timeout
        return Source(self._api, self.environment.id, patience, self._page_interval, deadline, background)
