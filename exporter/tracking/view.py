"""The fleet as it is shown: one frozen object per scrape."""

from collections.abc import Mapping
from dataclasses import dataclass

from exporter.api.requests import RequestCounts
from exporter.tracking.lifecycle import Lifecycle
from exporter.tracking.outcomes import Outcome
from exporter.tracking.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class EnvironmentIdentity:
    """An environment's ID, the name to show, and the account through which it is read."""

    id: str
    name: str
    account: str

    @property
    def fields(self) -> dict[str, str]:
        """What log lines call it: by its name, as people do, and by its ID."""
        return {"environment": self.name, "environment_id": self.id}


@dataclass(frozen=True, slots=True)
class GoneEnvironment:
    """An environment that has left its account's list and is not watched any more; ``since`` is unix time."""

    id: str
    name: str
    since: float


@dataclass(frozen=True, slots=True)
class Conflict:
    """An environment that an account sees, and that an account before it, the ``owner``, reads."""

    id: str
    name: str
    owner: str


@dataclass(frozen=True, slots=True)
class EnvironmentView:
    """One environment.

    Attributes:
        environment: Which.
        up: Whether the last refresh succeeded; False before the first.
        history_complete: Whether the whole list has been read.
        snapshot: The last data read, or None if there are none that are fresh enough.
        lifecycle: Counters since the watch began, or None before that.
        refresh_duration: Seconds the last refresh took, or None before the first.
        refresh_requests: API requests it made, or None.
        failures: Failed refreshes by reason; every reason is present.
        error: The last failure's message, or None if the last refresh succeeded.
        progress: How far the first traversal has come, in words, or None if none is under way.
        outcomes: How the last refreshes ended, newest first; failures are kept longer than successes.
        failing_since: Unix time of the first failure since the last success, or None while refreshes succeed.
        read_at: Unix time at which the last data were read, even if they are withheld by now; None without any.
        corrections: Items whose count was found wrong when a part of the list was read again, and was corrected.
        unreadable: Items in the list of which something needed could not be read.
        disputed: Whether the API's own statistics contradict the counts.
        leaving: Whether it is no longer in its account's list, or archived, and is watched until no item is live.
    """

    environment: EnvironmentIdentity
    up: bool
    history_complete: bool
    snapshot: Snapshot | None
    lifecycle: Lifecycle | None
    refresh_duration: float | None
    refresh_requests: int | None
    failures: Mapping[str, int]
    error: str | None
    progress: str | None
    outcomes: tuple[Outcome, ...] = ()
    failing_since: float | None = None
    read_at: float | None = None
    corrections: int = 0
    unreadable: int = 0
    disputed: bool = False
    leaving: bool = False


@dataclass(frozen=True, slots=True)
class AccountView:
    """One account.

    Attributes:
        name: Its name.
        requests: What its requests cost.
        clock_skew: API clock minus local clock in seconds, or None before the first response.
        environments: How many environments are watched.
        discovery_up: Whether the last discovery succeeded; None where environments are configured explicitly.
        discovery_error: The last discovery's failure, or None.
        discovery_failure: The same with its reason and the API's request ID, or None.
        client_restarts: How often its HTTP client was replaced because nothing came back any more.
        gone: The environments that have left it in the last 24 hours.
        unmatched: The include patterns that matched nothing in the last successful discovery.
        conflicts: The environments that it sees, and that an account before it reads.
        skipped: The IDs of environments that the last successful discovery could not read.
    """

    name: str
    requests: RequestCounts
    clock_skew: float | None
    environments: int
    discovery_up: bool | None
    discovery_error: str | None
    discovery_failure: Outcome | None = None
    client_restarts: int = 0
    gone: tuple[GoneEnvironment, ...] = ()
    unmatched: tuple[str, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CheckpointView:
    """How writing the checkpoint goes.

    Attributes:
        last_success: Unix time at which the file on disk was last known to be current, or None before the first write.
        failures: Writes that failed.
    """

    last_success: float | None
    failures: int


@dataclass(frozen=True, slots=True)
class FleetView:
    """Everything that is watched, in the order of accounts and of environments' names.

    Attributes:
        environments: The environments of all accounts.
        accounts: The accounts.
        metadata_keys: The metadata keys whose values are the labels of the counts, in their order.
        checkpoint: How writing the checkpoint goes; None where none is configured.
    """

    environments: tuple[EnvironmentView, ...]
    accounts: tuple[AccountView, ...]
    metadata_keys: tuple[str, ...] = ()
    checkpoint: CheckpointView | None = None
