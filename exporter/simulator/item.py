"""A work item as the simulated control plane keeps it."""

from collections.abc import Mapping
from types import MappingProxyType

from msgspec import Struct, field

from exporter.simulator.ids import SESSION, WORK

QUEUED, STARTING, ACTIVE, STOPPING, STOPPED = STATES = ("queued", "starting", "active", "stopping", "stopped")
"""The documented states, in the order of a life (`work/schemas`)."""

NO_METADATA: Mapping[str, str] = MappingProxyType({})


def no_metadata() -> Mapping[str, str]:
    """Return the empty metadata that all items without any share."""
    return NO_METADATA


class Delivery(Struct, gc=False):
    """A poll's answer that has not been acknowledged yet.

    Attributes:
        at_us: When the poll delivered the item.
        worker_id: The poller's ``Worker-ID``, if it sent one.
        reclaim_us: The poll's ``reclaim_older_than_ms``.
    """

    at_us: int
    worker_id: str | None
    reclaim_us: int


class Lease(Struct, gc=False):
    """A worker's hold on an item since its ack.

    Attributes:
        worker_id: The holder's ``Worker-ID``, if it sent one.
        heartbeat_us: The holder's latest heartbeat: what the next one is compared with.
        expires_us: When the lease lapses; None if it never does.
    """

    worker_id: str | None = None
    heartbeat_us: int | None = None
    expires_us: int | None = None


class WorkItem(Struct, gc=False, eq=False):
    """One work item.

    A million of these fit in memory and do not slow the garbage collector down: it does not look at them, as they
    are in no cycle. History shares its metadata and derives its session from the work's ID.

    Attributes:
        id: ``work_`` and a UUIDv7.
        created_us: Microseconds since the epoch, like every other ``_us``; None where it has not happened.
        state: One of `STATES`, or any other word a test has put there.
        metadata: Never changed in place.
        data: Type and ID of what the work is about; None stands for a session derived from the work's ID.
    """

    id: str
    created_us: int
    state: str = QUEUED
    acknowledged_us: int | None = None
    started_us: int | None = None
    heartbeat_us: int | None = None
    stop_requested_us: int | None = None
    stopped_us: int | None = None
    metadata: Mapping[str, str] = field(default_factory=no_metadata)
    data: tuple[str, str] | None = None
    delivery: Delivery | None = None
    lease: Lease | None = None

    @property
    def subject(self) -> tuple[str, str]:
        """Type and ID of what the work is about."""
        return self.data or ("session", SESSION + self.id.removeprefix(WORK))


def item_id(item: WorkItem) -> str:
    """Return the item's ID: the key by which lists of items are sorted."""
    return item.id
