"""The table of the Fleet dashboard: one row per environment, the worst first."""

from dataclasses import dataclass

from exporter.metrics.table import UP, WORKERS_POLLING
from exporter.mixin.dashboards import frame
from exporter.mixin.dashboards.fleet.expressions import DATA_AGE, LAG, ON, TAKEN, in_state, oldest, unserved, worst
from exporter.mixin.dashboards.panel import Panel, Text
from exporter.mixin.dashboards.queries import firing
from exporter.mixin.dashboards.shared import NO_EXPORTER
from exporter.mixin.dashboards.steps import Step, Steps
from exporter.mixin.dashboards.table import Column, Key, table
from exporter.mixin.labels import BY_ENVIRONMENT
from exporter.mixin.palette import CRITICAL, OK, SEVERITIES


@dataclass(frozen=True, slots=True)
class Finding:
    """What may be wrong with an environment.

    Attributes:
        words: What the table calls it.
        age: The expression of the seconds that show it.
        step: From when on it is wrong, and how grave that is.
    """

    words: str
    age: str
    step: Step


def _findings(steps: Steps) -> tuple[Finding, ...]:
    """What may be wrong, the gravest last: in the order in which the alerts inhibit each other."""
    late, lost = steps.heartbeat_lag
    backlog, stalled = steps.oldest_queued
    (stuck,) = steps.starting
    (overdue,) = steps.stopping
    return (
        Finding("Drain overdue", oldest("stopping"), overdue),
        Finding("Backlog", oldest("queued"), backlog),
        Finding("Heartbeat late", LAG, late),
        Finding("Stuck starting", oldest("starting"), stuck),
        Finding("Queue stalled", f"({oldest('queued')} unless {ON} {TAKEN} > 0)", stalled),
        Finding("Dead worker", LAG, lost),
        Finding("No workers", unserved(steps.thresholds.beating_within), steps.no_workers[0]),
    )


def _finding_column(steps: Steps) -> Column:
    """The gravest finding of each environment.

    Its value is the finding's rank, from 1, plus a fraction that grows with the age, so that the worse of two
    environments with the same finding comes first. 0 is all well, and the highest rank is an environment that is down.
    """
    ranked = list(enumerate(_findings(steps), start=1))
    down = len(ranked) + 1
    expressions = [
        f"{down} + 0 * ({worst(UP)} == 0)",
        *(f"{rank} + clamp_max(({one.age} >= {one.step.value:g}) / 1e7, 0.99)" for rank, one in reversed(ranked)),
        f"0 * {worst(UP)}",
    ]
    mappings = [
        (0, 1, "OK", OK),
        *((rank, rank + 1, one.words, one.step.colour) for rank, one in ranked),
        (down, down + 1, "Down", CRITICAL),
    ]
    return Column("Finding", "\nor ".join(expressions), mappings=mappings, width=130)


def _alerts(title: str, severity: str) -> Column:
    firing_here = f"count by ({BY_ENVIRONMENT}) ({firing(severity)})"
    return Column(title, firing_here, steps=(Step(1, SEVERITIES[severity]),), decimals=0, width=80)


def environments(steps: Steps) -> Panel:
    """What is wrong where, in words and numbers."""
    states = [
        Column(state.capitalize(), in_state(state), decimals=0, width=85)
        for state in ("queued", "starting", "active", "stopping")
    ]
    return table(
        Text(
            "Environments, worst first",
            "One row per environment; click its name to open its dashboard. Finding names the gravest "
            "problem: down, no workers for what waits, a dead worker (no heartbeat), a stalled queue, an item stuck in "
            "starting, and then what may become one of these. Worry where a cell is yellow or red: that is its alert's "
            "threshold. Workers are those that poll with a Worker-ID.",
            NO_EXPORTER,
        ),
        Key(
            {"environment": "Environment"},
            hidden=("environment_id",),
            links=[frame.TO_ENVIRONMENT_OF_ROW],
        ),
        [
            _finding_column(steps),
            Column("Oldest queued", oldest("queued"), "s", steps.oldest_queued, width=120),
            Column("Heartbeat lag", LAG, "s", steps.heartbeat_lag, width=120),
            Column("In starting", oldest("starting"), "s", steps.starting, width=110),
            Column("In stopping", oldest("stopping"), "s", steps.stopping, width=110),
            *states,
            Column("Workers polling", worst(WORKERS_POLLING), decimals=0, width=125),
            *(_alerts(title, severity) for title, severity in (("Critical", "critical"), ("Warnings", "warning"))),
            Column("Data age", DATA_AGE, "s", steps.snapshot_age),
        ],
        worst="Finding",
        height=9,
    )
