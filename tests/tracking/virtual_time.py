"""Time that passes only when everybody waits for it, so that a test of pauses and deadlines is exact and takes none."""

import asyncio
import selectors
import time
from collections.abc import Callable
from math import inf, nextafter
from typing import Any, TypeVar

T = TypeVar("T")


RESOLUTION = time.get_clock_info("monotonic").resolution
"""Seconds by which the event loop lets a timer be early."""


class VirtualTime:
    """What ``time.monotonic()`` says while it is installed.

    Attributes:
        now: Seconds; moved by the event loop when nothing else is left to do.
    """

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        """Seconds so far."""
        return self.now


class _Selector(selectors.SelectSelector):
    def __init__(self, clock: VirtualTime) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(0)
        if ready:
            return ready
        if timeout is None:
            raise RuntimeError("everybody waits for something that will never happen")
        if timeout or self._clock.now + RESOLUTION == self._clock.now:
            # Less than a float can tell apart must pass, too, or a timer is waited for for ever. After half a year
            # that is more than the loop's resolution, and even a timer that is due does not count as due.
            self._clock.now = max(self._clock.now + timeout, nextafter(self._clock.now, inf))
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop that jumps to the next timer instead of waiting; threads' work is done at once, in place."""

    def __init__(self, clock: VirtualTime) -> None:
        super().__init__(_Selector(clock))
        self._virtual = clock

    def time(self) -> float:
        """Seconds so far."""
        return self._virtual.now

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> "asyncio.Future[T]":  # type: ignore[override]
        """Call the function right now."""
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 -- it belongs to whoever awaits the future
            future.set_exception(error)
        return future


def install(patch: Callable[[Any, str, Any], None]) -> VirtualTime:
    """Let ``time.monotonic()`` say virtual time; ``patch`` is a monkeypatch's ``setattr``."""
    clock = VirtualTime()
    patch(time, "monotonic", clock.monotonic)
    return clock
