"""What one account may do: so many requests a second, so many at once, so long an attempt."""

import asyncio
import time
from collections.abc import AsyncIterator

import httpx
import pytest
import respx

from exporter.api import errors
from exporter.simulator import DEFAULT_TOKEN, Latency, Simulation, SimulatorServer
from tests.api.harness import BASE_URL, ENVIRONMENT, Conversation, GivenToken, at_once, client, conversing, within
from tests.api.play import START, play

STATS = f"{BASE_URL}/environments/{ENVIRONMENT}/work/stats"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n"
BODY = b'{"depth":3}'


def test_all_requests_of_an_account_share_its_pace_and_the_wait_is_counted() -> None:
    async def run() -> tuple[list[float], float]:
        begins: list[float] = []

        def answer(_: httpx.Request) -> httpx.Response:
            begins.append(time.monotonic() - START)
            return httpx.Response(200, json={"data": []})

        respx.get(url__startswith=BASE_URL).mock(side_effect=answer)
        async with client(requests_per_second=2) as api:
            calls = [api.stats("env_a", deadline=at_once()), api.list("env_b", deadline=at_once())]
            calls += [api.environments(deadline=at_once()), api.stats("env_c", deadline=at_once())]
            await asyncio.gather(*calls, api.list("env_a", deadline=at_once()))
            return begins, api.counts.paced_seconds

    with respx.mock:
        begins, paced = play(run())
    assert begins == pytest.approx([0, 0, 1, 1, 2])
    assert paced == pytest.approx(0 + 0 + 1 + 1 + 2)


def test_retries_keep_to_the_pace_too() -> None:
    async def run() -> list[float]:
        begins: list[float] = []

        def answer(_: httpx.Request) -> httpx.Response:
            begins.append(time.monotonic() - START)
            return httpx.Response(503)

        respx.get(STATS).mock(side_effect=answer)
        async with client(requests_per_second=0.1) as api:
            with pytest.raises(errors.ServerError):
                await api.stats(ENVIRONMENT, deadline=within(3600))
        return begins

    with respx.mock:
        assert play(run()) == pytest.approx([0, 10, 20, 30])


def test_waiting_for_a_slot_is_no_part_of_the_timeout() -> None:
    async def run() -> list[float]:
        async def answer(_: httpx.Request) -> httpx.Response:
            begins.append(time.monotonic() - START)
            await asyncio.sleep(4)
            return httpx.Response(200, content=BODY)

        begins: list[float] = []
        respx.get(STATS).mock(side_effect=answer)
        async with client(max_concurrency=2, request_timeout=5) as api:
            await asyncio.gather(*(api.stats(ENVIRONMENT, deadline=at_once()) for _ in range(5)))
        return begins

    with respx.mock:
        assert play(run()) == pytest.approx([0, 0, 4, 4, 8])


@pytest.fixture
async def simulated() -> AsyncIterator[tuple[Simulation, str, str]]:
    """A simulation, the API's address on a server of it, and an environment."""
    simulation = Simulation()
    environment_id = simulation.create_environment("gpu-workers")
    async with SimulatorServer(simulation) as server:
        yield simulation, server.base_url, environment_id


@pytest.mark.parametrize("at_most", [1, 3])
async def test_no_more_requests_are_under_way_than_allowed(
    simulated: tuple[Simulation, str, str], at_most: int
) -> None:
    simulation, base_url, environment_id = simulated
    simulation.faults.add(Latency(seconds=0.02))
    async with client(base_url, token=GivenToken(DEFAULT_TOKEN), max_concurrency=at_most) as api:
        await asyncio.gather(*(api.stats(environment_id, deadline=at_once()) for _ in range(4 * at_most)))
    assert simulation.traffic.peak_in_flight[""] == at_most
    assert simulation.traffic.requests() == 4 * at_most


@pytest.mark.parametrize(("at_most", "in_the_background"), [(1, 1), (2, 1), (5, 2)])
async def test_the_background_takes_half_of_what_is_allowed(
    simulated: tuple[Simulation, str, str], at_most: int, in_the_background: int
) -> None:
    simulation, base_url, environment_id = simulated
    simulation.faults.add(Latency(seconds=0.02))
    async with client(base_url, token=GivenToken(DEFAULT_TOKEN), max_concurrency=at_most) as api:
        calls = (api.list(environment_id, deadline=at_once(), background=True) for _ in range(3 * at_most))
        await asyncio.gather(*calls)
    assert simulation.traffic.peak_in_flight["list"] == in_the_background
    assert simulation.traffic.requests() == 3 * at_most


async def test_a_call_that_is_given_up_leaves_its_slot_to_others(simulated: tuple[Simulation, str, str]) -> None:
    simulation, base_url, environment_id = simulated
    simulation.faults.add(Latency(seconds=600, count=1))
    async with client(base_url, token=GivenToken(DEFAULT_TOKEN), max_concurrency=1) as api:
        given_up = asyncio.create_task(api.stats(environment_id, deadline=at_once()))
        while not simulation.traffic.peak_in_flight:  # noqa: ASYNC110 -- the server announces it in no other way
            await asyncio.sleep(0.001)
        given_up.cancel()
        assert (await api.stats(environment_id, deadline=at_once())).value.depth == 0
        with pytest.raises(asyncio.CancelledError):
            await given_up
        assert api.counts.requests == {("stats", "error"): 1, ("stats", "200"): 1}


async def dripping(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer a byte at a time, so that no single read takes long, and never finish."""
    writer.write(HEAD.replace(b"11", b"1000000"))
    while not writer.is_closing():
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.01)


async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    """Take the request and answer nothing."""
    await reader.read()


async def halting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer half and stop."""
    writer.write(HEAD + BODY[:5])
    await writer.drain()
    await reader.read()


@pytest.mark.parametrize("server", [silent, halting, dripping])
async def test_the_timeout_bounds_the_whole_answer(server: Conversation) -> None:
    async with conversing(server) as base_url, client(base_url, request_timeout=0.2) as api, asyncio.timeout(60):
        with pytest.raises(errors.TimedOut) as failure:
            await api.stats(ENVIRONMENT, deadline=at_once())
    assert str(failure.value) == f"stats: no complete answer within 0.2 s ({httpx.URL(base_url).netloc.decode()})"
    assert (failure.value.reason, failure.value.status) == ("timeout", None)
    assert api.counts.requests == {("stats", "error"): 1}
    assert api.counts.durations["stats"].count == 1


async def test_an_answer_in_pieces_is_put_together() -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for byte in HEAD + BODY:
            writer.write(bytes([byte]))
            await writer.drain()

    async with conversing(answer) as base_url, client(base_url) as api:
        assert (await api.stats(ENVIRONMENT, deadline=at_once())).value.depth == 3


def test_waiting_for_the_pace_is_no_part_of_the_timeout() -> None:
    async def run() -> int:
        async with client(requests_per_second=1, request_timeout=0.5) as api:
            calls = (api.stats(ENVIRONMENT, deadline=at_once()) for _ in range(5))
            return sum((answer.value.depth or 0) for answer in await asyncio.gather(*calls))

    with respx.mock:
        respx.get(STATS).mock(return_value=httpx.Response(200, content=BODY))
        assert play(run()) == 15
