"""What a brute force over the simulator's own state says the numbers are. Shares nothing with the exporter."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from exporter.simulator import TrueItem, Truth

LIVE = ("queued", "starting", "active", "stopping")

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


def expected(truth: Truth, read_at: Mapping[str, float] = MappingProxyType({})) -> Expected:
    """Compute every number from the items.

    Args:
        truth: The items.
        read_at: At which moment each live one was read, to which its age is counted; if nothing is said, now.
    """
    since = {state: _times(truth, read_at, _since, state) for state in LIVE}
    beats = _times(truth, read_at, _beat, "active", "stopping")
    ages = {state: [max(0.0, now - time) for now, time in times] for state, times in since.items()}
    lags = [max(0.0, now - beat) for now, beat in beats]
    return Expected(
        counts=dict(truth.counts),
        oldest_age={state: max(each, default=0.0) for state, each in ages.items()},
        oldest_queued_at=min((time for _, time in since["queued"]), default=None),
        queue_age=_buckets(ages["queued"]),
        max_heartbeat_lag=max(lags, default=0.0),
        oldest_heartbeat_at=min((beat for _, beat in beats), default=None),
        heartbeat_lag=_buckets(lags),
    )


def misread(truth: Truth, work_ids: Collection[str], **fields: Any) -> Truth:
    """What is true as far as it can be read where these items show only this in these fields."""
    items = tuple(replace(item, **fields) if item.id in work_ids else item for item in truth.items)
    states = dict.fromkeys(truth.counts, 0) | Counter(item.state for item in items)
    known = {state: count for state, count in states.items() if count or state in (*LIVE, "stopped")}
    return replace(truth, items=items, counts=known)


def _times(
    truth: Truth, read_at: Mapping[str, float], step: Callable[[TrueItem], float | None], *states: str
) -> list[tuple[float, float]]:
    """When each item in these states was read, and the time of this step of it, where it has one."""
    found = [(read_at.get(item.id, truth.now), step(item)) for item in truth.in_state(*states)]
    return [(now, time) for now, time in found if time is not None]


def _since(item: TrueItem) -> float | None:
    """When it entered its state, or the last step before that which the API dates."""
    steps = (item.created_at, item.acknowledged_at, item.started_at, item.stop_requested_at)
    return _first(*reversed(steps[: LIVE.index(item.state) + 1]))


def _beat(item: TrueItem) -> float | None:
    return _first(item.latest_heartbeat_at, item.started_at, item.acknowledged_at)


def _first(*times: float | None) -> float | None:
    """The first step that the API dates."""
    return next((time for time in times if time is not None), None)


def _buckets(values: list[float]) -> tuple[int, ...]:
    return tuple(sum(1 for value in values if value <= bound) for bound in BOUNDS)
