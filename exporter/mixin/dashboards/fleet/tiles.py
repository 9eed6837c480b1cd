"""The top of the Fleet dashboard: the worst of each kind, and where it is."""

from exporter.metrics.table import UP
from exporter.mixin.dashboards import frame
from exporter.mixin.dashboards.fleet.expressions import LAG, oldest, worst
from exporter.mixin.dashboards.panel import Panel, Query, Text
from exporter.mixin.dashboards.queries import FIRING
from exporter.mixin.dashboards.shared import NO_EXPORTER
from exporter.mixin.dashboards.steps import ANY, Step, Steps
from exporter.mixin.dashboards.visualizations import stat
from exporter.mixin.palette import SEVERITIES


def _worst_tile(title: str, description: str, expr: str, steps: tuple[Step, ...], no_value: str) -> Panel:
    return stat(
        Text(title, description, no_value),
        Query(f"topk(1, {expr} > 0)", "{{environment}}", "instant"),
        unit="s",
        steps=steps,
        names=True,
        links=[frame.TO_ENVIRONMENT_OF_SERIES],
    )


def tiles(steps: Steps) -> list[Panel]:
    """The numbers of now."""
    return [
        stat(
            Text(
                "Environments down",
                "Environments whose last refresh failed in every exporter that watches them. Their data are stale, "
                "and withheld after max_staleness. Worry at 1: open the exporter for the reason.",
                NO_EXPORTER,
            ),
            Query(f"sum(1 - {worst(UP)})", "down", "instant"),
            unit="short",
            steps=ANY,
            decimals=0,
            links=[frame.TO_EXPORTER],
        ),
        _worst_tile(
            "Backlog: oldest queued item",
            "The environment whose oldest item has waited longest for a worker, and how long. Worry from "
            "yellow on, and check whether workers poll there; red: the queue is stalled.",
            oldest("queued"),
            steps.oldest_queued,
            "Nothing queued",
        ),
        _worst_tile(
            "Dead worker: oldest heartbeat",
            "The environment with the longest time since a heartbeat among its active and stopping items. "
            "Worry from yellow on; red: no lease lasts that long, so no worker holds the item.",
            LAG,
            steps.heartbeat_lag,
            "Nothing runs",
        ),
        _worst_tile(
            "Stuck item: longest in starting",
            "The environment with the item acknowledged longest ago without a first heartbeat. Worry at "
            "red: its worker died in between, and only a forced stop is known to release the "
            "item.",
            oldest("starting"),
            steps.starting,
            "Nothing starting",
        ),
        _worst_tile(
            "Slow drain: longest in stopping",
            "The environment with the item asked to stop longest ago that still has not stopped. Worry at "
            "yellow: the worker ignores the request or is gone.",
            oldest("stopping"),
            steps.stopping,
            "Nothing stopping",
        ),
        stat(
            Text(
                "Alerts firing",
                "Alerts of these rules that fire now, by severity. Worry at critical: act now; a warning is a "
                "ticket. None are shown either if Prometheus has not loaded the rules.",
                "No alert",
            ),
            Query(f"count by (severity) ({FIRING})", "{{severity}}", "instant"),
            unit="short",
            colours=SEVERITIES,
            names=True,
            decimals=0,
        ),
    ]
