"""One typed call an endpoint, on a real server: what is asked, and what comes back."""

from collections.abc import AsyncIterator

import pytest

from exporter import __version__
from exporter.api import errors
from exporter.api.client import PAGE_SIZE, WorkAPI
from exporter.api.types import unix
from exporter.simulator import DEFAULT_TOKEN, ManualClock, Options, Simulation, SimulatorServer
from tests.api.harness import GivenToken, client, within

NOW = ManualClock().now()


@pytest.fixture
def simulation() -> Simulation:
    """An account with one environment, on a clock that stands still."""
    return Simulation(clock=ManualClock(), seed=1, options=Options(secret="everywhere"))


@pytest.fixture
def environment_id(simulation: Simulation) -> str:
    return simulation.create_environment("gpu-workers")


@pytest.fixture
async def api(simulation: Simulation) -> AsyncIterator[WorkAPI]:
    """A client of a server with this account."""
    async with SimulatorServer(simulation) as server, client(server.base_url, token=GivenToken(DEFAULT_TOKEN)) as api:
        yield api


def queries(simulation: Simulation) -> list[str]:
    return [exchange.query for exchange in simulation.traffic.recent]


async def test_get_gives_one_item_with_its_times(simulation: Simulation, environment_id: str, api: WorkAPI) -> None:
    work_id = simulation.create_work(
        environment_id,
        state="stopping",
        created_at=NOW - 300,
        acknowledged_at=NOW - 200,
        started_at=NOW - 100,
        latest_heartbeat_at=NOW - 5.25,
        stop_requested_at=NOW - 20,
        metadata={"job": "daily-report"},
    )
    found = (await api.get(environment_id, work_id, deadline=within(60))).value
    times = (found.created_at, found.acknowledged_at, found.started_at, found.latest_heartbeat_at)
    assert (found.id, found.state) == (work_id, "stopping")
    assert [None if time is None else unix(time) - NOW for time in times] == [-300, -200, -100, -5.25]
    assert found.stop_requested_at is not None
    assert unix(found.stop_requested_at) == NOW - 20
    assert found.stopped_at is None
    assert found.metadata == {"job": "daily-report"}
    assert found.session_id is not None
    assert found.session_id.startswith("sess_")


async def test_list_gives_the_oldest_items_in_their_order(
    simulation: Simulation, environment_id: str, api: WorkAPI
) -> None:
    work_ids = [simulation.create_work(environment_id) for _ in range(3)]
    answer = await api.list(environment_id, deadline=within(60))
    assert [found.id for found in answer.value.data] == work_ids
    assert not answer.value.more


async def test_list_reads_on_after_an_item(simulation: Simulation, environment_id: str, api: WorkAPI) -> None:
    work_ids = [simulation.create_work(environment_id) for _ in range(250)]
    first = (await api.list(environment_id, deadline=within(60))).value
    second = (await api.list(environment_id, after_id=work_ids[99], deadline=within(60))).value
    last = (await api.list(environment_id, after_id=work_ids[199], deadline=within(60))).value
    assert [found.id for page in (first, second, last) for found in page.data] == work_ids
    assert [page.more for page in (first, second, last)] == [True, True, False]


@pytest.mark.parametrize(("asked", "sent"), [(None, "100"), (7, "7"), (100, "100"), (101, "100"), (10_000, "100")])
async def test_no_more_than_a_hundred_items_are_ever_asked_for(
    simulation: Simulation, environment_id: str, api: WorkAPI, asked: int | None, sent: str
) -> None:
    await api.list(environment_id, limit=PAGE_SIZE if asked is None else asked, deadline=within(60))
    assert queries(simulation) == [f"limit={sent}"]


async def test_stats_are_the_queues(simulation: Simulation, environment_id: str, api: WorkAPI) -> None:
    simulation.create_work(environment_id, created_at=NOW - 30)
    simulation.create_work(environment_id, created_at=NOW - 10)
    stats = (await api.stats(environment_id, deadline=within(60))).value
    assert (stats.depth, stats.pending, stats.workers_polling) == (2, 0, 0)
    assert stats.oldest_queued_at is not None
    assert unix(stats.oldest_queued_at) == NOW - 30


async def test_stats_that_the_api_does_not_give_are_none(simulation: Simulation, api: WorkAPI) -> None:
    options = Options(null_stats=frozenset({"workers_polling"}), absent_stats=frozenset({"oldest_queued_at"}))
    environment_id = simulation.create_environment("quiet", options=options)
    stats = (await api.stats(environment_id, deadline=within(60))).value
    assert (stats.depth, stats.oldest_queued_at, stats.workers_polling) == (0, None, None)


async def test_environments_are_pages_of_what_the_account_has(simulation: Simulation, api: WorkAPI) -> None:
    made = [simulation.create_environment(f"number {number}") for number in range(150)]
    cloud = simulation.create_environment("cloud", kind="cloud")
    first = (await api.environments(deadline=within(60))).value
    second = (await api.environments(page=first.cursor, deadline=within(60))).value
    found = first.data + second.data
    assert {environment.id for environment in found} == {*made, cloud}
    assert second.cursor is None
    assert [environment.id for environment in found if not environment.self_hosted] == [cloud]
    assert found[0].name == "cloud"
    assert queries(simulation) == ["limit=100", f"limit=100&page={first.cursor}"]


async def test_reading_never_polls(simulation: Simulation, environment_id: str, api: WorkAPI) -> None:
    simulation.create_work(environment_id)
    await api.list(environment_id, deadline=within(60))
    await api.stats(environment_id, deadline=within(60))
    assert {exchange.method for exchange in simulation.traffic.recent} == {"GET"}
    assert simulation.traffic.requests("poll") == 0


async def test_every_request_names_the_exporter_and_its_version(
    simulation: Simulation, environment_id: str, api: WorkAPI
) -> None:
    await api.stats(environment_id, deadline=within(60))
    await api.environments(deadline=within(60))
    assert {exchange.user_agent for exchange in simulation.traffic.recent} == {f"qoder-work-exporter/{__version__}"}


async def test_ids_stay_one_part_of_the_path(simulation: Simulation, environment_id: str, api: WorkAPI) -> None:
    with pytest.raises(errors.NotFound):
        await api.get(environment_id, "../../environments?limit=1#", deadline=within(60))
    (exchange,) = simulation.traffic.recent
    assert (exchange.endpoint, exchange.query) == ("unknown", "")


async def test_a_call_counts_what_it_cost(simulation: Simulation, environment_id: str, api: WorkAPI) -> None:
    simulation.create_work(environment_id)
    await api.list(environment_id, deadline=within(60))
    await api.stats(environment_id, deadline=within(60))
    with pytest.raises(errors.NotFound):
        await api.get(environment_id, "work_none", deadline=within(60))
    assert dict(api.counts.requests) == {("list", "200"): 1, ("stats", "200"): 1, ("get", "404"): 1}
    assert {endpoint: found.count for endpoint, found in api.counts.durations.items()} == {
        "list": 1,
        "stats": 1,
        "get": 1,
    }
    assert api.counts.total == 3
    assert api.counts.received_bytes == simulation.traffic.bytes_sent()


async def test_a_work_items_secret_is_not_held(simulation: Simulation, environment_id: str, api: WorkAPI) -> None:
    work_id = simulation.create_work(environment_id)
    item = await api.get(environment_id, work_id, deadline=within(60))
    page = await api.list(environment_id, deadline=within(60))
    assert simulation.traffic.bytes_sent() > 0
    assert simulation.secret(work_id) not in f"{item} {page}"
    assert not hasattr(item.value, "secret")
