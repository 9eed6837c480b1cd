"""What a brute force over the simulator's own state says the numbers are. Shares nothing with the exporter."""

from collections.abc import Mapping
from dataclasses import dataclass

from exporter.simulator import TrueItem, Truth

BOUNDS = (
    *(1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400, 172800, 604800),
    float("inf"),
)


@dataclass(frozen=True)
class Expected:
    """The numbers of one environment.

    Attributes:
        counts: Items by state.
        oldest_age: Seconds, by state.
        oldest_queued_at: Unix time or None.
        queue_age: Items in each bucket, cumulative.
        max_heartbeat_lag: Seconds.
        oldest_heartbeat_at: Unix time or None.
        heartbeat_lag: Items in each bucket, cumulative.
    """

    counts: Mapping[str, int]
    oldest_age: Mapping[str, float]
    oldest_queued_at: float | None
    queue_age: tuple[int, ...]
    max_heartbeat_lag: float
    oldest_heartbeat_at: float | None
    heartbeat_lag: tuple[int, ...]


def expected(truth: Truth) -> Expected:
    """Compute every number from the items."""
    since = {
        "queued": [item.created_at for item in truth.in_state("queued")],
        "starting": [_first(item.acknowledged_at, item.created_at) for item in truth.in_state("starting")],
        "active": [_first(item.started_at, item.acknowledged_at, item.created_at) for item in truth.in_state("active")],
        "stopping": [
            _first(item.stop_requested_at, item.started_at, item.acknowledged_at, item.created_at)
            for item in truth.in_state("stopping")
        ],
    }
    queued = since["queued"]
    beats = [_beat(item) for item in truth.in_state("active", "stopping")]
    return Expected(
        counts=dict(truth.counts),
        oldest_age={
            state: max((max(0.0, truth.now - time) for time in times), default=0.0) for state, times in since.items()
        },
        oldest_queued_at=min(queued, default=None),
        queue_age=_buckets([truth.now - time for time in queued]),
        max_heartbeat_lag=max((max(0.0, truth.now - beat) for beat in beats), default=0.0),
        oldest_heartbeat_at=min(beats, default=None),
        heartbeat_lag=_buckets([truth.now - beat for beat in beats]),
    )


def _beat(item: TrueItem) -> float:
    return _first(item.latest_heartbeat_at, item.started_at, item.acknowledged_at)


def _first(*times: float | None) -> float:
    """The first step that the API dates."""
    return next(time for time in times if time is not None)


def _buckets(values: list[float]) -> tuple[int, ...]:
    return tuple(sum(1 for value in values if max(0.0, value) <= bound) for bound in BOUNDS)
