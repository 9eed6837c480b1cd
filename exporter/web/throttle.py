"""Log lines that any client can cause, at a bounded rate."""

import time
from collections import Counter
from collections.abc import Callable

import structlog

INTERVAL_SECONDS = 60.0

log = structlog.get_logger()


class Throttle:
    """Logs each event at most once a minute, and says how often it was left out in between.

    Args:
        clock: Seconds on a clock that never goes back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._logged: dict[str, float] = {}
        self._suppressed: Counter[str] = Counter()

    def warning(self, event: str, **fields: object) -> None:
        """Log an event unless it was logged within the last minute.

        Args:
            event: The message: a constant, as there is an entry in memory for each.
            fields: What belongs to this one occurrence.
        """
        now = self._clock()
        if now - self._logged.get(event, float("-inf")) < INTERVAL_SECONDS:
            self._suppressed[event] += 1
            return
        self._logged[event] = now
        suppressed = self._suppressed.pop(event, 0)
        log.warning(event, **fields, **({"suppressed": suppressed} if suppressed else {}))
