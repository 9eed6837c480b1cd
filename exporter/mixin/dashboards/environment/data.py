"""The Environment dashboard on its own numbers: whether they are fresh, and why not."""

from exporter.metrics.table import SNAPSHOT_TIMESTAMP, UP
from exporter.mixin.dashboards.layout import Section
from exporter.mixin.dashboards.panel import Query, Text
from exporter.mixin.dashboards.queries import per_environment, work
from exporter.mixin.dashboards.shared import NO_DATA, UP_OR_DOWN, failed_refreshes
from exporter.mixin.dashboards.steps import Steps
from exporter.mixin.dashboards.visualizations import state_timeline, timeseries


def section(steps: Steps) -> Section:
    """Success, freshness and reasons of failure."""
    return Section(
        "Data",
        [
            [
                state_timeline(
                    Text(
                        "Up",
                        "Green while the environment can be read, red while every refresh fails. Worry at red that "
                        "lasts.",
                        NO_DATA,
                    ),
                    [Query(per_environment(work(UP)), "{{environment}}")],
                    mappings=UP_OR_DOWN,
                    width=8,
                    height=8,
                ),
                timeseries(
                    Text(
                        "Age of the data shown",
                        "Time since the numbers on this page were read. Healthy is below the scrape interval plus "
                        "the minimal interval; worry at the dashed line. Data older than the configured staleness go.",
                        NO_DATA,
                    ),
                    [Query(f"time() - {per_environment(work(SNAPSHOT_TIMESTAMP))}", "{{environment}}")],
                    unit="s",
                    steps=steps.snapshot_age,
                ),
                failed_refreshes(),
            ]
        ],
    )
