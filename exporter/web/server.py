"""The HTTP server: uvicorn's protocol and shutdown, with bounded connections, on sockets that are already open."""

import contextlib
import logging
import socket
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import cast

import uvicorn
from starlette.types import ASGIApp

from exporter.web.acceptor import Acceptor
from exporter.web.bounds import Bounded
from exporter.web.connection import Connection
from exporter.web.guard import Guard
from exporter.web.limits import Limits
from exporter.web.security import Security

GRACE_SECONDS = 2
"""How long answers under way may take after `Server.stop`; all in all a stopped exporter is gone within 5 s."""


class Server(uvicorn.Server):
    """Serves one application until it is stopped.

    uvicorn's own handling of signals is off: it would raise them again at the end and so hide the exit status.
    """

    def __init__(
        self,
        app: ASGIApp,
        sockets: Sequence[socket.socket],
        *,
        limits: Limits | None = None,
        security: Callable[[], Security] = Security,
        opened: Callable[[], None] = lambda: None,
    ) -> None:
        """Prepare to serve.

        Args:
            app: The application.
            sockets: Where to listen; closed at the end.
            limits: The bounds; the default ones if None.
            security: What protects it, asked at each connection and each request.
            opened: Called once connections are accepted.
        """
        access_log = logging.getLogger("uvicorn.access").isEnabledFor(logging.INFO)
        self._limits = limits or Limits()
        super().__init__(
            uvicorn.Config(
                Bounded(Guard(app, security), self._limits),
                loop="asyncio",
                http=Connection,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=access_log,
                proxy_headers=False,
                server_header=False,
                timeout_keep_alive=cast("int", self._limits.idle_seconds),
                timeout_graceful_shutdown=GRACE_SECONDS,
                h11_max_incomplete_event_size=self._limits.header_bytes,
            )
        )
        self._sockets = list(sockets)
        self._security = security
        self._opened = opened
        self._acceptor: Acceptor | None = None

    async def run_until_stopped(self) -> None:
        """Answer requests until `stop`, then finish the answers under way."""
        await self.serve(self._sockets)

    def stop(self) -> None:
        """Accept nothing more, and end once the answers under way are finished; at once if called again."""
        self.force_exit = self.should_exit
        self.should_exit = True

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept connections, in place of uvicorn's servers."""
        self.servers = []
        connections = cast("Collection[Connection]", self.server_state.connections)
        self._acceptor = Acceptor(sockets or [], connections, self._connection, self._security, self._limits)
        self._acceptor.open()
        self.started = True
        self._opened()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop accepting, then finish as uvicorn does."""
        if self._acceptor is not None:
            self._acceptor.close()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to whoever runs the server."""
        yield

    def _connection(self, security: Security) -> Connection:
        return Connection(self.config, self.server_state, self._limits, security.allowed_names)
