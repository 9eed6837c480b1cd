"""The Exporter dashboard on whether the counts can be trusted, and on internal problems."""

from exporter.metrics.table import (
    API_CLIENT_RESTARTS,
    CHECKPOINT_FAILURES,
    CHECKPOINT_TIMESTAMP,
    CORRECTIONS,
    COUNTS_DISPUTED,
    DISCOVERY_UNMATCHED,
    ENVIRONMENT_CONFLICTS,
    ENVIRONMENTS_GONE,
    LOOP_LAG,
    UNREADABLE_ITEMS,
    MetricSpec,
)
from exporter.mixin.dashboards.layout import Section
from exporter.mixin.dashboards.panel import Panel, Query, Text
from exporter.mixin.dashboards.queries import increase, per_environment, target, work
from exporter.mixin.dashboards.shared import NO_EXPORTER
from exporter.mixin.dashboards.visualizations import timeseries


def section() -> Section:
    """Counts, discovery, connections, the event loop and the checkpoint."""
    return Section("Trust", [[*_counts(), _discovery()], _inside()])


def _counts() -> list[Panel]:
    return [
        timeseries(
            Text(
                "Counts in doubt",
                "Items that could not be read, and environments whose counts the API's own statistics contradict. "
                "Healthy is 0; worry when either stays.",
                NO_EXPORTER,
            ),
            [
                Query(f"sum({per_environment(work(UNREADABLE_ITEMS))})", "unreadable items"),
                Query(f"sum({per_environment(work(COUNTS_DISPUTED))})", "environments disputed"),
            ],
            unit="short",
            decimals=0,
            axis="items, environments",
        ),
        timeseries(
            Text(
                "Counts corrected, over an hour",
                "Items whose count was found wrong and corrected. Once can happen; worry when it repeats.",
                NO_EXPORTER,
            ),
            [Query(per_environment(increase(CORRECTIONS, window="1h")), "{{environment}}")],
            unit="short",
            axis="items",
        ),
    ]


def _discovery() -> Panel:
    def by_account(spec: MetricSpec) -> str:
        return f"max by (account) ({target(spec.name)})"

    return timeseries(
        Text(
            "Discovery findings",
            "Environments that disappeared within a day, include patterns that match none, and environments that are "
            "read through an earlier account. Worry at what you did not expect.",
            NO_EXPORTER,
        ),
        [
            Query(by_account(ENVIRONMENTS_GONE), "{{account}}: gone"),
            Query(by_account(DISCOVERY_UNMATCHED), "{{account}}: patterns that match none"),
            Query(by_account(ENVIRONMENT_CONFLICTS), "{{account}}: read through another account"),
        ],
        unit="short",
        decimals=0,
        axis="environments, patterns",
    )


def _inside() -> list[Panel]:
    restarts = f"increase({target(API_CLIENT_RESTARTS.name)}[1h])"
    failures = f"increase({target(CHECKPOINT_FAILURES.name)}[1h])"
    return [
        timeseries(
            Text(
                "HTTP clients replaced, over an hour",
                "Responses stopped arriving, and all connections were closed. Healthy is 0; worry when it "
                "repeats: something between the exporter and the API drops connections.",
                NO_EXPORTER,
            ),
            [Query(f"sum by (account) ({restarts})", "{{account}}")],
            unit="short",
            axis="clients",
            width=6,
        ),
        timeseries(
            Text(
                "Event loop lag",
                "The longest time the event loop was blocked since the previous scrape. Healthy is milliseconds; worry "
                "at seconds: the machine is too small, or suspended.",
                NO_EXPORTER,
            ),
            [Query(target(LOOP_LAG.name), "{{instance}}")],
            unit="s",
            width=6,
        ),
        timeseries(
            Text(
                "Time since the checkpoint",
                "Age of the state that a restart would begin with. Worry at a straight climb.",
                "No checkpoint is configured",
            ),
            [Query(f"time() - {target(CHECKPOINT_TIMESTAMP.name)}", "{{instance}}")],
            unit="s",
            width=6,
        ),
        timeseries(
            Text(
                "Checkpoints that failed, over an hour",
                "Writes of the checkpoint that failed. Healthy is 0; worry when it climbs: the disk, or permissions.",
                "No checkpoint is configured",
            ),
            [Query(failures, "{{instance}}")],
            unit="short",
            axis="writes",
            width=6,
        ),
    ]
