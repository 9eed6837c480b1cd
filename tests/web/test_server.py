"""The server: it answers, stops when told, and outlives rude clients."""

import asyncio
import logging

import httpx
import pytest

from tests.web.serving import Slow, connected, refused, running


@pytest.fixture
def slow() -> Slow:
    return Slow()


async def test_it_answers_without_naming_its_software(slow: Slow) -> None:
    async with running(slow.app) as (_, address), httpx.AsyncClient(base_url=address) as client:
        answer = await client.get("/fast")
    assert answer.text == "early"
    assert "server" not in answer.headers
    assert "date" in answer.headers


async def test_an_answer_under_way_when_it_stops_is_finished(slow: Slow) -> None:
    async with running(slow.app) as (server, address), httpx.AsyncClient(base_url=address) as client:
        request = asyncio.create_task(client.get("/slow"))
        await slow.entered.wait()
        server.stop()
        await refused(address)
        slow.released.set()
        assert (await request).text == "late"


async def test_it_stops_while_idle_connections_are_open(slow: Slow) -> None:
    async with httpx.AsyncClient() as client:
        async with running(slow.app) as (_, address):
            assert (await client.get(f"{address}/fast")).text == "early"
        with pytest.raises(httpx.ConnectError):
            await client.get(f"{address}/fast")


async def test_told_twice_it_waits_for_nothing(slow: Slow) -> None:
    async with running(slow.app) as (server, address), connected(address) as (reader, writer):
        writer.write(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        await slow.entered.wait()
        server.stop()
        server.stop()
        await refused(address)
        assert not slow.released.is_set()
        slow.released.set()
        assert (await reader.read()).startswith(b"HTTP/1.1 200 ")


async def test_a_client_that_hangs_up_first_leaves_no_error(slow: Slow, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    async with running(slow.app) as (_, address), httpx.AsyncClient(base_url=address) as client:
        async with connected(address) as (_, writer):
            writer.write(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
            await slow.entered.wait()
            writer.transport.abort()
        slow.released.set()
        assert (await client.get("/fast")).text == "early"
    assert caplog.messages == []


@pytest.mark.parametrize(
    "rubbish", [b"GET /\r\n\r\n", b"hello there\r\n\r\n", b"GET /fast HTTP/1.1\r\nno colon\r\n\r\n"]
)
async def test_a_client_that_does_not_speak_http_is_refused(slow: Slow, rubbish: bytes) -> None:
    async with running(slow.app) as (_, address), httpx.AsyncClient(base_url=address) as client:
        async with connected(address) as (reader, writer):
            writer.write(rubbish)
            assert (await reader.read()).startswith(b"HTTP/1.1 400 ")
        assert (await client.get("/fast")).text == "early"
