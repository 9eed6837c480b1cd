"""Listening sockets by the addresses that users write, with errors that say what to change."""

import errno
import os
import re
import socket
from dataclasses import dataclass
from typing import Self

_ADDRESS = re.compile(r"(?:\[(?P<bracketed>[^\[\]]+)\]|(?P<host>[^\[\]:\s]*)):(?P<port>\d{1,5})", re.ASCII)


class ListenError(Exception):
    """An address that cannot be listened on; one line says why and what to do."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen.

    Attributes:
        host: A name or an IP address; empty for all interfaces.
        port: 0 for any free port.
    """

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``:10190``, ``127.0.0.1:0``, ``localhost:10190`` or ``[::1]:9000``.

        Raises:
            ValueError: It is not an address; the text says how to write one.
        """
        match = _ADDRESS.fullmatch(text)
        if match is None or int(match["port"]) > 0xFFFF:
            raise ValueError(f"`{text}` is not an address; write host:port, for example :10190 or 127.0.0.1:10190")
        return cls(match["bracketed"] or match["host"] or "", int(match["port"]))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def listen(address: Address) -> socket.socket:
    """Open a listening socket; all interfaces, and ``[::]`` too, means IPv6 and IPv4, where the machine has both.

    Raises:
        ListenError: The address is taken, not this machine's, or not allowed.
    """
    try:
        sock = _listen_everywhere(address.port) if address.host in {"", "::"} else _listen_on(address)
    except OSError as error:
        raise ListenError(f"cannot listen on {address}: {explain(error)}") from error
    # Connections inherit it. asyncio would set it on each, but not on those of a socket from create_server, and
    # without it an answer of several packets waits 40 ms for the client's acknowledgement.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def url(sock: socket.socket) -> str:
    """The address by which this machine reaches a listening socket, as ``http://host:port``."""
    host, port = sock.getsockname()[:2]
    local = {"::": "127.0.0.1" if socket.has_dualstack_ipv6() else "::1", "0.0.0.0": "127.0.0.1"}  # noqa: S104
    return f"http://{Address(local.get(host, host), port)}"


def _listen_everywhere(port: int) -> socket.socket:
    if socket.has_dualstack_ipv6():
        try:
            return socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True)
        except OSError as error:
            if error.errno != errno.EADDRNOTAVAIL:  # a kernel that has IPv6 may still have it turned off
                raise
    return socket.create_server(("", port))


def _listen_on(address: Address) -> socket.socket:
    found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, *_, where = min(found, key=lambda info: info[0] != socket.AF_INET)
    return socket.create_server((str(where[0]), int(where[1])), family=family)


def explain(error: OSError) -> str:
    """Say why a socket could not be opened, and what to do."""
    if isinstance(error, socket.gaierror):
        return f"the host name cannot be resolved: {error.strerror}"
    match error.errno:
        case errno.EADDRINUSE:
            return "the port is already in use; stop what listens there, or choose another port"
        case errno.EACCES:
            return "this user may not listen there; choose a port above 1023"
        case errno.EADDRNOTAVAIL:
            return "this machine does not have that address"
        case code:
            return os.strerror(code) if code is not None else str(error)
