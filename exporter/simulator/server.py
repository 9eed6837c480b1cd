"""The simulated API over real HTTP: in the running event loop, or in a thread of its own."""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AsyncExitStack, contextmanager
from functools import partial
from types import TracebackType

import uvicorn

from exporter.simulator.actors import Actor, acting
from exporter.simulator.app import BASE_PATH, create_app
from exporter.simulator.connection import ConnectionProtocol
from exporter.simulator.simulation import Simulation


class _Server(uvicorn.Server):
    """A uvicorn server that leaves signals to the program it runs in, and is told at once when to end."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()
        self.ending = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def main_loop(self) -> None:
        self.listening.set()
        await self.ending.wait()


class SimulatorServer:
    """Serves a simulation while its ``async with`` block lasts.

    Args:
        simulation: What to serve. It outlives the server: another one may serve it later.
        host: The address to listen on.
        port: The port to listen on; 0 takes a free one.

    Raises:
        OSError: The address cannot be listened on.
    """

    def __init__(self, simulation: Simulation, host: str = "127.0.0.1", port: int = 0) -> None:
        self.simulation = simulation
        self.host = host
        self.port = port
        self._cleanup = AsyncExitStack()

    @property
    def url(self) -> str:
        """The server's address; ``/simulator`` lies under it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def base_url(self) -> str:
        """The API's address, as clients are configured with."""
        return self.url + BASE_PATH

    async def __aenter__(self) -> "SimulatorServer":
        """Listen; requests are answered from now on."""
        listener = _listen(self.host, self.port)
        self._cleanup.callback(listener.close)
        self.port = listener.getsockname()[1]
        config = uvicorn.Config(
            create_app(self.simulation),
            http=ConnectionProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            date_header=False,
            server_header=False,
            timeout_keep_alive=60,
        )
        server = _Server(config)
        running = asyncio.create_task(server.serve(sockets=[listener]))
        self._cleanup.push_async_callback(_end, server, running)
        await server.listening.wait()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening and cut every connection, whatever it waits for."""
        await self._cleanup.aclose()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns off Nagle's algorithm only where the protocol is given: 40 ms an answer otherwise.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise OSError(error.errno, f"{host}:{port}: {error.strerror}") from None
    return listener


async def _end(server: _Server, running: asyncio.Task[None]) -> None:
    server.ending.set()
    for connection in list(server.server_state.connections):
        if isinstance(connection, ConnectionProtocol):
            connection.hang_up()
    await running


class SimulatorThread:
    """Serves a simulation from a thread of its own while its ``with`` block lasts, for synchronous code.

    Args:
        simulation: What to serve.
        host: The address to listen on.
        port: The port to listen on; 0 takes a free one.
        actors: Who acts on it meanwhile.
    """

    def __init__(
        self, simulation: Simulation, host: str = "127.0.0.1", port: int = 0, *, actors: Iterable[Actor] = ()
    ) -> None:
        self._server = SimulatorServer(simulation, host, port)
        self._actors = tuple(actors)
        self._thread = threading.Thread(target=self._run, name="simulator", daemon=True)
        self._ready = threading.Event()
        self._error: BaseException | None = None
        self._end: Callable[[], object] = self._ready.wait

    @property
    def url(self) -> str:
        """The server's address; ``/simulator`` lies under it."""
        return self._server.url

    @property
    def base_url(self) -> str:
        """The API's address, as clients are configured with."""
        return self._server.base_url

    def __enter__(self) -> "SimulatorThread":
        """Start the thread and wait until requests are answered."""
        self._thread.start()
        self._ready.wait()
        if self._error is not None:
            self._thread.join()
            raise self._error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the server and end the thread."""
        self._end()
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001 -- raised again in the thread that waits
            self._error = error
        finally:
            self._ready.set()

    async def _serve(self) -> None:
        ending = asyncio.Event()
        self._end = partial(asyncio.get_running_loop().call_soon_threadsafe, ending.set)
        clock = self._server.simulation.clock
        async with self._server, acting(self._actors, clock, self._server.base_url):
            self._ready.set()
            await ending.wait()
