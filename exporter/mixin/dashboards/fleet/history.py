"""The Fleet dashboard on trends."""

from exporter.metrics.table import UP, WORKERS_POLLING
from exporter.mixin.dashboards import frame
from exporter.mixin.dashboards.fleet.expressions import LAG, in_state, oldest, worst
from exporter.mixin.dashboards.layout import Section
from exporter.mixin.dashboards.panel import Panel, Query, Text
from exporter.mixin.dashboards.queries import firing
from exporter.mixin.dashboards.shared import NO_EXPORTER, UP_OR_DOWN, live_items
from exporter.mixin.dashboards.steps import Step, Steps
from exporter.mixin.dashboards.visualizations import state_timeline, timeseries
from exporter.mixin.palette import SEVERITIES

TEN_WORST = 10
SEVERITY_RANKS = {3: "critical", 2: "warning", 1: "info"}


def _ten_worst(title: str, description: str, expr: str, steps: tuple[Step, ...], no_value: str) -> Panel:
    return timeseries(
        Text(title, f"{description} The ten worst environments at each moment; click a line to open one.", no_value),
        [Query(f"topk({TEN_WORST}, {expr})", "{{environment}}")],
        unit="s",
        steps=steps,
        links=[frame.TO_ENVIRONMENT_OF_SERIES],
    )


def _severities() -> str:
    ranked = " or ".join(f"{rank} * {firing(severity)}" for rank, severity in SEVERITY_RANKS.items())
    return f"max by (alertname, environment) ({ranked})"


def section(steps: Steps) -> Section:
    """Ages, depths, workers, success and alerts over time."""
    lines = [
        [
            _ten_worst(
                "Oldest queued item",
                "Age of the oldest queued item. A straight climb is a queue that no worker serves; a sawtooth is one "
                "served in bursts. Worry at the dashed lines.",
                oldest("queued"),
                steps.oldest_queued,
                NO_EXPORTER,
            ),
            _ten_worst(
                "Longest time without a heartbeat",
                "Longest time since the last heartbeat of an item. Healthy is a low sawtooth of the workers' "
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
            live_items(),
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
                links=[frame.TO_ENVIRONMENT_OF_SERIES],
            ),
            timeseries(
                Text(
                    "Workers polling",
                    "Workers that polled for work recently, by the API's own count. Worry at 0 while items are queued. "
                    "Workers that send no Worker-ID are not counted, so 0 may also mean that none of them sends one.",
                    "Not reported by the API",
                ),
                [Query(worst(WORKERS_POLLING), "{{environment}}")],
                unit="short",
                decimals=0,
                axis="workers",
                links=[frame.TO_ENVIRONMENT_OF_SERIES],
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
                [Query(worst(UP), "{{environment}}")],
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
    return Section("Trends", lines)
