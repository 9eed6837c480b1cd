"""Running the exporter until it is told to stop."""

import asyncio
import contextlib
import gc
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import structlog

from exporter.cli import supervisor
from exporter.metrics.lag import LoopLag
from exporter.tracking.fleet import Fleet
from exporter.web.app import Exporter, create_app
from exporter.web.security import Security, Watched
from exporter.web.server import Server

CLOSE_SECONDS = 2
"""How long the fleet may take to close, after the server has stopped."""

log = structlog.get_logger()


class Served(Exporter, Protocol):
    """What is served: its fleet is started and closed here."""

    @property
    def fleet(self) -> Fleet:
        """The environments watched."""


async def serve(served: Served, sockets: Sequence[socket.socket], security: Watched | None = None) -> None:
    """Serve metrics until SIGTERM or SIGINT; a second signal waits for nothing. SIGHUP loads the configuration again.

    Args:
        served: What to show.
        sockets: Where to listen; closed at the end.
        security: What protects the server; None for nothing.
    """
    _set_aside()
    lag = LoopLag()
    server = Server(
        create_app(served, lag),
        sockets,
        security=Security if security is None else security.current,
        opened=lambda: supervisor.tell("READY=1"),
    )
    reloads: set[asyncio.Task[Sequence[str]]] = set()

    def stop() -> None:
        log.info("stopping")
        supervisor.tell("STOPPING=1")
        served.fleet.interrupt()  # scrapes under way are answered at once, with what is known
        server.stop()

    def reload() -> None:
        reloads.add(asyncio.create_task(served.reload()))

    with on_signals(stop, signal.SIGTERM, signal.SIGINT), on_signals(reload, signal.SIGHUP):
        if security is not None:
            security.start()
        measuring = asyncio.create_task(lag.run(), name="loop lag")
        starting = asyncio.create_task(served.fleet.start())
        starting.add_done_callback(lambda task: None if _went_well(task) else server.stop())
        try:
            await server.run_until_stopped()
        finally:
            measuring.cancel()
            if security is not None:
                security.stop()
            starting.cancel()
            for task in reloads:
                task.cancel()
            await asyncio.gather(*reloads, return_exceptions=True)
            await _close(served.fleet)
        with contextlib.suppress(asyncio.CancelledError):
            await starting
    log.info("stopped")


@contextlib.contextmanager
def on_signals(callback: Callable[[], None], *numbers: signal.Signals) -> Iterator[None]:
    """Call back at these signals, inside this block."""
    loop = asyncio.get_running_loop()
    for number in numbers:
        loop.add_signal_handler(number, callback)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


def _set_aside() -> None:
    """What is there before the first request stays there: no later garbage collection goes through it again.

    That is most of what Python's collector looks at, 15 ms each time in which the event loop stands still.
    """
    gc.collect()
    gc.freeze()


def _went_well(task: asyncio.Task[None]) -> bool:
    return task.cancelled() or task.exception() is None


async def _close(fleet: Fleet) -> None:
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            await fleet.close()
    except TimeoutError:
        log.warning("shutdown timed out", seconds=CLOSE_SECONDS)
