"""The top of the Environment dashboard: how it is now."""

from exporter.metrics.table import QUEUE_WAIT, UP
from exporter.mixin.dashboards import frame
from exporter.mixin.dashboards.environment.expressions import LAG, NOTHING_HAPPENED, POLLING, QUEUED, oldest
from exporter.mixin.dashboards.panel import Panel, Query, Text
from exporter.mixin.dashboards.queries import per_environment, quantile, work
from exporter.mixin.dashboards.shared import NO_DATA, UP_OR_DOWN
from exporter.mixin.dashboards.steps import Step, Steps
from exporter.mixin.dashboards.visualizations import stat
from exporter.mixin.palette import QUANTILES, STATES, WORKERS


def _age_tile(title: str, description: str, expr: str, steps: tuple[Step, ...]) -> Panel:
    return stat(Text(title, description, NO_DATA), Query(expr, kind="instant"), unit="s", steps=steps, width=3)


def tiles(steps: Steps) -> list[Panel]:
    """The numbers of now."""
    return [
        stat(
            Text(
                "State",
                "Whether the last refresh succeeded. Down: the numbers below are stale or missing; the Exporter "
                "dashboard has the reason. With several environments selected, the worst of them. Worry when it "
                "stays down.",
                NO_DATA,
            ),
            Query(f"min({per_environment(work(UP))})", kind="instant"),
            unit="none",
            mappings=UP_OR_DOWN,
            width=3,
            links=[frame.TO_EXPORTER],
        ),
        _age_tile(
            "Oldest queued",
            "How long the oldest queued item has waited. Worry from yellow on; red: the queue is stalled.",
            oldest("queued"),
            steps.oldest_queued,
        ),
        _age_tile(
            "Heartbeat lag",
            "Longest time since the last heartbeat of an active or stopping item. Worry from yellow "
            "on: two usual leases were missed; red: no lease lasts that long, so the worker is gone.",
            LAG,
            steps.heartbeat_lag,
        ),
        _age_tile(
            "Longest in starting",
            "Time since the acknowledgement of the item that waits longest for its first heartbeat. Worry "
            "at red: it is stuck; stop it by force, so that its session can go on.",
            oldest("starting"),
            steps.starting,
        ),
        _age_tile(
            "Longest in stopping",
            "Time since the stop request of the item that has been stopping longest. Worry at yellow: its "
            "worker ignores the request or is gone.",
            oldest("stopping"),
            steps.stopping,
        ),
        stat(
            Text(
                "Queued items",
                "Items waiting for a worker now. No value is good or bad by itself: worry when it grows while no "
                "worker polls.",
                NO_DATA,
            ),
            Query(QUEUED, kind="instant"),
            unit="short",
            colour=STATES["queued"],
            decimals=0,
            width=3,
        ),
        stat(
            Text(
                "Workers polling",
                "Workers that polled for work recently, by the API's own count. Worry at 0 while items are queued; "
                "workers that send no Worker-ID are not counted.",
                "Not reported by the API",
            ),
            Query(POLLING, kind="instant"),
            unit="short",
            colour=WORKERS,
            decimals=0,
            width=3,
        ),
        stat(
            Text(
                "Wait, 95th percentile",
                "19 of 20 items acknowledged in the range shown had waited no longer than this. Worry above "
                "the objective; items still waiting are not included: see the oldest queued.",
                NOTHING_HAPPENED,
            ),
            Query(f"{quantile(0.95, QUEUE_WAIT, over_range=True)} >= 0", kind="instant"),
            unit="s",
            colour=QUANTILES["p95"],
            width=3,
        ),
    ]
