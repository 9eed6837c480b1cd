"""Hundreds of environments of one account share its pace: the oldest data come first, and all of them in time."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from exporter.simulator import Latency, Status
from exporter.tracking.patterns import Pattern
from exporter.tracking.view import FleetView
from tests.support.settings import discovery_settings
from tests.tracking.conftest import Begin
from tests.tracking.fleets import Account
from tests.tracking.virtual_time import VirtualTime

SCRAPE_INTERVAL = 15.0


@pytest.fixture
def begin(virtual_time: VirtualTime, monkeypatch: pytest.MonkeyPatch) -> Iterator[Begin]:
    """Makes accounts at the default pace, on a clock that goes with virtual time, and closes them."""
    made: list[Account] = []

    def make(environments: int, *states: str, **client: Any) -> Account:
        account = Account(virtual_time)
        start = account.clock.now_us() - round(virtual_time.now * 1e6)
        monkeypatch.setattr(account.clock, "now_us", lambda: start + round(virtual_time.now * 1e6))
        for number in range(environments):
            account.environment(f"e{number:03}", *states)
        settings = replace(account.settings.client, **({"requests_per_second": 50.0} | client))
        account.settings = replace(account.settings, client=settings)
        account.fleet = account.new_fleet()
        account.simulation.faults.add(Latency(seconds=0.04))
        made.append(account)
        return account

    yield make
    for account in made:
        account.close()


def scrape(account: Account, seconds: float = 9.5) -> FleetView:
    """Scrape, wait until the next scrape is due, and return what was shown."""
    start = account.virtual.now
    view = account.collect(seconds)
    assert account.virtual.now - start <= seconds + 0.01, "answered at its deadline"
    return view


def rest(account: Account, since: float) -> None:
    """Wait until the next scrape is due."""
    account.run(asyncio.sleep(SCRAPE_INTERVAL - (account.virtual.now - since)))


def ages(account: Account, scrapes: int) -> dict[str, list[float]]:
    """The age of each environment's data at the moment each of these scrapes is answered."""
    found: dict[str, list[float]] = {}
    for _ in range(scrapes):
        start = account.virtual.now
        view = scrape(account)
        for each in view.environments:
            age = float("inf") if each.snapshot is None else account.clock.now() - each.snapshot.read_at
            found.setdefault(each.environment.name, []).append(age)
            assert each.history_complete
            assert each.up
        rest(account, start)
    return found


@pytest.mark.parametrize(
    ("states", "bound"),
    [((), 15.0), (("queued", "starting", "active", "active", "stopping"), 30.0)],
    ids=["idle", "five live items each"],
)
def test_500_environments_are_whole_and_current(begin: Begin, states: tuple[str, ...], bound: float) -> None:
    account = begin(500, *states)
    account.start()
    account.run(asyncio.sleep(60))
    ages(account, 3)
    measured = ages(account, 6)
    oldest = max(max(each) for each in measured.values())
    print(f"oldest data: {oldest:.1f} s")
    assert oldest <= bound


def test_where_the_pace_is_short_live_items_come_before_idle_environments_within_bounds(begin: Begin) -> None:
    account = begin(60, requests_per_second=4.0)
    busy = list(account.simulation.environments)[::6]
    for environment_id in busy:
        account.simulation.create_work(environment_id, state="active")
    account.start()
    account.run(asyncio.sleep(60))
    for _ in range(4):
        start = account.virtual.now
        scrape(account)
        rest(account, start)
    measured = ages(account, 12)
    names = {account.simulation.environment(environment_id).name for environment_id in busy}
    of_busy = [age for name in names for age in measured[name]]
    of_idle = [age for name in measured.keys() - names for age in measured[name]]
    print(f"busy {max(of_busy):.1f} s, idle {max(of_idle):.1f} s")
    assert sum(of_busy) / len(of_busy) < sum(of_idle) / len(of_idle)
    assert max(of_idle) < 60


def test_what_hangs_gives_up_its_place(begin: Begin) -> None:
    account = begin(30)
    hanging = list(account.simulation.environments)[:3]
    account.start()
    account.run(asyncio.sleep(10))
    for environment_id in hanging:
        account.simulation.faults.add(Latency(seconds=3600, environment_id=environment_id))
    for _ in range(4):
        start = account.virtual.now
        view = scrape(account)
        names = {account.simulation.environment(environment_id).name for environment_id in hanging}
        young = [
            account.clock.now() - each.snapshot.read_at
            for each in view.environments
            if each.environment.name not in names and each.snapshot is not None
        ]
        assert len(young) == 27
        assert max(young) <= 9.5
        rest(account, start)


def test_the_last_refresh_decides_whose_turn_it_is_not_the_last_success(begin: Begin) -> None:
    """An environment that always fails is not always the first."""
    account = begin(20, requests_per_second=4.0)
    failing = next(iter(account.simulation.environments))
    account.start()
    account.run(asyncio.sleep(60))
    account.simulation.faults.add(Status(status=404, environment_id=failing))
    account.transport.requests.clear()
    for _ in range(6):
        start = account.virtual.now
        account.collect(9.5)
        rest(account, start)
    asked = Counter(
        request.url.path.split("/environments/")[-1].split("/")[0] for request in account.transport.requests
    )
    assert asked[failing] <= 2 * max(count for environment_id, count in asked.items() if environment_id != failing)


def test_nothing_is_asked_when_nobody_scrapes(begin: Begin) -> None:
    account = begin(100, requests_per_second=10.0)
    account.start()
    account.run(asyncio.sleep(60))
    for _ in range(2):
        start = account.virtual.now
        account.collect(9.5)
        rest(account, start)
    account.run(asyncio.sleep(60))
    account.transport.requests.clear()
    account.run(asyncio.sleep(600))
    assert len(account.transport.requests) <= 5, "discoveries alone"


def test_an_environment_that_waits_for_its_turn_can_be_left_out(begin: Begin) -> None:
    account = begin(40, requests_per_second=2.0)
    account.start()
    account.run(asyncio.sleep(60))

    async def leave() -> None:
        collecting = asyncio.create_task(account.fleet.collect(time.monotonic() + 9.5))
        await asyncio.sleep(1)
        nothing = replace(account.settings, discovery=discovery_settings(exclude=(Pattern(".*"),)))
        await account.fleet.reconfigure([nothing], account.tracking)
        assert len(account.fleet._accounts[0].schedule) == 0
        view = await collecting
        assert view.environments == ()

    start = account.virtual.now
    account.run(leave())
    assert account.virtual.now - start < 5


@pytest.mark.parametrize("when", [0.01, 0.3, 5.0])
def test_closing_in_the_middle_of_a_scrape_leaves_nothing_that_goes_on(begin: Begin, when: float) -> None:
    """An environment whose turn comes because another's refresh is cancelled would be read with a closed client."""
    account = begin(100, "active")
    account.start()
    account.simulation.faults.add(Status(status=503, probability=0.5))

    async def close_in_the_middle() -> set[str]:
        collecting = asyncio.create_task(account.fleet.collect(time.monotonic() + 9.5))
        await asyncio.sleep(when)
        await account.fleet.close()
        await collecting
        return {task.get_name() for task in asyncio.all_tasks() if task is not asyncio.current_task()}

    assert account.run(close_in_the_middle()) == set()
