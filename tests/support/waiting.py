"""Waiting for another program, and addresses that nobody else uses."""

import itertools
import os
import socket
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE = 120
"""Seconds after which a test gives up waiting for a program; far beyond what any takes, on a busy machine too."""

_FIRST_PORT, _PORTS = 20_000, 12_000
"""Below the ports that the kernel gives to outgoing connections: none of them takes one that is still to be used."""

_candidates = itertools.count(os.getpid() * 37 % _PORTS)
"""Each process of the tests begins somewhere else."""


def free_port() -> int:
    """A port on which nothing listens, and which no other test is given soon."""
    for candidate in _candidates:
        port = _FIRST_PORT + candidate % _PORTS
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("the candidates never end")


def until(condition: Callable[[], bool], waiting_for: str | Callable[[], str]) -> None:
    """Poll until a condition holds, or fail and say what was waited for."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            what = waiting_for if isinstance(waiting_for, str) else waiting_for()
            raise AssertionError(f"waited {PATIENCE} s in vain for {what}")
        time.sleep(0.1)


def eventually(look: Callable[[], T | None], what: str | Callable[[], str]) -> T:
    """Wait until there is something, and return it; the error of a wait in vain says what was waited for."""
    found: list[T] = []

    def there() -> bool:
        seen = look()
        if seen is not None:
            found.append(seen)
        return bool(found)

    until(there, what)
    return found[0]
