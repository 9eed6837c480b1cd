"""Alerts on work that waits: nobody is there to take it, it is not taken, or it is taken too late."""

from collections.abc import Iterator

from exporter.mixin.labels import ENVIRONMENT
from exporter.mixin.promql import duration, number, spoken
from exporter.mixin.rules.annotations import ENVIRONMENT_NAME, FOR_SECONDS, SHARE
from exporter.mixin.rules.holding import held, indented
from exporter.mixin.rules.recordings import (
    BEATING,
    ITEMS,
    LATE,
    LATE_SHARE,
    OLDEST_AGE,
    ON,
    WORKERS_POLLING,
    acknowledged,
)
from exporter.mixin.rules.rule import Alert, Severity
from exporter.mixin.rules.scope import Scope
from exporter.thresholds import Thresholds

QUEUED = 'state="queued"'
WAITING = f"{ITEMS}{{{QUEUED}}}"


def alerts(thresholds: Thresholds, scope: Scope) -> Iterator[Alert]:
    """The alerts on waiting work."""
    yield _slowly(thresholds, scope)
    yield _backlog(thresholds, scope)
    yield _fast(thresholds, scope)
    yield _stalled(thresholds, scope)
    yield _growing(thresholds, scope)
    yield _no_workers(thresholds, scope)


def _of_the_oldest(
    name: str,
    scope: Scope,
    *,
    beyond: float,
    proof: str,
    looking_back: float,
    needs: str = "",
    pending: float,
    severity: Severity = "critical",
    summary: str,
    description: str,
) -> Alert:
    """An alert on the oldest queued item, which has waited too long, and on a proof that nothing will be done about it.

    Args:
        name: Its name.
        scope: For which environments.
        beyond: How many seconds are too long.
        proof: What must hold beside it.
        looking_back: For how many seconds the proof looks back.
        needs: A series without which the proof cannot be judged.
        pending: For how many seconds all of it must hold.
        severity: Who is told.
        summary: One sentence.
        description: How the sentence on the item's wait goes on, and what to look at first.
    """
    oldest = f"{scope.select(OLDEST_AGE, QUEUED)} > {number(beyond)}"
    return Alert(
        name=name,
        symptom="waiting",
        severity=severity,
        expr=held(name, oldest, proof, seconds=looking_back, needs=needs),
        pending=pending,
        labels=(*ENVIRONMENT, "state"),
        summary=summary,
        description=f"Environment {ENVIRONMENT_NAME}: the oldest queued item has waited {FOR_SECONDS}{description}",
        board="environment",
    )


def _late(thresholds: Thresholds) -> tuple[str, str]:
    """How late is late, and the objective, in words."""
    target = f"{thresholds.objective_share:.4%}".rstrip("%").rstrip("0").rstrip(".") + " %"
    return f"later than {spoken(thresholds.objective_wait)}", target


def _burning(thresholds: Thresholds, long: str, short: str, factor: float, scope: Scope) -> str:
    limit = number(round(factor * (1 - thresholds.objective_share), 6))
    return (
        "(\n"
        f"  {scope.select(LATE_SHARE + long)} > {limit}\n"
        f"  and {ON} {LATE_SHARE}{short} > {limit}\n"
        f"  and {ON} {LATE}{long} >= {number(thresholds.objective_late_items)}\n"
        ")"
    )


def _slowly(thresholds: Thresholds, scope: Scope) -> Alert:
    late, target = _late(thresholds)
    return Alert(
        name="QoderWorkQueueWaitBudgetBurningSlowly",
        symptom="waiting",
        severity="warning",
        expr=_burning(thresholds, "1d", "2h", thresholds.burn_slow_short, scope)
        + "\nor\n"
        + _burning(thresholds, "3d", "6h", thresholds.burn_slow_long, scope),
        pending=thresholds.burn_slow_for,
        labels=ENVIRONMENT,
        summary="Items wait too long often enough to use up the error budget.",
        description=(
            f"Environment {ENVIRONMENT_NAME}: {SHARE} of the items were acknowledged {late}; the objective is "
            f"{target} in time. Look first at which hours of the day the waits are long: that is when workers are "
            "missing, or the objective is not the one of this environment."
        ),
        board="environment",
    )


def _backlog(thresholds: Thresholds, scope: Scope) -> Alert:
    return _of_the_oldest(
        "QoderWorkBacklogNotDraining",
        scope,
        severity="warning",
        beyond=thresholds.backlog_age,
        proof=f"predict_linear({WAITING}[30m], {number(thresholds.backlog_horizon)}) > 0",
        looking_back=1800,
        pending=thresholds.backlog_for,
        summary="The backlog does not shrink fast enough.",
        description=(
            ", and at the pace of the last 30 min the queue will not be empty in "
            f"{spoken(thresholds.backlog_horizon)}. Look first at the rates of created and stopped items: add workers, "
            "or find out who creates so much."
        ),
    )


def _fast(thresholds: Thresholds, scope: Scope) -> Alert:
    late, target = _late(thresholds)
    window = duration(thresholds.growing_window)
    burning = (
        _burning(thresholds, "1h", "5m", thresholds.burn_fast_short, Scope())
        + "\nor\n"
        + _burning(thresholds, "6h", "30m", thresholds.burn_fast_long, Scope())
    )
    return _of_the_oldest(
        "QoderWorkQueueWaitBudgetBurningFast",
        scope,
        beyond=thresholds.objective_wait,
        # Late items in a queue that shrinks are being worked off: there is nothing left to save.
        proof=f"(\n{indented(burning)}\n)\nand {ON} {WAITING} >= {WAITING} offset {window}",
        looking_back=thresholds.growing_window,
        pending=thresholds.burn_fast_for,
        summary="Items wait too long, and the queue does not shrink: the error budget will be gone in days.",
        description=(
            f", many were acknowledged {late} although the objective is {target} in time, and the queue has not shrunk "
            f"for {spoken(thresholds.burn_fast_for)}. Look first at the workers needed beside those there are: more "
            "comes in than they can take."
        ),
    )


def _stalled(thresholds: Thresholds, scope: Scope) -> Alert:
    return _of_the_oldest(
        "QoderWorkQueueStalled",
        scope,
        beyond=thresholds.queue_stalled_age,
        proof=f"{acknowledged(thresholds)} == 0",
        looking_back=thresholds.idle_window,
        pending=thresholds.queue_stalled_for,
        summary="Work waits and none of it is taken.",
        description=(
            f" and nothing was acknowledged in {spoken(thresholds.idle_window)}. Look first at the number of items in "
            "each state: if some are active the workers are busy and more are needed, if none are the workers do not "
            "take work."
        ),
    )


def _nobody_works(thresholds: Thresholds) -> str:
    # A busy worker does not poll, and one without a Worker-ID is not counted: both betray themselves by a young
    # heartbeat or by having acknowledged something.
    return f"unless {ON} ({BEATING} > 0)\nand {ON} {acknowledged(thresholds)} == 0"


def _growing(thresholds: Thresholds, scope: Scope) -> Alert:
    window = duration(thresholds.growing_window)
    return _of_the_oldest(
        "QoderWorkQueueGrowingWithoutWorkers",
        scope,
        beyond=thresholds.no_workers_wait,
        proof=(
            f"delta({WAITING}[{window}]) >= {number(thresholds.growing_items)}\n"
            f"and {ON} {WAITING} > 0\n"
            f"{_nobody_works(thresholds)}"
        ),
        looking_back=thresholds.idle_window,
        pending=thresholds.growing_for,
        summary="The queue grows and nobody takes work from it.",
        description=(
            f", the queue grew in {spoken(thresholds.growing_window)}, no item has a recent heartbeat and nothing was "
            f"acknowledged in {spoken(thresholds.idle_window)}. Look first at the workers' logs: they are gone, or "
            "they poll and then fail to acknowledge."
        ),
    )


def _no_workers(thresholds: Thresholds, scope: Scope) -> Alert:
    return _of_the_oldest(
        "QoderWorkNoWorkersPolling",
        scope,
        beyond=thresholds.no_workers_wait,
        proof=f"{WORKERS_POLLING} == 0\nand {ON} {WAITING} > 0\n{_nobody_works(thresholds)}",
        looking_back=thresholds.idle_window,
        needs=WORKERS_POLLING,
        pending=thresholds.no_workers_for,
        summary="Work waits and no worker polls for it.",
        description=(
            ", no worker polls, no item has a recent heartbeat and nothing was acknowledged in "
            f"{spoken(thresholds.idle_window)}. Look first at whether the worker processes run and can reach the API. "
            "Workers that send no Worker-ID are not counted as polling."
        ),
    )
