"""Connections: slow, silent, greedy and confused clients, over real sockets."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx
import pytest
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from exporter.web.limits import Limits
from tests.web.serving import Slow, connected, running

GET = b"GET /fast HTTP/1.1\r\nHost: x\r\n\r\n"
GENEROUS = Limits(
    connections=100,
    handshake_seconds=600,
    header_seconds=600,
    body_seconds=600,
    answer_seconds=600,
    idle_seconds=600,
    linger_seconds=0.2,
)
"""Where a test shortens one limit, no other can be the reason for what it sees."""
SHORT = 0.05


@pytest.fixture
def slow() -> Slow:
    return Slow()


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Nothing that these clients do may be worth a log line that is shown by default, let alone a traceback."""
    caplog.set_level(logging.WARNING)
    yield
    assert [record.getMessage() for record in caplog.get_records("call")] == []


@asynccontextmanager
async def client_of(app: ASGIApp, limits: Limits) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A bare connection to a server of its own."""
    async with running(app, limits) as (_, address), connected(address) as streams:
        yield streams


async def closed(reader: asyncio.StreamReader) -> bytes:
    """All that comes until the server closes the connection."""
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""


async def response(reader: asyncio.StreamReader) -> bytes:
    """The status line of one response, whose header and body are read to their end."""
    header = await reader.readuntil(b"\r\n\r\n")
    length = next(int(line[15:]) for line in header.split(b"\r\n") if line.lower().startswith(b"content-length:"))
    await reader.readexactly(length)
    return header.partition(b"\r\n")[0]


async def still_answers(address: str) -> bool:
    async with httpx.AsyncClient(base_url=address) as client:
        return (await client.get("/fast")).text == "early"


async def test_a_client_that_says_nothing_is_dropped(slow: Slow) -> None:
    async with client_of(slow.app, replace(GENEROUS, header_seconds=SHORT)) as (reader, _writer):
        assert await closed(reader) == b""


async def test_half_a_header_is_waited_for_and_not_longer(slow: Slow) -> None:
    async with client_of(slow.app, replace(GENEROUS, header_seconds=SHORT)) as (reader, writer):
        writer.write(GET[:20])
        assert (await closed(reader)).startswith(b"HTTP/1.1 408 Request Timeout\r\n")


async def test_a_header_that_drips_gets_no_more_time(slow: Slow) -> None:
    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(b"GET /fast HTTP/1.1\r\n")
        while not writer.is_closing():
            writer.write(b"a: b\r\n")
            await asyncio.sleep(0.02)

    async with client_of(slow.app, replace(GENEROUS, header_seconds=0.2)) as (reader, writer):
        dripping = asyncio.create_task(drip(writer))
        answer = await closed(reader)  # what was still written then may have reset the connection
        assert not answer or answer.startswith(b"HTTP/1.1 408 ")
        dripping.cancel()


async def test_the_second_request_has_a_header_time_of_its_own(slow: Slow) -> None:
    async with client_of(slow.app, replace(GENEROUS, header_seconds=0.5)) as (reader, writer):
        writer.write(GET)
        assert b" 200 " in await response(reader)
        await asyncio.sleep(0.6)  # idle, which has no limit here
        writer.write(GET)
        assert b" 200 " in await response(reader)
        writer.write(GET[:20])
        assert (await closed(reader)).startswith(b"HTTP/1.1 408 ")


async def test_a_body_that_does_not_come_is_not_waited_for(slow: Slow) -> None:
    async with client_of(slow.app, replace(GENEROUS, body_seconds=SHORT)) as (reader, writer):
        writer.write(b"POST /fast HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab")
        assert b" 405 " in await response(reader)
        assert await closed(reader) == b""


async def test_a_body_that_comes_late_leaves_the_connection_usable(slow: Slow) -> None:
    async with client_of(slow.app, GENEROUS) as (reader, writer):
        writer.write(b"POST /fast HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n")
        assert b" 405 " in await response(reader)
        writer.write(b"hello" + GET)
        assert b" 200 " in await response(reader)


async def test_an_idle_connection_is_closed(slow: Slow) -> None:
    async with client_of(slow.app, replace(GENEROUS, idle_seconds=SHORT)) as (reader, writer):
        writer.write(GET)
        assert b" 200 " in await response(reader)
        assert await closed(reader) == b""


async def test_a_request_that_takes_too_long_altogether_is_dropped(slow: Slow) -> None:
    async with running(slow.app, replace(GENEROUS, answer_seconds=SHORT)) as (_, address):
        async with connected(address) as (reader, writer):
            writer.write(GET.replace(b"fast", b"slow"))
            assert await closed(reader) == b""
        slow.released.set()


async def test_a_client_that_does_not_read_is_dropped_and_its_answer_not_kept() -> None:
    buffered: list[int] = []
    done = asyncio.Event()

    async def large(scope: Scope, receive: Receive, send: Send) -> None:
        asyncio.get_running_loop().call_later(0.1, measure)
        await PlainTextResponse(b"x" * 50_000_000)(scope, receive, send)
        done.set()

    def measure() -> None:
        (connection,) = server.server_state.connections
        buffered.append(connection.transport.get_write_buffer_size())

    async with running(large, replace(GENEROUS, answer_seconds=0.5)) as (server, address), connected(address) as (_, w):
        w.write(GET)
        await done.wait()
    assert 0 < buffered[0] < 200_000


async def test_it_stops_in_time_though_clients_neither_read_nor_send() -> None:
    began = asyncio.Event()

    async def large(scope: Scope, receive: Receive, send: Send) -> None:
        began.set()
        await PlainTextResponse(b"x" * 50_000_000)(scope, receive, send)

    async with running(large, GENEROUS) as (server, address), connected(address) as (_, reading):
        reading.write(GET)
        await began.wait()
        async with connected(address) as (_, sending):
            sending.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n")
            server.stop()  # what uvicorn would have to cancel, it would log as an error
            while server.server_state.tasks:  # noqa: ASYNC110 - there is no event for it
                await asyncio.sleep(0.01)
    assert server.server_state.connections == set()


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        pytest.param(b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"414", id="long path"),
        pytest.param(b"GET /fast?" + b"a" * 5000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"414", id="long query"),
        pytest.param(b"GET /fast HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 40_000 + b"\r\n\r\n", b"431", id="long header"),
        pytest.param(b"GET /fast HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 9000 + b"\r\n", b"431", id="many headers"),
        pytest.param(b"GET /" + b"a" * 100_000, b"431", id="endless path"),
        pytest.param(b"POST /fast HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n", b"413", id="large body"),
        pytest.param(b"POST /fast HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", b"400", id="negative length"),
        pytest.param(b"POST /fast HTTP/1.1\r\nHost: x\r\nContent-Length: 1, 2\r\n\r\n", b"400", id="two lengths"),
        pytest.param(
            b"POST /fast HTTP/1.1\r\nHost: x\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", b"400", id="huge length"
        ),
        pytest.param(b"POST /fast HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", b"501", id="odd encoding"),
        pytest.param(b"GET /fast HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", b"400", id="two hosts"),
        pytest.param(b"GET /fast HTTP/1.1\r\n\r\n", b"400", id="no host"),
        pytest.param(b"GET /fast\r\n\r\n", b"400", id="HTTP/0.9"),
        pytest.param(b"GET /fast HTTP/9.9\r\nHost: x\r\n\r\n", b"505", id="HTTP/9.9"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"505", id="HTTP/2"),
        pytest.param(b"GET /fa\x00st HTTP/1.1\r\nHost: x\r\n\r\n", b"400", id="NUL"),
        pytest.param(b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n", b"400", id="raw bytes"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"400", id="TLS"),
        pytest.param(b"\r\n\r\n", b"400", id="nothing"),
        pytest.param(b"GET /%ff%00%0a HTTP/1.1\r\nHost: x\r\n\r\n", b"404", id="escaped bytes"),
        pytest.param(b"GET http://[::1/fast HTTP/1.1\r\nHost: [\r\n\r\n", b"404", id="bad absolute path"),
        pytest.param(b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", b"404", id="asterisk"),
        pytest.param(b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n", b"404", id="CONNECT"),
    ],
)
async def test_what_is_too_large_or_not_http_is_refused(slow: Slow, request_: bytes, status: bytes) -> None:
    async with running(slow.app, GENEROUS) as (_, address):
        async with connected(address) as (reader, writer):
            writer.write(request_)
            line = (await reader.readuntil(b"\r\n\r\n")).partition(b"\r\n")[0]
            assert line.split()[1] == status
        assert await still_answers(address)


@pytest.mark.parametrize(
    "chunk", [b"zz\r\n", b"-1\r\n", b"5\r\nhello!", b"ffffffffffffffffffffffff\r\n", b"\x00" * 40 + b"\r\n"]
)
@pytest.mark.parametrize("path", [b"/slow", b"/fast"])
@pytest.mark.parametrize("method", [b"POST", b"GET", b"HEAD"])
async def test_a_broken_chunk_ends_the_connection(slow: Slow, method: bytes, path: bytes, chunk: bytes) -> None:
    header = method + b" " + path + b" HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with running(slow.app, GENEROUS) as (_, address):
        async with connected(address) as (reader, writer):
            writer.write(header)
            writer.write(chunk)
            answer = await closed(reader)
            assert answer.split()[1] in {b"400", b"405", b"200"}
        slow.released.set()
        assert await still_answers(address)


async def test_a_body_without_end_is_cut_off(slow: Slow) -> None:
    async with client_of(slow.app, GENEROUS) as (reader, writer):
        writer.write(b"GET /slow HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")

        async def pour() -> None:
            while True:
                writer.write(b"1000\r\n" + b"a" * 0x1000 + b"\r\n")
                await writer.drain()

        pouring = asyncio.create_task(pour())
        answer = await closed(reader)
        assert answer.startswith(b"HTTP/1.1 413 ") or answer == b""  # what was sent may be lost in a reset
        with pytest.raises(ConnectionError):
            await pouring
        slow.released.set()


async def test_requests_sent_at_once_are_answered_one_after_the_other(slow: Slow) -> None:
    async with client_of(slow.app, GENEROUS) as (reader, writer):
        writer.write(GET * 50)
        for _ in range(50):
            assert b" 200 " in await response(reader)


async def test_a_client_that_asks_before_it_sends_its_body_gets_its_answer_and_a_new_connection(slow: Slow) -> None:
    async with client_of(slow.app, GENEROUS) as (reader, writer):
        writer.write(b"POST /fast HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        assert (await closed(reader)).startswith(b"HTTP/1.1 405 ")


async def test_an_upgrade_is_ignored(slow: Slow) -> None:
    headers = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Key": "x"}
    async with running(slow.app, GENEROUS) as (_, address), httpx.AsyncClient(base_url=address) as client:
        assert (await client.get("/fast", headers=headers)).text == "early"
