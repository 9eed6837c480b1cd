"""Synthetic workers: they poll, acknowledge, beat and stop through the API, each in its own good or bad way."""

import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, Never

import httpx

from exporter.simulator.client import Refused, WorkClient
from exporter.simulator.clock import Clock
from exporter.simulator.item import STOPPING
from exporter.simulator.lifecycle import NO_HEARTBEAT

Span = tuple[float, float]
"""From and to, in seconds; a duration is drawn evenly from it."""

Moment = Literal["after_poll", "after_ack", "after_heartbeat"]
"""A moment in the life of an item at which its worker may die."""

_LOST = frozenset({404, 409, 412})
"""Answers that tell a worker that the item is no longer its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """How a worker goes about its work.

    Attributes:
        name: Begins the ``Worker-ID``.
        anonymous: Whether it sends no ``Worker-ID``: it is then missing from ``workers_polling``.
        block_ms: How long a poll waits; 0 for not at all.
        idle: Pause after an empty poll.
        error_pause: Pause after a failed call.
        startup: Between ack and first heartbeat.
        run: Between first heartbeat and the end of the work.
        ttl_seconds: The lease it asks for; None leaves it to the API.
        interval: Between heartbeats.
        heeds_stop: Whether it ends the work when a heartbeat says ``stopping``.
        drain: How long it goes on after it has seen that.
        end: ``confirm`` stops twice, gracefully and again; ``force`` stops at once.
        dies: When it dies for good: after a poll, after an ack, or after the first heartbeat (the item stays active
            and its heartbeat lost); None for never.
        dies_at: With which item, counted from 1.
        stall: Seconds without any heartbeat after the first one; it then goes on as if nothing had happened.
    """

    name: str
    anonymous: bool = False
    block_ms: int = 999
    idle: Span = (0.0, 0.0)
    error_pause: float = 2.0
    startup: Span = (0.5, 2.0)
    run: Span = (30.0, 90.0)
    ttl_seconds: int | None = 60
    interval: float = 30.0
    heeds_stop: bool = True
    drain: Span = (1.0, 4.0)
    end: Literal["confirm", "force"] = "confirm"
    dies: Moment | None = None
    dies_at: int = 1
    restart: float | None = None
    stall: float = 0.0

    def scaled(self, factor: float) -> "Profile":
        """Return the same worker with all of its waiting and working times multiplied, polls and leases apart."""

        def scale(span: Span) -> Span:
            return span[0] * factor, span[1] * factor

        return replace(
            self,
            idle=scale(self.idle),
            startup=scale(self.startup),
            run=scale(self.run),
            interval=self.interval * factor,
            drain=scale(self.drain),
            stall=self.stall * factor,
        )


EAGER = Profile(name="eager", heeds_stop=False)
"""Polls again at once, asks for 60 s, beats every 30 s, ignores ``stopping``, stops twice."""
PATIENT = Profile(name="patient", idle=(1.0, 3.0), ttl_seconds=None, end="force")
"""Pauses 1 to 3 s between empty polls, asks for no lease, beats every 30 s, heeds ``stopping``, stops by force."""


@dataclass(frozen=True, slots=True)
class Holding:
    """An item that a worker already has when it begins.

    Attributes:
        work_id: Which.
        seconds: How long the work still takes.
    """

    work_id: str
    seconds: float


class Worker:
    """One worker of one environment.

    Args:
        environment_id: Whose queue it polls.
        profile: How it behaves.
        seed: Of its name and its durations.
        holding: The item it is busy with at the beginning.
    """

    def __init__(self, environment_id: str, profile: Profile, seed: str, holding: Holding | None = None) -> None:
        self.environment_id = environment_id
        self.profile = profile
        self._random = random.Random(f"{seed} {profile.name}")
        self._holding = holding

    async def act(self, client: WorkClient, clock: Clock) -> None:
        """Work until it is cancelled, or dies and is not started again."""
        while True:
            worker_id = None if self.profile.anonymous else f"{self.profile.name}-{self._random.getrandbits(32):08x}"
            shift = _Shift(
                client,
                clock,
                environment_id=self.environment_id,
                profile=self.profile,
                worker_id=worker_id,
                randomness=self._random,
            )
            with suppress(_Died):
                await shift.work(self._holding)
            if self.profile.restart is None:
                return
            self._holding = None
            await clock.sleep(self.profile.restart)


class _Died(Exception):
    """The worker is dead."""


class _ItemLost(Exception):
    """The item is no longer the worker's own."""


class _Shift:
    """A worker at work, from its start to its death: one item after the other."""

    def __init__(
        self,
        client: WorkClient,
        clock: Clock,
        *,
        environment_id: str,
        profile: Profile,
        worker_id: str | None,
        randomness: random.Random,
    ) -> None:
        self._client = client
        self._clock = clock
        self._environment_id = environment_id
        self._profile = profile
        self._worker_id = worker_id
        self._random = randomness
        self._items = 0

    async def work(self, holding: Holding | None) -> Never:
        """Finish what it holds, then work on whatever it can get."""
        if holding is not None:
            with suppress(_ItemLost):
                await self._work_on(holding.work_id, None, holding.seconds)
        while True:
            with suppress(_ItemLost):
                await self._next_item()

    async def _next_item(self) -> None:
        """Take an item through its life, or pause if there is none."""
        profile = self._profile
        work_id = await self._poll()
        if work_id is None:
            return
        self._items += 1
        self._may_die("after_poll")
        await self._insist(lambda: self._client.ack(self._environment_id, work_id, worker_id=self._worker_id))
        self._may_die("after_ack")
        await self._clock.sleep(self._draw(profile.startup))
        await self._work_on(work_id, NO_HEARTBEAT, self._draw(profile.run))

    async def _poll(self) -> str | None:
        """Return the ID of an item; None after a pause, if there is none or the call failed."""
        profile = self._profile
        try:
            item = await self._client.poll(self._environment_id, worker_id=self._worker_id, block_ms=profile.block_ms)
        except (Refused, httpx.HTTPError):
            await self._clock.sleep(profile.error_pause)
            return None
        if item is None:
            await self._clock.sleep(self._draw(profile.idle))
            return None
        return str(item["id"])

    async def _work_on(self, work_id: str, expected: str | None, seconds: float) -> None:
        """Beat until the work is done, then stop the item."""
        profile, left, draining, stall = self._profile, seconds, False, self._profile.stall
        while True:
            beat = partial(
                self._client.heartbeat,
                self._environment_id,
                work_id,
                expected=expected,
                ttl_seconds=profile.ttl_seconds,
            )
            answer = await self._insist(beat)
            expected = answer["last_heartbeat"]
            self._may_die("after_heartbeat")
            if answer["state"] == STOPPING and profile.heeds_stop and not draining:
                left, draining = self._draw(profile.drain), True
            if left <= profile.interval and not stall:
                await self._clock.sleep(left)
                await self._end(work_id)
                return
            await self._clock.sleep(stall or profile.interval)
            left, stall = left - (stall or profile.interval), 0.0

    async def _end(self, work_id: str) -> None:
        """Stop the item for good; a stopped one takes another stop without harm."""
        force = self._profile.end == "force"
        stop = partial(self._client.stop, self._environment_id, work_id, force=force)
        await self._insist(stop)
        if not force:
            await self._insist(stop)

    async def _insist(self, call: Callable[[], Awaitable[dict[str, Any]]]) -> dict[str, Any]:
        """Make a call until it gets through.

        Raises:
            _ItemLost: The item is no longer the worker's own.
        """
        while True:
            try:
                return await call()
            except (Refused, httpx.HTTPError) as error:
                if isinstance(error, Refused) and error.status in _LOST:
                    raise _ItemLost from None
            await self._clock.sleep(self._profile.error_pause)

    def _may_die(self, moment: Moment) -> None:
        if self._profile.dies == moment and self._items >= self._profile.dies_at:
            raise _Died

    def _draw(self, span: Span) -> float:
        return self._random.uniform(*span)
