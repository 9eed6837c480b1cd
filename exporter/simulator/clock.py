"""Time in the simulation: the machine's clock, perhaps faster or wrong, or one that a test moves by hand."""

import asyncio
import heapq
import itertools
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field

MICROSECONDS = 1_000_000
"""Microseconds in a second; the simulation counts time in whole microseconds since the Unix epoch."""


def microseconds(seconds: float) -> int:
    """Return Unix seconds as whole microseconds."""
    return round(seconds * MICROSECONDS)


class Bell:
    """Ends the sleep of everyone who listens to it, from whichever thread it is rung.

    Attributes:
        rings: How often it has rung. Whoever reads this before looking for work, and gives it to `Clock.sleep`
            after finding none, misses no ring in between.
    """

    def __init__(self) -> None:
        self.rings = 0
        self._listeners: dict[object, Callable[[], None]] = {}

    def ring(self) -> None:
        """Wake every listener, in the order in which they began to listen."""
        self.rings += 1
        for wake in list(self._listeners.values()):
            wake()

    @contextmanager
    def listening(self, wake: Callable[[], None], rings_seen: int) -> Iterator[None]:
        """Call ``wake`` at every ring inside this block, and at once if it has rung since ``rings_seen`` rings."""
        key = object()
        self._listeners[key] = wake
        if self.rings != rings_seen:
            wake()
        try:
            yield
        finally:
            del self._listeners[key]


class Clock(ABC):
    """What the simulation takes for the present, and how its actors wait."""

    @abstractmethod
    def now_us(self) -> int:
        """Return the present in microseconds since the Unix epoch."""

    def now(self) -> float:
        """Return the present in seconds since the Unix epoch."""
        return self.now_us() / MICROSECONDS

    @abstractmethod
    async def sleep(self, seconds: float, bell: Bell | None = None, rings_seen: int = 0) -> None:
        """Wait this many simulated seconds, or until ``bell`` rings, or has rung more than ``rings_seen`` times."""

    @abstractmethod
    def actor(self) -> "AbstractContextManager[None]":
        """Count a running actor, so that a clock moved by hand waits for it."""


class RealClock(Clock):
    """The machine's clock.

    Args:
        speed: Simulated seconds that pass in a real one.
        offset: Seconds by which this clock is ahead of the machine's: a server whose clock is wrong. May be changed
            at any time.
    """

    def __init__(self, *, speed: float = 1.0, offset: float = 0.0) -> None:
        if speed <= 0:
            raise ValueError(f"speed: must be above 0, got {speed}")
        self.speed = speed
        self.offset = offset
        self._origin = time.time()
        self._started = time.monotonic()

    def now_us(self) -> int:
        """Return the present in microseconds since the Unix epoch."""
        if self.speed == 1:  # follow the machine's clock, even where it is corrected
            return microseconds(time.time() + self.offset)
        return microseconds(self._origin + (time.monotonic() - self._started) * self.speed + self.offset)

    async def sleep(self, seconds: float, bell: Bell | None = None, rings_seen: int = 0) -> None:
        """Wait this many simulated seconds, or until ``bell`` rings, or has rung more than ``rings_seen`` times."""
        if bell is None:
            await asyncio.sleep(seconds / self.speed)
            return
        alarm = _Alarm()
        timer = alarm.loop.call_later(seconds / self.speed, alarm.ring)
        try:
            with bell.listening(alarm.ring, rings_seen):
                await alarm.rung
        finally:
            timer.cancel()

    def actor(self) -> AbstractContextManager[None]:
        """Do nothing: real time waits for nobody."""
        return nullcontext()


class _Alarm:
    """Ends one wait, from any thread, however often it rings."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.rung: asyncio.Future[None] = self.loop.create_future()

    def ring(self) -> None:
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self._finish)

    def _finish(self) -> None:
        if not self.rung.done():
            self.rung.set_result(None)


@dataclass(order=True, slots=True)
class _Sleeper:
    deadline_us: int
    turn: int
    alarm: _Alarm = field(compare=False)
    awake: bool = field(default=False, compare=False)


class ManualClock(Clock):
    """A clock that stands still until it is moved.

    ``advance`` and ``set`` only move it and wake whoever's time has come. ``run`` plays the time in between: it goes
    from one sleeper's deadline to the next, wakes one at a time and lets each actor finish what it does before the
    clock moves on. An hour with many workers then takes seconds, and the same seed gives the same hour.

    Args:
        start: The first moment, in Unix seconds. The default is 2026-07-01T08:00:00Z.
    """

    def __init__(self, start: float = 1_782_892_800.0) -> None:
        self._now_us = microseconds(start)
        self._sleepers: list[_Sleeper] = []
        self._turns = itertools.count()
        self._lock = threading.RLock()
        self._actors = 0
        self._asleep = 0
        self._changed = asyncio.Event()

    def now_us(self) -> int:
        """Return the present in microseconds since the Unix epoch."""
        return self._now_us

    def advance(self, seconds: float) -> None:
        """Move the clock forward.

        Raises:
            ValueError: ``seconds`` is negative.
        """
        if seconds < 0:
            raise ValueError(f"seconds: must not be negative, got {seconds}")
        self.set_us(self._now_us + microseconds(seconds))

    def set(self, now: float) -> None:
        """Set the clock to this moment in Unix seconds; it may be in the past."""
        self.set_us(microseconds(now))

    def set_us(self, now_us: int) -> None:
        """Set the clock to this moment in microseconds since the Unix epoch; it may be in the past."""
        with self._lock:
            self._now_us = now_us
            while (sleeper := self._next_due(now_us)) is not None:
                self._wake(sleeper)

    async def run(self, seconds: float) -> None:
        """Play this many seconds, every sleeper in its turn. Actors and server must live in this event loop."""
        end_us = self._now_us + microseconds(seconds)
        await self._until_all_actors_sleep()
        while (sleeper := self._next_due(end_us)) is not None:
            self._now_us = max(self._now_us, sleeper.deadline_us)
            self._wake(sleeper)
            await self._until_all_actors_sleep()
        self._now_us = end_us

    async def sleep(self, seconds: float, bell: Bell | None = None, rings_seen: int = 0) -> None:
        """Wait until the clock has moved this far, or ``bell`` has rung more than ``rings_seen`` times."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        sleeper = _Sleeper(self._now_us + microseconds(seconds), next(self._turns), _Alarm())
        with self._lock:
            heapq.heappush(self._sleepers, sleeper)
            self._asleep += 1
            self._changed.set()
        try:
            with (bell or Bell()).listening(lambda: self._wake(sleeper), rings_seen):
                await sleeper.alarm.rung
        finally:
            self._wake(sleeper)

    @contextmanager
    def actor(self) -> Iterator[None]:
        """Count a running actor: ``run`` goes on only while as many sleep as there are actors."""
        self._actors += 1
        try:
            yield
        finally:
            self._actors -= 1
            self._changed.set()

    def _next_due(self, until_us: int) -> _Sleeper | None:
        with self._lock:
            while self._sleepers and self._sleepers[0].awake:
                heapq.heappop(self._sleepers)
            if self._sleepers and self._sleepers[0].deadline_us <= until_us:
                return self._sleepers[0]
            return None

    def _wake(self, sleeper: _Sleeper) -> None:
        with self._lock:
            if not sleeper.awake:
                sleeper.awake = True
                self._asleep -= 1
                sleeper.alarm.ring()

    async def _until_all_actors_sleep(self) -> None:
        while self._asleep < self._actors:
            self._changed.clear()
            await self._changed.wait()
