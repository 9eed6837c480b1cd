"""Accepting connections: how many, which go first, and what happens without file descriptors."""

import asyncio
import errno
import os
import resource
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import replace

import httpx
import pytest

from exporter.repeats import INTERVAL_SECONDS
from exporter.web import acceptor
from exporter.web.limits import Limits, max_connections
from exporter.web.server import Server
from tests.api.test_hanging import settled
from tests.support.logged import Clock, logged
from tests.support.waiting import PATIENCE, eventually
from tests.web.few_descriptors import CONNECTIONS
from tests.web.serving import Slow, connected, running
from tests.web.test_connection import GENEROUS, GET, closed, response

FEW = replace(GENEROUS, connections=4)


@pytest.fixture
def slow() -> Slow:
    return Slow()


async def test_the_connection_idle_for_longest_makes_room(slow: Slow) -> None:
    async with running(slow.app, FEW) as (server, address), several(address, 4) as clients:
        for reader, writer in clients:  # the first is now idle for longest
            writer.write(GET)
            assert b" 200 " in await response(reader)
        async with connected(address) as (reader, writer):
            writer.write(GET)
            assert b" 200 " in await response(reader)
            assert await closed(clients[0][0]) == b""
            clients[1][1].write(GET)
            assert b" 200 " in await response(clients[1][0])
            assert len(server.server_state.connections) == 4


async def test_clients_that_say_nothing_lock_nobody_out(slow: Slow) -> None:
    async with (
        running(slow.app, FEW) as (server, address),
        several(address, 40),
        connected(address) as (reader, writer),
    ):
        writer.write(GET)
        assert b" 200 " in await response(reader)
        assert len(server.server_state.connections) <= 4


async def test_a_request_being_answered_is_never_dropped_for_a_new_connection(slow: Slow) -> None:
    with logged(Clock(), "info") as stream:
        async with running(slow.app, FEW) as (_, address), several(address, 4) as clients:
            for _, writer in clients:
                slow.entered.clear()
                writer.write(GET.replace(b"fast", b"slow"))
                await slow.entered.wait()
            for _ in range(20):
                async with connected(address) as (reader, _writer):
                    assert (await closed(reader)).startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
            slow.released.set()
            for reader, _ in clients:
                assert b" 200 " in await response(reader)
    (line,) = stream.getvalue().splitlines()
    assert 'msg="connection refused: all others are being answered" connections=4' in line


async def test_seven_hundred_half_headers_end_and_leave_nothing(slow: Slow) -> None:
    tasks = len(asyncio.all_tasks())
    async with running(slow.app, replace(GENEROUS, connections=1000, header_seconds=1.0)) as (server, address):
        async with several(address, 700, GET[:20]) as clients:
            async with connected(address) as (reader, writer):
                writer.write(GET)
                assert b" 200 " in await response(reader)
            for reader, _ in clients:
                assert (await closed(reader)).startswith(b"HTTP/1.1 408 ")
        assert len(server.server_state.connections) == 0
        assert len(asyncio.all_tasks()) <= tasks + 1  # the server's own


def test_no_more_connections_are_allowed_than_half_the_descriptors(monkeypatch: pytest.MonkeyPatch) -> None:
    for descriptors, connections in ((64, 32), (1024, 512), (1_000_000, 512), (resource.RLIM_INFINITY, 512)):
        monkeypatch.setattr(resource, "getrlimit", lambda _which, soft=descriptors: (soft, soft))
        assert max_connections() == connections
        assert Limits().connections == connections


def test_without_descriptors_it_logs_once_and_recovers() -> None:
    with few_descriptors() as (address, log):
        host, port = address.removeprefix("http://").split(":")
        with ExitStack() as stack:
            for _ in range(3 * CONNECTIONS):  # the kernel accepts what the server cannot
                stack.enter_context(socket.create_connection((host, int(port))))
            # The server gives up its own connections, one after the other, until it is this one's turn.
            assert httpx.get(f"{address}/fast", timeout=60).text == "early"
        assert eventually(lambda: httpx.get(f"{address}/fast").text or None, "an answer") == "early"
    lines = log()
    assert [line for line in lines if "cannot accept connections" in line and "Too many open files" in line]
    assert len([line for line in lines if "level=debug" not in line and "level=info" not in line]) < 3, lines
    assert not [line for line in lines if "Traceback" in line]


class Exhausted(socket.socket):
    """A listening socket in a process without file descriptors."""

    attempts = 0

    def accept(self) -> tuple[socket.socket, object]:
        self.attempts += 1
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


async def test_a_storm_of_failures_to_accept_is_two_lines_with_the_right_count(
    slow: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acceptor, "_PAUSE_SECONDS", 0.0)
    clock = Clock()
    with logged(clock, "info") as stream, Exhausted() as listening:
        listening.bind(("127.0.0.1", 0))
        server = Server(slow.app, [listening], limits=GENEROUS)
        serving = asyncio.create_task(server.run_until_stopped())
        await settled(lambda: server.started)
        _, writer = await asyncio.open_connection(*listening.getsockname())  # the kernel accepts it
        await settled(lambda: listening.attempts >= 1000)
        clock.now = INTERVAL_SECONDS
        left_out = listening.attempts - 1
        await settled(lambda: stream.getvalue().count("cannot accept") == 2)
        writer.close()
        server.stop()
        await serving
    first, second = (line for line in stream.getvalue().splitlines() if "cannot accept" in line)
    assert "Too many open files" in first
    assert "repeated=" not in first
    assert f"repeated={left_out}" in second
    assert len(stream.getvalue().splitlines()) <= 3


@asynccontextmanager
async def several(
    address: str, number: int, first: bytes = b""
) -> AsyncIterator[list[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]:
    """Bare connections, opened one after the other; each says something at once."""
    host, port = address.removeprefix("http://").split(":")
    clients = []
    try:
        for _ in range(number):
            clients.append(await asyncio.open_connection(host, int(port)))
            clients[-1][1].write(first)
        yield clients
    finally:
        for _, writer in clients:
            writer.transport.abort()
        await asyncio.sleep(0)


@contextmanager
def few_descriptors() -> Iterator[tuple[str, Callable[[], list[str]]]]:
    """The program `tests.web.few_descriptors`: its address, and the lines it has logged once it has ended."""
    lines: list[str] = []
    command = [sys.executable, "-m", "tests.web.few_descriptors"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as program:
        assert program.stdout is not None
        try:
            yield program.stdout.readline().strip(), lambda: lines
        finally:
            _, log = program.communicate("", timeout=PATIENCE)
            lines += log.splitlines()
