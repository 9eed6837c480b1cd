"""When to send a request again: after a transient error, a little later each time, and never past the deadline."""

import time
from collections import Counter

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, wait_random_exponential

from exporter.api.clock import http_date
from exporter.api.errors import APIError

ATTEMPTS = 4
"""The API recommends three retries at most (`conventions/rate-limits`)."""

BACKOFF = wait_random_exponential(multiplier=0.5, min=0.2, max=4)
"""Seconds before the next attempt, random up to 0.5, 1, 2, 4, so that many requests do not come back at once."""


MAX_RETRY_AFTER = 300.0
"""Seconds that the API is believed when it asks to wait; what asks for longer is waited for as long as this."""


def retrying(deadline: float, retries: Counter[str]) -> AsyncRetrying:
    """Attempts until one succeeds, the failure is final, or the next would begin after ``deadline``.

    Args:
        deadline: On ``time.monotonic()``'s clock.
        retries: Where each retry is counted by its reason.
    """

    def count(state: RetryCallState) -> None:
        retries[_failure(state).reason] += 1

    return AsyncRetrying(
        retry=retry_if_exception(lambda error: isinstance(error, APIError) and error.transient),
        wait=_wait,
        stop=lambda state: state.attempt_number >= ATTEMPTS or time.monotonic() + state.upcoming_sleep > deadline,
        before_sleep=count,
        reraise=True,
    )


def _failure(state: RetryCallState) -> APIError:
    error = state.outcome.exception() if state.outcome else None
    if not isinstance(error, APIError):
        raise TypeError(f"only failures of the API are retried, not {error!r}")
    return error


def _wait(state: RetryCallState) -> float:
    return max(BACKOFF(state), _failure(state).retry_after or 0.0)


def retry_after(header: str | None, now: float) -> float | None:
    """Return the seconds that a ``Retry-After`` header asks to wait, at most `MAX_RETRY_AFTER`; None for none.

    Args:
        header: A number of seconds, or a date.
        now: Unix time on the clock of whoever wrote it.
    """
    if header is None:
        return None
    if header.isascii() and header.isdigit():
        return min(float(header[:10]), MAX_RETRY_AFTER)
    date = http_date(header)
    return None if date is None else min(max(0.0, date - now), MAX_RETRY_AFTER)
