"""The ready-made accounts: what they show at once, how they go on, and that they can be repeated."""

import asyncio
import hashlib
from itertools import pairwise

import httpx
import pytest

from exporter.simulator import (
    BASE_PATH,
    DEFAULT_TOKEN,
    SCENARIOS,
    ManualClock,
    Scenario,
    SimulatorServer,
    SimulatorThread,
    Truth,
    acting,
    create_app,
    play,
    set_up,
)
from tests.simulator.account import ROOT, until

HEADERS = {"authorization": f"Bearer {DEFAULT_TOKEN}"}


def truths(scenario: Scenario) -> dict[str, Truth]:
    """What is true of each environment, by name."""
    simulation = scenario.simulation
    return {environment.name: simulation.truth(environment.id) for environment in simulation.environments.values()}


def fingerprint(scenario: Scenario) -> str:
    return hashlib.sha256(repr(truths(scenario)).encode()).hexdigest()


async def played(name: str, minutes: int, *, seed: int = 0, sockets: bool = False) -> list[dict[str, Truth]]:
    """What is true at the end of each minute, the beginning first."""
    clock = ManualClock()
    scenario = set_up(name, clock=clock, seed=seed)
    seen = [truths(scenario)]
    async with SimulatorServer(scenario.simulation) as server:
        transport = None if sockets else httpx.ASGITransport(create_app(scenario.simulation))
        base_url = server.base_url if sockets else ROOT + BASE_PATH
        async with acting(scenario.actors, clock, base_url, transport=transport):
            for _ in range(minutes):
                await clock.run(60)
                seen.append(truths(scenario))
    return seen


@pytest.fixture(scope="module")
def demo() -> list[dict[str, Truth]]:
    """The first eight minutes of the demo."""
    return asyncio.run(played("demo", 8))


@pytest.fixture(scope="module")
def healthy() -> list[dict[str, Truth]]:
    """The first ten minutes of the healthy account."""
    return asyncio.run(played("healthy", 10))


def test_the_demo_shows_everything_at_once() -> None:
    seen = truths(set_up("demo", clock=ManualClock()))
    total = {state: sum(truth.counts[state] for truth in seen.values()) for state in seen["ci-runners"].counts}
    assert all(total[state] > 0 for state in ("queued", "starting", "active", "stopping"))
    assert seen["ci-runners"].counts["stopped"] == 5000
    assert seen["ci-runners"].counts["active"] >= 3
    assert seen["batch-etl"].counts["queued"] >= 20
    assert seen["gpu-workers"].counts["starting"] == 1
    assert seen["nightly-reports"].counts["queued"] >= 5
    assert seen["docs-preview"].live == ()


def test_the_demo_has_what_must_be_filtered_out() -> None:
    environments = {environment.name: environment for environment in set_up("demo").simulation.environments.values()}
    assert environments["cloud-sandbox"].kind == "cloud"
    assert environments["old-runners"].archived_us is not None
    assert len(environments) >= 6


def test_the_demo_has_items_stuck_in_each_way() -> None:
    seen = truths(set_up("demo", clock=ManualClock()))["gpu-workers"]
    [starting] = seen.in_state("starting")
    assert starting.latest_heartbeat_at is None
    assert starting.acknowledged_at is not None
    assert seen.now - starting.acknowledged_at > 1200
    lags = [seen.now - item.latest_heartbeat_at for item in seen.in_state("active") if item.latest_heartbeat_at]
    assert max(lags) > 900
    [stopping] = seen.in_state("stopping")
    assert stopping.stop_requested_at is not None
    assert seen.now - stopping.stop_requested_at > 1800


@pytest.mark.parametrize("name", SCENARIOS)
def test_no_item_is_younger_than_what_happened_to_it(name: str) -> None:
    for truth in truths(set_up(name, clock=ManualClock())).values():
        for item in truth.items:
            times = [
                item.acknowledged_at,
                item.started_at,
                item.latest_heartbeat_at,
                item.stop_requested_at,
                item.stopped_at,
            ]
            assert all(item.created_at <= time <= truth.now for time in times if time is not None)


def test_the_demo_is_alive(demo: list[dict[str, Truth]]) -> None:
    steady = [minute["ci-runners"].counts["stopped"] for minute in demo]
    assert all(later > earlier for earlier, later in pairwise(steady))
    backlog = [minute["batch-etl"].counts["queued"] for minute in demo]
    assert max(backlog) > 40
    assert min(backlog[1:]) < 20
    waiting = [minute["nightly-reports"].counts["queued"] for minute in demo]
    assert waiting == sorted(waiting)
    assert waiting[-1] > waiting[0]
    assert {minute["nightly-reports"].workers_polling for minute in demo} == {0}
    assert demo[-1]["docs-preview"].workers_polling == 1
    assert demo[-1]["docs-preview"].counts == demo[0]["docs-preview"].counts


def test_what_is_stuck_in_the_demo_stays_stuck_and_more_joins(demo: list[dict[str, Truth]]) -> None:
    first, last = demo[0]["gpu-workers"], demo[-1]["gpu-workers"]
    stuck = {item.id for item in first.in_state("starting", "stopping")}
    assert stuck <= {item.id for item in last.in_state("starting", "stopping")}
    assert last.counts["starting"] > first.counts["starting"]
    silent = [item for item in last.in_state("active") if last.now - (item.latest_heartbeat_at or 0) > 300]
    assert len(silent) == 2
    [draining] = last.in_state("stopping")
    assert last.now - (draining.latest_heartbeat_at or 0) < 60


def test_nothing_is_wrong_in_the_healthy_account(healthy: list[dict[str, Truth]]) -> None:
    for minute in healthy:
        for truth in minute.values():
            if truth.oldest_queued_at is not None:
                assert truth.now - truth.oldest_queued_at < 60
            for item in truth.live:
                latest = item.latest_heartbeat_at or item.started_at or item.acknowledged_at or truth.now
                assert truth.now - latest < 40
                assert item.stop_requested_at is None or truth.now - item.stop_requested_at < 40
            if truth.counts["queued"]:
                assert truth.workers_polling or truth.counts["active"]


def test_nothing_is_requeued_in_the_healthy_account(healthy: list[dict[str, Truth]]) -> None:
    states: dict[str, str] = {}
    for minute in healthy:
        for truth in minute.values():
            for item in truth.items:
                assert not (item.state == "queued" and states.get(item.id, "queued") != "queued")
                states[item.id] = item.state


async def test_the_same_seed_plays_the_same_even_over_sockets() -> None:
    first = await played("demo", 1, seed=5)
    assert await played("demo", 1, seed=5, sockets=True) == first
    assert (await played("demo", 1, seed=6))[-1] != first[-1]


def test_the_same_seed_sets_up_the_same() -> None:
    first, second = (set_up("demo", clock=ManualClock(), seed=3) for _ in range(2))
    assert fingerprint(first) == fingerprint(second)
    assert fingerprint(first) != fingerprint(set_up("demo", clock=ManualClock(), seed=4))


def test_an_unknown_scenario_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^scenario: must be one of demo, healthy, got opera$"):
        set_up("opera")


async def test_a_scenario_plays_in_real_time() -> None:
    scenario = set_up("demo")
    async with play(scenario) as server, httpx.AsyncClient(headers=HEADERS, base_url=server.base_url) as http:
        listed = (await http.get("/environments")).json()["data"]
        assert "cloud" in {environment["config"]["type"] for environment in listed}
        assert "old-runners" not in {environment["name"] for environment in listed}
        await until(lambda: scenario.simulation.traffic.requests("heartbeat", "ack") >= 5)
        await until(lambda: truths(scenario)["docs-preview"].workers_polling == 1)
        [idle] = [environment["id"] for environment in listed if environment["name"] == "docs-preview"]
        assert (await http.get(f"/environments/{idle}/work/stats")).json()["workers_polling"] == 1


def test_a_scenario_plays_in_a_thread() -> None:
    scenario = set_up("demo")
    with SimulatorThread(scenario.simulation, actors=scenario.actors):
        asyncio.run(until(lambda: scenario.simulation.traffic.requests("heartbeat", "ack") >= 5))
