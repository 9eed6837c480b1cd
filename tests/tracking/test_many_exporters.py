"""Ten thousand environments of 32 accounts, watched by eight exporters with four accounts each, in virtual time."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from exporter.simulator import Latency, Simulation, create_app
from exporter.tracking.fleet import Fleet
from exporter.tracking.settings import AccountSettings
from exporter.tracking.view import FleetView
from tests.support.randomness import LONG
from tests.support.settings import account_settings, client_settings, tracking_settings
from tests.tracking.harness import GivenToken, PassingClock
from tests.tracking.virtual_time import VirtualLoop, VirtualTime

EXPORTERS = 8
ACCOUNTS_EACH = 4
SCALE = 1 if LONG else 20
"""A twentieth of the environments, at a twentieth of the pace, waits about as long."""
OLDEST = 15.0 if LONG else 30.0
"""Seconds; where few requests are sent, one of them counts for more."""
ENVIRONMENTS_EACH = 313 // SCALE
"""Of an account; 10,016 in all where nothing is scaled."""
PACE = 50 / SCALE
"""Requests per second and account."""

SCRAPE_INTERVAL = 15.0
SCRAPE_BUDGET = 9.5
LIVE = ("queued", "active")
"""Items of every tenth environment."""

Shown = tuple[float, FleetView]
"""When a scrape was answered, and with what."""


@dataclass
class API(httpx.AsyncBaseTransport):
    """One account's simulated API.

    Attributes:
        name: Its host, and the account's name.
        moments: When each request came, on the virtual clock.
    """

    number: int
    virtual: VirtualTime

    def __post_init__(self) -> None:
        self.name = f"account-{self.number:02}"
        self.simulation = Simulation(clock=PassingClock(self.virtual), seed=self.number)
        self.simulation.faults.add(Latency(seconds=0.04))
        self.moments: list[float] = []
        self._app = httpx.ASGITransport(create_app(self.simulation))
        for number in range(ENVIRONMENTS_EACH):
            environment = self.simulation.create_environment(f"{self.name}-{number:03}")
            for state in LIVE if number % 10 == 0 else ():
                self.simulation.create_work(environment, state=state)

    @property
    def settings(self) -> AccountSettings:
        """The account as an exporter has it, at the default pace."""
        reach = client_settings(f"http://{self.name}/api/v1/cloud", GivenToken(), requests_per_second=PACE)
        return account_settings(self.name, reach)

    def busiest_second(self, since: float) -> int:
        """The most requests that came within one second of the clock."""
        return max(Counter(int(moment) for moment in self.moments if moment >= since).values())

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.moments.append(self.virtual.now)
        return await self._app.handle_async_request(request)


class Internet(httpx.AsyncBaseTransport):
    """Leads to each API by its host."""

    def __init__(self, apis: list[API]) -> None:
        self._apis = {api.name: api for api in apis}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self._apis[request.url.host].handle_async_request(request)


@pytest.fixture
def runner(virtual_time: VirtualTime) -> Iterator[asyncio.Runner]:
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(virtual_time)) as runner:
        yield runner


@pytest.mark.long
def test_ten_thousand_environments_are_whole_and_current(virtual_time: VirtualTime, runner: asyncio.Runner) -> None:
    apis = [API(number, virtual_time) for number in range(EXPORTERS * ACCOUNTS_EACH)]
    internet, now = Internet(apis), apis[0].simulation.clock.now
    fleets = [
        Fleet(
            [api.settings for api in apis[number::EXPORTERS]],
            tracking_settings(),
            now=now,
            transport=internet,
        )
        for number in range(EXPORTERS)
    ]

    async def scrape(fleet: Fleet, number: int) -> Shown:
        """Every exporter has a moment of its own within the interval, as Prometheus gives it."""
        await asyncio.sleep(SCRAPE_INTERVAL / EXPORTERS * number)
        start = virtual_time.now
        view = await fleet.collect(time.monotonic() + SCRAPE_BUDGET)
        assert virtual_time.now - start <= SCRAPE_BUDGET + 0.01, "answered after its deadline"
        return now(), view

    async def scrape_all() -> list[Shown]:
        start = virtual_time.now
        views = await asyncio.gather(*(scrape(fleet, number) for number, fleet in enumerate(fleets)))
        await asyncio.sleep(max(0.0, SCRAPE_INTERVAL - (virtual_time.now - start)))
        return views

    def check(shown: list[Shown]) -> float:
        """All numbers are there; return how old the oldest were when a scraper got them."""
        oldest = 0.0
        for moment, view in shown:
            assert len(view.environments) == ACCOUNTS_EACH * ENVIRONMENTS_EACH
            for each in view.environments:
                assert each.up
                assert each.history_complete
                assert each.snapshot is not None
                assert each.snapshot.queue is not None
                oldest = max(oldest, moment - each.snapshot.read_at)
        return oldest

    async def run() -> tuple[float, list[Shown]]:
        for fleet in fleets:
            await fleet.start()
        await asyncio.sleep(60)  # the lists are read for the first time
        for _ in range(2):
            await scrape_all()  # not every environment has its turn in the first one
        rounds = [await scrape_all() for _ in range(3)]
        for fleet in fleets:
            await fleet.close()
        return max(map(check, rounds)), rounds[-1]

    began = virtual_time.now
    oldest, last = runner.run(run())
    shown = Counter(each.environment.id for _, view in last for each in view.environments)
    every = {environment for api in apis for environment in api.simulation.environments}
    assert len(every) == EXPORTERS * ACCOUNTS_EACH * ENVIRONMENTS_EACH
    assert shown == dict.fromkeys(every, 1)
    queued = sum(
        each.snapshot.counts["queued", ()]
        for _, view in last
        for each in view.environments
        if each.snapshot is not None and each.snapshot.counts is not None
    )
    assert queued == EXPORTERS * ACCOUNTS_EACH * len(range(0, ENVIRONMENTS_EACH, 10))
    busiest = max(api.busiest_second(began) for api in apis)
    print(f"{len(every)} environments, oldest data {oldest:.1f} s, busiest second {busiest} requests")
    assert oldest <= OLDEST
    assert busiest <= PACE + 1
