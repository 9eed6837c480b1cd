"""The real web server on a free port, bare connections to it, and an application that takes its time."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from exporter.web.limits import Limits
from exporter.web.listen import Address, listen, url
from exporter.web.security import Security
from exporter.web.server import Server


@asynccontextmanager
async def running(
    app: ASGIApp, limits: Limits | None = None, security: Callable[[], Security] = Security
) -> AsyncIterator[tuple[Server, str]]:
    """A server on a free port, and its address; stopped at the end."""
    sock = listen(Address("127.0.0.1", 0))
    address = url(sock)
    server = Server(app, [sock], limits=limits, security=security)
    task = asyncio.create_task(server.run_until_stopped())
    try:
        yield server, address
    finally:
        server.stop()
        await task


@asynccontextmanager
async def connected(address: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A bare connection to an address."""
    host, port = address.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def refused(address: str) -> None:
    """Return once nothing listens at an address any more."""
    while True:
        async with httpx.AsyncClient() as client:
            try:
                await client.get(f"{address}/fast")
            except httpx.ConnectError:
                return
            except (httpx.RemoteProtocolError, httpx.ReadError):
                """It was let in just before, and dropped."""


class Slow:
    """An application whose answer waits until it is released."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.released = asyncio.Event()
        self.app = Starlette(routes=[Route("/slow", self.slow), Route("/fast", self.fast)])

    async def slow(self, _request: Request) -> PlainTextResponse:
        self.entered.set()
        await self.released.wait()
        return PlainTextResponse("late")

    async def fast(self, _request: Request) -> PlainTextResponse:
        return PlainTextResponse("early")
