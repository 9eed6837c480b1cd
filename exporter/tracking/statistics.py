"""The API's own statistics of a queue: read with each refresh, or spared, and held against the counts."""

import asyncio
from collections.abc import Mapping
from zlib import crc32

import structlog

from exporter.spans import monotonic
from exporter.tracking.snapshot import Queue, Stats, stats_of
from exporter.tracking.source import Source
from exporter.tracking.witness import Difference, Witness

STATS_EVERY = 3
"""While nothing is live and requests are scarce, the statistics are read at every third refresh."""

log = structlog.get_logger()


class Statistics:
    """The statistics of one environment over time.

    Args:
        environment_id: Of the environment. It decides which refreshes read them while they are spared, so that not all
            environments do so at once.

    Attributes:
        sparing: Whether requests are scarce in the refresh under way.
        spared: Whether it shows older statistics instead of reading them.
    """

    def __init__(self, environment_id: str) -> None:
        self.sparing = False
        self.spared = False
        self._turn = crc32(environment_id.encode())
        self._witness = Witness()

    @property
    def disputed(self) -> bool:
        """Whether they have contradicted the counts for several refreshes in a row."""
        return self._witness.lasting is not None

    async def read(self, source: Source, known: Stats | None) -> Stats:
        """Return them as they are now, or once more the known ones where the list will say if they are wrong.

        Args:
            source: Where to ask.
            known: The last ones, if nothing was live then and they are young enough to be shown; else None.
        """
        self._turn += 1
        if self.sparing and known is not None and self._can_be_spared(known):
            self.spared = True
            return known
        self.spared = False
        return await self._ask(source)

    async def _ask(self, source: Source) -> Stats:
        answer = await source.stats()
        return stats_of(answer.value, answer.read_at)

    def _can_be_spared(self, known: Stats) -> bool:
        return known.queued == 0 and not known.oldest_queued_at and not self.disputed and self._turn % STATS_EVERY != 0

    async def queued(self, source: Source, reading: "asyncio.Task[Stats | None]") -> int | None:
        """Return how many items are queued by the statistics of this refresh; None if they cannot be read.

        Args:
            source: Where to ask if they were spared, for then they are old.
            reading: Their reading in this refresh.
        """
        (read,) = await asyncio.gather(reading, return_exceptions=True)
        if self.spared:
            (read,) = await asyncio.gather(self._ask(source), return_exceptions=True)
        return read.queued if isinstance(read, Stats) else None

    def compare(self, queue: Queue, stats: Stats, since: float | None, fields: Mapping[str, str]) -> Difference | None:
        """Hold them against the counts of the same refresh; return what to search the list for, or None.

        Args:
            queue: What was counted.
            stats: The statistics.
            since: The unix time before which items are not counted (``history.lookback``); None if all are.
            fields: How the log names the environment.
        """
        if self.spared:
            return None
        before = self._witness.lasting
        self._witness.observe(queue, stats, since)
        lasting = self._witness.lasting
        if lasting is not None and before is None:
            what = "the API's statistics contradict the counts"
            log.warning(what, **fields, more=lasting.more, older_than_known=lasting.oldest)
        elif lasting is None and before is not None:
            log.info("the API's statistics agree with the counts again", **fields)
        return lasting if self._witness.wants_search(monotonic()) else None

    def searched(self, *, whole: bool, found: bool) -> None:
        """Learn that a part of the list was read again, or the whole, and whether that put anything right."""
        self._witness.searched(monotonic(), whole=whole, found=found)
