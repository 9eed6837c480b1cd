"""A server that says what a test gives it, byte for byte, on connections that it keeps open."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Self

BODY = b'{"depth":3}'

Talk = bytes | Callable[[asyncio.StreamWriter], Awaitable[None]]


def answer(body: bytes = BODY, *headers: str, status: str = "200 OK", length: int | None = None) -> bytes:
    """An answer with a body of a known length."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body) if length is None else length}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


class Raw:
    """The server.

    Attributes:
        heads: The head of each request so far.
        connections: How many connections were made.
        open: How many of them are open.
    """

    def __init__(self, *talks: Talk, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self.heads: list[str] = []
        self.connections = 0
        self.open = 0
        self._talks = list(talks)
        self._port = port
        self._tls = tls
        self._tasks: set[asyncio.Task[None]] = set()
        self.base_url = ""
        self.authority = ""

    def then(self, *talks: Talk) -> None:
        """Answer the following requests like this; the last one for all that follow."""
        self._talks = list(talks)

    def choose(self, head: str) -> Talk:
        """What to say to a request."""
        return self._talks.pop(0) if len(self._talks) > 1 else self._talks[0]

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Self]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", self._port, limit=2**20, ssl=self._tls)
        self.authority = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self.base_url = f"http{'s' if self._tls else ''}://{self.authority}/api/v1/cloud"
        try:
            yield self
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while True:
                self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode("latin-1"))
                talk = self.choose(self.heads[-1])
                if isinstance(talk, bytes):
                    writer.write(talk)
                    await writer.drain()
                else:
                    await talk(writer)
        self.open -= 1
        self._tasks.discard(task)
        writer.transport.abort()
