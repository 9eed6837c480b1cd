"""Views of a fleet, made by hand, and what is exposed of them."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, get_args

from exporter.api.errors import REASONS
from exporter.api.requests import Endpoint, RequestCounts
from exporter.histogram import Example, Histogram
from exporter.metrics.families import families
from exporter.metrics.samples import Reload
from exporter.tracking.lifecycle import Lifecycle
from exporter.tracking.snapshot import Queue, Snapshot, Stats
from exporter.tracking.view import AccountView, CheckpointView, EnvironmentIdentity, EnvironmentView, FleetView

NOW = 1_782_892_800.0
"""2026-07-01T08:00:00Z."""
ID = "env_019e64e01a137caf953ac2ac7b42ec5c"
WORK = "work_019f3be4fd2475d9a784bf2c739e1194"
SESSION = "sess_019f3be3fa66750bb9a1fbcde85b5fe1"

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]
"""Values by name and labels."""


def histogram(*values: float, example: Example | None = None) -> Histogram:
    """A histogram of these observations; the example belongs to all of them."""
    made = Histogram()
    for value in values:
        made.observe(value, example)
    return made


def example(value: float = 7.0, **labels: str) -> Example:
    """An observation of a work item."""
    return Example(labels or {"work_id": WORK, "session_id": SESSION}, value, NOW - 60)


def queue(**changes: Any) -> Queue:
    """Three queued items and two active ones."""
    made = Queue(
        counts={
            ("queued", ()): 3,
            ("starting", ()): 0,
            ("active", ()): 2,
            ("stopping", ()): 0,
            ("stopped", ()): 40,
        },
        oldest_age={"queued": 120.5, "starting": 0.0, "active": 30.0, "stopping": 0.0},
        oldest_queued_at=NOW - 120.5,
        queue_age=histogram(0.5, 4.0, 120.5),
        max_heartbeat_lag=12.25,
        oldest_heartbeat_at=NOW - 12.25,
        heartbeat_lag=histogram(3.0, 12.25),
    )
    return replace(made, **changes)


def stats(**changes: Any) -> Stats:
    """The statistics of the same queue."""
    made = Stats(depth=2, pending=1, workers_polling=4, oldest_queued_at=NOW - 120.5, oldest_queued_age=120.5)
    return replace(made, **changes)


def snapshot(**changes: Any) -> Snapshot:
    """The queue and its statistics, read now."""
    return replace(Snapshot(read_at=NOW, queue=queue(), stats=stats()), **changes)


def lifecycle(seen: Example | None = None) -> Lifecycle:
    """Counters and durations since the watch began, every duration with this example."""
    observed = {name: histogram(7.0, example=seen) for name in ("wait", "startup", "run", "drain")}
    return Lifecycle(created=45, stopped=40, requeued=2, vanished=1, **observed)


def environment(name: str = "gpu-workers", id_: str = ID, **changes: Any) -> EnvironmentView:
    """An environment in health, with everything there is to know of it."""
    made = EnvironmentView(
        environment=EnvironmentIdentity(id_, name, "default"),
        up=True,
        history_complete=True,
        snapshot=snapshot(),
        lifecycle=lifecycle(example()),
        refresh_duration=0.25,
        refresh_requests=3,
        failures=dict.fromkeys(REASONS, 0) | {"timeout": 2},
        error=None,
        progress=None,
    )
    return replace(made, **changes)


def account(**changes: Any) -> AccountView:
    """An account that has asked all endpoints."""
    requests = RequestCounts(paced_seconds=1.5)
    for endpoint in get_args(Endpoint):
        requests.answered(endpoint, "200", 0.04)
    requests.answered("list", "error", 10.0)
    requests.retries["timeout"] = 1
    made = AccountView(
        name="default",
        requests=requests,
        clock_skew=-0.25,
        environments=1,
        discovery_up=True,
        discovery_error=None,
    )
    return replace(made, **changes)


def fleet(*environments: EnvironmentView, keys: tuple[str, ...] = ()) -> FleetView:
    """One account with these environments; with the one in health if none is given."""
    return FleetView(environments or (environment(),), (account(),), keys, CheckpointView(NOW - 20, 3))


RELOAD = Reload(successful=True, succeeded_at=NOW - 3600)
LOOP_LAG = 0.004


def samples(view: FleetView, reload: Reload | None = RELOAD, loop_lag: float | None = LOOP_LAG) -> Samples:
    """Everything exposed of a view."""
    found = [sample for family in families(view, reload, loop_lag) for sample in family.samples]
    by_name = {(sample.name, frozenset(sample.labels.items())): float(sample.value) for sample in found}
    assert len(by_name) == len(found), "a series is exposed twice"
    return by_name


def of(found: Samples, name: str, *without: str) -> dict[tuple[str, ...], float]:
    """The values of one series name by the values of its further labels, in the order of the labels' names."""
    hidden = {"environment_id", "environment", "account", *without}
    return {
        tuple(value for label, value in sorted(labels) if label not in hidden): number
        for (series, labels), number in found.items()
        if series == name
    }


def names(found: Iterable[tuple[str, frozenset[tuple[str, str]]]]) -> set[str]:
    """The names of series."""
    return {name for name, _ in found}
