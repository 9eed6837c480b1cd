"""The simulated API, in a process of its own so that its work is not counted as a client's."""

import random
from collections import Counter
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Any, Self

import httpx
import msgspec

from benchmarks.child import Child, answer
from benchmarks.layout import Layout
from exporter.simulator import DEFAULT_TOKEN, Options, Simulation, SimulatorThread, Times

STATES = ("queued", "queued", "active", "active", "starting", "stopping")
"""The states of live items, by their share."""

METADATA = tuple({"job": job, "team": "data"} for job in ("daily-report", "index", "triage"))


@dataclass(frozen=True, slots=True)
class Environment:
    """An environment of the simulated account.

    Attributes:
        id: Its ID.
        name: Its name.
        items: How many items its list has.
        positions: Where the live ones stand in it.
        counts: The true number of items by state.
    """

    id: str
    name: str
    items: int
    positions: list[int]
    counts: dict[str, int]


@dataclass(frozen=True, slots=True)
class Address:
    """Where the API is.

    Attributes:
        url: The server's address.
        base_url: The API's.
    """

    url: str
    base_url: str


@dataclass(frozen=True, slots=True)
class Received:
    """Requests that were answered, and the bytes of the answers' bodies."""

    requests: int
    bytes: int


class Service:
    """A simulated account with these environments, while a ``with`` block lasts.

    Attributes:
        environments: What there is, in the order of the layouts.
        base_url: The API's address.
    """

    def __init__(self, *layouts: Layout) -> None:
        self._child = Child("benchmarks.service")
        self._layouts = layouts
        self._http = httpx.Client(timeout=None)

    def __enter__(self) -> Self:
        self._child.__enter__()
        address = msgspec.convert(self._child.ask(None), Address)
        self._url, self.base_url = address.url, address.base_url
        self.environments = [msgspec.convert(self._child.ask(asdict(layout)), Environment) for layout in self._layouts]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()
        self._child.__exit__(kind, error, trace)

    def answer_after(self, seconds: float) -> None:
        """Let every answer come so much later."""
        self._control("DELETE", "faults")
        if seconds:
            self._control("POST", "faults", {"kind": "latency", "seconds": seconds})

    def forget_requests(self) -> None:
        """Begin to count anew."""
        self._control("DELETE", "requests")

    def received(self) -> Received:
        """What was asked since then, by the service's own record."""
        endpoints = self._control("GET", "requests").json()["endpoints"].values()
        return Received(*(sum(endpoint[name] for endpoint in endpoints) for name in ("requests", "bytes_sent")))

    def _control(self, method: str, path: str, body: object = None) -> httpx.Response:
        return self._http.request(method, f"{self._url}/simulator/{path}", json=body).raise_for_status()


def populate(simulation: Simulation, layout: Layout) -> Environment:
    """Make an environment of a layout."""
    options = Options(unknown_cursor="compare" if layout.any_cursor else "not_found")
    environment_id = simulation.create_environment(layout.name, options=options)
    simulation.create_history(environment_id, layout.items, metadata=METADATA)
    positions = layout.positions()
    randomness = random.Random(layout.name)
    work_ids = simulation.work_ids(environment_id)
    for position in positions:
        _revive(simulation, environment_id, work_ids[position], randomness.choice(STATES))
    counts = Counter(simulation.truth(environment_id, live_only=True).counts)
    return Environment(environment_id, layout.name, layout.items, positions, dict(counts))


def _revive(simulation: Simulation, environment_id: str, work_id: str, state: str) -> None:
    """Make a stopped item live, as if it had not come so far."""
    cleared = Times(stopped_at=None)
    if state != "stopping":
        cleared["stop_requested_at"] = None
    if state in ("queued", "starting"):
        cleared["started_at"] = cleared["latest_heartbeat_at"] = None
    if state == "queued":
        cleared["acknowledged_at"] = None
    simulation.force(environment_id, work_id, state, **cleared)


def main() -> None:
    """Serve, and make the environments that standard input asks for."""
    simulation = Simulation(seed=1)

    with SimulatorThread(simulation) as server:

        def respond(request: Any) -> object:
            if request is None:
                return Address(server.url, server.base_url)
            return populate(simulation, Layout(**request))

        answer(respond)


__all__ = ["DEFAULT_TOKEN", "Environment", "Received", "Service"]

if __name__ == "__main__":
    main()
