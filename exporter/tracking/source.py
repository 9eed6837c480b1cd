"""The one environment a tracker reads, with the deadline and the cost of the refresh under way."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from math import inf
from typing import TypeVar

from exporter.api.client import Answer, WorkAPI
from exporter.api.clock import CONFIRMATIONS
from exporter.api.errors import InvalidResponse
from exporter.api.requests import Endpoint
from exporter.api.types import QueueStats, WorkItem, WorkPage
from exporter.spans import monotonic
from exporter.tracking.without_id import WithoutID

MOST_DOUBTS = 3 * CONFIRMATIONS
"""Calls of one refresh that are made once more because of a doubt about the API's clock."""

T = TypeVar("T")


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
        limit: Calls after which no more are made, or None: whatever the API answers, the work is bounded.
        read_at: Unix time on this machine's clock at which the first request was sent that has been answered, or None.
        read_since: The same moment on the clock of ``spans``.
        without_id: Where items of the list have no ID.
        moved: When the last call ended, well or not, on the clock of ``spans``; at first when this was made.
        asked_again: Calls that were made once more because of a doubt about the API's clock.

    Every call raises :class:`exporter.api.errors.APIError` if it fails.
    """

    api: WorkAPI
    environment_id: str
    patience: float
    page_interval: float
    deadline: float | None = None
    background: bool = False
    requests: int = 0
    limit: int | None = None
    read_at: float | None = None
    read_since: float = inf
    without_id: WithoutID = field(default_factory=WithoutID)
    moved: float = field(default_factory=monotonic)
    asked_again: int = 0

    @property
    def left(self) -> float:
        """How many more calls may be made."""
        return inf if self.limit is None else max(0, self.limit - self.requests)

    async def list(self, after_id: str | None) -> Answer[WorkPage]:
        """Read a full page after an ID, or the first."""
        answer = await self._ask(
            "list",
            lambda: self.api.list(
                self.environment_id, after_id=after_id, deadline=self._until(), background=self.background
            ),
        )
        self.without_id.note(self.environment_id, after_id, answer.value)
        return answer

    async def get(self, work_id: str) -> Answer[WorkItem]:
        """Read one item."""
        return await self._ask(
            "get",
            lambda: self.api.get(self.environment_id, work_id, deadline=self._until(), background=self.background),
        )

    async def stats(self) -> Answer[QueueStats]:
        """Read the API's own statistics."""
        return await self._ask(
            "stats", lambda: self.api.stats(self.environment_id, deadline=self._until(), background=self.background)
        )

    async def _ask(self, endpoint: Endpoint, ask: Callable[[], Awaitable[Answer[T]]]) -> Answer[T]:
        """Ask, and once more where the answer contradicts what is believed of the API's clock.

        The next ones decide whether it was an outlier or the clock was set, and only then is it known when they were
        read. A clock that says something else each time is not waited for.
        """
        answer = await self._ask_once(endpoint, ask)
        while self.api.clock.in_doubt and self.asked_again < MOST_DOUBTS:
            self.asked_again += 1
            answer = await self._ask_once(endpoint, ask)
        return answer

    async def _ask_once(self, endpoint: Endpoint, ask: Callable[[], Awaitable[Answer[T]]]) -> Answer[T]:
        if not self.left:
            message = f"{self.requests} requests were not enough; what the API answers leads nowhere"
            raise InvalidResponse(message, endpoint=endpoint)
        self.requests += 1
        try:
            answer = await ask()
        finally:
            self.moved = monotonic()
        if answer.sent.since < self.read_since:  # what is read is as old as the first of all requests
            self.read_at, self.read_since = answer.sent.at, answer.sent.since
        return answer

    def _until(self) -> float:
        return time.monotonic() + self.patience if self.deadline is None else self.deadline
