"""What the tests of installations share: free ports, and waiting for a process to get somewhere."""

import socket
import subprocess
import time
from collections.abc import Callable

PATIENCE = 120


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def until(process: "subprocess.Popen[str]", condition: Callable[[], bool], what: str) -> None:
    """Wait for something that takes a moment while a process runs."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert process.poll() is None, f"it ended with {process.returncode} before there was {what}"
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.1)
