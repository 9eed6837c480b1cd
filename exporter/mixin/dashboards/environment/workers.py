"""The Environment dashboard on those who do the work."""

from exporter.metrics.table import DRAIN, HEARTBEAT_LAG, STARTUP
from exporter.mixin.dashboards.environment.expressions import LAG, oldest, quantiles
from exporter.mixin.dashboards.layout import Section
from exporter.mixin.dashboards.panel import Query, Text
from exporter.mixin.dashboards.queries import buckets, work
from exporter.mixin.dashboards.shared import NO_DATA
from exporter.mixin.dashboards.steps import Steps
from exporter.mixin.dashboards.visualizations import heatmap, timeseries
from exporter.mixin.palette import STATES


def section(steps: Steps) -> Section:
    """Heartbeats, starting and draining."""
    return Section(
        "Workers",
        [
            [
                heatmap(
                    Text(
                        "Time since the latest heartbeat",
                        "How many running items were last heard of how long ago, at each moment. Healthy is a band "
                        "below the workers' interval; worry at a thread that climbs out of it: a dead worker.",
                        "Nothing runs",
                    ),
                    buckets(work(HEARTBEAT_LAG, suffix="_bucket")),
                    unit="s",
                    cell="short",
                ),
                timeseries(
                    Text(
                        "Longest time without a heartbeat",
                        "The quietest running item. Healthy is a low saw; a straight climb is a dead worker. Worry "
                        "at the dashed lines: late, then beyond any lease.",
                        NO_DATA,
                    ),
                    [Query(LAG, "heartbeat lag")],
                    unit="s",
                    steps=steps.heartbeat_lag,
                    colours={"heartbeat lag": STATES["active"]},
                    width=12,
                    height=9,
                ),
            ],
            [
                timeseries(
                    Text(
                        "Longest in starting and stopping",
                        "The item that has been longest in each of these passing states: if it climbs straight it will "
                        "not move by itself. Worry at the dashed lines, red for starting and yellow for stopping.",
                        NO_DATA,
                    ),
                    [Query(oldest(state), state) for state in ("starting", "stopping")],
                    unit="s",
                    steps=steps.passing,
                    colours=STATES,
                ),
                quantiles(
                    "Start-up time",
                    "From the acknowledgement to the first heartbeat. It is the worker's own: pulling an image, "
                    "preparing a sandbox. Worry when it grows from day to day.",
                    STARTUP,
                ),
                quantiles(
                    "Drain time",
                    "From the request to stop to the stop. A worker learns of the request at its next heartbeat. "
                    "Worry when it nears the grace your platform gives a worker.",
                    DRAIN,
                ),
            ],
        ],
    )
