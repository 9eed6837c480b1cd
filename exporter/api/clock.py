"""The API's clock against this machine's, from the ``Date`` header of its answers."""

from collections.abc import Callable
from email.utils import parsedate_to_datetime

from exporter.api.types import unix

RESOLUTION = 1.0
"""The ``Date`` header has whole seconds, rounded down."""

APPLIED_FROM = 2.0
"""Seconds of skew below which a difference may be the header's coarseness, and is not applied."""


def http_date(header: str) -> float | None:
    """Unix time of a date as HTTP headers write it, or None if it is none; a date without a zone is UTC."""
    try:
        return unix(parsedate_to_datetime(header))
    except (ValueError, OverflowError):  # the latter for numbers that no date has
        return None


class APIClock:
    """An estimate of the API's clock.

    Each answer bounds the skew: the API wrote its date after the request was sent and before the answer came, and cut
    off less than a second. The estimate is 0 if all answers allow it, since a slow answer allows almost anything, else
    the middle of what they allow. When they contradict one another, a clock was set: the newest answer alone counts.
    """

    def __init__(self, local: Callable[[], float]) -> None:
        self._local = local
        self._bounds: tuple[float, float] | None = None

    def heard(self, date: str | None, sent_at: float, received_at: float) -> None:
        """Take in one answer's ``Date`` header; without a readable one nothing is learnt."""
        written = None if date is None else http_date(date)
        if written is None:
            return
        low, high = written - received_at, written + RESOLUTION - sent_at
        if self._bounds is not None and low <= self._bounds[1] and high >= self._bounds[0]:
            low, high = max(low, self._bounds[0]), min(high, self._bounds[1])
        self._bounds = (low, high)

    @property
    def skew(self) -> float | None:
        """API clock minus local clock in seconds, or None before the first answer."""
        if self._bounds is None:
            return None
        low, high = self._bounds
        return 0.0 if low <= 0 <= high else (low + high) / 2

    def now(self) -> float:
        """Unix time on the API's clock."""
        return self.at(self._local())

    def at(self, local: float) -> float:
        """A local unix time on the API's clock."""
        skew = self.skew
        return local if skew is None or abs(skew) < APPLIED_FROM else local + skew
