"""The Environment dashboard on the objective: items acknowledged in time."""

from exporter.metrics.table import QUEUE_WAIT
from exporter.mixin.dashboards.environment.expressions import NOTHING_HAPPENED
from exporter.mixin.dashboards.layout import Section
from exporter.mixin.dashboards.panel import Query, Text
from exporter.mixin.dashboards.queries import increase, per_environment
from exporter.mixin.dashboards.steps import Steps
from exporter.mixin.dashboards.visualizations import stat, timeseries
from exporter.mixin.palette import BURN, CRITICAL
from exporter.mixin.promql import le
from exporter.thresholds import Thresholds


def _windows(thresholds: Thresholds) -> dict[str, float]:
    """The longer window of each burn-rate alert, and the burn rate at which it alerts."""
    return {
        "1h": thresholds.burn_fast_short,
        "6h": thresholds.burn_fast_long,
        "1d": thresholds.burn_slow_short,
        "3d": thresholds.burn_slow_long,
    }


def _late_share(steps: Steps, window: str) -> str:
    bound = steps.thresholds.objective_wait
    acknowledged = f"sum({per_environment(increase(QUEUE_WAIT, suffix='_count', window=window))})"
    in_time = f"sum({per_environment(increase(QUEUE_WAIT, le(bound), suffix='_bucket', window=window))})"
    # Not 1 - a / b: rounding would make something out of nothing.
    return f"clamp_min({acknowledged} - {in_time}, 0) / {acknowledged}"


def section(steps: Steps) -> Section:
    """The share in time, the budget left, and how fast it burns."""
    minutes = steps.thresholds.objective_wait / 60
    share = steps.thresholds.objective_share
    budget = f"{1 - share:g}"
    return Section(
        "Objective",
        [
            [
                stat(
                    Text(
                        f"Acknowledged within {minutes:g} min",
                        "Share of the items acknowledged in the range shown that had waited no longer than "
                        f"{minutes:g} min. The objective is {share:.2%}: worry when the tile is red.",
                        NOTHING_HAPPENED,
                    ),
                    Query(f"1 - {_late_share(steps, '$__range')} >= 0", kind="instant"),
                    unit="percentunit",
                    steps=steps.in_time,
                    base=CRITICAL,
                    decimals=2,
                    height=8,
                ),
                stat(
                    Text(
                        "Error budget left",
                        "Remaining share of the late items that the objective allows in the range shown. Choose 30 "
                        "days for the objective's own period. Worry below a half; below 0 the objective is missed.",
                        NOTHING_HAPPENED,
                    ),
                    Query(f"1 - {_late_share(steps, '$__range')} / {budget} > -Inf", kind="instant"),
                    unit="percentunit",
                    steps=steps.budget_left,
                    base=CRITICAL,
                    decimals=1,
                    height=8,
                ),
                timeseries(
                    Text(
                        "Error budget burn, share of the alert's",
                        "How fast late items use up the budget, over four windows, each as a share of the burn rate "
                        "at which its alert fires. Worry at 100 %: 1h and 6h page if it continues, 1d and 3d open "
                        "tickets.",
                        "Nothing acknowledged yet",
                    ),
                    [
                        Query(f"{_late_share(steps, window)} / {budget} / {factor:g}", window)
                        for window, factor in _windows(steps.thresholds).items()
                    ],
                    unit="percentunit",
                    steps=steps.burn,
                    colours=BURN,
                    reaching=steps.burn[0].value,
                    width=16,
                ),
            ]
        ],
    )
