"""Reports of views made of few words."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from exporter.api.errors import ServerError
from exporter.histogram import Histogram
from exporter.metrics.samples import Reload
from exporter.tracking.observation import Observation
from exporter.tracking.outcomes import Outcome, outcome_of
from exporter.tracking.snapshot import Snapshot, Stats
from exporter.tracking.view import FleetView
from exporter.web import schema
from exporter.web.current import Overview
from exporter.web.report import Reporter
from exporter.web.selection import Selection
from tests.web.fakes import snapshot

NOW = 1_800_000_000.0

Live = Mapping[str, tuple[Observation, ...]]


def item(work_id: str, state: str, age: float = 0.0, *, heartbeat: float | None = None, **times: float) -> Observation:
    """A live item that has been in its state for so long, with its last heartbeat so long ago."""
    step = {"queued": "created", "starting": "acknowledged", "active": "started", "stopping": "stop_requested"}
    ages: dict[str, Any] = {step[state]: age, **times} if state in step else dict(times)
    return Observation(
        id=work_id,
        state=state,
        labels=(),
        read_at=NOW,
        session_id=f"sess_{work_id}",
        heartbeat=None if heartbeat is None else NOW - heartbeat,
        **{name: NOW - value for name, value in ages.items()},
    )


def snapshot_of(items: Sequence[Observation], *, polling: int | None = 1, read_at: float = NOW) -> Snapshot:
    """What a refresh that read these items comes to."""
    counts = dict.fromkeys(("queued", "starting", "active", "stopping", "stopped"), 0)
    lags, oldest = Histogram(), dict.fromkeys(("queued", "starting", "active", "stopping"), 0.0)
    max_lag = 0.0
    for each in items:
        counts[each.state] = counts.get(each.state, 0) + 1
        if each.state_since is not None:
            oldest[each.state] = max(oldest[each.state], each.read_at - each.state_since)
        if each.beating_since is not None:
            lags.observe(each.read_at - each.beating_since)
            max_lag = max(max_lag, each.read_at - each.beating_since)
    queue = snapshot(read_at, **counts).queue
    assert queue is not None
    queue = replace(queue, oldest_age=oldest, max_heartbeat_lag=max_lag, heartbeat_lag=lags)
    return Snapshot(read_at, queue, Stats(counts["queued"], 0, polling, None, oldest["queued"]))


def failed(at: float, reason: str = "server", status: int | None = 503, request_id: str = "req-1") -> Outcome:
    """A refresh that failed."""
    error = ServerError("HTTP: the API's own words", endpoint="list", status=status, request_id=request_id)
    return outcome_of(at, 0.2, 3, reason, error)


def succeeded(at: float) -> Outcome:
    """A refresh that succeeded."""
    return outcome_of(at, 0.2, 2, None, None)


def overview(
    view: FleetView,
    live: Live | None = None,
    selection: Selection | None = None,
    *,
    ready: bool = True,
    reload: Reload | None = None,
    session_link: str | None = "https://example.org/sessions/{session_id}",
) -> Overview:
    """What the status page shows of a view."""
    reporter = Reporter(session_link=session_link)
    report = fleet_report(view, live, selection, ready=ready, reload=reload, reporter=reporter)
    return Overview(report, reporter.worst_items(view, 20))


def fleet_report(
    view: FleetView,
    live: Live | None = None,
    selection: Selection | None = None,
    *,
    ready: bool = True,
    reload: Reload | None = None,
    reporter: Reporter | None = None,
) -> schema.Fleet:
    """What the JSON API shows of a view."""
    return (reporter or Reporter()).fleet(
        view,
        lambda identity: (live or {}).get(identity.id, ()),
        selection or Selection(),
        ready=ready,
        reload=reload,
        now=NOW,
    )
