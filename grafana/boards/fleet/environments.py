"""The table of the Fleet dashboard: an environment a row, the worst first."""

from exporter.metrics.table import UP, WORKERS_POLLING
from grafana import dashboard
from grafana.boards.fleet.expressions import DATA_AGE, LAG, in_state, oldest, worst
from grafana.boards.shared import NO_EXPORTER
from grafana.palette import CRITICAL, OK, SEVERITIES, WARNING
from grafana.panels import Panel, Text
from grafana.promql import ENVIRONMENT, firing
from grafana.tables import Column, Key, table
from grafana.thresholds import Step, Steps

FINDINGS = (
    (0, 1, "OK", OK),
    (1, 2, "Drain overdue", WARNING),
    (2, 3, "Backlog", WARNING),
    (3, 4, "Stuck starting", CRITICAL),
    (4, 5, "Dead worker", CRITICAL),
    (5, 6, "Down", CRITICAL),
)
"""What the first column says: rank, the next rank, the words, their colour. The gravest comes last."""


def _finding(steps: Steps) -> str:
    """The gravest finding of each environment; its magnitude, below 1, tells two of the same kind apart."""

    def rank(number: int, expr: str, steps: tuple[Step, ...]) -> str:
        return f"{number} + clamp_max(({expr} >= {steps[0].value:g}) / 1e7, 0.99)"

    return "\nor ".join(
        [
            f"5 + 0 * ({worst(UP)} == 0)",
            rank(4, LAG, steps.heartbeat_lag),
            rank(3, oldest("starting"), steps.starting),
            rank(2, oldest("queued"), steps.oldest_queued),
            rank(1, oldest("stopping"), steps.stopping),
            f"0 * {worst(UP)}",
        ]
    )


def _alerts(title: str, severity: str) -> Column:
    firing_here = f"count by ({ENVIRONMENT}) ({firing(severity)})"
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
            "One row an environment; click its name for its own dashboard. Finding names the gravest "
            "trouble: down, then a dead worker (no heartbeat), an item stuck in starting, a backlog, an "
            "overdue drain. Worry where a cell is yellow or red: that is its alert's threshold. Workers "
            "are those that poll with a Worker-ID.",
            NO_EXPORTER,
        ),
        Key(
            {"environment": "Environment"},
            hidden=("environment_id",),
            links=[dashboard.TO_ENVIRONMENT_OF_ROW],
        ),
        [
            Column("Finding", _finding(steps), mappings=FINDINGS, width=130),
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
