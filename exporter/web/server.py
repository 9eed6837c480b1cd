"""The HTTP server: uvicorn on sockets that are already open, which stops when it is told to."""

import contextlib
import logging
import socket
from collections.abc import Iterator, Sequence

import uvicorn
from starlette.types import ASGIApp

GRACE_SECONDS = 2
"""How long answers under way may take after `Server.stop`; all in all a stopped exporter is gone within 5 s."""

KEEP_ALIVE_SECONDS = 130
"""Longer than the usual scrape intervals, so that a scraper finds its connection open at the next scrape."""


class Server(uvicorn.Server):
    """Serves one application until it is stopped.

    uvicorn's own handling of signals is off: it would raise them again at the end and so hide the exit status.
    """

    def __init__(self, app: ASGIApp, sockets: Sequence[socket.socket]) -> None:
        """Prepare to serve.

        Args:
            app: The application.
            sockets: Where to listen; closed at the end.
        """
        access_log = logging.getLogger("uvicorn.access").isEnabledFor(logging.INFO)
        super().__init__(
            uvicorn.Config(
                app,
                loop="asyncio",
                http="h11",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=access_log,
                proxy_headers=False,
                server_header=False,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=GRACE_SECONDS,
            )
        )
        self._sockets = list(sockets)

    async def run_until_stopped(self) -> None:
        """Answer requests until `stop`, then finish the answers under way."""
        await self.serve(self._sockets)

    def stop(self) -> None:
        """Accept nothing more, and end once the answers under way are finished; at once if called again."""
        self.force_exit = self.should_exit
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to whoever runs the server."""
        yield
