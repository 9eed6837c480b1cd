"""An API that hangs: whoever waits may leave at any time, and everything is as before once it answers again."""

import asyncio
import gc
import os
import socket
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import httpx
import pytest
from structlog.testing import capture_logs

from exporter.api import errors
from exporter.api.client import WorkAPI
from exporter.api.inflight import GRACE
from tests.api.harness import ENVIRONMENT, at_once, client
from tests.api.play import play

BODY = b'{"depth":3}'
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY)


class Hanging:
    """A server that takes every request, and answers none of them until it is told to.

    Attributes:
        requests: How many came.
        well: Whether it answers; requests that came before stay without an answer.
    """

    def __init__(self) -> None:
        self.requests = 0
        self.well = False
        self.base_url = ""
        self._connections: set[asyncio.StreamWriter] = set()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["Hanging"]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/api/v1/cloud"
        try:
            yield self
        finally:
            server.close()
            for writer in list(self._connections):
                writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(writer)
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                self.requests += 1
                if self.well:
                    writer.write(ANSWER)
                    await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._connections.discard(writer)
            writer.transport.abort()


def sockets() -> int:
    """Sockets of this process."""
    gc.collect()
    links = []
    for descriptor in os.listdir("/proc/self/fd"):
        try:
            links.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        except FileNotFoundError:  # the listing's own
            continue
    return sum(link.startswith("socket:") for link in links)


async def refresh(api: WorkAPI) -> None:
    """A dozen calls at once, of which the first failure cancels the others, as in a refresh."""
    async with asyncio.TaskGroup() as group:
        for _ in range(12):
            group.create_task(api.stats(ENVIRONMENT, deadline=at_once()))


async def settled(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 -- nothing announces it
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("patience", [0.01, 0.3, 5.0], ids=["at-once", "soon", "never"])
async def test_after_a_hang_requests_arrive_again(patience: float) -> None:
    """Refreshes are cancelled from outside, at any point, or by the first failure inside."""
    async with Hanging().listening() as server, client(server.base_url, request_timeout=0.5) as api:
        for _ in range(4):
            with pytest.raises((TimeoutError, ExceptionGroup)):
                async with asyncio.timeout(patience):
                    await refresh(api)
        server.well = True
        await settled(lambda: len(api._in_flight) == 0)
        before = server.requests
        await refresh(api)
        assert server.requests == before + 12
        assert api.restarts == 0


async def test_hundreds_of_cancelled_refreshes_leave_no_socket_task_or_slot_behind() -> None:
    async with (
        Hanging().listening() as server,
        client(server.base_url, request_timeout=0.2, requests_per_second=100_000) as api,
    ):
        server.well = True
        await refresh(api)
        before, tasks = sockets(), len(asyncio.all_tasks())
        server.well = False
        for number in range(300):
            refreshing = asyncio.create_task(refresh(api))
            await asyncio.sleep(0.002 * (number % 5))
            refreshing.cancel()
            await asyncio.wait([refreshing])
        await settled(lambda: len(api._in_flight) == 0)
        server.well = True
        await refresh(api)
        await settled(lambda: sockets() <= before)
        await settled(lambda: len(asyncio.all_tasks()) <= tasks)
        assert server.requests > 0


async def test_a_call_that_is_cancelled_before_its_turn_sends_nothing() -> None:
    async with Hanging().listening() as server, client(server.base_url, max_concurrency=1, request_timeout=60) as api:
        first = asyncio.create_task(api.stats(ENVIRONMENT, deadline=at_once()))
        await settled(lambda: server.requests == 1)
        waiting = [asyncio.create_task(api.stats(ENVIRONMENT, deadline=at_once())) for _ in range(5)]
        await asyncio.sleep(0.01)
        for call in waiting:
            call.cancel()
        await asyncio.wait(waiting)
        server.well = True
        await api._in_flight.close()
        with pytest.raises(errors.NetworkError, match="the client was closed"):
            await first
        assert (await api.stats(ENVIRONMENT, deadline=at_once())).value.depth == 3
        assert server.requests == 2


async def test_closing_while_the_api_hangs_takes_no_time() -> None:
    async with Hanging().listening() as server:
        api = client(server.base_url, request_timeout=600)
        calls = [asyncio.create_task(api.stats(ENVIRONMENT, deadline=at_once())) for _ in range(3)]
        await settled(lambda: server.requests == 3)
        async with asyncio.timeout(30):
            await api.close()
            failures = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(failure) for failure in failures] == [errors.NetworkError] * 3


class Immortal(httpx.AsyncBaseTransport):
    """A transport whose first requests cannot be ended, not even by cancelling them; the following are answered."""

    def __init__(self, immortal: int) -> None:
        self.requests = 0
        self.freed = asyncio.Event()
        self._immortal = immortal

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests += 1
        if self.requests <= self._immortal:
            while not self.freed.is_set():
                try:
                    await self.freed.wait()
                except asyncio.CancelledError:
                    continue
        return httpx.Response(200, content=BODY)


def test_a_request_that_outlives_its_timeout_is_given_up_and_the_client_replaced() -> None:
    async def run() -> tuple[Sequence[object], float, int]:
        transport = Immortal(2)
        api = client(max_concurrency=2, request_timeout=5, transport=transport)
        begun = time.monotonic()
        calls = [api.stats(ENVIRONMENT, deadline=at_once()) for _ in range(3)]
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        took = time.monotonic() - begun
        transport.freed.set()
        await api.close()
        return outcomes, took, api.restarts

    with capture_logs() as logs:
        (first, second, third), took, restarts = play(run())
    assert isinstance(first, errors.TimedOut)
    assert isinstance(second, errors.TimedOut)
    assert str(first) == "stats: the request outlived its timeout, and was given up"
    assert third.value.depth == 3  # type: ignore[attr-defined]
    assert took == pytest.approx(5 + GRACE)
    assert restarts == 1
    assert [log["event"] for log in logs] == ["HTTP client replaced: a request outlived its timeout"]


def test_sockets_are_counted() -> None:
    """So that the other tests here can fail."""
    before = sockets()
    with socket.socket():
        assert sockets() == before + 1
