"""Fleet: every environment at a glance, the worst first."""

from exporter.metrics.table import MAX_HEARTBEAT_LAG, OLDEST_AGE, SNAPSHOT_TIMESTAMP, UP, WORKERS_POLLING, MetricSpec
from grafana import dashboard
from grafana.boards.shared import NO_EXPORTER, UP_OR_DOWN
from grafana.kinds import stat, state_timeline, timeseries
from grafana.layout import Section
from grafana.palette import CRITICAL, OK, SEVERITIES, STATES, WARNING
from grafana.panels import Json, Panel, Query, Text
from grafana.promql import ENVIRONMENT, FIRING, firing, items, per_environment, work
from grafana.tables import Column, Key, table
from grafana.thresholds import ANY, Step, Steps

TEN_WORST = 10


def _worst(spec: MetricSpec, *matchers: str) -> str:
    return per_environment(work(spec, *matchers))


def oldest(state: str) -> str:
    """How long the oldest item of each environment has been in this state."""
    return _worst(OLDEST_AGE, f'state="{state}"')


def in_state(state: str) -> str:
    """How many items of each environment are in this state."""
    return per_environment(items(f'state="{state}"'))


LIVE = items('state!="stopped"')
LAG = _worst(MAX_HEARTBEAT_LAG)
DATA_AGE = f"time() - {_worst(SNAPSHOT_TIMESTAMP)}"


def _worst_tile(title: str, description: str, expr: str, steps: tuple[Step, ...], no_value: str) -> Panel:
    return stat(
        Text(title, description, no_value),
        Query(f"topk(1, {expr} > 0)", "{{environment}}", "instant"),
        unit="s",
        steps=steps,
        names=True,
        links=[dashboard.TO_ENVIRONMENT_OF_SERIES],
    )


def _tiles(steps: Steps) -> list[Panel]:
    return [
        stat(
            Text(
                "Environments down",
                "Environments whose newest refresh failed in every exporter that watches them. Their numbers are old, "
                "and after the configured staleness they go. Worry at 1: open the exporter for the reason.",
                NO_EXPORTER,
            ),
            Query(f"sum(1 - {_worst(UP)})", "down", "instant"),
            unit="short",
            steps=ANY,
            decimals=0,
            links=[dashboard.TO_EXPORTER],
        ),
        _worst_tile(
            "Backlog: oldest queued item",
            "The environment whose oldest item has waited longest for a worker, and how long. Worry from "
            "orange on, and look whether workers poll there; red: the queue is stalled.",
            oldest("queued"),
            steps.oldest_queued,
            "Nothing queued",
        ),
        _worst_tile(
            "Dead worker: longest silence",
            "The environment with the longest time since a heartbeat among its active and stopping items. "
            "Worry from orange on; red: no lease lasts that long, so no worker holds the item.",
            LAG,
            steps.heartbeat_lag,
            "Nothing runs",
        ),
        _worst_tile(
            "Stuck item: longest in starting",
            "The environment with the item acknowledged longest ago without a first heartbeat. Worry at "
            "red: its worker died in between, and nothing is known to take the item back but a stop by "
            "force.",
            oldest("starting"),
            steps.starting,
            "Nothing starting",
        ),
        _worst_tile(
            "Slow drain: longest in stopping",
            "The environment with the item asked to stop longest ago that still has not stopped. Worry at "
            "orange: the worker ignores the request or is gone.",
            oldest("stopping"),
            steps.stopping,
            "Nothing stopping",
        ),
        stat(
            Text(
                "Alerts firing",
                "Alerts of these rules that fire now, by severity. Worry at critical: act now; a warning is a "
                "ticket. There is no alert either if Prometheus has not loaded the rules.",
                "No alert",
            ),
            Query(f"count by (severity) ({FIRING})", "{{severity}}", "instant"),
            unit="short",
            colours=SEVERITIES,
            names=True,
            decimals=0,
        ),
    ]


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
            f"5 + 0 * ({_worst(UP)} == 0)",
            rank(4, LAG, steps.heartbeat_lag),
            rank(3, oldest("starting"), steps.starting),
            rank(2, oldest("queued"), steps.oldest_queued),
            rank(1, oldest("stopping"), steps.stopping),
            f"0 * {_worst(UP)}",
        ]
    )


def _environments(steps: Steps) -> Panel:
    states = [
        Column(state.capitalize(), in_state(state), decimals=0, width=85)
        for state in ("queued", "starting", "active", "stopping")
    ]
    return table(
        Text(
            "Environments, worst first",
            "One row an environment; click its name for its own dashboard. Finding names the gravest "
            "trouble: down, then a dead worker (no heartbeat), an item stuck in starting, a backlog, an "
            "overdue drain. Worry where a cell is orange or red: that is its alert's threshold. Workers "
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
            Column("Workers polling", _worst(WORKERS_POLLING), decimals=0, width=125),
            Column("Alerts", f"count by ({ENVIRONMENT}) ({FIRING})", steps=(Step(1, WARNING),), decimals=0, width=75),
            Column("Data age", DATA_AGE, "s", steps.snapshot_age),
        ],
        worst="Finding",
        height=10,
    )


def _ten_worst(title: str, description: str, expr: str, steps: tuple[Step, ...], no_value: str) -> Panel:
    return timeseries(
        Text(title, f"{description} The ten worst environments at each moment; click a line to open one.", no_value),
        [Query(f"topk({TEN_WORST}, {expr})", "{{environment}}")],
        unit="s",
        steps=steps,
        links=[dashboard.TO_ENVIRONMENT_OF_SERIES],
    )


SEVERITY_RANKS = {3: "critical", 2: "warning", 1: "info"}


def _severities() -> str:
    ranked = " or ".join(f"{rank} * {firing(severity)}" for rank, severity in SEVERITY_RANKS.items())
    return f"max by (alertname, environment) ({ranked})"


def _history(steps: Steps) -> list[list[Panel]]:
    return [
        [
            _ten_worst(
                "Oldest queued item",
                "Age of the oldest queued item. A straight climb is a queue nobody serves; a saw is one that is "
                "served in bursts. Worry at the dashed lines.",
                oldest("queued"),
                steps.oldest_queued,
                NO_EXPORTER,
            ),
            _ten_worst(
                "Longest time without a heartbeat",
                "Time since the latest heartbeat of the quietest item. Healthy is a low saw of the workers' "
                "interval; a straight climb is a dead worker. Worry at the dashed lines.",
                LAG,
                steps.heartbeat_lag,
                NO_EXPORTER,
            ),
            _ten_worst(
                "Longest time in starting",
                "Time since the acknowledgement of the item that has waited longest for its first heartbeat. "
                "Healthy is seconds; worry at a straight climb: an item that will not start by itself.",
                oldest("starting"),
                steps.starting,
                NO_EXPORTER,
            ),
        ],
        [
            timeseries(
                Text(
                    "Live items by state",
                    "All items that have not stopped. Worry when queued grows while active stays flat: the workers "
                    "are the limit. Or when starting or stopping grow: items pile up where they should only pass.",
                    NO_EXPORTER,
                ),
                [Query(f"sum by (state) ({LIVE})", "{{state}}")],
                unit="short",
                colours=STATES,
                stacked=True,
                decimals=0,
                axis="items",
            ),
            timeseries(
                Text(
                    "Queued items",
                    "Items waiting for a worker. The ten longest queues at each moment; click a line to open one. "
                    "Worry when a line climbs and does not come down.",
                    NO_EXPORTER,
                ),
                [Query(f"topk({TEN_WORST}, {in_state('queued')})", "{{environment}}")],
                unit="short",
                decimals=0,
                axis="items",
                links=[dashboard.TO_ENVIRONMENT_OF_SERIES],
            ),
            timeseries(
                Text(
                    "Workers polling",
                    "Workers that asked for work lately, by the API's own count. Worry at 0 while items are queued. "
                    "Workers that send no Worker-ID are not counted, so 0 may also mean that none of them sends one.",
                    "The API counts no workers",
                ),
                [Query(_worst(WORKERS_POLLING), "{{environment}}")],
                unit="short",
                decimals=0,
                axis="workers",
                links=[dashboard.TO_ENVIRONMENT_OF_SERIES],
            ),
        ],
        [
            state_timeline(
                Text(
                    "Environments up",
                    "Green while the exporter can read the environment, red while every refresh fails. Worry at red "
                    "that lasts; the Exporter dashboard has the reason.",
                    NO_EXPORTER,
                ),
                [Query(_worst(UP), "{{environment}}")],
                mappings=UP_OR_DOWN,
            ),
            state_timeline(
                Text(
                    "Alerts over time",
                    "When each alert fired, and where. Rows that come and go together often have one cause: worry "
                    "about the most severe first.",
                    "No alert in this range",
                ),
                [Query(_severities(), "{{alertname}} {{environment}}")],
                mappings={rank: (severity, SEVERITIES[severity]) for rank, severity in SEVERITY_RANKS.items()},
            ),
        ],
    ]


def build(steps: Steps) -> Json:
    """The Fleet dashboard."""
    return dashboard.dashboard(
        dashboard.FLEET,
        "Qoder Work / Fleet",
        "Which environment has a backlog, a dead worker or a stuck item? Every environment, the worst first.",
        [Section("", [_tiles(steps), [_environments(steps)]]), Section("How it came to this", _history(steps))],
    )
