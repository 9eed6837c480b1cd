"""The Environment dashboard on the flow of items."""

from exporter.metrics.table import CREATED, REQUEUED, RUN, STOPPED, VANISHED, MetricSpec
from exporter.mixin.dashboards.environment.expressions import NOTHING_HAPPENED
from exporter.mixin.dashboards.layout import Section
from exporter.mixin.dashboards.panel import Query, Text
from exporter.mixin.dashboards.queries import buckets, increase, per_environment, rate
from exporter.mixin.dashboards.shared import NO_DATA, PER_MINUTE
from exporter.mixin.dashboards.steps import Steps
from exporter.mixin.dashboards.visualizations import heatmap, timeseries
from exporter.mixin.palette import FLOWS, STATES


def section(steps: Steps) -> Section:
    """Created, stopped, requeued, vanished, and how long it ran."""

    def hour(spec: MetricSpec) -> str:
        return increase(spec, window="1h")

    def per_minute(spec: MetricSpec) -> str:
        return f"{PER_MINUTE} * sum({per_environment(rate(spec))})"

    return Section(
        "Flow",
        [
            [
                timeseries(
                    Text(
                        "Created and stopped per minute",
                        "Items in and items out. Over hours they should be equal; worry when created stays above "
                        "stopped: a growing backlog, or longer runs.",
                        NO_DATA,
                    ),
                    [Query(per_minute(CREATED), "created"), Query(per_minute(STOPPED), "stopped")],
                    unit="short",
                    colours=FLOWS,
                    axis="items per minute",
                ),
                timeseries(
                    Text(
                        "Requeued and vanished per minute",
                        "Requeued items lost their worker or were given back; vanished ones disappeared from the API "
                        "while live. Healthy is none; one burst is a lost node or a roll-out. Worry when it continues.",
                        NO_DATA,
                    ),
                    [Query(per_minute(REQUEUED), "requeued"), Query(per_minute(VANISHED), "vanished")],
                    unit="short",
                    colours=FLOWS,
                    bars=True,
                    axis="items per minute",
                ),
                timeseries(
                    Text(
                        "Requeued share of created items, over an hour",
                        "Items that were started more than once, as a share of those created. Worry at the dashed "
                        "line: workers die or give up too often.",
                        "Nothing created in an hour",
                    ),
                    [
                        Query(
                            f"sum({per_environment(hour(REQUEUED))}) / sum({per_environment(hour(CREATED))})",
                            "requeued share",
                        )
                    ],
                    unit="percentunit",
                    steps=steps.requeued_share,
                    colours={"requeued share": FLOWS["requeued"]},
                ),
            ],
            [
                heatmap(
                    Text(
                        "Run time",
                        "Items per second that stopped after this run time. Two bands are two kinds of work; worry at "
                        "a new band at the bottom: work that fails at once.",
                        NOTHING_HAPPENED,
                    ),
                    buckets(rate(RUN, suffix="_bucket")),
                    unit="s",
                    cell="cps",
                ),
                timeseries(
                    Text(
                        "Growth of the live items per minute",
                        "Created minus stopped. Above 0 the backlog grows, below 0 it shrinks. Worry when it stays "
                        "above 0 for longer than a burst.",
                        NO_DATA,
                    ),
                    [Query(f"{per_minute(CREATED)} - {per_minute(STOPPED)}", "growth")],
                    unit="short",
                    colours={"growth": STATES["queued"]},
                    signed=True,
                    bars=True,
                    axis="items per minute",
                    width=12,
                    height=9,
                ),
            ],
        ],
    )
