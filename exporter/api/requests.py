"""The read-only endpoints this exporter uses, and what is counted of the requests to them."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

from exporter.histogram import REQUEST_SECONDS, Histogram

Endpoint = Literal["list", "get", "stats", "environments"]


@dataclass(slots=True)
class RequestCounts:
    """What one account's requests cost so far.

    Attributes:
        requests: Requests sent, by endpoint and status code (``error`` where no answer came).
        durations: Seconds from sending to the end of the answer, by endpoint.
        retries: Requests sent again, by the reason of the failure before.
        paced_seconds: Time waited so as to keep to the rate, summed over all requests.
        received_bytes: Size of all answers' bodies, decompressed.
    """

    requests: Counter[tuple[Endpoint, str]] = field(default_factory=Counter)
    durations: dict[Endpoint, Histogram] = field(default_factory=dict)
    retries: Counter[str] = field(default_factory=Counter)
    paced_seconds: float = 0.0
    received_bytes: int = 0

    def answered(self, endpoint: Endpoint, code: str, seconds: float) -> None:
        """Count one request that was sent, whatever came back."""
        self.requests[endpoint, code] += 1
        self.durations.setdefault(endpoint, Histogram(REQUEST_SECONDS)).observe(seconds)

    @property
    def total(self) -> int:
        """All requests sent."""
        return self.requests.total()
