"""The connection under a request, for faults that HTTP has no words for."""

import asyncio
import socket
import struct
from collections.abc import Awaitable
from typing import Any

import httpx
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

_STATE_KEY = "connection"


class ConnectionProtocol(H11Protocol):
    """uvicorn's HTTP protocol that lets the application reach its connection."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, {**app_state, _STATE_KEY: self}, _loop)

    def reset(self) -> None:
        """Drop the connection at once, with a TCP reset."""
        sock = self.transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    def hang_up(self) -> None:
        """Send what has been written, then close the connection."""
        self.transport.close()


def _connection(scope: Scope) -> ConnectionProtocol | None:
    found = scope.get("state", {}).get(_STATE_KEY)
    return found if isinstance(found, ConnectionProtocol) else None


async def hung_up(receive: Receive) -> None:
    """Wait until the client has gone, or the server has cut it off."""
    while (await receive())["type"] != "http.disconnect":
        pass


class ResetConnection(Response):
    """Resets the connection. Without one, raises the `httpx.ReadError` that a client would see."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer by not answering."""
        connection = _connection(scope)
        if connection is None:
            raise httpx.ReadError("Connection reset")
        connection.reset()
        await hung_up(receive)


class TruncatedResponse(Response):
    """Announces the whole body, sends half of it and hangs up.

    Without a connection, raises the `httpx.RemoteProtocolError` that a client would see.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send half of the answer."""
        connection = _connection(scope)
        if connection is None:
            raise httpx.RemoteProtocolError("peer closed connection without sending complete message body")
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.half, "more_body": True})
        connection.hang_up()
        await hung_up(receive)

    @property
    def half(self) -> bytes:
        """The part of the body that is sent."""
        return bytes(self.body[: len(self.body) // 2])


async def while_connected(waiting: Awaitable[None], receive: Receive) -> bool:
    """Wait for ``waiting`` no longer than the client is there; return whether it still is.

    The request's body must have been read before.
    """
    done = asyncio.ensure_future(waiting)
    gone = asyncio.ensure_future(hung_up(receive))
    try:
        await asyncio.wait({done, gone}, return_when=asyncio.FIRST_COMPLETED)
        return not gone.done()
    finally:
        done.cancel()
        gone.cancel()
        await asyncio.gather(done, gone, return_exceptions=True)
