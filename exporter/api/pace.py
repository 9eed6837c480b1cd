"""Keeping to the API's recommended rate (`conventions/rate-limits`: at most 50 reads a second)."""

import asyncio
import time
from collections import deque


class Pacer:
    """Lets at most ``per_second`` requests begin in any second, in the order they asked.

    A burst within that budget is not spread out: a scrape of a few requests should take one round trip, not many.
    """

    def __init__(self, per_second: float) -> None:
        if per_second <= 0:
            raise ValueError(f"a rate is positive, not {per_second}")
        self._burst = max(1, int(per_second))
        self._period = max(1.0, 1 / per_second)
        self._begun: deque[float] = deque(maxlen=self._burst)

    async def wait(self) -> float:
        """Wait until one more request may begin, and return the seconds that took."""
        now = time.monotonic()
        start = now if len(self._begun) < self._burst else max(now, self._begun[0] + self._period)
        self._begun.append(start)
        if start > now:
            await asyncio.sleep(start - now)
        return start - now
