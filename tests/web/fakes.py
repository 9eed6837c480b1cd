"""A fleet that does what a test tells it, and views made of few words."""

import asyncio
from dataclasses import replace
from typing import Any

from exporter.api.errors import REASONS
from exporter.api.requests import RequestCounts
from exporter.histogram import Histogram
from exporter.tracking.observation import Observation
from exporter.tracking.snapshot import Queue, Snapshot
from exporter.tracking.view import AccountView, EnvironmentIdentity, EnvironmentView, FleetView


class FakeFleet:
    """Shows one view; a collection waits for `released`, the deadline or an interruption."""

    def __init__(self, shown: FleetView) -> None:
        self.ready = True
        self.shown = shown
        self.budgets: list[float] = []
        self.collected: list[EnvironmentIdentity | None] = []
        self.live: dict[str, tuple[Observation, ...]] = {}
        self.others: dict[str, EnvironmentView] = {}
        self.entered = asyncio.Event()
        self.released = asyncio.Event()
        self.released.set()

    async def collect(self, deadline: float, only: EnvironmentIdentity | None = None) -> FleetView:
        loop = asyncio.get_running_loop()
        self.budgets.append(deadline - loop.time())
        self.collected.append(only)
        self.entered.set()
        try:
            async with asyncio.timeout_at(deadline):
                await self.released.wait()
        except TimeoutError:
            pass
        return self.shown

    async def probe(self, environment_id: str, deadline: float, account: str | None = None) -> EnvironmentView | None:
        return self.others.get(environment_id)

    def items(self, environment: EnvironmentIdentity) -> tuple[Observation, ...]:
        return self.live.get(environment.id, ())

    def view(self) -> FleetView:
        return self.shown

    def interrupt(self) -> None:
        self.released.set()


def environment(name: str = "gpu-workers", **changes: Any) -> EnvironmentView:
    view = EnvironmentView(
        environment=EnvironmentIdentity(f"env_{name}", name, "default"),
        up=True,
        history_complete=True,
        snapshot=None,
        lifecycle=None,
        refresh_duration=0.1,
        refresh_requests=2,
        failures=dict.fromkeys(REASONS, 0),
        error=None,
        progress=None,
    )
    return replace(view, **changes)


def snapshot(read_at: float, **counts: int) -> Snapshot:
    queue = Queue(
        counts={(state, ()): count for state, count in counts.items()},
        oldest_age={},
        oldest_queued_at=None,
        queue_age=Histogram(),
        max_heartbeat_lag=0.0,
        oldest_heartbeat_at=None,
        heartbeat_lag=Histogram(),
    )
    return Snapshot(read_at, queue, None)


def fleet(*environments: EnvironmentView, discovery_error: str | None = None) -> FleetView:
    account = AccountView(
        name="default",
        requests=RequestCounts(),
        clock_skew=None,
        environments=len(environments),
        discovery_up=discovery_error is None,
        discovery_error=discovery_error,
    )
    return FleetView(environments, (account,))
