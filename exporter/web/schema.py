"""The JSON API's types, version 1. The published schema is generated from them, and the status page is made of them.

Within a version fields are added, never renamed, removed or given another meaning. Times are RFC 3339 in UTC, durations
are seconds, and null is what is not known.
"""

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from exporter.web.severity import Severity

VERSION = "v1"


class Finding(Struct, frozen=True, kw_only=True):
    """One thing that is wrong, or cannot be judged.

    Attributes:
        severity: How bad it is.
        text: What it is, after the name of the item or environment: ``cannot be read for 3 min: …``.
        alert: The alert that stands on the same threshold; null if there is none.
    """

    severity: Severity
    text: str
    alert: str | None = None


class Item(Struct, frozen=True, kw_only=True):
    """A live work item as it was last read.

    Attributes:
        work_id: Its ID.
        session_id: The session it is for; null if it is for something else.
        session_url: Where the session can be looked at (``links.session``); null without one.
        state: Its state.
        severity: How bad it is.
        reason: Why, in words; empty if all is well.
        alert: The alert that stands on the same threshold; null if there is none.
        next_step: What usually to do next; empty if all is well.
        state_since: When it entered its state.
        state_seconds: How long it had been in it.
        heartbeat_lag_seconds: The time since its last heartbeat; null if none is due.
        created_at: When it was created.
        acknowledged_at: When a worker acknowledged it.
        started_at: When its first heartbeat came.
        latest_heartbeat_at: When its last heartbeat came.
        stop_requested_at: When it was asked to stop.
        read_at: When all this was read; durations are counted up to then.
        metadata: The values of the metadata keys configured as labels (``metrics.metadata_labels``).
    """

    work_id: str
    session_id: str | None
    session_url: str | None
    state: str
    severity: Severity
    reason: str
    alert: str | None
    next_step: str
    state_since: datetime | None
    state_seconds: float | None
    heartbeat_lag_seconds: float | None
    created_at: datetime | None
    acknowledged_at: datetime | None
    started_at: datetime | None
    latest_heartbeat_at: datetime | None
    stop_requested_at: datetime | None
    read_at: datetime
    metadata: dict[str, str]


class Refresh(Struct, frozen=True, kw_only=True):
    """How one refresh of an environment, or one discovery, ended.

    Attributes:
        at: When.
        succeeded: Whether it succeeded.
        seconds: How long it took.
        requests: API requests it made.
        reason: Why it failed, as in ``qoder_work_refresh_failures_total``; null if it succeeded.
        text: The failure in the exporter's words; the API's own are in its log.
        next_step: What usually to do about it.
        endpoint: The API call that failed.
        status: The HTTP status.
        request_id: The API's ID of the request that failed.
    """

    at: datetime
    succeeded: bool
    seconds: float
    requests: int
    reason: str | None = None
    text: str = ""
    next_step: str = ""
    endpoint: str | None = None
    status: int | None = None
    request_id: str | None = None


class Environment(Struct, frozen=True, kw_only=True):
    """One environment.

    Attributes:
        id: Its ID.
        name: Its display name.
        account: The account it is read with.
        severity: The worst of its findings.
        findings: What is wrong, worst first.
        up: Whether the last refresh succeeded.
        history_complete: Whether its whole list of work has been read.
        history_progress: How far the first reading of the list has come, in words; null if none is under way.
        read_at: When its newest data were read.
        age_seconds: How old they are.
        stale: Whether they are too old to be shown as current, so that ``items`` and the durations are null.
        items: Work items by state; null if not known.
        live: Work items that have not stopped; null if not known.
        oldest_queued_seconds: How long the oldest queued item has waited; 0 if none.
        longest_starting_seconds: How long the item that has been starting the longest has been; 0 if none.
        longest_stopping_seconds: How long the item that has been stopping the longest has been; 0 if none.
        max_heartbeat_lag_seconds: The longest time since the last heartbeat; 0 if none is due.
        queue_depth: Queued items that a worker could claim, by the API's statistics.
        queue_pending: Queued items delivered and not acknowledged, by the API's statistics.
        workers_polling: Workers that polled lately, by the API's statistics.
        refresh_seconds: How long the last refresh took.
        refresh_requests: API requests it made.
        last_failure: The last refresh that failed; null if none is remembered.
    """

    id: str
    name: str
    account: str
    severity: Severity
    findings: list[Finding]
    up: bool
    history_complete: bool
    history_progress: str | None
    read_at: datetime | None
    age_seconds: float | None
    stale: bool
    items: dict[str, int] | None
    live: int | None
    oldest_queued_seconds: float | None
    longest_starting_seconds: float | None
    longest_stopping_seconds: float | None
    max_heartbeat_lag_seconds: float | None
    queue_depth: int | None
    queue_pending: int | None
    workers_polling: int | None
    refresh_seconds: float | None
    refresh_requests: int | None
    last_failure: Refresh | None


class Gone(Struct, frozen=True, kw_only=True):
    """An environment that has left its account.

    Attributes:
        id: Its ID.
        name: Its last name.
        at: When it left.
    """

    id: str
    name: str
    at: datetime | None


class Conflict(Struct, frozen=True, kw_only=True):
    """An environment that an account sees, and that is read through another.

    Attributes:
        id: Its ID.
        name: Its name.
        read_by: The account through which it is read: the first one, as configured.
    """

    id: str
    name: str
    read_by: str


class Account(Struct, frozen=True, kw_only=True):
    """One account.

    Attributes:
        name: Its name.
        environments: How many environments are watched with it.
        refused: Whether the API refuses its token.
        discovery_up: Whether the last discovery of environments succeeded; null where all are configured.
        discovery_failure: Why it failed; null if it succeeded.
        clock_skew_seconds: The API's clock minus the exporter's.
        gone: The environments that have left it in the last 24 hours.
        conflicts: The environments that it sees, and that are read through another account.
        unmatched_patterns: The patterns of ``discovery.include`` that match no environment.
        skipped: The environments that discovery could not read: their IDs, as far as they have any.
    """

    name: str
    environments: int
    refused: bool
    discovery_up: bool | None
    discovery_failure: Refresh | None
    clock_skew_seconds: float | None
    gone: list[Gone]
    conflicts: list[Conflict]
    unmatched_patterns: list[str]
    skipped: list[str]


class Configuration(Struct, frozen=True, kw_only=True):
    """How the configuration was last loaded.

    Attributes:
        loaded: Whether that succeeded; if not, the one before is in force.
        loaded_at: When the one in force was loaded.
        problems: Why loading failed, one line per problem.
    """

    loaded: bool
    loaded_at: datetime | None
    problems: list[str]


class Fleet(Struct, frozen=True, kw_only=True):
    """The answer of ``/api/v1/environments``.

    Attributes:
        version: The exporter's version.
        now: When this was made.
        ready: Whether it is known what is to be watched.
        severity: The worst of everything.
        total: How many environments are watched, whatever is asked for.
        by_severity: How many of them are how bad.
        environments: Those asked for, in the order asked for; the worst first if not asked.
        accounts: The accounts.
        configuration: How the configuration was last loaded; null where there is none.
    """

    version: str
    now: datetime
    ready: bool
    severity: Severity
    total: int
    by_severity: dict[str, int]
    environments: list[Environment]
    accounts: list[Account]
    configuration: Configuration | None


class EnvironmentItems(Struct, frozen=True, kw_only=True):
    """The answer of ``/api/v1/environments/<id or name>``.

    Attributes:
        version: The exporter's version.
        now: When this was made.
        environment: The environment.
        refreshes: Its last refreshes, newest first; failures are kept longer than successes.
        matching: How many live items there are of what is asked for.
        live_items: Those items, worst first, as many as asked for; as last read, which ``read_at`` of each dates.
    """

    version: str
    now: datetime
    environment: Environment
    refreshes: list[Refresh]
    matching: Annotated[int, Meta(ge=0)]
    live_items: list[Item]


class Problem(Struct, frozen=True, kw_only=True):
    """The answer where something is wrong with the request.

    Attributes:
        error: What, in words.
    """

    error: str
