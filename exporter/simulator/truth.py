"""What is true of an environment at one moment, counted by brute force over its items.

Tests compare what a client reports with this. It shares no index, page or encoder with the API.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from exporter.simulator.clock import MICROSECONDS, microseconds
from exporter.simulator.environment import Environment
from exporter.simulator.item import QUEUED, STATES, STOPPED, WorkItem


@dataclass(frozen=True, slots=True)
class TrueItem:
    """A work item with its times as the API shows them, in Unix seconds: whole ones except for heartbeats."""

    id: str
    state: str
    created_at: float
    acknowledged_at: float | None
    started_at: float | None
    latest_heartbeat_at: float | None
    stop_requested_at: float | None
    stopped_at: float | None
    metadata: Mapping[str, str]
    data_type: str
    data_id: str


@dataclass(frozen=True, slots=True)
class Truth:
    """An environment at one moment.

    Attributes:
        environment_id: Whose truth it is.
        now: The moment, in Unix seconds of the simulated clock.
        counts: Items by state; the documented states are always there, at 0 too.
        items: The items, ascending by ID; without the stopped ones if only live ones were asked for.
        depth: Queued items that can be claimed now, by the environment's options (`work/stats`).
        pending: Queued items delivered within the redelivery window.
        oldest_queued_at: When the oldest queued item was created, in Unix seconds.
        workers_polling: Workers with a ``Worker-ID`` that polled within the window.
    """

    environment_id: str
    now: float
    counts: Mapping[str, int]
    items: tuple[TrueItem, ...]
    depth: int
    pending: int
    oldest_queued_at: float | None
    workers_polling: int

    @property
    def live(self) -> tuple[TrueItem, ...]:
        """The items that are not stopped."""
        return tuple(item for item in self.items if item.state != STOPPED)

    def in_state(self, *states: str) -> tuple[TrueItem, ...]:
        """Return the items in one of these states."""
        return tuple(item for item in self.items if item.state in states)


def observe(environment: Environment, now_us: int, *, live_only: bool) -> Truth:
    """Count an environment's items at this moment."""
    items = environment.queue.items
    options = environment.options
    queued = [item for item in items if item.state == QUEUED]
    pending = [item for item in queued if _is_pending(item, now_us, options.pending_window_seconds)]
    claimable = len(queued) - len(pending)
    waiting = queued if options.oldest_includes_pending else [item for item in queued if item not in pending]
    workers_us = microseconds(options.workers_window_seconds)
    return Truth(
        environment_id=environment.id,
        now=now_us / MICROSECONDS,
        counts=MappingProxyType(dict.fromkeys(STATES, 0) | Counter(item.state for item in items)),
        items=tuple(_as_shown(item) for item in items if not (live_only and item.state == STOPPED)),
        depth=len(queued) if options.depth_includes_pending else claimable,
        pending=len(pending),
        oldest_queued_at=min((item.created_us // MICROSECONDS for item in waiting), default=None),
        workers_polling=sum(1 for at_us in environment.queue.pollers.values() if now_us - at_us <= workers_us),
    )


def _is_pending(item: WorkItem, now_us: int, window_seconds: float | None) -> bool:
    if item.delivery is None:
        return False
    window_us = item.delivery.reclaim_us if window_seconds is None else microseconds(window_seconds)
    return now_us - item.delivery.at_us < window_us


def _as_shown(item: WorkItem) -> TrueItem:
    data_type, data_id = item.subject
    return TrueItem(
        id=item.id,
        state=item.state,
        created_at=item.created_us // MICROSECONDS,
        acknowledged_at=_whole(item.acknowledged_us),
        started_at=_whole(item.started_us),
        latest_heartbeat_at=None if item.heartbeat_us is None else item.heartbeat_us / MICROSECONDS,
        stop_requested_at=_whole(item.stop_requested_us),
        stopped_at=_whole(item.stopped_us),
        metadata=MappingProxyType(dict(item.metadata)),
        data_type=data_type,
        data_id=data_id,
    )


def _whole(time_us: int | None) -> float | None:
    return None if time_us is None else float(time_us // MICROSECONDS)
