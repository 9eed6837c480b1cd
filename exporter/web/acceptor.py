"""Accepting connections: not more than there is room for, and through times without file descriptors."""

import asyncio
import errno
import os
import socket
import ssl
from collections.abc import Callable, Collection, Sequence

import structlog

from exporter.web.connection import Connection
from exporter.web.limits import Limits
from exporter.web.security import Security

BACKLOG = 1024
"""Connections that the kernel keeps until they are accepted."""

_BATCH = 64
"""Accepted at once before everything else has its turn again."""

_GIVEN_BACK = 8
"""Connections dropped when descriptors have run out: those that have waited for their clients the longest."""

_PAUSE_SECONDS = 0.25
"""Until the next attempt when descriptors or memory have run out."""

_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}

_TOO_MANY = b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n"

log = structlog.get_logger()


class Acceptor:
    """Accepts on some sockets until it is closed.

    asyncio's own servers have no limit, and log a traceback for each of up to 2,048 attempts per second when there are
    no descriptors left.

    Args:
        sockets: Where to listen.
        open_connections: The connections that are open; each adds and removes itself.
        make: Makes the protocol of a new connection, by the settings in force.
        security: The settings in force.
        limits: The bounds.
    """

    def __init__(
        self,
        sockets: Sequence[socket.socket],
        open_connections: Collection[Connection],
        make: Callable[[Security], Connection],
        security: Callable[[], Security],
        limits: Limits,
    ) -> None:
        self._sockets = sockets
        self._connections = open_connections
        self._make = make
        self._security = security
        self._limits = limits
        self._opening: dict[asyncio.Task[None], None] = {}  # in the order of their arrival
        self._pauses: dict[socket.socket, asyncio.TimerHandle] = {}
        self._loop = asyncio.get_running_loop()

    def open(self) -> None:
        """Begin to accept."""
        for sock in self._sockets:
            sock.setblocking(False)
            sock.listen(BACKLOG)
            self._loop.add_reader(sock, self._accept, sock)

    def close(self) -> None:
        """Accept nothing more. The sockets stay open; connections that are not ready to be used are dropped."""
        for sock in self._sockets:
            self._loop.remove_reader(sock)
        for pause in self._pauses.values():
            pause.cancel()
        for task in self._opening:
            task.cancel()

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(_BATCH):
            try:
                sock, _ = listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    self._pause(listener, error)
                    return
                continue  # the connection ended before it was accepted
            self._admit(sock)

    def _pause(self, listener: socket.socket, error: OSError) -> None:
        """Give back some descriptors and try again: there is no event for those that others give back."""
        log.warning("cannot accept connections; trying again", error=os.strerror(error.errno or 0))
        for _ in range(_GIVEN_BACK):
            self._evict()
        self._loop.remove_reader(listener)
        self._pauses[listener] = self._loop.call_later(
            _PAUSE_SECONDS, self._loop.add_reader, listener, self._accept, listener
        )

    def _admit(self, sock: socket.socket) -> None:
        if len(self._connections) + len(self._opening) >= self._limits.connections and not self._evict():
            log.warning("connection refused: all others are being answered", connections=self._limits.connections)
            self._turn_away(sock)
            return
        sock.setblocking(False)
        task = self._loop.create_task(self._open(sock))
        self._opening[task] = None
        task.add_done_callback(lambda done: self._opened(done, sock))

    def _turn_away(self, sock: socket.socket) -> None:
        with sock:
            try:
                sock.setblocking(False)
                if self._security().tls is None:
                    sock.send(_TOO_MANY)
            except OSError:
                log.debug("a refused client had left")

    def _evict(self) -> bool:
        """Drop the connection that has waited for its client the longest, if there is one."""
        waiting = [
            (since, connection) for connection in self._connections if (since := connection.waiting_since) is not None
        ]
        if waiting:
            _, longest = min(waiting, key=lambda pair: pair[0])
            longest.abort()
            return True
        oldest = next(iter(self._opening), None)
        return oldest is not None and oldest.cancel()

    def _opened(self, task: asyncio.Task[None], sock: socket.socket) -> None:
        del self._opening[task]
        if task.cancelled():  # perhaps before it began
            sock.close()

    async def _open(self, sock: socket.socket) -> None:
        try:
            security = self._security()
            timeout = self._limits.handshake_seconds if security.tls is not None else None
            await self._loop.connect_accepted_socket(
                lambda: self._make(security),
                sock,
                ssl=security.tls,
                ssl_handshake_timeout=timeout,
                ssl_shutdown_timeout=timeout,
            )
        except ssl.SSLError as error:
            sock.close()
            log.warning("TLS handshake failed", error=error.reason or str(error))
        except OSError as error:
            sock.close()
            log.debug("connection lost before it was ready", error=str(error))
