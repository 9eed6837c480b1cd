"""The API's objects as they go over the wire, and how the queue's items become them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Generic, TypeVar

import msgspec
from msgspec import UNSET, Struct, UnsetType

from exporter.simulator.item import WorkItem
from exporter.simulator.options import EnvelopeField, Options

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 -- times are formatted without an offset, and "Z" added

T = TypeVar("T")


class DataBody(Struct, frozen=True):
    """What the work is about."""

    type: str
    id: str


class WorkBody(Struct, frozen=True, tag_field="type", tag="work"):
    """Work item (`work/schemas`)."""

    id: str
    environment_id: str
    data: DataBody
    state: str
    created_at: str
    acknowledged_at: str | None
    started_at: str | None
    latest_heartbeat_at: str | None
    stop_requested_at: str | None
    stopped_at: str | None
    metadata: Mapping[str, str]
    secret: str | UnsetType | None = UNSET


class HeartbeatBody(Struct, frozen=True, tag_field="type", tag="work_heartbeat"):
    """Work heartbeat (`work/schemas`)."""

    last_heartbeat: str
    lease_extended: bool
    state: str
    ttl_seconds: int


class StatsBody(Struct, frozen=True, tag_field="type", tag="work_queue_stats"):
    """Work queue stats (`work/stats`)."""

    depth: int
    pending: int
    oldest_queued_at: str | UnsetType | None
    workers_polling: int | UnsetType | None


class EnvironmentBody(Struct, frozen=True, tag_field="type", tag="environment"):
    """Environment (`environments/schemas`)."""

    id: str
    name: str
    description: str
    config: Mapping[str, object]
    metadata: Mapping[str, str]
    archived_at: str | None
    created_at: str
    updated_at: str


class PageBody(Struct, Generic[T], frozen=True):
    """A page of a list (`conventions/pagination`)."""

    data: Sequence[T]
    first_id: str | UnsetType | None
    last_id: str | UnsetType | None
    has_more: bool | UnsetType
    next_page: str | UnsetType | None


class ErrorDetail(Struct, frozen=True, omit_defaults=True):
    """What went wrong."""

    type: str
    message: str
    param: str | None = None


class ErrorBody(Struct, frozen=True, tag_field="type", tag="error"):
    """Error envelope (`conventions/errors`)."""

    error: ErrorDetail
    request_id: str | UnsetType = UNSET


encode = msgspec.json.Encoder().encode
"""Encode one of these objects as JSON."""


def whole_seconds(time_us: int) -> str:
    """Return a time as the API shows most of them: without a fraction (`work/schemas`)."""
    return (_EPOCH + timedelta(seconds=time_us // 1_000_000)).isoformat() + "Z"


def six_digits(time_us: int) -> str:
    """Return a time as the API shows heartbeats: with microseconds (`work/heartbeat`)."""
    return (_EPOCH + timedelta(microseconds=time_us)).isoformat(timespec="microseconds") + "Z"


def http_date(time_us: int) -> str:
    """Return a time as the ``Date`` header shows it."""
    return format_datetime(datetime.fromtimestamp(time_us // 1_000_000, UTC), usegmt=True)


def _optional(time_us: int | None) -> str | None:
    return None if time_us is None else whole_seconds(time_us)


def work_body(item: WorkItem, environment_id: str, secret: str | UnsetType | None = UNSET) -> WorkBody:
    """Return the item as the API shows it."""
    return WorkBody(
        id=item.id,
        environment_id=environment_id,
        data=DataBody(*item.subject),
        state=item.state,
        created_at=whole_seconds(item.created_us),
        acknowledged_at=_optional(item.acknowledged_us),
        started_at=_optional(item.started_us),
        latest_heartbeat_at=None if item.heartbeat_us is None else six_digits(item.heartbeat_us),
        stop_requested_at=_optional(item.stop_requested_us),
        stopped_at=_optional(item.stopped_us),
        metadata=dict(item.metadata),
        secret=secret,
    )


def page_body(data: Sequence[T], ids: Sequence[str], *, has_more: bool, options: Options) -> PageBody[T]:
    """Return the envelope: ``next_page`` equals ``last_id`` while there is more, else null (`work/list`)."""
    last_id = ids[-1] if ids else None

    def shown(name: EnvelopeField, value: str | None) -> str | UnsetType | None:
        return UNSET if name in options.omit else value

    return PageBody(
        data=data,
        first_id=shown("first_id", ids[0] if ids else None),
        last_id=shown("last_id", last_id),
        has_more=UNSET if "has_more" in options.omit else has_more,
        next_page=shown("next_page", last_id if has_more else None),
    )
