"""How the last refreshes of an environment ended. Failures are kept longer than successes, so that they can be read."""

from collections import deque
from dataclasses import dataclass, field

from exporter.api.errors import APIError

SUCCESSES, FAILURES = 3, 10
"""How many of each are kept: what went wrong an hour ago is worth more than the last minute's routine."""

MAX_TEXT = 300
"""Characters of a failure's text that are kept."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one refresh ended.

    Attributes:
        at: Unix time at which it ended, on this machine's clock.
        seconds: How long it took.
        requests: API requests it made.
        reason: Why it failed, as in ``qoder_work_refresh_failures_total``; None if it succeeded.
        text: The failure in words, bounded. It may quote the API, so it is not for everybody's eyes.
        endpoint: The call that failed, or None where the failure is not the API's.
        status: The HTTP status of the failure, or None where no response came.
        request_id: The API's ID of the request that failed, or None where it gave none.
    """

    at: float
    seconds: float
    requests: int
    reason: str | None = None
    text: str = ""
    endpoint: str | None = None
    status: int | None = None
    request_id: str | None = None

    @property
    def succeeded(self) -> bool:
        """Whether the data are current because of it."""
        return self.reason is None


@dataclass(slots=True)
class Outcomes:
    """The last outcomes of one environment's refreshes, bounded.

    Attributes:
        failing_since: Unix time of the first failure since the last success, or None while refreshes succeed.
        failed: Failures since the last success.
    """

    failing_since: float | None = None
    failed: int = 0
    _successes: deque[tuple[int, Outcome]] = field(default_factory=lambda: deque(maxlen=SUCCESSES))
    _failures: deque[tuple[int, Outcome]] = field(default_factory=lambda: deque(maxlen=FAILURES))
    _added: int = 0

    def add(self, outcome: Outcome) -> None:
        """Remember an outcome in place of the oldest of its kind."""
        self._added += 1
        if outcome.succeeded:
            self._successes.append((self._added, outcome))
            self.failing_since, self.failed = None, 0
            return
        self._failures.append((self._added, outcome))
        self.failing_since = outcome.at if self.failing_since is None else self.failing_since
        self.failed += 1

    def newest_first(self) -> tuple[Outcome, ...]:
        """All that are kept, in the order they were added, whatever the clock did meanwhile."""
        kept = sorted((*self._successes, *self._failures), key=lambda numbered: -numbered[0])
        return tuple(outcome for _, outcome in kept)


def outcome_of(at: float, seconds: float, requests: int, reason: str | None, error: Exception | None) -> Outcome:
    """The outcome of a refresh that ended now; what the API said of a failure is taken from its error."""
    if reason is None or error is None:
        return Outcome(at, seconds, requests)
    api = error if isinstance(error, APIError) else None
    return Outcome(
        at,
        seconds,
        requests,
        reason=reason,
        text=(str(api) if api is not None else f"{type(error).__name__}: {error}")[:MAX_TEXT],
        endpoint=api.endpoint if api is not None else None,
        status=api.status if api is not None else None,
        request_id=api.request_id if api is not None else None,
    )
