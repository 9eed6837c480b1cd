"""Weeks of operation in virtual time: churn, faults and restarts, with true numbers and a flat footprint throughout."""

import asyncio
import gc
import os
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from exporter.metrics.families import families
from exporter.simulator import Garbage, Reset, Status, Truncate
from exporter.simulator.faults import AnyFault
from exporter.tracking.view import FleetView
from tests.support.randomness import LONG, seed
from tests.support.settings import tracking_settings
from tests.tracking.fleets import Account, counts
from tests.tracking.virtual_time import install

DAYS = 21 if LONG else 1
SCRAPE_INTERVAL = 300 if LONG else 120
SCRAPES = DAYS * 24 * 60 * 60 // SCRAPE_INTERVAL
ENVIRONMENTS = ("ci-runners", "gpu-workers", "batch-etl")
FAULTS: tuple[AnyFault, ...] = (
    Status(status=503, probability=0.5),
    Status(status=429, retry_after="3"),
    Status(status=401),
    Reset(probability=0.3),
    Truncate(probability=0.3),
    Garbage(content="html"),
    Garbage(content="stuck_cursor"),
    Garbage(content="repeated_page"),
)
SURVIVING = {f"qoder_work_{event}_total" for event in ("created", "stopped", "requeued", "vanished")}
"""Counters that a restart with a checkpoint does not set back."""

STANDING_TASKS = 3
"""Tasks that live as long as an account: discovery, the keeper of the checkpoint, and what it waits for."""

TASKS_PER_READING = 3
"""Tasks of an environment whose list is being read in the background: the resync, its step, and the request."""

OBJECTS_PER_ITEM = 12
"""More objects than one live item may keep alive, whatever else is remembered of it."""


class Churn:
    """What workers, operators and the control plane do to an account, minute by minute."""

    def __init__(self, account: Account, chance: random.Random) -> None:
        self.account = account
        self.chance = chance
        self.environments = [account.environment(name) for name in ENVIRONMENTS]
        for environment in self.environments:
            account.simulation.create_history(environment, 250)
        self.live: dict[str, list[tuple[str, str]]] = {environment: [] for environment in self.environments}

    def minute(self) -> None:
        """Create a little, move on what is there, and now and then delete or prune."""
        simulation, chance = self.account.simulation, self.chance
        for environment in self.environments:
            held = self.live[environment]
            for _ in range(chance.choice((0, 0, 0, 1, 1, 2))):
                held.append((simulation.create_work(environment), "queued"))
            moved: list[tuple[str, str]] = []
            for work_id, state in held:
                following = self._following(state)
                if following != state:
                    simulation.force(environment, work_id, state=following)
                if following != "stopped":
                    moved.append((work_id, following))
            self.live[environment] = moved
            if chance.random() < 0.001 and moved:
                work_id, _ = moved.pop(chance.randrange(len(moved)))
                simulation.delete_work(environment, work_id)

    def _following(self, state: str) -> str:
        if self.chance.random() > 0.4:
            return state
        order = ("queued", "starting", "active", "stopping", "stopped")
        return order[order.index(state) + 1]


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Account]:
    virtual = install(monkeypatch.setattr)
    account = Account(virtual, tracking_settings(checkpoint=tmp_path / "checkpoint"))
    yield account
    account.close()


def counters(view: FleetView) -> dict[tuple[str, ...], float]:
    """Every counter that a scrape shows, by its name and labels."""
    return {
        (sample.name, *sorted(f"{name}={value}" for name, value in sample.labels.items())): sample.value
        for family in families(view)
        for sample in family.samples
        if sample.name.endswith(("_total", "_bucket", "_count")) and family.type in ("counter", "histogram")
    }


@pytest.mark.hypothesis
def test_numbers_stay_true_and_nothing_grows(account: Account) -> None:
    chance = random.Random(seed())
    churn = Churn(account, chance)
    account.start()
    before: dict[tuple[str, ...], float] = {}
    footprint: list[int] = []
    tasks = [0]
    descriptors: list[int] = []
    trusted = 0
    for scrape in range(SCRAPES):
        churn.minute()
        if chance.random() < 0.02:
            account.simulation.faults.add(chance.choice(FAULTS))
        elif chance.random() < 0.2:
            account.simulation.faults.clear()
        account.wait(SCRAPE_INTERVAL)
        view = account.collect()
        now = counters(view)
        decreased = {key: (value, now[key]) for key, value in before.items() if now.get(key, value) < value}
        assert not decreased
        before = now
        for environment in view.environments:
            if environment.up and (shown := counts(environment)) is not None:
                truth = account.simulation.truth(environment.environment.id).counts
                assert shown == {state: count for state, count in truth.items() if count}
                trusted += 1
        if scrape % (SCRAPES // 8) == SCRAPES // 8 - 1:
            gc.collect()
            # What the simulation itself remembers grows with its history, and is not counted.
            footprint.append(
                sum(1 for each in gc.get_objects() if str(type(each).__module__).startswith("exporter.tracking"))
            )
            tasks.append(account.run(tasks_alive()))
            descriptors.append(len(os.listdir("/proc/self/fd")))
        if scrape % 70 == 69:  # another pace is another client
            pace = 1_000_000 - scrape
            account.settings = replace(
                account.settings, client=replace(account.settings.client, requests_per_second=pace)
            )
            account.run(account.fleet.reconfigure([account.settings], account.tracking))
        if scrape % 300 == 299:
            account.restart()
            before = {key: value for key, value in now.items() if key[0] in SURVIVING}
    assert trusted > SCRAPES  # faults leave most scrapes alone
    allowance = sum(map(len, churn.live.values())) * OBJECTS_PER_ITEM + 500
    assert footprint[-1] <= footprint[1] + allowance, footprint
    assert max(descriptors[1:]) <= descriptors[0] + 1, descriptors  # the checkpoint's lock, between two restarts or not
    assert max(tasks) <= STANDING_TASKS + len(ENVIRONMENTS) * TASKS_PER_READING, tasks


async def tasks_alive() -> int:
    """Every task of the loop but this one."""
    return len(asyncio.all_tasks()) - 1
