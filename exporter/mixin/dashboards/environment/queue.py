"""The Environment dashboard on what waits."""

from exporter.metrics.table import QUEUE_AGE, QUEUE_DEPTH, QUEUE_PENDING, QUEUE_WAIT
from exporter.mixin.dashboards.environment.expressions import NOTHING_HAPPENED, POLLING, QUEUED, oldest, quantiles
from exporter.mixin.dashboards.layout import Section
from exporter.mixin.dashboards.panel import Query, Text
from exporter.mixin.dashboards.queries import buckets, per_environment, rate, work
from exporter.mixin.dashboards.shared import NO_DATA, live_items
from exporter.mixin.dashboards.steps import Steps
from exporter.mixin.dashboards.visualizations import heatmap, timeseries
from exporter.mixin.palette import PENDING, STATES, WORKERS


def section(steps: Steps) -> Section:
    """Depth, ages and waits."""
    return Section(
        "Queue",
        [
            [
                live_items(),
                timeseries(
                    Text(
                        "Queue by the API's statistics",
                        "Depth can be claimed now; pending was delivered to a worker and is not acknowledged yet. "
                        "Worry when pending stays up: workers take items but do not start them.",
                        "Not reported by the API",
                    ),
                    [
                        Query(f"sum({per_environment(work(QUEUE_DEPTH))})", "depth"),
                        Query(f"sum({per_environment(work(QUEUE_PENDING))})", "pending"),
                    ],
                    unit="short",
                    colours={"depth": STATES["queued"], "pending": PENDING},
                    decimals=0,
                    axis="items",
                ),
                timeseries(
                    Text(
                        "Workers polling and items queued",
                        "How many workers poll, and how many items wait. Worry when items wait and no worker polls; "
                        "workers that send no Worker-ID are not counted.",
                        NO_DATA,
                    ),
                    [Query(POLLING, "workers polling"), Query(QUEUED, "queued")],
                    unit="short",
                    colours={"workers polling": WORKERS, "queued": STATES["queued"]},
                    decimals=0,
                ),
            ],
            [
                heatmap(
                    Text(
                        "Age of the queued items",
                        "How many items have waited how long, at each moment. Healthy is colour at the bottom only; "
                        "worry at a band that climbs to the right: a batch that no worker takes.",
                        NO_DATA,
                    ),
                    buckets(work(QUEUE_AGE, suffix="_bucket")),
                    unit="s",
                    cell="short",
                ),
                heatmap(
                    Text(
                        "Wait until acknowledged",
                        "Items per second acknowledged after this wait. Worry when colour moves up: items wait "
                        "longer and longer. Items still waiting are not included: see the age of the queued items.",
                        NOTHING_HAPPENED,
                    ),
                    buckets(rate(QUEUE_WAIT, suffix="_bucket")),
                    unit="s",
                    cell="cps",
                ),
            ],
            [
                timeseries(
                    Text(
                        "Oldest queued item",
                        "A straight climb is a queue that no worker serves; a sawtooth is one served in bursts. Worry "
                        "at the dashed lines: late, then stalled.",
                        NO_DATA,
                    ),
                    [Query(oldest("queued"), "oldest queued")],
                    unit="s",
                    steps=steps.oldest_queued,
                    colours={"oldest queued": STATES["queued"]},
                    width=12,
                ),
                quantiles(
                    "Wait until acknowledged, quantiles",
                    "How long the items acknowledged at that time had waited. The dashed line is the objective. "
                    "Worry when p95 stays above it.",
                    QUEUE_WAIT,
                    steps=steps.wait,
                    width=12,
                ),
            ],
        ],
    )
