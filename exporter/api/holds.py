"""What the API asked to wait for, remembered between scrapes."""

import time
from dataclasses import dataclass

from exporter.api.errors import APIError, RateLimited


@dataclass(frozen=True, slots=True)
class _Hold:
    until: float
    error: APIError


class Holds:
    """The ``Retry-After`` headers in force.

    A 429 is about whoever asks, so nothing is sent for the whole account; any other answer is about what was asked
    for, so nothing is sent for that environment, and its neighbours go on. How long at most: `MAX_RETRY_AFTER`.
    """

    def __init__(self) -> None:
        self._holds: dict[str, _Hold] = {}

    def remember(self, environment_id: str, error: APIError) -> float | None:
        """Note what a failure asks for, and return the seconds if that is longer than what is in force."""
        if not error.transient or not error.retry_after:
            return None
        key = "" if isinstance(error, RateLimited) else environment_id
        until = time.monotonic() + error.retry_after
        known = self._holds.get(key)
        if known is not None and known.until >= until:
            return None
        self._holds[key] = _Hold(until, error)
        return error.retry_after

    def left(self, environment_id: str) -> tuple[float, APIError] | None:
        """Return how many seconds nothing may be sent for an environment, and why; None if it may at once."""
        now = time.monotonic()
        for key in [key for key, hold in self._holds.items() if hold.until <= now]:
            del self._holds[key]
        found = [self._holds[key] for key in {"", environment_id} & self._holds.keys()]
        if not found:
            return None
        longest = max(found, key=lambda hold: hold.until)
        return longest.until - now, longest.error
