"""How late the event loop comes round: the time during which nothing else could be answered."""

import asyncio
import time
from collections import deque

INTERVAL = 0.02
"""Seconds between two looks at the clock. What holds the loop up for less can be missed by so much."""

WINDOW = 120.0
"""Seconds for which a hold-up is remembered: longer than any usual scrape interval, so that every scraper sees it."""


class LoopLag:
    """Measures how late a task wakes that asks to be woken often.

    What was longest is remembered for a time instead of until the next scrape, so that two scrapers of a
    highly available pair, or a person with curl, do not hide it from each other.
    """

    def __init__(self) -> None:
        self._longest: deque[tuple[float, float]] = deque()
        """When, and how long: later entries are shorter, so the first one is the longest of the window."""

    async def run(self) -> None:
        """Measure until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + INTERVAL
            await asyncio.sleep(INTERVAL)
            self.observe(max(0.0, loop.time() - due), time.monotonic())

    def observe(self, lag: float, now: float) -> None:
        """Remember that the loop was late by so many seconds."""
        while self._longest and self._longest[-1][1] <= lag:
            self._longest.pop()
        self._longest.append((now, lag))

    def longest(self, now: float) -> float:
        """Return the longest time the loop was held up within the window, in seconds."""
        while self._longest and now - self._longest[0][0] > WINDOW:
            self._longest.popleft()
        return self._longest[0][1] if self._longest else 0.0
