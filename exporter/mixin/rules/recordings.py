"""Recording rules: one value for each environment, whatever the number of exporters, carried over missing scrapes."""

from collections.abc import Iterator
from typing import Final

from exporter.mixin.labels import BY_ENVIRONMENT, ENVIRONMENT
from exporter.mixin.promql import duration, le
from exporter.mixin.rules.rule import Recording
from exporter.thresholds import Thresholds

ITEMS: Final = "environment_state:qoder_work_items:max"
OLDEST_AGE: Final = "environment_state:qoder_work_oldest_age_seconds:max"
HEARTBEAT_LAG: Final = "environment:qoder_work_max_heartbeat_lag_seconds:max"
BEATING: Final = "environment:qoder_work_items_beating:max"
WORKERS_POLLING: Final = "environment:qoder_work_workers_polling:max"
ACKNOWLEDGED: Final = "environment:qoder_work_acknowledged:increase"
REFRESHED: Final = "account_environment:qoder_work_up:avg5m"
FAILURES: Final = "environment_reason:qoder_work_refresh_failures:increase10m"
LATE: Final = "environment:qoder_work_queue_wait_late:increase"
LATE_SHARE: Final = "environment:qoder_work_queue_wait_late_per_acknowledged:ratio_rate"

LATE_WINDOWS: Final = ("1h", "6h", "1d", "3d")
"""The long windows of the burn rates, in which late items are counted."""

SHARE_WINDOWS: Final = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")
"""Both windows of the burn rates, in which the share of late items is taken."""


def acknowledged(thresholds: Thresholds) -> str:
    """The recorded number of items acknowledged in the idle window."""
    return ACKNOWLEDGED + duration(thresholds.idle_window)


def levels(thresholds: Thresholds) -> Iterator[Recording]:
    """What is true of each environment now."""
    gap = duration(thresholds.scrape_gap)
    yield Recording(
        ITEMS,
        # Configured metadata labels split a state into several series: whole first, then the exporters compared.
        f"max by ({BY_ENVIRONMENT}, state) (\n"
        f"  sum by ({BY_ENVIRONMENT}, state, job, instance) (last_over_time(qoder_work_items[{gap}]))\n"
        ")",
        (*ENVIRONMENT, "state"),
    )
    yield Recording(
        OLDEST_AGE,
        f"max by ({BY_ENVIRONMENT}, state) (last_over_time(qoder_work_oldest_age_seconds[{gap}]))",
        (*ENVIRONMENT, "state"),
    )
    yield Recording(
        HEARTBEAT_LAG,
        f"max by ({BY_ENVIRONMENT}) (last_over_time(qoder_work_max_heartbeat_lag_seconds[{gap}]))",
        ENVIRONMENT,
    )
    beating = f"qoder_work_heartbeat_lag_seconds_bucket{{{le(thresholds.beating_within)}}}"
    yield Recording(BEATING, f"max by ({BY_ENVIRONMENT}) (last_over_time({beating}[{gap}]))", ENVIRONMENT)
    yield Recording(
        WORKERS_POLLING,
        f"max by ({BY_ENVIRONMENT}) (last_over_time(qoder_work_workers_polling[{gap}]))",
        ENVIRONMENT,
    )
    window = duration(thresholds.idle_window)
    yield Recording(
        acknowledged(thresholds),
        f"max by ({BY_ENVIRONMENT}) (increase(qoder_work_queue_wait_seconds_count[{window}]))",
        ENVIRONMENT,
    )
    yield Recording(
        REFRESHED,
        f"max by (account, {BY_ENVIRONMENT}) (\n"
        "  avg_over_time(qoder_work_up[5m])\n"
        f"  * on (job, instance, {BY_ENVIRONMENT}) group_left (account)\n"
        "  last_over_time(qoder_work_environment_info[5m])\n"
        ")",
        ("account", *ENVIRONMENT),
    )
    yield Recording(
        FAILURES,
        f"sum by ({BY_ENVIRONMENT}, reason) (increase(qoder_work_refresh_failures_total[10m]))",
        (*ENVIRONMENT, "reason"),
    )


def objective(thresholds: Thresholds) -> Iterator[Recording]:
    """How many items waited too long, in windows of minutes to days."""
    total = "qoder_work_queue_wait_seconds_count"
    in_time = f"qoder_work_queue_wait_seconds_bucket{{{le(thresholds.objective_wait)}}}"
    for window in LATE_WINDOWS:
        yield Recording(
            LATE + window,
            f"max by ({BY_ENVIRONMENT}) (increase({total}[{window}]) - ignoring (le) increase({in_time}[{window}]))",
            ENVIRONMENT,
        )
    for window in SHARE_WINDOWS:
        # Numerator and denominator are aggregated apart; a pair of exporters counts twice in both.
        yield Recording(
            LATE_SHARE + window,
            "clamp_min(\n"
            f"  sum by ({BY_ENVIRONMENT}) (rate({total}[{window}]))\n"
            f"  - sum by ({BY_ENVIRONMENT}) (rate({in_time}[{window}])),\n"
            "  0\n"
            ")\n"
            f"/ (sum by ({BY_ENVIRONMENT}) (rate({total}[{window}])) > 0)",
            ENVIRONMENT,
        )
