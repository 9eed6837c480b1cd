"""What became of an environment's refreshes: the last result, failures by reason, and what the log says of them."""

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from math import inf

import structlog

from exporter.api.errors import REASONS, APIError, TimedOut
from exporter.spans import monotonic
from exporter.tracking.outcomes import Outcomes, outcome_of
from exporter.tracking.tasks import StalledError

INTERNAL = "internal"
"""The reason of a failure that is the exporter's own fault."""

log = structlog.get_logger()


@dataclass(slots=True)
class Results:
    """The results of one environment's refreshes.

    Attributes:
        now: Unix time on this machine's clock.
        up: Whether the last refresh succeeded.
        ended: When it ended, on the clock of ``spans``; long ago if there was none.
        duration: Seconds it took, or None if there was none.
        requests: API requests it made, or None.
        error: Why it failed, in words, or None. They may quote the API, so they are not for everybody's eyes.
        failures: Failures by reason since this process began.
        outcomes: The last ones, one by one.
    """

    now: Callable[[], float] = time.time
    up: bool = False
    ended: float = -inf
    duration: float | None = None
    requests: int | None = None
    error: str | None = None
    failures: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys((*REASONS, INTERNAL), 0)))
    outcomes: Outcomes = field(default_factory=Outcomes)
    _slow: bool = False

    async def record(
        self, refresh: Awaitable[None], requests: Callable[[], int], fields: Mapping[str, str], patience: float
    ) -> None:
        """Wait for a refresh and keep what became of it; nothing but being cancelled is raised.

        Args:
            refresh: The refresh. It raises StalledError where the API has been silent for ``patience`` seconds.
            requests: How many requests it has made so far.
            fields: How the log names the environment.
            patience: Seconds.
        """
        start = monotonic()
        reason: str | None = None
        failed: Exception | None = None
        try:
            await refresh
        except StalledError:
            reason, self.error = TimedOut.reason, f"nothing came back from the API for {patience:g} s"
            log.warning("refresh failed", **fields, reason=reason, error=self.error)
        except APIError as error:
            failed = error
            reason, self.error = error.reason, str(error)
            log.warning("refresh failed", **fields, reason=reason, error=self.error)
        except Exception as error:
            failed = error
            reason, self.error = INTERNAL, f"{type(error).__name__}: {error}"
            log.exception("refresh failed: this is a defect of the exporter", **fields)
        else:
            self.error = None
            if self.outcomes.failed:
                log.info("refreshes succeed again", **fields, failed=self.outcomes.failed)
        # One that was cancelled has come to no end: what is known of the one before it stays.
        self.ended = monotonic()
        self.duration, self.requests = self.ended - start, requests()
        if reason is not None:
            self.failures[reason] += 1
        self.outcomes.add(outcome_of(self.now(), self.duration, self.requests, reason, failed))
        self.up = reason is None

    def report_slowness(self, limit: float, environment_id: str, live: int) -> None:
        """Log once that refreshes take so long that nothing they read can be shown.

        Args:
            limit: Seconds for which data may be shown.
            environment_id: Of the environment.
            live: How many live items it has.
        """
        slow = self.duration is not None and self.duration > limit
        if slow and not self._slow:
            log.warning(
                "a refresh takes longer than its data may be shown: raise scrape.max_staleness or requests_per_second",
                environment=environment_id,
                seconds=round(self.duration or 0.0, 1),
                max_staleness=limit,
                requests=self.requests,
                live=live,
            )
        self._slow = slow
