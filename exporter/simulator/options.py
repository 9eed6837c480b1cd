"""What the documentation leaves open, as options with a documented default."""

from dataclasses import dataclass
from typing import Literal

EnvelopeField = Literal["first_id", "last_id", "has_more", "next_page"]
StatsField = Literal["oldest_queued_at", "workers_polling"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How the simulated API behaves where the real one's behaviour is not documented.

    An environment may have its own options; those of the simulation hold for the others and for the list of
    environments.

    Attributes:
        unknown_cursor: What ``page``, ``after_id`` and ``before_id`` do with an ID that is not in the list, because it
            was deleted or never was there: ``compare`` reads on from where the ID would stand; ``not_found`` and
            ``invalid`` answer 404 and 400; ``empty`` gives an empty last page; ``restart`` ignores the cursor.
        empty_cursor: Whether an empty cursor (``page=``) counts as left out (``absent``) or gives 400 (``invalid``).
        before_id_page: Which items ``before_id`` gives: the ``nearest`` ones before the ID, with ``has_more`` looking
            back; or the ``first`` ones of the list, with ``has_more`` looking ahead to the ID. Ascending both times.
        page_cap: Most items on a page, whatever ``limit`` says; documented as 100.
        environments_over_limit: ``limit`` above 100 in the list of environments: ``invalid`` (400, the newest
            documentation) or ``cap`` (older texts).
        omit: Envelope fields that are left out, as older deployments do.
        lease_expiry: An active item whose lease has lapsed: ``requeue`` (same ID), ``keep`` it active, or ``stop`` it.
        requeue_resets: Whether a requeue clears ``acknowledged_at``, ``started_at`` and ``latest_heartbeat_at``.
        starting_expiry: A starting item that gets no heartbeat for ``default_ttl_seconds``: ``keep`` it starting for
            ever, or ``requeue`` it.
        stopping_expiry: A stopping item whose lease has lapsed: ``keep`` it stopping, or ``stop`` it.
        default_ttl_seconds: The lease of a heartbeat without ``desired_ttl_seconds``.
        extend_stopping_lease: Whether a heartbeat while stopping extends the lease (``lease_extended``).
        ack_needs_delivery: Whether acknowledging an item that no poll has delivered is refused with 409.
        empty_poll: An empty poll's answer: 200 with ``null``, or 204 (``no_content``).
        pending_window_seconds: How long a delivered item counts as ``pending`` in the stats before it is in ``depth``
            again; None takes the ``reclaim_older_than_ms`` of the poll that delivered it.
        workers_window_seconds: How long after its latest poll a worker counts in ``workers_polling``.
        depth_includes_pending: Whether ``depth`` counts the pending items too.
        oldest_includes_pending: Whether ``oldest_queued_at`` looks at pending items too.
        null_stats: Fields of the stats that are always null.
        absent_stats: Fields of the stats that are left out.
        cloud_work: The work API of a cloud environment: ``invalid`` (400, as documented), or an ``empty`` queue.
        archived_work: The work API of an archived environment: ``serve`` it, or answer 403 (``forbidden``).
        secret: Where a work item shows its ``secret``: ``nowhere`` (no such field), in answers to a ``poll`` (null
            elsewhere), or ``everywhere``.
        error_request_id: Whether error envelopes carry ``request_id``; older texts show none.
        date_header: Whether answers carry ``Date``, by the simulated clock.
    """

    unknown_cursor: Literal["compare", "not_found", "invalid", "empty", "restart"] = "compare"
    empty_cursor: Literal["absent", "invalid"] = "absent"
    before_id_page: Literal["nearest", "first"] = "nearest"
    page_cap: int = 100
    environments_over_limit: Literal["invalid", "cap"] = "invalid"
    omit: frozenset[EnvelopeField] = frozenset()
    lease_expiry: Literal["requeue", "keep", "stop"] = "requeue"
    requeue_resets: bool = True
    starting_expiry: Literal["keep", "requeue"] = "keep"
    stopping_expiry: Literal["keep", "stop"] = "keep"
    default_ttl_seconds: int = 90
    extend_stopping_lease: bool = True
    ack_needs_delivery: bool = False
    empty_poll: Literal["null", "no_content"] = "null"
    pending_window_seconds: float | None = 5.0
    workers_window_seconds: float = 30.0
    depth_includes_pending: bool = False
    oldest_includes_pending: bool = True
    null_stats: frozenset[StatsField] = frozenset()
    absent_stats: frozenset[StatsField] = frozenset()
    cloud_work: Literal["invalid", "empty"] = "invalid"
    archived_work: Literal["serve", "forbidden"] = "serve"
    secret: Literal["nowhere", "poll", "everywhere"] = "nowhere"  # noqa: S105 -- a policy, not a secret
    error_request_id: bool = True
    date_header: bool = True

    def __post_init__(self) -> None:
        if not 1 <= self.page_cap <= 100:
            raise ValueError(f"page_cap: must be from 1 to 100, got {self.page_cap}")
        if self.default_ttl_seconds <= 0:
            raise ValueError(f"default_ttl_seconds: must be above 0, got {self.default_ttl_seconds}")
