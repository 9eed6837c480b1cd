"""A web server that may open few files; prints its address, and serves until its standard input ends."""

import asyncio
import os
import resource
import sys

from exporter import logs
from exporter.web.limits import Limits
from exporter.web.listen import Address, listen, url
from exporter.web.server import Server
from tests.web.serving import Slow

CONNECTIONS = 20
"""Possible before the descriptors run out; the server itself would take more."""


async def main() -> None:
    sock = listen(Address("127.0.0.1", 0))
    server = Server(Slow().app, [sock], limits=Limits(connections=1000))
    serving = asyncio.create_task(server.run_until_stopped())
    await asyncio.to_thread(lambda: None)  # opens what asyncio itself needs
    opened = len(os.listdir("/proc/self/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (opened + CONNECTIONS, opened + CONNECTIONS))
    print(url(sock), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    server.stop()
    await serving


if __name__ == "__main__":
    logs.configure("debug")
    asyncio.run(main())
