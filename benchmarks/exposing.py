"""The exporter's own web server on synthetic environments: every scrape finds all of them changed."""

import asyncio
import itertools
import socket
import threading
import time
from collections.abc import Sequence
from typing import Any

from benchmarks.child import answer
from benchmarks.synthetic import busy, later
from exporter.cli.wiring import web_settings
from exporter.config import Config
from exporter.metrics.exposition import Exposition
from exporter.tracking.observation import Observation
from exporter.tracking.view import EnvironmentIdentity, EnvironmentView, FleetView
from exporter.web import app
from exporter.web.app import Unchanging, WebSettings
from exporter.web.server import Server


class Synthetic:
    """Shows two views in turn; or, to many scrapers that come at once, the same as after a refresh they share.

    Attributes:
        together: How many scrapers are awaited and then answered with one view; 0 to answer each with another one.
    """

    ready = True

    def __init__(self, environments: int) -> None:
        first = busy(environments)
        self._views = itertools.cycle((first, later(first)))
        self._shown = first
        self._waiting = 0
        self._all_here = asyncio.Event()
        self.together = 0

    def gather(self, scrapers: int) -> None:
        """Wait for so many scrapers from now on; called in another thread while nobody scrapes."""
        self.together, self._waiting, self._all_here = scrapers, 0, asyncio.Event()

    async def collect(self, deadline: float, only: EnvironmentIdentity | None = None) -> FleetView:
        del deadline, only
        if self.together:
            self._waiting += 1
            if self._waiting == self.together:
                self._shown = next(self._views)
                self._all_here.set()
            await self._all_here.wait()
        else:
            self._shown = next(self._views)
        return self._shown

    async def probe(self, environment_id: str, deadline: float, account: str | None = None) -> EnvironmentView | None:
        del environment_id, deadline, account
        return None

    def items(self, environment: EnvironmentIdentity) -> Sequence[Observation]:
        del environment
        return ()

    def view(self) -> FleetView:
        return self._shown

    def interrupt(self) -> None:
        """Nothing is under way."""


class Watched(Exposition):
    """Counts its encodings."""

    encodings = 0

    async def _body(self, *args: Any, **options: Any) -> Any:
        Watched.encodings += 1
        return await super()._body(*args, **options)


class Longest:
    """The CPU time of the event loop's longest callback, which the load of the machine does not change."""

    def __init__(self) -> None:
        self._seconds = 0.0
        run = asyncio.Handle._run

        def timed(handle: asyncio.Handle) -> None:
            began = time.thread_time()
            run(handle)
            self._seconds = max(self._seconds, time.thread_time() - began)

        setattr(asyncio.Handle, "_run", timed)  # noqa: B010

    def taken(self) -> float:
        """Return it since the last call."""
        seconds, self._seconds = self._seconds, 0.0
        return seconds


def main() -> None:
    """Serve in a thread; tell the address, and whatever is asked."""
    longest = Longest()
    fleets: list[Synthetic] = []

    def serve(environments: int, listener: socket.socket) -> None:
        fleets.append(Synthetic(environments))
        setattr(app, "Exposition", Watched)  # noqa: B010
        asyncio.run(Server(app.create_app(Unchanging(fleets[0], settings())), [listener]).run_until_stopped())

    def respond(request: dict[str, Any]) -> object:
        if "environments" in request:
            listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
            listener.setblocking(False)
            threading.Thread(target=serve, args=(request["environments"], listener), daemon=True).start()
            return "{}:{}".format(*listener.getsockname())
        fleets[0].gather(request["together"])
        found = {"longest": longest.taken(), "encodings": Watched.encodings}
        Watched.encodings = 0
        return found

    answer(respond)


def settings() -> WebSettings:
    """The defaults."""
    return web_settings(Config(), "/metrics")


if __name__ == "__main__":
    main()
