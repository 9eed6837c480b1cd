"""What may be found at the API's address instead of the API."""

import asyncio
import contextlib
import functools
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trustme

from tests.api.raw import Raw, answer


@dataclass(frozen=True, slots=True)
class Place:
    """An address at which the API is not reached.

    Attributes:
        take: Takes the place of the API at a port, inside a block; nothing else listens there meanwhile.
        tls: Whether the API itself speaks TLS there.
        name: What the name of the host leads to: nothing, or a resolver that does not answer; None for an address.
    """

    take: Callable[[int], AbstractAsyncContextManager[None]]
    tls: bool = False
    name: str | None = None


@functools.cache
def authority() -> trustme.CA:
    """A private CA, which the exporter trusts by ``SSL_CERT_FILE``."""
    return trustme.CA()


def certified(by: trustme.CA) -> ssl.SSLContext:
    """What a server needs for TLS, with a certificate of this CA."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    by.issue_cert("127.0.0.1").configure_cert(context)
    return context


@asynccontextmanager
async def nobody(_port: int) -> AsyncIterator[None]:
    """Nobody listens."""
    yield


@asynccontextmanager
async def deaf(port: int) -> AsyncIterator[None]:
    """Somebody listens and accepts nothing, and the queue of those who want to connect is full."""
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(socket.socket())
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", port))
        listening.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", port))
        yield


def serving(
    talk: bytes | None, tls: ssl.SSLContext | None = None
) -> Callable[[int], AbstractAsyncContextManager[None]]:
    """Somebody accepts connections, reads, and says something at once; or nothing, ever."""

    @asynccontextmanager
    async def take(port: int) -> AsyncIterator[None]:
        async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if talk is not None:
                writer.write(talk)
                writer.close()
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                while await reader.read(65536):
                    pass
            writer.transport.abort()

        async with await asyncio.start_server(converse, "127.0.0.1", port, ssl=tls):
            yield

    return take


@asynccontextmanager
async def with_a_strangers_certificate(port: int) -> AsyncIterator[None]:
    """A server whose certificate nobody trusts."""
    async with Raw(answer(), port=port, tls=certified(trustme.CA())).listening() as server:
        yield
        assert server.heads == [], "nothing is sent to a stranger"


def resolving(folder: Path, resolve: Callable[..., Any] = socket.getaddrinfo) -> Callable[..., Any]:
    """A resolver that knows names in ``.test`` by what is in a folder.

    A file of that name says nothing where the name leads to this machine, and ``hangs`` for a resolver that does not
    answer; without it the name is unknown.
    """

    def getaddrinfo(host: Any, *arguments: Any, **options: Any) -> Any:
        if not str(host).endswith(".test"):
            return resolve(host, *arguments, **options)
        file = folder / host
        while file.exists() and file.read_text() == "hangs":
            time.sleep(0.05)
        if not file.exists():
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return resolve("127.0.0.1", *arguments, **options)

    return getaddrinfo


def set_name(folder: Path, host: str, leads_to: str) -> None:
    """Let the resolver of a folder find a name, hang, or not know it, where it leads to nothing."""
    if leads_to:
        (folder / host).write_text(leads_to)
    else:
        (folder / host).unlink(missing_ok=True)
