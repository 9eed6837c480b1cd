"""What the API answers, decoded from bytes in one step.

Fields that are not used are not decoded, a work item's ``secret`` first of all. Unknown fields and unknown states are
accepted. Timestamps are RFC 3339 with any number of fraction digits (`conventions/schemas`).
"""

from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec

TIMESTAMPS = (
    *("created_at", "acknowledged_at", "started_at", "latest_heartbeat_at", "stop_requested_at"),
    *("stopped_at", "oldest_queued_at", "archived_at", "updated_at"),
)
"""The fields that hold a time, in any of the objects."""


def unix(moment: datetime) -> float:
    """Unix time in seconds; a time without an offset is UTC."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.timestamp()


ID = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
"""The ID of anything: a prefix and 32 digits as the API makes them; longer ones are not believed."""

State = Annotated[str, msgspec.Meta(max_length=64)]
"""A state; a longer one than any that a later API may invent is unreadable."""

Name = Annotated[str, msgspec.Meta(max_length=256)]
"""The name of an environment; a longer one is unreadable, and the ID stands for it."""


class WorkData(msgspec.Struct, frozen=True, gc=False):
    """What a work item is for: currently always a session (`work/schemas`)."""

    type: str | None = None
    id: str | None = None


class WorkItem(msgspec.Struct, frozen=True, gc=False):
    """A work item (`work/schemas`).

    ``state`` is queued, starting, active, stopping, stopped, or a state that a later API invents. ``metadata`` is a
    user's text: strings by the documentation, decoded without relying on it. ``unreadable`` is not the API's: whether
    the state or a time is there and cannot be read; the item then has what can, and the state ``other``.
    """

    id: ID
    state: State
    environment_id: str | None = None
    created_at: datetime | None = None
    acknowledged_at: datetime | None = None
    started_at: datetime | None = None
    latest_heartbeat_at: datetime | None = None
    stop_requested_at: datetime | None = None
    stopped_at: datetime | None = None
    data: WorkData | None = None
    metadata: dict[str, Any] | None = None
    unreadable: bool = msgspec.field(default=False, name="(unreadable)")

    @property
    def session_id(self) -> str | None:
        """The session the item is for, or None if it is for something else."""
        return self.data.id if self.data is not None and self.data.type == "session" else None


class WorkPage(msgspec.Struct, frozen=True, gc=False):
    """A page of the work list, oldest first (`work/list`).

    ``has_more`` is missing in some deployments; ``next_page`` in others. ``without_id`` is not the API's: for each
    further item, which has no ID, the ID before it on the page, or None.
    """

    data: list[WorkItem]
    has_more: bool | None = None
    next_page: str | None = None
    without_id: tuple[str | None, ...] = msgspec.field(default=(), name="(without_id)")

    @property
    def more(self) -> bool:
        """Whether items follow this page."""
        return self.has_more if self.has_more is not None else self.next_page is not None


Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
"""A number of things, small enough to be exact in a metric."""


class QueueStats(msgspec.Struct, frozen=True, gc=False):
    """The API's own statistics of a queue (`work/stats`); any of them may be null."""

    depth: Count | None = None
    pending: Count | None = None
    oldest_queued_at: datetime | None = None
    workers_polling: Count | None = None


class EnvironmentConfig(msgspec.Struct, frozen=True, gc=False):
    """Where an environment's sessions run: ``self_hosted``, ``cloud``, or a later kind (`environments/schemas`)."""

    type: str | None = None


class Environment(msgspec.Struct, frozen=True, gc=False):
    """An environment (`environments/schemas`); ``archived`` and ``status`` stand in older deployments' answers."""

    id: ID
    name: Name | None = None
    config: EnvironmentConfig | None = None
    archived_at: datetime | None = None
    archived: bool | None = None
    status: str | None = None

    @property
    def self_hosted(self) -> bool:
        """Whether it has a work queue at all."""
        return self.config is not None and self.config.type == "self_hosted"

    @property
    def is_archived(self) -> bool:
        """Whether it is closed to new sessions."""
        return self.archived_at is not None or bool(self.archived) or self.status == "archived"


class EnvironmentPage(msgspec.Struct, frozen=True, gc=False):
    """A page of the account's environments, newest first (`environments/list`).

    ``skipped`` is not the API's: the IDs of those that cannot be read.
    """

    data: list[Environment]
    has_more: bool | None = None
    next_page: str | None = None
    last_id: str | None = None
    skipped: tuple[str, ...] = msgspec.field(default=(), name="(skipped)")

    @property
    def cursor(self) -> str | None:
        """What to pass as ``page`` for the next page, or None if this is the last."""
        if self.has_more is False:
            return None
        return self.next_page or (self.last_id if self.has_more else None)
