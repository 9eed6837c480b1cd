"""The API's clock against this machine's, from the ``Date`` header of its answers."""

from collections.abc import Callable
from email.utils import parsedate_to_datetime
from functools import lru_cache

from exporter.api.types import unix
from exporter.spans import monotonic

RESOLUTION = 1.0
"""The ``Date`` header has whole seconds, rounded down."""

APPLIED_FROM = 2.0
"""Seconds of skew below which a difference may be the header's coarseness, and is not applied."""


@lru_cache(maxsize=8)
def http_date(header: str) -> float | None:
    """Unix time of a date as HTTP headers write it, or None if it is none; a date without a zone is UTC."""
    try:
        return unix(parsedate_to_datetime(header))
    except (ValueError, OverflowError):  # the latter for numbers that no date has
        return None


EARLIEST, LATEST = 1_577_836_800.0, 4_102_444_800.0
"""Unix times between which a date can be meant seriously: from 2020 until 2100."""

SURPRISING = 3600.0
"""Seconds of skew above which the first answer alone is not believed."""

CONFIRMATIONS = 3
"""Answers in a row that must agree on a step of the API's clock before it is believed."""

Bounds = tuple[float, float]


class APIClock:
    """An estimate of the API's clock.

    Each answer bounds it: the API wrote its date after the request was sent and before the answer came, and cut off
    less than a second. It is this machine's clock if all answers allow that, since a slow answer allows almost
    anything, else the middle of what they allow.

    An answer that contradicts the earlier ones is an outlier, such as a page from a cache or a server whose clock is
    wrong, until several in a row say the same: then the clock was set. So is a first one that is hours off.

    What the answers allow is held against the clock of ``spans``: setting this machine's clock changes nothing that is
    known of the API's.

    Args:
        local: Unix time on this machine's clock.
        elapsed: Seconds since some fixed moment, whatever becomes of that clock.
    """

    def __init__(self, local: Callable[[], float], elapsed: Callable[[], float] = monotonic) -> None:
        self.elapsed = elapsed
        self._local = local
        self._bounds: Bounds | None = None
        self._step: Bounds | None = None
        self._confirmations = 0

    def observe(self, date: str | None, sent: float, received: float) -> None:
        """Learn from one answer's ``Date`` header; from one that is missing, unreadable or absurd, nothing.

        Args:
            date: The header.
            sent: When the request was sent, on the clock of ``elapsed`` …
            received: … and when its answer came.
        """
        written = None if date is None else http_date(date)
        if written is None or not EARLIEST <= written <= LATEST:
            return
        bounds = written - received, written + RESOLUTION - sent
        ahead = self._local() - self.elapsed()
        expected = self._bounds or (ahead - SURPRISING, ahead + SURPRISING)
        if _overlap(expected, bounds) is not None:
            # The invariant: the bounds are what all answers since the last step allow, so they only get narrower.
            self._bounds = bounds if self._bounds is None else _overlap(self._bounds, bounds)
            self._step, self._confirmations = None, 0
            return
        agreed = None if self._step is None else _overlap(self._step, bounds)
        self._confirmations = 1 if agreed is None else self._confirmations + 1
        self._step = agreed or bounds
        if self._confirmations >= CONFIRMATIONS:
            self._bounds, self._step, self._confirmations = self._step, None, 0

    @property
    def in_doubt(self) -> bool:
        """Whether the last answer contradicts what is believed, so that the next ones must decide."""
        return self._step is not None

    @property
    def skew(self) -> float | None:
        """API clock minus local clock in seconds, or None before an answer that is believed."""
        return self._skew(self._local())

    def now(self) -> float:
        """Unix time on the API's clock."""
        local = self._local()
        skew = self._skew(local)
        return local if skew is None or abs(skew) < APPLIED_FROM else local + skew

    def _skew(self, local: float) -> float | None:
        if self._bounds is None:
            return None
        ahead = local - self.elapsed()
        low, high = self._bounds[0] - ahead, self._bounds[1] - ahead
        return 0.0 if low <= 0 <= high else (low + high) / 2


def _overlap(one: Bounds, other: Bounds) -> Bounds | None:
    """What two bounds both allow, or None if they contradict one another."""
    low, high = max(one[0], other[0]), min(one[1], other[1])
    return (low, high) if low <= high else None
