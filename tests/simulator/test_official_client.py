"""The official client drives the simulated API over real HTTP, as it would the service."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest
import qca

from exporter.simulator import (
    DEFAULT_TOKEN,
    Garbage,
    ManualClock,
    Options,
    Reset,
    Simulation,
    SimulatorServer,
    SimulatorThread,
    Status,
    Truncate,
)

WORKER = {"Worker-ID": "byoc-worker-01"}


def client(base_url: str, token: str = DEFAULT_TOKEN, **options: Any) -> qca.Managed:
    """The official client, strict about what it accepts."""
    return qca.Managed(pat=token, base_url=base_url, max_retries=0, _strict_response_validation=True, **options)


@dataclass(frozen=True)
class Service:
    """The simulation, its address, and the official client on it."""

    simulation: Simulation
    clock: ManualClock
    environment_id: str
    base_url: str
    environments: Any

    @property
    def work(self) -> Any:
        return self.environments.work


@pytest.fixture
def service() -> Iterator[Service]:
    clock = ManualClock()
    simulation = Simulation(clock=clock, seed=1)
    environment_id = simulation.create_environment("gpu-workers")
    with SimulatorThread(simulation) as server, client(server.base_url) as official:
        yield Service(simulation, clock, environment_id, server.base_url, official.environments)


def test_it_drives_a_whole_workers_life(service: Service) -> None:
    environment_id, clock, work = service.environment_id, service.clock, service.work
    service.simulation.create_work(environment_id, metadata={"job": "daily-report"})

    [environment] = list(service.environments.list())
    assert (environment.id, environment.config.type) == (environment_id, "self_hosted")
    assert work.stats(environment_id).model_dump() == {
        "type": "work_queue_stats",
        "depth": 1,
        "pending": 0,
        "oldest_queued_at": "2026-07-01T08:00:00Z",
        "workers_polling": 0,
    }

    clock.advance(1)
    item = work.poll(environment_id, block_ms=999, worker_id="byoc-worker-01")
    assert (item.type, item.state, item.data.type, item.metadata) == (
        "work",
        "queued",
        "session",
        {"job": "daily-report"},
    )
    assert work.poll(environment_id, worker_id="byoc-worker-02") is None
    stats = work.stats(environment_id)
    assert (stats.depth, stats.pending, stats.workers_polling) == (0, 1, 2)

    clock.advance(1)
    with pytest.raises(qca.ConflictError):
        work.ack(item.id, environment_id=environment_id, extra_headers={"Worker-ID": "byoc-worker-02"})
    acknowledged = work.ack(item.id, environment_id=environment_id, extra_headers=WORKER)
    assert (acknowledged.state, acknowledged.acknowledged_at) == ("starting", "2026-07-01T08:00:02Z")

    clock.advance(1)
    ours = {"environment_id": environment_id, "desired_ttl_seconds": 60}
    first = work.heartbeat(item.id, expected_last_heartbeat="NO_HEARTBEAT", **ours)
    assert (first.type, first.state, first.lease_extended, first.ttl_seconds) == ("work_heartbeat", "active", True, 60)
    with pytest.raises(qca.APIStatusError) as refused:
        work.heartbeat(item.id, expected_last_heartbeat="NO_HEARTBEAT", **ours)
    assert (refused.value.status_code, refused.value.type) == (412, "precondition_failed_error")
    clock.advance(30)
    second = work.heartbeat(item.id, expected_last_heartbeat=first.last_heartbeat, **ours)
    assert second.last_heartbeat == "2026-07-01T08:00:33.000000Z"

    updated = work.update(item.id, environment_id=environment_id, metadata={"step": "2", "job": None})
    assert updated.metadata == {"step": "2"}

    assert work.stop(item.id, environment_id=environment_id).state == "stopping"
    beat = work.heartbeat(item.id, expected_last_heartbeat=second.last_heartbeat, **ours)
    assert beat.state == "stopping"
    clock.advance(5)
    confirmed = work.stop(item.id, environment_id=environment_id)
    assert (confirmed.state, confirmed.stopped_at) == ("stopped", "2026-07-01T08:00:38Z")

    with pytest.raises(qca.ConflictError):
        work.heartbeat(item.id, expected_last_heartbeat=beat.last_heartbeat, **ours)
    with pytest.raises(qca.ConflictError):
        work.ack(item.id, environment_id=environment_id)
    again = work.stop(item.id, environment_id=environment_id, force=True)
    read = work.retrieve(item.id, environment_id=environment_id)
    [listed] = list(work.list(environment_id))
    for shown in (again, read, listed):
        assert shown.model_dump() == confirmed.model_dump()


def test_it_stops_by_force(service: Service) -> None:
    work_id = service.simulation.create_work(service.environment_id, state="active")
    stopped = service.work.stop(work_id, environment_id=service.environment_id, force=True)
    assert (stopped.state, stopped.stop_requested_at) == ("stopped", None)


@pytest.mark.parametrize("limit", [1, 7, 100, 1000])
def test_its_pager_sees_every_item_once(service: Service, limit: int) -> None:
    service.simulation.create_history(service.environment_id, 30)
    for state in ("queued", "starting", "active", "stopping"):
        service.simulation.create_work(service.environment_id, state=state)
    service.simulation.traffic.reset()
    listed = [item.id for item in service.work.list(service.environment_id, limit=limit)]
    assert listed == service.simulation.work_ids(service.environment_id)
    assert service.simulation.traffic.requests("list") == -(-34 // min(limit, 100))


def test_its_pager_starts_at_either_cursor(service: Service) -> None:
    ids = [service.simulation.create_work(service.environment_id) for _ in range(10)]
    after = [item.id for item in service.work.list(service.environment_id, after_id=ids[2], limit=3)]
    assert after == ids[3:]
    before = service.work.list(service.environment_id, before_id=ids[2], limit=3)
    assert [item.id for item in before.data] == ids[:2]


def test_its_pager_notices_a_cursor_that_does_not_advance(service: Service) -> None:
    for _ in range(5):
        service.simulation.create_work(service.environment_id)
    service.simulation.faults.add(Garbage(content="repeated_page"))
    with pytest.raises(RuntimeError, match="cursor"):
        list(service.work.list(service.environment_id, limit=2))


def test_its_environment_pager_goes_through_all_pages(service: Service) -> None:
    names = [f"environment {number}" for number in range(9)]
    for name in names:
        service.simulation.create_environment(name)
    service.simulation.create_environment("archived", archived=True)
    listed = [environment.name for environment in service.environments.list(limit=4)]
    assert listed == [*names[::-1], "gpu-workers"]
    everything = [environment.name for environment in service.environments.list(limit=4, include_archived=True)]
    assert everything == ["archived", *listed]


def test_it_asks_for_environments_by_time(service: Service) -> None:
    service.clock.advance(3600)
    service.simulation.create_environment("new")
    since = datetime(2026, 7, 1, 8, 30, tzinfo=UTC)
    assert [environment.name for environment in service.environments.list(created_at_gte=since)] == ["new"]
    assert [environment.name for environment in service.environments.list(created_at_lte=since)] == ["gpu-workers"]


def test_it_reads_one_environment(service: Service) -> None:
    environment = service.environments.retrieve(service.environment_id)
    assert (environment.type, environment.name, environment.archived_at) == ("environment", "gpu-workers", None)


class TestErrors:
    """Each error arrives as the client's own class, with our type and request ID."""

    def check(self, caught: pytest.ExceptionInfo[qca.APIStatusError], status: int, kind: str) -> None:
        error = caught.value
        assert (error.status_code, error.type) == (status, kind)
        assert error.request_id == error.body["request_id"]

    def test_bad_request(self, service: Service) -> None:
        with pytest.raises(qca.BadRequestError) as caught:
            service.work.list(service.environment_id, limit=0)
        self.check(caught, 400, "invalid_request_error")

    def test_two_cursors(self, service: Service) -> None:
        with pytest.raises(qca.BadRequestError) as caught:
            service.work.list(service.environment_id, page="work_1", after_id="work_1")
        self.check(caught, 400, "invalid_request_error")

    def test_cloud_environment(self, service: Service) -> None:
        cloud = service.simulation.create_environment("sandbox", kind="cloud")
        with pytest.raises(qca.BadRequestError) as caught:
            service.work.list(cloud)
        self.check(caught, 400, "invalid_request_error")

    def test_unknown_token(self, service: Service) -> None:
        with client(service.base_url, "pt-wrong") as stranger, pytest.raises(qca.AuthenticationError) as caught:
            stranger.environments.list()
        self.check(caught, 401, "authentication_error")

    def test_token_without_rights(self, service: Service) -> None:
        service.simulation.tokens.forbid("pt-reader")
        with client(service.base_url, "pt-reader") as reader, pytest.raises(qca.PermissionDeniedError) as caught:
            reader.environments.list()
        self.check(caught, 403, "permission_error")

    def test_unknown_item(self, service: Service) -> None:
        with pytest.raises(qca.NotFoundError) as caught:
            service.work.retrieve("work_0", environment_id=service.environment_id)
        self.check(caught, 404, "not_found_error")

    def test_state_conflict(self, service: Service) -> None:
        work_id = service.simulation.create_work(service.environment_id)
        with pytest.raises(qca.ConflictError) as caught:
            service.work.heartbeat(work_id, environment_id=service.environment_id)
        self.check(caught, 409, "invalid_request_error")

    def test_gateway(self, service: Service) -> None:
        service.simulation.faults.add(Status(status=503, body=False))
        with pytest.raises(qca.InternalServerError):
            service.work.stats(service.environment_id)

    def test_rate_limit(self, service: Service) -> None:
        service.simulation.faults.add(Status(status=429))
        with pytest.raises(qca.RateLimitError) as caught:
            service.work.stats(service.environment_id)
        self.check(caught, 429, "rate_limit_error")

    @pytest.mark.parametrize("fault", [Reset(), Truncate()])
    def test_broken_connection(self, service: Service, fault: Any) -> None:
        service.simulation.faults.add(fault)
        with pytest.raises(qca.APIConnectionError):
            service.work.stats(service.environment_id)

    @pytest.mark.parametrize("content", ["html", "invalid_json", "wrong_types"])
    def test_garbage(self, service: Service, content: Any) -> None:
        service.simulation.faults.add(Garbage(content=content))
        with pytest.raises(qca.APIResponseValidationError):
            service.work.stats(service.environment_id)

    def test_it_retries_reads_until_the_fault_is_over(self, service: Service) -> None:
        service.simulation.faults.add(Status(status=503, count=1, headers={"retry-after-ms": "1"}))
        with qca.Managed(pat=DEFAULT_TOKEN, base_url=service.base_url) as patient:
            assert patient.environments.work.stats(service.environment_id).depth == 0


@pytest.mark.parametrize(
    "change",
    [
        {"empty_poll": "no_content"},
        {"omit": frozenset({"has_more"})},
        {"omit": frozenset({"first_id", "last_id"})},
        {"null_stats": frozenset({"workers_polling", "oldest_queued_at"})},
        {"absent_stats": frozenset({"workers_polling"})},
        {"secret": "everywhere"},
        {"page_cap": 2},
    ],
    ids=["no_content", "no has_more", "no first_id", "null_stats", "absent_stats", "secret", "page_cap"],
)
def test_it_tolerates_what_the_documentation_leaves_open(service: Service, change: dict[str, Any]) -> None:
    service.simulation.options = replace(Options(), **change)
    service.simulation.change_options(service.environment_id, **change)
    assert service.work.poll(service.environment_id) is None
    ids = [service.simulation.create_work(service.environment_id) for _ in range(5)]
    assert [item.id for item in service.work.list(service.environment_id, limit=3)] == ids
    assert service.work.stats(service.environment_id).depth == 5


@pytest.fixture
async def async_service() -> AsyncIterator[tuple[Simulation, str, qca.AsyncManaged]]:
    simulation = Simulation(clock=ManualClock(), seed=1)
    environment_id = simulation.create_environment("gpu-workers")
    async with (
        SimulatorServer(simulation) as server,
        qca.AsyncManaged(pat=DEFAULT_TOKEN, base_url=server.base_url, _strict_response_validation=True) as official,
    ):
        yield simulation, environment_id, official


async def test_the_asynchronous_client_works_too(
    async_service: tuple[Simulation, str, qca.AsyncManaged],
) -> None:
    simulation, environment_id, official = async_service
    work: Any = official.environments.work
    ids = [simulation.create_work(environment_id) for _ in range(25)]
    assert [item.id async for item in work.list(environment_id, limit=10)] == ids
    item = await work.poll(environment_id, worker_id="w1", block_ms=999)
    assert item.id == ids[0]
    await work.ack(item.id, environment_id=environment_id, extra_headers={"Worker-ID": "w1"})
    beat = await work.heartbeat(item.id, environment_id=environment_id, expected_last_heartbeat="NO_HEARTBEAT")
    assert beat.ttl_seconds == 90
    assert (await work.stop(item.id, environment_id=environment_id, force=True)).state == "stopped"
    assert (await work.stats(environment_id)).depth == 24
