"""What a worker or an operator may do with one work item, and what is refused."""

from collections.abc import Mapping
from dataclasses import dataclass

from exporter.simulator.clock import MICROSECONDS
from exporter.simulator.errors import InvalidRequestError, PreconditionFailedError, StateConflictError
from exporter.simulator.item import ACTIVE, QUEUED, STARTING, STOPPED, STOPPING, Lease, WorkItem
from exporter.simulator.queue import WorkQueue

SHORTEST_TTL, LONGEST_TTL = 10, 600
"""Seconds to which ``desired_ttl_seconds`` is clamped (`work/heartbeat`)."""
NO_HEARTBEAT = "NO_HEARTBEAT"
"""What a worker expects before its first heartbeat (`work/heartbeat`)."""
MOST_METADATA, LONGEST_KEY, LONGEST_VALUE = 16, 64, 512
"""Limits of metadata (`conventions/schemas`)."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What a worker believes to be the lease's latest heartbeat; None for none yet."""

    heartbeat_us: int | None


def ack(queue: WorkQueue, item: WorkItem, now_us: int, worker_id: str | None) -> None:
    """Claim a queued item: it is starting now. Repeating it while starting or active changes nothing (`work/ack`).

    Raises:
        StateConflictError: Another worker holds the item, or it is stopping or stopped.
    """
    if item.state == QUEUED:
        _claim(queue, item, now_us, worker_id)
    elif item.state in (STARTING, ACTIVE):
        holder = item.lease.worker_id if item.lease is not None else None
        _refuse_other_worker(holder, worker_id)
    else:
        raise StateConflictError(f"A work item that is {item.state} cannot be acknowledged.")


def _claim(queue: WorkQueue, item: WorkItem, now_us: int, worker_id: str | None) -> None:
    if item.delivery is None and queue.options.ack_needs_delivery:
        raise StateConflictError("No poll has delivered this work item.")
    poller = item.delivery.worker_id if item.delivery is not None else None
    _refuse_other_worker(poller, worker_id)
    queue.move(item, STARTING)
    item.acknowledged_us = now_us
    item.lease = Lease(worker_id or poller)
    if queue.options.starting_expiry != "keep":
        item.lease.expires_us = now_us + queue.options.default_ttl_seconds * MICROSECONDS
        queue.watch_lease(item)


def _refuse_other_worker(holder: str | None, worker_id: str | None) -> None:
    if holder is not None and worker_id is not None and holder != worker_id:
        raise StateConflictError("This work item is claimed by another worker.")


def heartbeat(
    queue: WorkQueue, item: WorkItem, now_us: int, *, expected: Expected | None, desired_ttl: int | None
) -> tuple[bool, int]:
    """Extend the lease; the first heartbeat makes a starting item active (`work/heartbeat`).

    Args:
        queue: The item's queue.
        item: The item.
        now_us: The present.
        expected: What the worker believes; None if it does not say.
        desired_ttl: Seconds it asks for.

    Returns:
        Whether the lease was extended, and its seconds.

    Raises:
        StateConflictError: The item is queued, stopped or in no documented state.
        PreconditionFailedError: ``expected`` is not the lease's latest heartbeat.
    """
    if item.state not in (STARTING, ACTIVE, STOPPING):
        raise StateConflictError(f"A work item that is {item.state} takes no heartbeat.")
    lease = item.lease = item.lease or Lease(heartbeat_us=item.heartbeat_us)
    if expected is not None and expected.heartbeat_us != lease.heartbeat_us:
        raise PreconditionFailedError("The expected heartbeat is not the latest one: another worker has the lease.")
    ttl = min(max(desired_ttl or queue.options.default_ttl_seconds, SHORTEST_TTL), LONGEST_TTL)
    lease.heartbeat_us = item.heartbeat_us = now_us
    extended = item.state != STOPPING or queue.options.extend_stopping_lease
    if extended:
        lease.expires_us = now_us + ttl * MICROSECONDS
        queue.watch_lease(item)
    if item.state == STARTING:
        item.started_us = now_us
        queue.move(item, ACTIVE)
    return extended, ttl


def stop(queue: WorkQueue, item: WorkItem, now_us: int, *, force: bool) -> None:
    """Ask the worker to stop, or end the item: at once if forced, queued or already stopping (`work/stop`)."""
    if item.state == STOPPED:
        return
    if not force and item.state not in (QUEUED, STOPPING):
        item.stop_requested_us = now_us
        queue.move(item, STOPPING)
        return
    item.stopped_us = now_us
    queue.move(item, STOPPED)


def update_metadata(item: WorkItem, patch: Mapping[str, str | None]) -> None:
    """Merge metadata: a string sets a key, null deletes it (`work/update`).

    Raises:
        InvalidRequestError: The result would exceed the limits of metadata.
    """
    merged = {**item.metadata, **{key: value for key, value in patch.items() if value is not None}}
    for key in patch:
        if patch[key] is None:
            merged.pop(key, None)
        elif len(key) > LONGEST_KEY or len(merged[key]) > LONGEST_VALUE:
            raise InvalidRequestError(
                f"A metadata key has at most {LONGEST_KEY} characters and a value {LONGEST_VALUE}.", "metadata"
            )
    if len(merged) > MOST_METADATA:
        raise InvalidRequestError(f"There can be at most {MOST_METADATA} metadata pairs.", "metadata")
    item.metadata = merged
