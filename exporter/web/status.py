"""The status page: what is watched, and how fresh it is."""

import time
from collections import Counter
from dataclasses import dataclass

import jinja2

from exporter import __version__
from exporter.tracking.observation import STATES, STOPPED
from exporter.tracking.snapshot import Snapshot
from exporter.tracking.view import EnvironmentView, FleetView

LIVE_STATES = tuple(state for state in STATES if state != STOPPED)

_TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("exporter.web"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True, slots=True)
class Row:
    """One environment's line.

    Attributes:
        id: Its ID.
        name: Its display name.
        account: The account it is read with.
        refresh: How its newest refresh went: ``succeeded``, ``failed`` or ``none yet``.
        error: What the newest failure was; empty without one.
        history: How far the reading of its whole list has come.
        counts: Items in each of the live states, empty without data.
        age: How old the data shown are, as text; empty without data.
    """

    id: str
    name: str
    account: str
    refresh: str
    error: str
    history: str
    counts: tuple[int, ...]
    age: str


def render(view: FleetView, *, telemetry_path: str, ready: bool, now: float | None = None) -> str:
    """Write the page.

    Args:
        view: What to show.
        telemetry_path: Where the metrics are.
        ready: Whether it is known what is to be watched.
        now: Unix time; the machine's clock if None.
    """
    now = time.time() if now is None else now
    return _TEMPLATES.get_template("status.html").render(
        version=__version__,
        metrics=telemetry_path.removeprefix("/"),  # relative, so that the link holds behind a proxy's prefix
        ready=ready,
        accounts=view.accounts,
        states=LIVE_STATES,
        rows=sorted((_row(environment, now) for environment in view.environments), key=_worst_first),
    )


def age_text(seconds: float) -> str:
    """An age as people say it, by its largest unit: ``42 s``, ``3 min``, ``5 h``, ``2 d``; never negative."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"


def _row(view: EnvironmentView, now: float) -> Row:
    return Row(
        id=view.environment.id,
        name=view.environment.name,
        account=view.environment.account,
        refresh="succeeded" if view.up else "failed" if view.error else "none yet",
        error=view.error or "",
        history="complete" if view.history_complete else view.progress or "incomplete",
        counts=_live_counts(view.snapshot),
        age=age_text(now - view.snapshot.read_at) if view.snapshot else "",
    )


def _live_counts(snapshot: Snapshot | None) -> tuple[int, ...]:
    if snapshot is None or snapshot.queue is None:
        return ()
    counts = Counter[str]()
    for (state, _), count in snapshot.queue.counts.items():
        counts[state] += count
    return tuple(counts[state] for state in LIVE_STATES)


def _worst_first(row: Row) -> tuple[bool, bool, str, str]:
    return row.refresh == "succeeded", row.history == "complete", row.name.casefold(), row.id
