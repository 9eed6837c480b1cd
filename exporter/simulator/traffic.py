"""The requests a simulation has answered, for tests and benchmarks."""

import threading
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager

from msgspec import Struct, field

_REMEMBERED = 10_000


class Exchange(Struct, frozen=True):
    """One request and the answer to it.

    Attributes:
        endpoint: Its name, such as ``list`` or ``heartbeat``; ``unknown`` for a path that does not exist.
        method: The HTTP method.
        path: Without the query.
        query: As it was sent.
        status: Of the answer; 0 if the connection was cut or the client left.
        bytes_sent: Of the answer's body.
        started: When the request arrived, in seconds of a monotonic real clock.
        user_agent: What the client calls itself.
    """

    endpoint: str
    method: str
    path: str
    query: str
    status: int
    bytes_sent: int
    started: float
    user_agent: str


class EndpointTraffic(Struct):
    """The sum of the requests to one endpoint.

    Attributes:
        requests: How many were answered.
        bytes_sent: Of all answers' bodies.
        statuses: Answers by status.
    """

    requests: int = 0
    bytes_sent: int = 0
    statuses: Counter[int] = field(default_factory=Counter)


class Traffic:
    """Counts requests by endpoint and remembers the newest ones.

    Attributes:
        endpoints: The sums, by endpoint.
        recent: The newest requests, oldest first; at most 10,000.
        peak_in_flight: The most requests that were being answered at once, by endpoint; ``""`` for all together.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._in_flight: Counter[str] = Counter()
        self.reset()

    def reset(self) -> None:
        """Forget everything so far."""
        with self._lock:
            self.endpoints: dict[str, EndpointTraffic] = {}
            self.recent: deque[Exchange] = deque(maxlen=_REMEMBERED)
            self.peak_in_flight: dict[str, int] = {}

    @contextmanager
    def answering(self, endpoint: str) -> Iterator[None]:
        """Count a request as in flight inside this block."""
        names = (endpoint, "")
        with self._lock:
            for name in names:
                self._in_flight[name] += 1
                self.peak_in_flight[name] = max(self.peak_in_flight.get(name, 0), self._in_flight[name])
        try:
            yield
        finally:
            with self._lock:
                self._in_flight.subtract(names)

    def record(self, exchange: Exchange) -> None:
        """Add one answered request."""
        with self._lock:
            total = self.endpoints.setdefault(exchange.endpoint, EndpointTraffic())
            total.requests += 1
            total.bytes_sent += exchange.bytes_sent
            total.statuses[exchange.status] += 1
            self.recent.append(exchange)

    def requests(self, *endpoints: str) -> int:
        """Return how many requests were answered, to these endpoints or to all."""
        with self._lock:
            names = endpoints or tuple(self.endpoints)
            return sum(self.endpoints[name].requests for name in names if name in self.endpoints)

    def bytes_sent(self, *endpoints: str) -> int:
        """Return how many bytes of body were sent, by these endpoints or by all."""
        with self._lock:
            names = endpoints or tuple(self.endpoints)
            return sum(self.endpoints[name].bytes_sent for name in names if name in self.endpoints)

    def snapshot(self) -> "TrafficBody":
        """Return a copy of the sums and of the latest requests."""
        with self._lock:
            endpoints = {
                name: EndpointTraffic(total.requests, total.bytes_sent, Counter(total.statuses))
                for name, total in self.endpoints.items()
            }
            return TrafficBody(endpoints, dict(self.peak_in_flight), list(self.recent))


class TrafficBody(Struct, frozen=True):
    """What ``GET /simulator/requests`` answers."""

    endpoints: dict[str, EndpointTraffic]
    peak_in_flight: dict[str, int]
    recent: list[Exchange]
