"""Keeping one environment current: one refresh at a time, and what to show of it."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import replace
from math import inf
from zlib import crc32

import structlog

from exporter.api.client import WorkAPI
from exporter.api.errors import REASONS, APIError, TimedOut
from exporter.tracking.ledger import Ledger
from exporter.tracking.lifecycle import Lifecycle
from exporter.tracking.lookup import LeftOutError
from exporter.tracking.observation import Labeller, Observation
from exporter.tracking.outcomes import Outcomes, outcome_of
from exporter.tracking.reader import Reader, TailLostError
from exporter.tracking.record import EnvironmentRecord, outdated, record, restore_ledger, restore_lifecycle
from exporter.tracking.resync import Resync
from exporter.tracking.settings import TrackingSettings
from exporter.tracking.snapshot import Queue, Snapshot, Stats, queue_in_slices, stats_of
from exporter.tracking.source import Source
from exporter.tracking.spans import monotonic
from exporter.tracking.tasks import StalledError, unless_stalled
from exporter.tracking.view import EnvironmentIdentity, EnvironmentView
from exporter.tracking.witness import Witness

INTERNAL = "internal"
"""The reason of a failure that is the exporter's own fault."""

STALLED_AFTER = 30.0
"""Seconds that are granted beyond three request time-outs, for waiting one's turn."""

STATS_EVERY = 3
"""While nothing is live and requests are scarce, the statistics are read at every third refresh."""

LEFT_OUT_FOR = 3
"""Refreshes in a row that fail because the list leaves out what the API has; then that is asked for alone."""

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
        self._sparing = False
        self._spared = False
        self._turn = crc32(environment.id.encode())  # so that not all read their statistics at the same refresh
        self._begun = self._ended = self._read_at = -inf
        self._snapshot: Snapshot | None = None
        self._counted: Lifecycle | None = None
        self._left_out: Counter[str] = Counter()
        self._witness = Witness()
        self._slow = False
        self._up = False
        self._error: str | None = None
        self._failures = Counter(dict.fromkeys((*REASONS, INTERNAL), 0))
        self._duration: float | None = None
        self._requests: int | None = None
        self._outcomes = Outcomes()
        self.traversed_at = None if record is None else self._restore(record)
        self._corrected = self.ledger.corrections
        self.resync = self._new_resync()

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
        self._sparing = sparing
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
            up=self._up and self._recent(self._ended),
            history_complete=self.ledger.complete,
            snapshot=self._snapshot if fresh else None,
            lifecycle=self._lifecycle() if self.ledger.complete else None,
            refresh_duration=self._duration,
            refresh_requests=self._requests,
            failures=dict(self._failures),
            error=self._error,
            progress=self.resync.progress,
            outcomes=self._outcomes.newest_first(),
            failing_since=self._outcomes.failing_since,
            read_at=None if self._snapshot is None else self._snapshot.read_at,
            corrections=self.ledger.corrections,
            unreadable=self._snapshot.queue.unreadable if self._snapshot is not None and self._snapshot.queue else 0,
            disputed=self._witness.lasting is not None,
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
            if not self._up or (self._snapshot is not None and self._snapshot.queue is not None):
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

        Counts that were made by other rules are made anew.
        """
        settings = self._settings
        why = outdated(known, settings)
        if why is not None:
            self.ledger = Ledger(lifecycle=restore_lifecycle(known.lifecycle))
            log.info("the whole list is read again", **self.environment.fields, why=why)
            return None
        self.ledger = restore_ledger(known)
        self.labeller = Labeller(settings.metadata_keys, settings.max_label_values, known.label_values)
        return known.traversed_at

    def reconfigure(self, api: WorkAPI, settings: TrackingSettings, *, page_interval: float) -> None:
        """Go on by other settings, or through another client; what is known and shown stays, what is under way ends.

        Counts that the other settings make different are made anew; counters go on.
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
            self.ledger = Ledger(lifecycle=self.ledger.lifecycle, corrections=self.ledger.corrections)
            self.labeller = Labeller(settings.metadata_keys, settings.max_label_values)
            self.traversed_at = None
        if other_labels and self._snapshot is not None:
            self._snapshot = replace(self._snapshot, queue=None)
        self.resync = self._new_resync()

    def _new_resync(self) -> Resync:
        resync = Resync(
            *(lambda: self.environment.fields, self._api, self._source, self.ledger, self.labeller),
            settings=self._settings,
            patience=self.patience,
            ended=self._resync_ended,
        )
        if self.traversed_at is not None and self.traversed_at <= self._now():
            resync.restore(self._now() - self.traversed_at)
        return resync

    async def close(self) -> None:
        """Stop whatever is under way."""
        await self.resync.close()
        if self._refresh is not None:
            self._refresh.cancel()
            await asyncio.gather(self._refresh, return_exceptions=True)
        await self.resync.close()  # the refresh may have begun another reading

    # -- one refresh --------------------------------------------------------------------------------------------------

    async def _run(self, source: Source) -> None:
        """One refresh, with its outcome on record."""
        start = monotonic()
        reason: str | None = None
        failed: Exception | None = None
        try:
            await unless_stalled(self._read(source), lambda: source.moved, self.patience)
        except StalledError:
            reason, self._error = TimedOut.reason, f"nothing came back from the API for {self.patience:g} s"
            log.warning("refresh failed", **self.environment.fields, reason=reason, error=self._error)
        except APIError as error:
            failed = error
            reason, self._error = error.reason, str(error)
            log.warning("refresh failed", **self.environment.fields, reason=reason, error=self._error)
        except Exception as error:
            failed = error
            reason, self._error = INTERNAL, f"{type(error).__name__}: {error}"
            log.exception("refresh failed: this is a defect of the exporter", **self.environment.fields)
        else:
            self._error = None
            if self._outcomes.failed:
                log.info("refreshes succeed again", **self.environment.fields, failed=self._outcomes.failed)
        finally:
            self._ended = monotonic()
            self._duration, self._requests = self._ended - start, source.requests
        self._report_corrections()
        self._report_slowness()
        if reason is not None:
            self._failures[reason] += 1
        self._outcomes.add(outcome_of(self._now(), self._duration, self._requests, reason, failed))
        self._up = reason is None

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
        if queue is not None and isinstance(failure, Stats) and not self._spared:
            self._compare(queue, failure)

    def _compare(self, queue: Queue, stats: Stats) -> None:
        """Hear both witnesses; where they disagree for long, search the list for what is not counted."""
        ledger, before = self.ledger, self._witness.lasting
        self._witness.hear(queue, stats, ledger.since if ledger.origin is not None else None)
        lasting = self._witness.lasting
        if lasting is not None and before is None:
            what = "the API's statistics contradict the counts"
            log.warning(what, **self.environment.fields, more=lasting.more, older_than_known=lasting.oldest)
        elif lasting is None and before is not None:
            log.info("the API's statistics agree with the counts again", **self.environment.fields)
        if lasting is not None and self._witness.wants_search(monotonic()):
            self.resync.search(lasting.hidden, lasting.oldest)

    async def _read_stats(self, source: Source) -> Stats | None:
        if not self._settings.queue_stats:
            return None
        known = self._snapshot.stats if self._snapshot is not None else None
        self._turn += 1
        self._spared = self._sparing and known is not None and self._can_be_spared(known)
        return known if self._spared else await self._ask_stats(source)

    async def _ask_stats(self, source: Source) -> Stats:
        answer = await source.stats()
        return stats_of(answer.value, answer.read_at)

    def _can_be_spared(self, known: Stats) -> bool:
        """Whether these statistics may be shown once more: the queue was empty, and the list will say if it is not."""
        idle = known.queued == 0 and not self.busy and not known.oldest_queued_at and self._witness.lasting is None
        return idle and self._up and self._turn % STATS_EVERY != 0 and self._recent(self._read_at)

    async def _read_queue(self, source: Source, stats: asyncio.Task[Stats | None]) -> Queue:
        if self.resync.due:
            self.resync.start()
        async with self.resync.reading:
            await self._read_changes(source, stats)
            return await queue_in_slices(self.ledger, len(self._settings.metadata_keys))

    async def _read_changes(self, source: Source, stats: asyncio.Task[Stats | None]) -> None:
        """Read what can have changed; where that is not enough, begin to read the whole list."""

        async def queued() -> int | None:
            (read,) = await asyncio.gather(stats, return_exceptions=True)
            if self._spared:  # then it is an old one
                (read,) = await asyncio.gather(self._ask_stats(source), return_exceptions=True)
            return read.queued if isinstance(read, Stats) else None

        unlisted = [work_id for work_id, times in self._left_out.items() if times >= LEFT_OUT_FOR]
        left_out: Collection[str] = unlisted
        try:
            await Reader(source, self.ledger, self.labeller, queued, unlisted=unlisted).read()
        except TailLostError:
            self.resync.start()
            raise
        except LeftOutError as error:
            left_out = [*unlisted, *error.left_out]
            raise
        finally:
            self._left_out = Counter({work_id: self._left_out[work_id] + 1 for work_id in left_out})

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
        self._witness.searched(monotonic(), whole=whole, found=self._report_corrections() > 0)
        shown = self._snapshot is not None and self._snapshot.queue is not None
        if not shown and (self._refresh is None or self._refresh.done()):
            self._begun = -inf
            self.refresh(time.monotonic() + self._api.settings.request_timeout)

    def _report_slowness(self) -> None:
        """Log once that refreshes take so long that nothing they read can be shown."""
        limit = self._settings.max_staleness
        slow = self._duration is not None and self._duration > limit
        if slow and not self._slow:
            log.warning(
                "a refresh takes longer than its data may be shown: raise scrape.max_staleness or requests_per_second",
                environment=self.environment.id,
                seconds=round(self._duration or 0.0, 1),
                max_staleness=limit,
                requests=self._requests,
                live=len(self.ledger.live),
            )
        self._slow = slow

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
            now=self._now,
            deadline=deadline,
            background=background,
            without_id=self.ledger.without_id,
        )
