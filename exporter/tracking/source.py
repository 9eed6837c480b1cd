"""The one environment a tracker reads, with the deadline and the cost of the refresh under way."""

import time
from dataclasses import dataclass

from exporter.api.client import Answer, WorkAPI
from exporter.api.types import QueueStats, WorkItem, WorkPage


@dataclass(slots=True)
class Source:
    """The API's calls for one environment.

    Attributes:
        api: The account's client.
        environment_id: The environment.
        patience: Seconds within which a failing request may be sent again where there is no deadline.
        page_interval: Seconds between the pages of one walk through the list (`conventions/rate-limits`).
        deadline: On ``time.monotonic()``'s clock. Requests are sent after it, too, since what they bring serves the
            next scrape, but none is sent again. None where nobody waits: each call has ``patience`` from its start.
        background: Whether scrapes go first.
        requests: Calls made so far.
    """

    api: WorkAPI
    environment_id: str
    patience: float
    page_interval: float
    deadline: float | None = None
    background: bool = False
    requests: int = 0

    async def list(self, after_id: str | None) -> Answer[WorkPage]:
        """A full page after an ID, or the first."""
        return await self.api.list(
            self.environment_id, after_id=after_id, deadline=self._call(), background=self.background
        )

    async def get(self, work_id: str) -> Answer[WorkItem]:
        """One item."""
        return await self.api.get(self.environment_id, work_id, deadline=self._call())

    async def stats(self) -> Answer[QueueStats]:
        """The API's own statistics."""
        return await self.api.stats(self.environment_id, deadline=self._call())

    def _call(self) -> float:
        self.requests += 1
        return time.monotonic() + self.patience if self.deadline is None else self.deadline
