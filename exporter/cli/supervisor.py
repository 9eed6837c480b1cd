"""Telling the service manager that started the program how it is doing, as sd_notify(3) of systemd describes it."""

import os
import socket
from collections.abc import Mapping
from typing import Literal

import structlog

State = Literal["READY=1", "STOPPING=1"]

log = structlog.get_logger()


def tell(state: State, environ: Mapping[str, str] = os.environ) -> None:
    """Tell the service manager a state, if there is one that wants to know.

    Args:
        state: READY once connections are accepted, whatever the API does; STOPPING once none are any more.
        environ: The environment variables; ``NOTIFY_SOCKET`` is where it listens.
    """
    address = environ.get("NOTIFY_SOCKET")
    if not address:
        return
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.sendto(state.encode(), address.replace("@", "\0", 1) if address.startswith("@") else address)
    except OSError as error:  # it then waits for as long as its unit says, and knows no more than without this
        log.warning("the service manager cannot be told", state=state, error=str(error))
