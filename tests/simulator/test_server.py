"""The simulation over real HTTP: start, stop, and start again."""

import asyncio
import socket

import httpx
import pytest

from exporter.simulator import DEFAULT_TOKEN, Latency, ManualClock, Simulation, SimulatorServer, SimulatorThread
from tests.simulator.account import until

HEADERS = {"authorization": f"Bearer {DEFAULT_TOKEN}"}


def new() -> tuple[Simulation, str]:
    simulation = Simulation(clock=ManualClock())
    return simulation, simulation.create_environment("gpu-workers")


async def in_flight(simulation: Simulation, count: int) -> None:
    """Wait until so many requests are being answered."""
    await until(lambda: simulation.traffic.peak_in_flight.get("", 0) >= count)


async def test_it_serves_under_the_base_path_on_a_free_port() -> None:
    simulation, environment_id = new()
    async with SimulatorServer(simulation) as server, httpx.AsyncClient(headers=HEADERS) as http:
        assert server.base_url == f"http://127.0.0.1:{server.port}/api/v1/cloud"
        answer = await http.get(f"{server.base_url}/environments/{environment_id}")
        assert answer.json()["name"] == "gpu-workers"
        assert (await http.get(f"{server.url}/simulator/faults")).json() == {}


async def test_it_refuses_connections_once_it_has_stopped() -> None:
    simulation, _ = new()
    async with SimulatorServer(simulation) as server:
        pass
    async with httpx.AsyncClient() as http:
        with pytest.raises(httpx.ConnectError):
            await http.get(server.base_url)


async def test_the_state_outlives_the_server() -> None:
    simulation, environment_id = new()
    async with SimulatorServer(simulation) as first:
        work_id = simulation.create_work(environment_id)
    async with SimulatorServer(simulation, port=first.port) as second, httpx.AsyncClient(headers=HEADERS) as http:
        answer = await http.get(f"{second.base_url}/environments/{environment_id}/work/{work_id}")
        assert (second.port, answer.status_code) == (first.port, 200)


async def test_a_port_that_is_taken_is_named() -> None:
    simulation, _ = new()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=rf"127\.0\.0\.1:{port}: "):
            async with SimulatorServer(simulation, port=port):
                pass


async def test_it_listens_on_ipv6_too() -> None:
    simulation, _ = new()
    async with SimulatorServer(simulation, host="::1") as server, httpx.AsyncClient(headers=HEADERS) as http:
        assert server.base_url.startswith("http://[::1]:")
        assert (await http.get(server.base_url + "/environments")).status_code == 200


async def test_stopping_does_not_wait_for_answers_that_are_late() -> None:
    simulation, environment_id = new()
    simulation.faults.add(Latency(seconds=3600, endpoint="list"))
    async with httpx.AsyncClient(headers=HEADERS, timeout=None) as http:
        async with SimulatorServer(simulation) as server:
            work = f"{server.base_url}/environments/{environment_id}/work"
            late = asyncio.create_task(http.get(work))
            blocked = asyncio.create_task(http.get(f"{work}/poll?block_ms=999"))
            await in_flight(simulation, 2)
        for request in (late, blocked):
            with pytest.raises(httpx.RemoteProtocolError):
                await request


async def test_an_error_in_the_block_comes_out_as_it_is() -> None:
    simulation, _ = new()
    with pytest.raises(LookupError, match="mine"):
        async with SimulatorServer(simulation):
            raise LookupError("mine")


def test_a_server_that_is_cancelled_leaves_nothing_open() -> None:
    simulation, _ = new()
    ports: list[int] = []

    async def serve() -> None:
        async with SimulatorServer(simulation) as server:
            ports.append(server.port)
            await asyncio.Event().wait()

    async def abandon() -> None:
        task = asyncio.create_task(serve())
        await until(lambda: bool(ports))
        assert not task.done()

    asyncio.run(abandon())
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", ports[0])) != 0


def test_a_thread_serves_synchronous_code() -> None:
    simulation, environment_id = new()
    with SimulatorThread(simulation) as server, httpx.Client(headers=HEADERS, base_url=server.base_url) as http:
        work = f"/environments/{environment_id}/work"
        for count in range(1, 4):
            simulation.create_work(environment_id)
            assert len(http.get(work).json()["data"]) == count
        assert http.get(f"{server.url}/simulator/truth/{environment_id}").json()["counts"]["queued"] == 3
    with pytest.raises(httpx.ConnectError):
        httpx.get(server.base_url)


def test_a_poll_in_the_thread_is_woken_from_outside() -> None:
    simulation, environment_id = new()
    with SimulatorThread(simulation) as server, httpx.Client(headers=HEADERS, base_url=server.base_url) as http:
        poll = f"/environments/{environment_id}/work/poll?block_ms=999"

        async def both() -> tuple[str, str]:
            answer = asyncio.create_task(asyncio.to_thread(http.get, poll))
            await in_flight(simulation, 1)
            work_id = simulation.create_work(environment_id)
            return (await answer).json()["id"], work_id

        delivered, created = asyncio.run(both())
        assert delivered == created


def test_a_thread_reports_that_it_cannot_listen() -> None:
    simulation, _ = new()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=str(port)), SimulatorThread(simulation, port=port):
            pass


def test_many_clients_are_served_at_once() -> None:
    simulation, environment_id = new()
    ids = [simulation.create_work(environment_id) for _ in range(100)]

    async def read(http: httpx.AsyncClient, work_id: str) -> str:
        return str((await http.get(f"/environments/{environment_id}/work/{work_id}")).json()["id"])

    async def all_of_them(base_url: str) -> list[str]:
        async with httpx.AsyncClient(headers=HEADERS, base_url=base_url, timeout=60) as http:
            return await asyncio.gather(*(read(http, work_id) for work_id in ids))

    with SimulatorThread(simulation) as server:
        assert asyncio.run(all_of_them(server.base_url)) == ids
