"""One simulated environment, and a tracker on it, without sockets or waiting."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
import pytest

from exporter.api.client import WorkAPI
from exporter.simulator import DEFAULT_TOKEN, ManualClock, Options, Simulation, Truth, create_app
from exporter.simulator.clock import microseconds
from exporter.tracking import checkpoint
from exporter.tracking.checkpoint import Checkpoint
from exporter.tracking.record import EnvironmentRecord
from exporter.tracking.settings import TrackingSettings
from exporter.tracking.snapshot import Queue
from exporter.tracking.source import Source
from exporter.tracking.tracker import Tracker
from exporter.tracking.view import EnvironmentIdentity, EnvironmentView
from tests.support.settings import client_settings, tracking_settings
from tests.tracking.virtual_time import VirtualLoop, VirtualTime

BASE_URL = "http://simulator/api/v1/cloud"

T = TypeVar("T")


@dataclass(frozen=True)
class GivenToken:
    """A token that stands in the test itself."""

    value: str = DEFAULT_TOKEN

    def read(self) -> str:
        return self.value


@dataclass
class Forgetful(httpx.AsyncBaseTransport):
    """A transport to the simulator that forgets some cursors, although their items exist.

    Attributes:
        forgotten: The cursors.
        manner: What the API answers to them.
        requests: Every request so far.
        peak: The most requests that were under way at once.
        before: Called with each request before it is answered, so that something can happen between two of them.
        dates: What the next answers say in `Date`, one each; None for the simulation's time.
        told: What every answer so far said instead of the simulation's time, or None.
    """

    inner: httpx.AsyncBaseTransport
    forgotten: set[str] = field(default_factory=set)
    manner: str = "not_found"
    requests: list[httpx.Request] = field(default_factory=list)
    peak: int = 0
    before: Callable[[httpx.Request], None] | None = None
    dates: list[str | None] = field(default_factory=list)
    told: list[str | None] = field(default_factory=list)
    _under_way: int = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if self.before is not None:
            self.before(request)
        self._under_way += 1
        self.peak = max(self.peak, self._under_way)
        try:
            response = await self._answer(request)
            date = self.dates.pop(0) if self.dates else None
            if date is not None:
                response.headers["date"] = date
            self.told.append(date)
            return response
        finally:
            self._under_way -= 1

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.params.get("after_id") in self.forgotten:
            if self.manner == "empty":
                return httpx.Response(200, json={"data": [], "has_more": False, "next_page": None})
            status = {"not_found": 404, "invalid": 400}[self.manner]
            return httpx.Response(status, json={"type": "error", "error": {"type": "x", "message": "no such cursor"}})
        return await self.inner.handle_async_request(request)


class PassingClock(ManualClock):
    """The clock of a simulated API: it goes on as time does, and can be set.

    Args:
        virtual: What ``time.monotonic()`` says; None for a clock that stands still until it is moved.
    """

    def __init__(self, virtual: VirtualTime | None) -> None:
        super().__init__()
        self._virtual = virtual
        self._from = 0.0 if virtual is None else virtual.now

    def now_us(self) -> int:
        """Return the present in microseconds since the Unix epoch."""
        return super().now_us() + self._passed_us()

    def set_us(self, now_us: int) -> None:
        """Set the clock to this moment, while time stands still."""
        super().set_us(now_us - self._passed_us())

    def advance(self, seconds: float) -> None:
        """Let time pass, for everybody."""
        if self._virtual is None:
            super().advance(seconds)
        else:
            self._virtual.now += seconds

    def _passed_us(self) -> int:
        return 0 if self._virtual is None else microseconds(self._virtual.now - self._from)


class Watched:
    """A simulated environment and its tracker, with a clock of its own, which at first is the simulation's.

    Args:
        options: How the simulated API behaves.
        settings: How the environment is tracked; every call of :meth:`refresh` asks the API.
        page_interval: Seconds between the pages of one walk through the list.
        virtual: Time that passes by itself, so that nothing has to be waited for; None for the machine's.
        **client: Further settings of the client.

    Attributes:
        ahead: Seconds by which this machine's clock is ahead of the API's.
    """

    def __init__(
        self,
        options: Options | None = None,
        settings: TrackingSettings | None = None,
        *,
        page_interval: float = 0.0,
        virtual: VirtualTime | None = None,
        **client: Any,
    ) -> None:
        self.clock = PassingClock(virtual)
        self.ahead = 0.0
        self.simulation = Simulation(clock=self.clock, options=options or Options(), seed=1)
        self.id = self.simulation.create_environment("gpu-workers")
        self.settings = settings or tracking_settings(min_interval=0)
        self.transport = Forgetful(httpx.ASGITransport(create_app(self.simulation)))
        self.page_interval = page_interval
        self.runner = asyncio.Runner(loop_factory=None if virtual is None else lambda: VirtualLoop(virtual))
        self._reach = client_settings(BASE_URL, GivenToken(), **({"requests_per_second": 1_000_000} | client))
        self._old: list[WorkAPI] = []
        self.api = self.new_api()
        self.tracker = self.new_tracker()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop everything under way."""
        self.run(self.tracker.close())
        for api in (self.api, *self._old):
            self.run(api.close())
        self.runner.close()

    def now(self) -> float:
        """Unix time on this machine's clock."""
        return self.clock.now() + self.ahead

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run to its end."""
        return self.runner.run(work)

    def new_api(self) -> WorkAPI:
        """A client as another process, or another configuration, would make it."""
        return WorkAPI(self._reach, now=self.now, transport=self.transport)

    def new_tracker(self, record: EnvironmentRecord | None = None) -> Tracker:
        """A tracker as a restarted exporter would make it."""
        identity = EnvironmentIdentity(self.id, "gpu-workers", "default")
        return Tracker(
            identity,
            self.api,
            self.settings,
            page_interval=self.page_interval,
            record=record,
            now=self.now,
        )

    def refresh(self) -> EnvironmentView:
        """One whole refresh, the first traversal included."""
        self.transport.requests.clear()
        self.transport.told.clear()
        self.run(self._refresh())
        return self.tracker.view()

    def queue(self) -> Queue:
        """What one successful refresh shows."""
        view = self.refresh()
        assert view.up, view.error
        assert view.snapshot is not None
        assert view.snapshot.queue is not None
        return view.snapshot.queue

    def traverse(self) -> None:
        """Read the whole list once more."""
        self.run(self._traverse())

    def settle(self) -> None:
        """Let whatever is read in the background come to its end."""
        self.run(self._settle())

    async def _settle(self) -> None:
        while (task := self.tracker.resync._task) is not None and not task.done():
            await asyncio.wait({task})

    def restart(self, settings: TrackingSettings | None = None) -> None:
        """Stop, and go on as another process would: with what stood in the checkpoint, and nothing else."""
        content = Checkpoint(Path("unused")).encode([self.tracker.record()])
        self.run(self.tracker.close())
        self.run(self.api.close())
        assert content is not None
        (record,) = checkpoint._decode(content)
        self.settings = settings or self.settings
        self.api = self.new_api()
        self.tracker = self.new_tracker(record)

    def reconfigure(
        self, settings: TrackingSettings | None = None, *, page_interval: float | None = None, client: bool = False
    ) -> None:
        """Go on by other settings, as after a reload; a refresh under way ends.

        Args:
            settings: How the environment is tracked from now on.
            page_interval: Seconds between the pages of one walk.
            client: Whether the account has another client now.
        """
        self.settings = settings or self.settings
        self.page_interval = self.page_interval if page_interval is None else page_interval
        if client:
            old, self.api = self.api, self.new_api()
            self.api.counts, self.api.clock = old.counts, old.clock
            self._old.append(old)
        self.tracker.reconfigure(self.api, self.settings, page_interval=self.page_interval)

    def source(self) -> Source:
        """The environment's list as the tracking room reads it."""
        return self.tracker._source()

    def truth(self) -> Truth:
        """What is true of the environment now."""
        return self.simulation.truth(self.id)

    def asked(self, endpoint: str) -> list[str | None]:
        """What the newest refresh asked for: ``list`` gives cursors, ``get`` IDs, ``stats`` a None for each."""
        calls = [_call(request) for request in self.transport.requests]
        return [argument for name, argument in calls if name == endpoint]

    async def _refresh(self) -> None:
        task = self.tracker.refresh(time.monotonic() + 3600)
        assert task is not None
        await asyncio.wait({task})

    async def _traverse(self) -> None:
        while not await self.tracker.resync.start():
            """A search was under way, which is no reading of the whole list."""
        if self.tracker._refresh is not None:  # it may have begun as the traversal ended
            await self.tracker._refresh


def shown(queue: Queue) -> dict[str, Any]:
    """A snapshot's numbers, named as in the reference."""
    counts: dict[str, int] = {}
    for (state, _), count in queue.counts.items():
        counts[state] = counts.get(state, 0) + count
    return {
        "counts": counts,
        "oldest_age": {state: pytest.approx(age, abs=1e-3) for state, age in queue.oldest_age.items()},
        "oldest_queued_at": queue.oldest_queued_at,
        "queue_age": tuple(count for _, count, _ in queue.queue_age.cumulative()),
        "max_heartbeat_lag": pytest.approx(queue.max_heartbeat_lag, abs=1e-3),
        "oldest_heartbeat_at": queue.oldest_heartbeat_at,
        "heartbeat_lag": tuple(count for _, count, _ in queue.heartbeat_lag.cumulative()),
    }


def _call(request: httpx.Request) -> tuple[str, str | None]:
    """A request's endpoint, and the ID it names."""
    last = request.url.path.rsplit("/", 1)[-1]
    if last == "work":
        return "list", request.url.params.get("after_id")
    return ("stats", None) if last == "stats" else ("get", last)
