"""Alerts on work that waits: nobody is there to take it, it is not taken, or it is taken too late."""

from collections.abc import Iterator

from exporter.mixin.labels import BY_ENVIRONMENT, ENVIRONMENT
from exporter.mixin.promql import duration, number, spoken
from exporter.mixin.rules.annotations import COUNT, ENVIRONMENT_NAME, FOR_SECONDS, SHARE
from exporter.mixin.rules.recordings import (
    BEATING,
    ITEMS,
    LATE,
    LATE_SHARE,
    OLDEST_AGE,
    WORKERS_POLLING,
    acknowledged,
)
from exporter.mixin.rules.rule import Alert
from exporter.thresholds import Thresholds

QUEUED = '{state="queued"}'
ON = f"on ({BY_ENVIRONMENT})"


def alerts(thresholds: Thresholds) -> Iterator[Alert]:
    """The alerts on waiting work."""
    slowly, fast = _objective(thresholds)
    backlog, stalled = _slow(thresholds)
    yield from (slowly, backlog, fast, stalled)
    yield from _unserved(thresholds)


def _objective(thresholds: Thresholds) -> Iterator[Alert]:
    budget = 1 - thresholds.objective_share
    late = f"later than {spoken(thresholds.objective_wait)}"
    target = f"{thresholds.objective_share:.4%}".rstrip("%").rstrip("0").rstrip(".") + " %"

    def burning(long: str, short: str, factor: float) -> str:
        limit = number(round(factor * budget, 6))
        return (
            "(\n"
            f"  {LATE_SHARE}{long} > {limit}\n"
            f"  and {ON} {LATE_SHARE}{short} > {limit}\n"
            f"  and {ON} {LATE}{long} >= {number(thresholds.objective_late_items)}\n"
            ")"
        )

    yield Alert(
        name="QoderWorkQueueWaitBudgetBurningSlowly",
        symptom="waiting",
        severity="warning",
        expr=burning("1d", "2h", thresholds.burn_slow_short)
        + "\nor\n"
        + burning("3d", "6h", thresholds.burn_slow_long),
        pending=thresholds.burn_slow_for,
        labels=ENVIRONMENT,
        summary="Items wait too long often enough to use up the error budget.",
        description=(
            f"Environment {ENVIRONMENT_NAME}: {SHARE} of the items were acknowledged {late}; the objective is "
            f"{target} in time. Look first at which hours of the day the waits are long: that is when workers are "
            "missing."
        ),
        board="environment",
    )
    yield Alert(
        name="QoderWorkQueueWaitBudgetBurningFast",
        symptom="waiting",
        severity="critical",
        expr=burning("1h", "5m", thresholds.burn_fast_short)
        + "\nor\n"
        + burning("6h", "30m", thresholds.burn_fast_long),
        pending=thresholds.burn_fast_for,
        labels=ENVIRONMENT,
        summary="So many items wait too long that the error budget will be gone in days.",
        description=(
            f"Environment {ENVIRONMENT_NAME}: {SHARE} of the items were acknowledged {late}; the objective is "
            f"{target} in time. Look first at the queue's depth beside the number of workers: it is a burst, or "
            "workers are missing."
        ),
        board="environment",
    )


def _slow(thresholds: Thresholds) -> Iterator[Alert]:
    horizon = number(thresholds.backlog_horizon)
    yield Alert(
        name="QoderWorkBacklogNotDraining",
        symptom="waiting",
        severity="warning",
        expr=(
            f"{OLDEST_AGE}{QUEUED} > {number(thresholds.backlog_age)}\n"
            f"and {ON} predict_linear({ITEMS}{QUEUED}[30m], {horizon}) > 0"
        ),
        pending=thresholds.backlog_for,
        labels=(*ENVIRONMENT, "state"),
        summary="The backlog does not shrink fast enough.",
        description=(
            f"Environment {ENVIRONMENT_NAME}: the oldest queued item has waited {FOR_SECONDS}, and at the pace of the "
            f"last 30 min the queue will not be empty in {spoken(thresholds.backlog_horizon)}. Look first at the rates "
            "of created and stopped items: add workers, or find out who creates so much."
        ),
        board="environment",
    )
    yield Alert(
        name="QoderWorkQueueStalled",
        symptom="waiting",
        severity="critical",
        expr=f"{OLDEST_AGE}{QUEUED} > {number(thresholds.queue_stalled_age)}",
        pending=thresholds.queue_stalled_for,
        labels=(*ENVIRONMENT, "state"),
        summary="The oldest queued item has waited too long.",
        description=(
            f"Environment {ENVIRONMENT_NAME}: the oldest queued item has waited {FOR_SECONDS}. Look first at the "
            "number of items in each state: if some are active the workers are busy and more are needed, if none are "
            "the workers do not take work."
        ),
        board="environment",
    )


def _unserved(thresholds: Thresholds) -> Iterator[Alert]:
    # A busy worker does not poll, and one without a Worker-ID is not counted: both betray themselves by a young
    # heartbeat or by having acknowledged something.
    nobody_works = f"unless {ON} ({BEATING} > 0)\nunless {ON} ({acknowledged(thresholds)} > 0)"
    idle = spoken(thresholds.idle_window)
    window = duration(thresholds.growing_window)
    yield Alert(
        name="QoderWorkQueueGrowingWithoutWorkers",
        symptom="waiting",
        severity="critical",
        expr=(
            f"delta({ITEMS}{QUEUED}[{window}]) >= {number(thresholds.growing_items)}\n"
            f"and {ON} {ITEMS}{QUEUED} > 0\n"
            f"{nobody_works}"
        ),
        pending=thresholds.growing_for,
        labels=(*ENVIRONMENT, "state"),
        summary="The queue grows and nobody takes work from it.",
        description=(
            f"Environment {ENVIRONMENT_NAME}: the queue grew by {COUNT} items in "
            f"{spoken(thresholds.growing_window)}, no item has a recent heartbeat and nothing was acknowledged in "
            f"{idle}. Look first at the workers' logs: they are gone, or they poll and then fail to acknowledge."
        ),
        board="environment",
    )
    yield Alert(
        name="QoderWorkNoWorkersPolling",
        symptom="waiting",
        severity="critical",
        expr=(
            f"{OLDEST_AGE}{QUEUED} > {number(thresholds.no_workers_wait)}\n"
            f"and {ON} {WORKERS_POLLING} == 0\n"
            f"and {ON} {ITEMS}{QUEUED} > 0\n"
            f"{nobody_works}"
        ),
        pending=thresholds.no_workers_for,
        labels=(*ENVIRONMENT, "state"),
        summary="Work waits and no worker polls for it.",
        description=(
            f"Environment {ENVIRONMENT_NAME}: the oldest queued item has waited {FOR_SECONDS}, no worker polls, no "
            f"item has a recent heartbeat and nothing was acknowledged in {idle}. Look first at whether the worker "
            "processes run and can reach the API. Workers that send no Worker-ID are not counted as polling."
        ),
        board="environment",
    )
