"""The Exporter dashboard on refreshes: whether they succeed, what they cost, and how far they reach."""

from exporter.metrics.table import (
    HISTORY_COMPLETE,
    REFRESH_DURATION,
    REFRESH_REQUESTS,
    SNAPSHOT_TIMESTAMP,
    UP,
    MetricSpec,
)
from exporter.mixin.dashboards import frame
from exporter.mixin.dashboards.layout import Section
from exporter.mixin.dashboards.panel import Panel, Query, Text
from exporter.mixin.dashboards.queries import items, per_environment, work
from exporter.mixin.dashboards.shared import NO_DATA, NO_EXPORTER, UP_OR_DOWN, failed_refreshes
from exporter.mixin.dashboards.steps import Steps
from exporter.mixin.dashboards.visualizations import state_timeline, timeseries
from exporter.mixin.palette import OK, WARNING

TEN_WORST = 10
BY_INSTANCE = "max by (instance, environment_id, environment)"


def freshness(steps: Steps) -> Section:
    """How old the numbers are, and why."""
    return Section(
        "Freshness",
        [
            [
                timeseries(
                    Text(
                        "Age of the data shown",
                        "Time since an environment was read, the ten oldest. Healthy is a sawtooth up to the "
                        "scrape interval; a climb is an environment that cannot be read. Worry at the dashed line.",
                        "No environment read yet",
                    ),
                    [
                        Query(
                            f"topk({TEN_WORST}, time() - {per_environment(work(SNAPSHOT_TIMESTAMP))})",
                            "{{environment}}",
                        )
                    ],
                    unit="s",
                    steps=steps.snapshot_age,
                    links=[frame.TO_ENVIRONMENT_OF_SERIES],
                ),
                state_timeline(
                    Text(
                        "Up, by exporter",
                        "Whether each exporter can read each environment. Worry at red. In one of two exporters: check "
                        "its token and network. In all: check the environment or the API.",
                        NO_EXPORTER,
                    ),
                    [Query(f"{BY_INSTANCE} ({work(UP)})", "{{environment}} by {{instance}}")],
                    mappings=UP_OR_DOWN,
                    width=8,
                    height=8,
                ),
                failed_refreshes(),
            ]
        ],
    )


def _most_expensive(title: str, description: str, spec: MetricSpec, unit: str, axis: str = "") -> Panel:
    return timeseries(
        Text(title, f"{description} The ten most expensive environments at each moment.", NO_DATA),
        [Query(f"topk({TEN_WORST}, {per_environment(work(spec))})", "{{environment}}")],
        unit=unit,
        axis=axis,
        links=[frame.TO_ENVIRONMENT_OF_SERIES],
        width=12,
    )


def cost() -> Section:
    """What the last refresh of an environment cost."""
    return Section(
        "Cost of a refresh",
        [
            [
                _most_expensive(
                    "Duration of a refresh",
                    "How long the last refresh took. Worry when it nears the scrape timeout: scrapes then show the "
                    "previous refresh, and the data get older.",
                    REFRESH_DURATION,
                    "s",
                ),
                _most_expensive(
                    "Requests of a refresh",
                    "API requests of the last refresh. The number follows the live items, not the history: two when "
                    "idle. A peak is a full traversal of the list, as after a start. Worry when it stays high: the "
                    "API drops cursors.",
                    REFRESH_REQUESTS,
                    "short",
                    "requests",
                ),
            ]
        ],
    )


def history() -> Section:
    """Whether the whole list has been read, and how long it is."""
    return Section(
        "History",
        [
            [
                state_timeline(
                    Text(
                        "History complete, by exporter",
                        "Whether the whole work list has been read once. Withheld: the counts and ages that need it "
                        "are not shown yet. Worry when that lasts for hours.",
                        NO_EXPORTER,
                    ),
                    [Query(f"{BY_INSTANCE} ({work(HISTORY_COMPLETE)})", "{{environment}} by {{instance}}")],
                    mappings={1: ("Complete", OK), 0: ("Withheld", WARNING)},
                    height=8,
                ),
                timeseries(
                    Text(
                        "Length of the work list",
                        "All items the API lists, stopped ones included, the ten longest lists. It only grows unless "
                        "the API deletes old items: a drop is deleted history, no reason to worry.",
                        NO_DATA,
                    ),
                    [
                        Query(
                            f"topk({TEN_WORST}, sum by (environment_id, environment) ({items()}))",
                            "{{environment}}",
                        )
                    ],
                    unit="short",
                    axis="items",
                    width=12,
                ),
            ]
        ],
    )
