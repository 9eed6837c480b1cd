"""Running the exporter until it is told to stop."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Iterator, Sequence

import structlog

from exporter.tracking.fleet import Fleet
from exporter.web.app import WebSettings, create_app
from exporter.web.server import Server

CLOSE_SECONDS = 2
"""How long the fleet may take to close, after the server has stopped."""

log = structlog.get_logger()


async def serve(fleet: Fleet, sockets: Sequence[socket.socket], settings: WebSettings) -> None:
    """Serve a fleet's metrics until SIGTERM or SIGINT; a second signal waits for nothing.

    Args:
        fleet: What to show; started here, and closed at the end.
        sockets: Where to listen; closed at the end.
        settings: How to answer.
    """
    server = Server(create_app(fleet, settings), sockets)

    def stop() -> None:
        log.info("stopping")
        fleet.interrupt()  # scrapes under way are answered at once, with what is known
        server.stop()

    with on_signals(stop):
        starting = asyncio.create_task(fleet.start())
        starting.add_done_callback(lambda task: None if _went_well(task) else server.stop())
        try:
            await server.run_until_stopped()
        finally:
            starting.cancel()
            await _close(fleet)
        with contextlib.suppress(asyncio.CancelledError):
            await starting
    log.info("stopped")


@contextlib.contextmanager
def on_signals(callback: Callable[[], None]) -> Iterator[None]:
    """Call back at SIGTERM and SIGINT, inside this block."""
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGTERM, signal.SIGINT)
    for number in numbers:
        loop.add_signal_handler(number, callback)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


def _went_well(task: asyncio.Task[None]) -> bool:
    return task.cancelled() or task.exception() is None


async def _close(fleet: Fleet) -> None:
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await fleet.close()
    except TimeoutError:
        log.warning("closing took too long and was cut short", seconds=CLOSE_SECONDS)
