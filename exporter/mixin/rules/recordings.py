"""Recording rules: one value for each environment, whatever the number of exporters, as it was last known.

A level is carried over missing scrapes, and beyond them for as long as its environment is not read (``KNOWN`` is 0):
what is not known any more neither resolves an alert nor starts one.
"""

from collections.abc import Iterator
from typing import Final

from exporter.mixin.labels import BY_ENVIRONMENT, ENVIRONMENT
from exporter.mixin.promql import duration, le, number
from exporter.mixin.rules.rule import Recording
from exporter.mixin.rules.scope import Scope
from exporter.thresholds import Thresholds

KNOWN: Final = "environment:qoder_work_known:max"
ITEMS: Final = "environment_state:qoder_work_items:max"
OLDEST_AGE: Final = "environment_state:qoder_work_oldest_age_seconds:max"
HEARTBEAT_LAG: Final = "environment:qoder_work_max_heartbeat_lag_seconds:max"
BEATING: Final = "environment:qoder_work_items_beating:max"
WORKERS_POLLING: Final = "environment:qoder_work_workers_polling:max"
VANISHED: Final = "environment:qoder_work_vanished:increase1h"
REQUEUED: Final = "environment:qoder_work_requeued:increase1h"
CREATED: Final = "environment:qoder_work_created:increase1h"
ACKNOWLEDGED: Final = "environment:qoder_work_acknowledged:increase"
RUN_TIME: Final = "environment:qoder_work_run_seconds:mean6h"
WORKERS_NEEDED: Final = "environment:qoder_work_workers_needed:estimate"
REFRESHED: Final = "account_environment:qoder_work_up:avg5m"
FAILURES: Final = "environment_reason:qoder_work_refresh_failures:increase10m"
LATE: Final = "environment:qoder_work_queue_wait_late:increase"
LATE_SHARE: Final = "environment:qoder_work_queue_wait_late_per_acknowledged:ratio_rate"

LATE_WINDOWS: Final = ("1h", "6h", "1d", "3d")
"""The long windows of the burn rates, in which late items are counted."""

SHARE_WINDOWS: Final = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")
"""Both windows of the burn rates, in which the share of late items is taken."""

ON: Final = f"on ({BY_ENVIRONMENT})"


def acknowledged(thresholds: Thresholds) -> str:
    """The recorded number of items acknowledged in the idle window."""
    return ACKNOWLEDGED + duration(thresholds.idle_window)


def known(thresholds: Thresholds) -> Recording:
    """Whether an environment is read: 1 if so, 0 if not, absent once it is no longer watched.

    An environment whose whole history was not read yet is not known either. One that no exporter shows any more stays
    at 0 while an exporter is missing, which may be the one that watches it.
    """
    gap = duration(thresholds.scrape_gap)
    return Recording(
        KNOWN,
        f"max by ({BY_ENVIRONMENT}) (\n"
        f"  max_over_time(qoder_work_up[{gap}])\n"
        f"  * on (job, instance, {BY_ENVIRONMENT}) last_over_time(qoder_work_history_complete[{gap}])\n"
        ")\n"
        f"or {KNOWN} * 0 and on () (\n"
        f"  absent_over_time(qoder_exporter_build_info[{gap}])\n"
        "  or\n"
        "  group(\n"
        f"    max by (job, instance) (max_over_time(up[{gap}])) == 0\n"
        "    and on (job, instance) last_over_time(qoder_exporter_build_info[1d])\n"
        "  )\n"
        ")",
        ENVIRONMENT,
    )


def _level(name: str, now: str, labels: tuple[str, ...] = ENVIRONMENT, scope: Scope | None = None) -> Recording:
    """A level: its value now, or the last one while its environment is not known."""
    last = scope.select(name) if scope else name
    return Recording(name, f"{now}\nor {last} and {ON} {KNOWN} == 0", labels)


def levels(thresholds: Thresholds) -> Iterator[Recording]:
    """What is true of each environment now, whatever its own thresholds."""
    gap = duration(thresholds.scrape_gap)
    yield _level(
        ITEMS,
        # Configured metadata labels split a state into several series: whole first, then the exporters compared.
        f"max by ({BY_ENVIRONMENT}, state) (\n"
        f"  sum by ({BY_ENVIRONMENT}, state, job, instance) (last_over_time(qoder_work_items[{gap}]))\n"
        ")",
        (*ENVIRONMENT, "state"),
    )
    yield _level(
        OLDEST_AGE,
        f"max by ({BY_ENVIRONMENT}, state) (last_over_time(qoder_work_oldest_age_seconds[{gap}]))",
        (*ENVIRONMENT, "state"),
    )
    yield _level(
        HEARTBEAT_LAG, f"max by ({BY_ENVIRONMENT}) (last_over_time(qoder_work_max_heartbeat_lag_seconds[{gap}]))"
    )
    yield _level(WORKERS_POLLING, f"max by ({BY_ENVIRONMENT}) (last_over_time(qoder_work_workers_polling[{gap}]))")
    for name in (VANISHED, REQUEUED, CREATED):
        counter = name.split(":")[1] + "_total"
        yield _level(name, f"max by ({BY_ENVIRONMENT}) (increase({counter}[1h]))")
    yield Recording(
        REFRESHED,
        # The side that may have two series of an environment, when its account was renamed or two see it, is "many".
        f"max by (account, {BY_ENVIRONMENT}) (\n"
        "  last_over_time(qoder_work_environment_info[5m])\n"
        f"  * on (job, instance, {BY_ENVIRONMENT}) group_left ()\n"
        f"  max by (job, instance, {BY_ENVIRONMENT}) (avg_over_time(qoder_work_up[5m]))\n"
        ")",
        ("account", *ENVIRONMENT),
    )
    yield Recording(
        FAILURES,
        f"sum by ({BY_ENVIRONMENT}, reason) (increase(qoder_work_refresh_failures_total[10m]))",
        (*ENVIRONMENT, "reason"),
    )


def signs_of_life(thresholds: Thresholds, scope: Scope) -> Iterator[Recording]:
    """What shows that somebody works, in the environments of a scope."""
    gap, window = duration(thresholds.scrape_gap), duration(thresholds.idle_window)
    beating = scope.select("qoder_work_heartbeat_lag_seconds_bucket", le(thresholds.beating_within))
    # A scraper may drop the buckets of a gauge histogram: if the longest lag is short, every active item is beating.
    active = scope.select(ITEMS, 'state="active"')
    all_beat = f"sum by ({BY_ENVIRONMENT}) ({active}) and {ON} {HEARTBEAT_LAG} <= {number(thresholds.beating_within)}"
    yield _level(BEATING, f"max by ({BY_ENVIRONMENT}) (last_over_time({beating}[{gap}]))\nor {all_beat}", scope=scope)
    counted = scope.select("qoder_work_queue_wait_seconds_count")
    yield _level(acknowledged(thresholds), f"max by ({BY_ENVIRONMENT}) (increase({counted}[{window}]))", scope=scope)


def scaling(thresholds: Thresholds, scope: Scope) -> Iterator[Recording]:
    """How many workers there should be, so that what waits is taken within the objective's wait.

    Those that are busy or, if that is more, as many as keep up with what comes (rate times run time); and for what is
    queued a share of a worker each: one worker takes an item at once and another after each run that fits the wait.
    Nothing to do needs no worker. Where no item has run yet, a run is taken to last as long as the wait.
    """
    wait = number(thresholds.objective_wait)
    seconds = scope.select("qoder_work_run_seconds_sum")
    runs = scope.select("qoder_work_run_seconds_count")
    yield Recording(
        RUN_TIME,
        f"sum by ({BY_ENVIRONMENT}) (rate({seconds}[6h]))\n/ (sum by ({BY_ENVIRONMENT}) (rate({runs}[6h])) > 0)",
        ENVIRONMENT,
    )
    waiting, taken = scope.select(ITEMS, 'state="queued"'), scope.select(ITEMS, 'state=~"starting|active|stopping"')
    queued, busy = (f"sum by ({BY_ENVIRONMENT}) ({items})" for items in (waiting, taken))
    run = f"({RUN_TIME} or {queued} * 0 + {wait})"
    yield Recording(
        WORKERS_NEEDED,
        "ceil(\n"
        f"  {queued} * {run} / ({run} + {wait})\n"
        f"  + (round({CREATED} / 3600 * {RUN_TIME}, 0.1) > {busy} and {busy} + {queued} > 0 or {busy})\n"
        ")",
        ENVIRONMENT,
    )


def objective(thresholds: Thresholds, scope: Scope) -> Iterator[Recording]:
    """How many items waited too long, in windows of minutes to days, in the environments of a scope."""
    total = scope.select("qoder_work_queue_wait_seconds_count")
    in_time = scope.select("qoder_work_queue_wait_seconds_bucket", le(thresholds.objective_wait))
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
