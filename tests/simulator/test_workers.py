"""Synthetic workers and producers, through the application and on a clock that is played."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import httpx
import msgspec
import pytest

from exporter.simulator import (
    BASE_PATH,
    EAGER,
    PATIENT,
    Actor,
    BurstProducer,
    Garbage,
    Holding,
    Operator,
    Options,
    Profile,
    Reset,
    Status,
    SteadyProducer,
    Truncate,
    Worker,
    acting,
    create_app,
)
from tests.simulator.account import ROOT, Account

QUICK = replace(EAGER, name="quick", startup=(1.0, 1.0), run=(20.0, 20.0), interval=5.0)


@asynccontextmanager
async def at_work(account: Account, *actors: Actor) -> AsyncIterator[None]:
    """Let actors act on an account without sockets."""
    transport = httpx.ASGITransport(create_app(account.simulation))
    async with acting(actors, account.clock, ROOT + BASE_PATH, transport=transport):
        yield


def worker(account: Account, profile: Profile = QUICK, holding: Holding | None = None) -> Worker:
    return Worker(account.id, profile, "test", holding)


def asked(account: Account, *endpoints: str) -> Sequence[str]:
    return [exchange.endpoint for exchange in account.simulation.traffic.recent if exchange.endpoint in endpoints]


async def test_a_worker_takes_an_item_through_its_life(account: Account) -> None:
    work_id = account.simulation.create_work(account.id)
    async with at_work(account, worker(account)):
        await account.clock.run(0.5)
        assert account.state(work_id) == "starting"
        await account.clock.run(1)
        assert account.state(work_id) == "active"
        await account.clock.run(20)
    item = await account.get(work_id)
    assert (item["state"], item["started_at"], item["stopped_at"]) == (
        "stopped",
        "2026-07-01T08:00:01Z",
        "2026-07-01T08:00:21Z",
    )
    assert item["stop_requested_at"] == item["stopped_at"]
    assert item["latest_heartbeat_at"] == "2026-07-01T08:00:16.000000Z"
    assert asked(account, "ack", "heartbeat", "stop") == ["ack", *["heartbeat"] * 4, "stop", "stop"]


async def test_a_patient_worker_pauses_between_polls_and_stops_by_force(account: Account) -> None:
    async with at_work(account, worker(account, replace(PATIENT, run=(5.0, 5.0)))):
        await account.clock.run(60)
        assert 60 / 4 <= account.simulation.traffic.requests("poll") <= 60 / 2 + 1
        work_id = account.simulation.create_work(account.id)
        await account.clock.run(20)
    item = await account.get(work_id)
    assert (item["state"], item["stop_requested_at"]) == ("stopped", None)


async def test_an_eager_worker_polls_again_at_once(account: Account) -> None:
    async with at_work(account, worker(account, EAGER)):
        await account.clock.run(60)
    assert 60 <= account.simulation.traffic.requests("poll") <= 62


async def test_named_workers_count_as_polling_and_nameless_ones_do_not(account: Account) -> None:
    async with at_work(account, worker(account), worker(account, replace(QUICK, name="x", anonymous=True))):
        await account.clock.run(10)
        assert (await account.stats())["workers_polling"] == 1


async def test_a_nameless_worker_works_all_the_same(account: Account) -> None:
    work_id = account.simulation.create_work(account.id)
    async with at_work(account, worker(account, replace(QUICK, anonymous=True))):
        await account.clock.run(60)
    assert account.state(work_id) == "stopped"


@pytest.mark.parametrize(
    ("dies", "state", "later"),
    [
        ("after_poll", "queued", "queued"),
        ("after_ack", "starting", "starting"),
        ("after_heartbeat", "active", "queued"),
    ],
)
async def test_a_dead_worker_leaves_its_item_behind(account: Account, dies: Any, state: str, later: str) -> None:
    first, second = account.simulation.create_work(account.id), account.simulation.create_work(account.id)
    async with at_work(account, worker(account, replace(QUICK, dies=dies, dies_at=2))):
        await account.clock.run(30)
        assert (account.state(first), account.state(second)) == ("stopped", state)
        await account.clock.run(3600)
        assert account.state(second) == later


async def test_a_dead_worker_is_replaced_under_another_name(account: Account) -> None:
    for _ in range(3):
        account.simulation.create_work(account.id)
    async with at_work(account, worker(account, replace(QUICK, dies="after_ack", restart=10))):
        await account.clock.run(60)
        truth = account.simulation.truth(account.id)
        assert truth.counts["starting"] == 3
    holders = {item.lease.worker_id for item in account.simulation.environment(account.id).queue.items if item.lease}
    assert len(holders) == 3


async def test_a_lost_heartbeat_stays_visible_where_leases_do_not_lapse() -> None:
    async with Account(Options(lease_expiry="keep")) as account:
        work_id = account.simulation.create_work(account.id)
        async with at_work(account, worker(account, replace(QUICK, dies="after_heartbeat"))):
            await account.clock.run(3600)
        item = await account.get(work_id)
        assert (item["state"], item["latest_heartbeat_at"]) == ("active", "2026-07-01T08:00:01.000000Z")


async def test_a_worker_that_stalls_loses_its_item_and_goes_on_with_another(account: Account) -> None:
    work_id = account.simulation.create_work(account.id)
    async with at_work(account, worker(account, replace(QUICK, stall=70))):
        await account.clock.run(65)
        assert account.state(work_id) == "queued"
        await account.clock.run(6.5)
        assert account.simulation.traffic.endpoints["heartbeat"].statuses[409] == 1
        assert account.state(work_id) == "starting"


async def test_a_zombie_is_refused_after_the_takeover(account: Account) -> None:
    work_id = account.simulation.create_work(account.id)
    zombie = worker(account, replace(QUICK, name="zombie", stall=100))
    async with at_work(account, zombie):
        await account.clock.run(10)
        async with at_work(account, worker(account, replace(QUICK, name="heir", run=(300.0, 300.0)))):
            await account.clock.run(100)
            beats = [exchange for exchange in account.simulation.traffic.recent if exchange.endpoint == "heartbeat"]
            assert 412 in [beat.status for beat in beats]
            assert account.state(work_id) == "active"


async def test_a_worker_that_heeds_the_stop_drains_and_confirms(account: Account) -> None:
    profile = replace(QUICK, run=(600.0, 600.0), drain=(12.0, 12.0), heeds_stop=True)
    work_id = account.simulation.create_work(account.id)
    async with at_work(account, worker(account, profile)):
        await account.clock.run(10)
        await account.stop(work_id)
        await account.clock.run(10)
        assert account.state(work_id) == "stopping"
        await account.clock.run(10)
    item = await account.get(work_id)
    assert item["stop_requested_at"] == "2026-07-01T08:00:10Z"
    assert item["stopped_at"] == "2026-07-01T08:00:23Z"  # seen with the beat at 11 s


async def test_a_worker_that_ignores_the_stop_goes_on_to_its_end(account: Account) -> None:
    work_id = account.simulation.create_work(account.id)
    async with at_work(account, worker(account)):
        await account.clock.run(3)
        await account.stop(work_id)
        await account.clock.run(17)
        assert account.state(work_id) == "stopping"
        await account.clock.run(2)
        assert account.state(work_id) == "stopped"


async def test_a_worker_begins_with_the_item_it_holds(account: Account) -> None:
    work_id = account.simulation.create_work(account.id, state="active", created_at=account.clock.now() - 300)
    async with at_work(account, worker(account, QUICK, Holding(work_id, 7))):
        await account.clock.run(6)
        assert account.state(work_id) == "active"
        await account.clock.run(1)
        assert account.state(work_id) == "stopped"


@pytest.mark.parametrize("endpoint", ["poll", "ack", "heartbeat", "stop"])
@pytest.mark.parametrize("fault", [Status(status=503), Status(status=401), Reset()])
async def test_workers_survive_an_outage(account: Account, fault: Any, endpoint: str) -> None:
    work_id = account.simulation.create_work(account.id)
    async with at_work(account, *(worker(account, replace(QUICK, name=name)) for name in "ab")):
        with account.simulation.faults.during(msgspec.structs.replace(fault, endpoint=endpoint)):
            await account.clock.run(60)
            assert account.state(work_id) != "stopped"
        await account.clock.run(120)
        assert account.state(work_id) == "stopped"


@pytest.mark.parametrize("content", ["html", "null", "invalid_json"])
async def test_workers_survive_garbage(account: Account, content: Any) -> None:
    async with at_work(account, *(worker(account, replace(QUICK, name=name)) for name in "ab")):
        for endpoint in ("poll", "ack", "heartbeat", "stop"):
            work_id = account.simulation.create_work(account.id)
            with account.simulation.faults.during(Garbage(content=content, endpoint=endpoint)):
                await account.clock.run(30)
            await account.clock.run(120)
            assert account.state(work_id) == "stopped"


async def test_a_heartbeat_whose_answer_was_lost_costs_the_lease(account: Account) -> None:
    work_id = account.simulation.create_work(account.id)
    account.simulation.faults.add(Truncate(endpoint="heartbeat", skip=1, count=1))
    async with at_work(account, worker(account)):
        await account.clock.run(15)
        assert 412 in account.simulation.traffic.endpoints["heartbeat"].statuses
        await account.clock.run(200)
    assert account.state(work_id) == "stopped"


async def test_an_actor_that_fails_is_reported(account: Account) -> None:
    class Broken:
        async def act(self, *_: object) -> None:
            raise LookupError("lost the script")

    reports: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reports.append(context))
    with pytest.raises(ExceptionGroup, match="actors failed") as caught:
        async with at_work(account, Broken()):
            await account.clock.run(1)
    assert str(caught.value.exceptions[0]) == "lost the script"
    assert [report["message"] for report in reports] == ["an actor failed"]


async def test_an_error_in_the_block_comes_out_as_it_is(account: Account) -> None:
    with pytest.raises(LookupError, match="mine"):
        async with at_work(account, worker(account)):
            raise LookupError("mine")


class TestProducers:
    METADATA = ({"job": "a"}, {"job": "b"})

    async def test_a_steady_one_keeps_its_rate(self, account: Account) -> None:
        producer = SteadyProducer(account.simulation, account.id, "test", interval=10, metadata=self.METADATA)
        async with at_work(account, producer):
            await account.clock.run(10_000)
        truth = account.simulation.truth(account.id)
        assert 850 < truth.counts["queued"] < 1150
        assert {item.metadata["job"] for item in truth.items} == {"a", "b"}

    async def test_bursts_come_and_go(self, account: Account) -> None:
        producer = BurstProducer(
            account.simulation, account.id, "test", size=10, spread=5, calm=55, metadata=self.METADATA
        )
        counts = []
        async with at_work(account, producer):
            for _ in range(4):
                await account.clock.run(30)
                counts.append(account.simulation.truth(account.id).counts["queued"])
        assert counts == [10, 10 + 1, 20, 20 + 1]

    async def test_an_operator_stops_the_newest_active_item(self, account: Account) -> None:
        ids = [account.simulation.create_work(account.id, state="active") for _ in range(3)]
        async with at_work(account, Operator(account.simulation, account.id, interval=10)):
            await account.clock.run(15)
            assert [account.state(work_id) for work_id in ids] == ["active", "active", "stopping"]
            with account.simulation.faults.during(Status(status=500)):
                await account.clock.run(10)
            await account.clock.run(30)
        assert [account.state(work_id) for work_id in ids] == ["stopping"] * 3


def test_a_profile_can_be_made_faster() -> None:
    fast = PATIENT.scaled(0.1)
    assert fast.idle == pytest.approx((0.1, 0.3))
    assert fast.interval == pytest.approx(3)
    assert (fast.ttl_seconds, fast.block_ms) == (PATIENT.ttl_seconds, PATIENT.block_ms)
