"""An event loop whose time jumps to the next thing to do, so that waiting is exact and takes no time."""

import asyncio
import selectors
import time
from collections.abc import Coroutine
from typing import Any, TypeVar
from unittest.mock import patch

T = TypeVar("T")

START = 1000.0
"""What the clock shows at the beginning, in seconds."""


class _Skipping(selectors.DefaultSelector):
    """Passes over the time in which nothing would happen."""

    def __init__(self) -> None:
        super().__init__()
        self.now = START

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(None if timeout is None else 0)
        if not events and timeout:
            self.now += timeout
        return events


class PlayedLoop(asyncio.SelectorEventLoop):
    """An event loop for code that waits for time, and not for other processes or threads."""

    def __init__(self) -> None:
        self._skipping = _Skipping()
        super().__init__(self._skipping)

    def time(self) -> float:
        return self._skipping.now


def play(work: Coroutine[Any, Any, T]) -> T:
    """Run to its end on a clock that jumps; ``time.monotonic()`` is that clock meanwhile."""
    with asyncio.Runner(loop_factory=PlayedLoop) as runner, patch.object(time, "monotonic", runner.get_loop().time):
        return runner.run(work)
