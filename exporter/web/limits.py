"""How much of the web server one client, or all of them together, may take up."""

import resource
from dataclasses import dataclass, field

MAX_CONNECTIONS = 512
"""Far above what Prometheus servers, probes and people need; 512 idle connections take some 20 MB."""


def max_connections() -> int:
    """As many connections as there should be here: half the file descriptors stay free for the API and for files."""
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MAX_CONNECTIONS if descriptors == resource.RLIM_INFINITY else min(MAX_CONNECTIONS, descriptors // 2)


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of the web server. docs/security.md states the defaults; a test compares the two.

    Attributes:
        connections: Connections open at the same time. A new one takes the place of the one that has waited for its
            client the longest; where every connection is being answered, it is refused.
        requests: Requests answered at the same time, health and readiness apart; the next one gets 503.
        handshake_seconds: For a TLS handshake.
        header_seconds: From the connection, or the first byte of a later request, to the end of the header.
        body_seconds: From the end of the header to the end of the body.
        answer_seconds: From the end of the request until the client has read the response. It contains the longest
            scrape.
        idle_seconds: Between two requests. Longer than the usual scrape intervals, so that a scraper finds its
            connection still open.
        linger_seconds: For what was sent last to arrive before the connection is dropped, and for the responses under
            way when the server stops.
        url_bytes: The path and the query.
        header_bytes: The whole header, with the request line.
        body_bytes: The body, which no endpoint needs. Less than uvicorn buffers before it stops reading.
    """

    connections: int = field(default_factory=max_connections)
    requests: int = 128
    handshake_seconds: float = 10.0
    header_seconds: float = 10.0
    body_seconds: float = 10.0
    answer_seconds: float = 150.0
    idle_seconds: float = 130.0
    linger_seconds: float = 1.5
    url_bytes: int = 4096
    header_bytes: int = 16_384
    body_bytes: int = 32_768
