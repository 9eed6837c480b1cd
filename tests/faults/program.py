"""The exporter, with a resolver that tests steer and a count of its tasks.

``python -m tests.faults.program FOLDER …`` runs ``python -m exporter …``. Names in ``.test`` lead to where the folder
says (`tests.faults.places.resolving`), which is asked again after a second. At SIGUSR1 the number of asyncio's tasks is
written to its file ``tasks``.
"""

import asyncio
import signal
import socket
import sys
from pathlib import Path

import aiohttp

from exporter.cli import main
from tests.faults.places import resolving


def run(folder: Path, arguments: list[str]) -> None:
    """Run the exporter."""

    def count(_number: int, _frame: object) -> None:
        draft = folder / "tasks.draft"
        draft.write_text(str(len(asyncio.all_tasks())))
        draft.rename(folder / "tasks")

    signal.signal(signal.SIGUSR1, count)
    socket.getaddrinfo = resolving(folder)
    (aiohttp.TCPConnector.__init__.__kwdefaults__ or {})["ttl_dns_cache"] = 1
    main(arguments)


if __name__ == "__main__":
    run(Path(sys.argv[1]), sys.argv[2:])
