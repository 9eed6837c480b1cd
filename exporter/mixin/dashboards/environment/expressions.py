"""Expressions and texts that several sections of the Environment dashboard share."""

from exporter.metrics.table import MAX_HEARTBEAT_LAG, OLDEST_AGE, WORKERS_POLLING, MetricSpec
from exporter.mixin.dashboards.panel import Panel, Query, Text
from exporter.mixin.dashboards.queries import items, per_environment, quantile, work
from exporter.mixin.dashboards.steps import Step
from exporter.mixin.dashboards.visualizations import timeseries
from exporter.mixin.palette import QUANTILES

NOTHING_HAPPENED = "No item got this far in the range"

LAG = f"max({work(MAX_HEARTBEAT_LAG)})"
QUEUED = "sum(" + items('state="queued"') + ")"
POLLING = f"sum({per_environment(work(WORKERS_POLLING))})"


def oldest(state: str) -> str:
    """How long the oldest item of the chosen environments has been in this state."""
    matcher = f'state="{state}"'
    return f"max({work(OLDEST_AGE, matcher)})"


def quantiles(title: str, description: str, spec: MetricSpec, *, steps: tuple[Step, ...] = (), width: int = 8) -> Panel:
    """Median and upper quantiles of a lifecycle histogram over time."""
    return timeseries(
        Text(title, description, NOTHING_HAPPENED),
        [Query(quantile(q, spec), f"p{q * 100:g}") for q in (0.5, 0.95, 0.99)],
        unit="s",
        steps=steps,
        colours=QUANTILES,
        sparse=True,
        width=width,
    )
