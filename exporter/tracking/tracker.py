"""Keeping one environment current: one refresh at a time, and what to show of it."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from math import inf

import structlog

from exporter.api.client import WorkAPI
from exporter.spans import monotonic
from exporter.tracking.ledger import Ledger
from exporter.tracking.lifecycle import Lifecycle
from exporter.tracking.lookup import LeftOut
from exporter.tracking.observation import Labeller, Observation
from exporter.tracking.reader import Reader, TailLostError
from exporter.tracking.record import EnvironmentRecord, outdated, record, restore_ledger
from exporter.tracking.results import Results
from exporter.tracking.resync import Resync
from exporter.tracking.settings import TrackingSettings
from exporter.tracking.snapshot import Queue, Snapshot, Stats, queue_in_slices
from exporter.tracking.source import Source
from exporter.tracking.statistics import Statistics
from exporter.tracking.tasks import unless_stalled
from exporter.tracking.view import EnvironmentIdentity, EnvironmentView

STALLED_AFTER = 30.0
"""Seconds that are granted beyond three request time-outs, for waiting one's turn."""

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
        self._api = api
        self._settings = settings
        self._page_interval = page_interval
        self._now = now
        self._refresh: asyncio.Task[None] | None = None
        self._reading_from: Source | None = None
        self._begun = self._read_at = -inf
        self._snapshot: Snapshot | None = None
        self._counted: Lifecycle | None = None
        self._left_out = LeftOut()
        self._statistics = Statistics(environment.id)
        self._results = Results(now)
        self.traversed_at = None if record is None else self._restore(record)
        self._corrected = self.ledger.corrections
        self.resync = self._new_resync()
        if self.traversed_at is not None and self.traversed_at <= now():
            self.resync.restore(now() - self.traversed_at)

    # -- for the fleet ------------------------------------------------------------------------------------------------

    def refresh(self, deadline: float, *, sparing: bool = False) -> asyncio.Task[None] | None:
        """Return the refresh under way, or a new one; None if the data are too young to be read again.

        Args:
            sparing: Whether requests are scarce: while nothing is live, the statistics are then read now and then only.
            deadline: On ``time.monotonic()``'s clock. A refresh that is not done by then goes on, and serves the next
                scrape; but it sends nothing again. One that is joined goes by the latest deadline of those who wait.
        """
        # However long a scraper says it waits, nothing is sent again when what is shown has gone meanwhile.
        deadline = min(deadline, time.monotonic() + self._settings.max_staleness)
        if self._refresh is not None and not self._refresh.done():
            if self._reading_from is not None and self._reading_from.deadline is not None:
                self._reading_from.deadline = max(deadline, self._reading_from.deadline)
            return self._refresh
        if not self.due:
            return None
        self._begun = monotonic()
        self._reading_from = self._source(deadline)
        self._statistics.sparing = sparing
        self._refresh = asyncio.create_task(self._run(self._reading_from), name=f"refresh {self.environment.id}")
        return self._refresh

    @property
    def refreshing(self) -> bool:
        """Whether a refresh is under way."""
        return self._refresh is not None and not self._refresh.done()

    @property
    def due(self) -> bool:
        """Whether the last refresh began long enough ago for another one."""
        return monotonic() - self._begun >= self._settings.min_interval

    @property
    def begun_at(self) -> float:
        """When the last refresh began, on the clock of ``spans``; long ago if there was none."""
        return self._begun

    @property
    def refreshed_at(self) -> float:
        """When the last refresh ended, on the clock of ``spans``; long ago if there was none."""
        return self._results.ended

    @property
    def busy(self) -> bool:
        """Whether there were live items when it was read last."""
        return bool(self.ledger.live)

    @property
    def min_interval(self) -> float:
        """Seconds between the beginnings of two refreshes, at the least."""
        return self._settings.min_interval

    def view(self) -> EnvironmentView:
        """What to show now."""
        fresh = self._snapshot is not None and self._recent(self._read_at)
        return EnvironmentView(
            environment=self.environment,
            up=self._results.up and self._recent(self._results.ended),
            history_complete=self.ledger.complete,
            snapshot=self._snapshot if fresh else None,
            lifecycle=self._lifecycle() if self.ledger.complete else None,
            refresh_duration=self._results.duration,
            refresh_requests=self._results.requests,
            failures=dict(self._results.failures),
            error=self._results.error,
            progress=self.resync.progress,
            outcomes=self._results.outcomes.newest_first(),
            failing_since=self._results.outcomes.failing_since,
            read_at=None if self._snapshot is None else self._snapshot.read_at,
            corrections=self.ledger.corrections,
            unreadable=self._snapshot.queue.unreadable if self._snapshot is not None and self._snapshot.queue else 0,
            disputed=self._statistics.disputed,
        )

    def _lifecycle(self) -> Lifecycle:
        """The counters as they are now: the same copy of them until one changes, for a copy costs more than a look."""
        if self._counted is None or self._counted != self.ledger.lifecycle:
            self._counted = self.ledger.lifecycle.copy()
        return self._counted

    def _recent(self, moment: float) -> bool:
        """Whether something of a moment on the clock of ``spans`` may still be shown."""
        return monotonic() - moment <= self._settings.max_staleness

    def items(self) -> tuple[Observation, ...]:
        """The live items as last read, in the order of the list; made on demand, and each has its own ``read_at``."""
        return tuple(live.seen for live in self.ledger.live.listed())

    async def complete(self) -> None:
        """Read everything there is to read, however long it takes."""
        while True:
            self._begun = -inf
            deadline = time.monotonic() + self._settings.max_staleness
            await (self.refresh(deadline) or asyncio.sleep(0))
            if not self._results.up or (self._snapshot is not None and self._snapshot.queue is not None):
                return

    def record(self) -> EnvironmentRecord:
        """Return what a later run must know."""
        return record(
            *(self.ledger, self.labeller, self._settings),
            base_url=self._api.settings.base_url,
            environment_id=self.environment.id,
            saved_at=self._now(),
            traversed_at=self.traversed_at,
        )

    def _restore(self, known: EnvironmentRecord) -> float | None:
        """Go on where an earlier run stopped, and return when the whole list was read last.

        Counts that were made by other rules are recounted.
        """
        settings = self._settings
        why = outdated(known, settings)
        if why is not None:
            self.ledger = restore_ledger(known).renewed()
            log.info("the whole list is read again", **self.environment.fields, why=why)
            return None
        self.ledger = restore_ledger(known)
        self.labeller = Labeller(settings.metadata_keys, settings.max_label_values, known.label_values)
        return known.traversed_at

    def reconfigure(self, api: WorkAPI, settings: TrackingSettings, *, page_interval: float) -> None:
        """Go on by other settings, or through another client; what is known and shown stays, what is under way ends.

        Counts that the other settings make different are recounted; counters go on.
        """
        if (api, settings, page_interval) == (self._api, self._settings, self._page_interval):
            return
        self.resync.cancel()
        if self._refresh is not None:
            self._refresh.cancel()
        self._begun = -inf
        other_labels = settings.metadata_keys != self._settings.metadata_keys
        why = outdated(self.record(), settings)
        self._api, self._settings, self._page_interval = api, settings, page_interval
        if why is not None:
            log.info("the whole list is read again", **self.environment.fields, why=why)
            self.ledger = self.ledger.renewed()
            self.labeller = Labeller(settings.metadata_keys, settings.max_label_values)
            self.traversed_at = None
        if other_labels and self._snapshot is not None:
            self._snapshot = replace(self._snapshot, queue=None)
        age = self.resync.age
        self.resync = self._new_resync()
        if why is None and age is not None:
            self.resync.restore(age)

    def _new_resync(self) -> Resync:
        return Resync(
            *(lambda: self.environment.fields, self._api, self._source, self.ledger, self.labeller),
            settings=self._settings,
            patience=self.patience,
            ended=self._resync_ended,
        )

    async def close(self) -> None:
        """Stop whatever is under way."""
        await self.resync.close()
        if self._refresh is not None:
            self._refresh.cancel()
            await asyncio.gather(self._refresh, return_exceptions=True)
        await self.resync.close()  # the refresh may have begun another reading

    # -- one refresh --------------------------------------------------------------------------------------------------

    async def _run(self, source: Source) -> None:
        """One refresh, with its result on record."""
        refresh = unless_stalled(self._read(source), lambda: source.moved, self.patience)
        await self._results.record(refresh, lambda: source.requests, self.environment.fields, self.patience)
        self._report_corrections()
        self._results.report_slowness(self._settings.max_staleness, self.environment.id, len(self.ledger.live))

    async def _read(self, source: Source) -> None:
        stats = asyncio.create_task(self._read_stats(source))
        try:
            if not self.ledger.complete:
                await self._first_reading(stats, source)
            queue = await self._read_queue(source, stats) if self.ledger.complete else None
        except BaseException:
            stats.cancel()
            await asyncio.gather(stats, return_exceptions=True)
            raise
        # Complete counts are shown even where the API's statistics fail; that failure is then the refresh's.
        failure = (await asyncio.gather(stats, return_exceptions=True))[0]
        read_at = self._now() if source.read_at is None else source.read_at
        self._snapshot = Snapshot(read_at, queue, failure if isinstance(failure, Stats) else None)
        self._read_at = min(source.read_since, monotonic())
        if isinstance(failure, BaseException):
            raise failure
        if queue is not None and isinstance(failure, Stats):
            since = self.ledger.since if self.ledger.origin is not None else None
            missed = self._statistics.compare(queue, failure, since, self.environment.fields)
            if missed is not None:
                self.resync.search(missed.hidden, missed.oldest)

    async def _read_stats(self, source: Source) -> Stats | None:
        if not self._settings.queue_stats:
            return None
        known = self._snapshot.stats if self._snapshot is not None else None
        idle = not self.busy and self._results.up and self._recent(self._read_at)
        return await self._statistics.read(source, known if idle else None)

    async def _read_queue(self, source: Source, stats: asyncio.Task[Stats | None]) -> Queue:
        if self.resync.due:
            self.resync.start()
        async with self.resync.reading:
            await self._read_changes(source, stats)
            self.ledger.begun_by(self._api.clock.now())
            return await queue_in_slices(self.ledger, len(self._settings.metadata_keys))

    async def _read_changes(self, source: Source, stats: asyncio.Task[Stats | None]) -> None:
        """Read what can have changed; where that is not enough, begin to read the whole list."""
        queued = partial(self._statistics.queued, source, stats)
        with self._left_out.noted() as unlisted:
            try:
                await Reader(source, self.ledger, self.labeller, queued, unlisted=unlisted).read()
            except TailLostError:
                self.resync.start()
                raise

    async def _first_reading(self, stats: asyncio.Task[Stats | None], source: Source) -> None:
        """Wait for the first reading of the whole list as long as a scraper does, showing the statistics so far."""
        reading = self.resync.start()
        waiting = {reading, stats}
        while not reading.done():
            timeout = max(0.0, (source.deadline or 0.0) - time.monotonic())
            done, waiting = await asyncio.wait(waiting, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            if stats in done and not stats.cancelled() and stats.exception() is None:
                self._snapshot, self._read_at = Snapshot(self._now(), None, stats.result()), monotonic()
            if not done:
                return
        await reading

    @property
    def patience(self) -> float:
        """Seconds without any response after which whatever is under way is given up."""
        return STALLED_AFTER + 3 * self._api.settings.request_timeout

    def _resync_ended(self, whole: bool) -> None:
        """Note when, and refresh at once if nobody waits any more for what can be shown now for the first time."""
        if whole:
            self.traversed_at = self._now()
        self._statistics.searched(whole=whole, found=self._report_corrections() > 0)
        shown = self._snapshot is not None and self._snapshot.queue is not None
        if not shown and (self._refresh is None or self._refresh.done()):
            self._begun = -inf
            self.refresh(time.monotonic() + self._api.settings.request_timeout)

    def _report_corrections(self) -> int:
        """Log, and return, how much has been put right since the last time."""
        fresh = self.ledger.corrections - self._corrected
        self._corrected = self.ledger.corrections
        if fresh > 0:
            log.warning("counts were wrong and have been corrected", **self.environment.fields, corrections=fresh)
        return fresh

    def _source(self, deadline: float | None = None) -> Source:
        """Return the environment's list, with a deadline, or as it is read in the background."""
        patience = self._api.settings.request_timeout
        background = deadline is None
        return Source(
            *(self._api, self.environment.id, patience, self._page_interval),
            deadline=deadline,
            background=background,
            without_id=self.ledger.without_id,
        )
