"""Alerts on items that a worker took: it is silent, never began, does not stop, or lost them."""

from collections.abc import Iterator

from exporter.mixin.labels import ENVIRONMENT
from exporter.mixin.promql import number
from exporter.mixin.rules.annotations import COUNT, ENVIRONMENT_NAME, FOR_SECONDS, SHARE
from exporter.mixin.rules.holding import held
from exporter.mixin.rules.recordings import CREATED, HEARTBEAT_LAG, OLDEST_AGE, ON, REQUEUED, VANISHED
from exporter.mixin.rules.rule import Alert
from exporter.mixin.rules.scope import Scope
from exporter.thresholds import Thresholds


def alerts(thresholds: Thresholds, scope: Scope) -> Iterator[Alert]:
    """The alerts on items in the hands of workers."""
    yield from _lost(thresholds, scope)
    yield from _stuck(thresholds, scope)
    yield from _silent(thresholds, scope)


def _silent(thresholds: Thresholds, scope: Scope) -> Iterator[Alert]:
    lag = scope.select(HEARTBEAT_LAG)
    settled = thresholds.settle
    yield Alert(
        name="QoderWorkHeartbeatLate",
        symptom="heartbeat",
        severity="warning",
        expr=held("QoderWorkHeartbeatLate", f"{lag} > {number(thresholds.heartbeat_late)}", seconds=settled),
        pending=thresholds.heartbeat_late_for,
        labels=ENVIRONMENT,
        summary="An item's worker has missed its heartbeats.",
        description=(
            f"Environment {ENVIRONMENT_NAME}: an active or stopping item has had no heartbeat for {FOR_SECONDS}; "
            "workers usually send one every 30 s. Look first at the load and the network of the workers' machines."
        ),
        board="environment",
    )
    yield Alert(
        name="QoderWorkHeartbeatLost",
        symptom="heartbeat",
        severity="critical",
        expr=held("QoderWorkHeartbeatLost", f"{lag} > {number(thresholds.heartbeat_lost)}", seconds=settled),
        pending=thresholds.heartbeat_lost_for,
        labels=ENVIRONMENT,
        summary="An item's worker has sent no heartbeat for longer than any lease lasts.",
        description=(
            f"Environment {ENVIRONMENT_NAME}: an active or stopping item has had no heartbeat for {FOR_SECONDS}, and "
            "the API grants no lease beyond 600 s. Its worker is gone and nobody has taken the item over. Look first "
            "for a worker that crashed or was cut off at that time, then stop the item by force."
        ),
        board="environment",
    )


def _stuck(thresholds: Thresholds, scope: Scope) -> Iterator[Alert]:
    def oldest(state: str, beyond: float) -> str:
        matcher = f'state="{state}"'
        return f"{scope.select(OLDEST_AGE, matcher)} > {number(beyond)}"

    settled = thresholds.settle
    yield Alert(
        name="QoderWorkStuckStarting",
        symptom="startup",
        severity="critical",
        expr=held("QoderWorkStuckStarting", oldest("starting", thresholds.startup_stuck), seconds=settled),
        pending=thresholds.startup_stuck_for,
        labels=(*ENVIRONMENT, "state"),
        summary="An item was acknowledged and never started.",
        description=(
            f"Environment {ENVIRONMENT_NAME}: an item has been starting for {FOR_SECONDS} without a first heartbeat. "
            "Its worker died between acknowledgement and heartbeat, and such items are not handed out again. Look "
            "first for the item in the work list, then stop it by force so that its session can go on."
        ),
        board="environment",
    )
    yield Alert(
        name="QoderWorkDrainOverdue",
        symptom="drain",
        severity="warning",
        expr=held("QoderWorkDrainOverdue", oldest("stopping", thresholds.drain_overdue), seconds=settled),
        pending=thresholds.drain_overdue_for,
        labels=(*ENVIRONMENT, "state"),
        summary="An item was asked to stop and has not stopped.",
        description=(
            f"Environment {ENVIRONMENT_NAME}: an item has been stopping for {FOR_SECONDS}. Look first at whether its "
            "worker still sends heartbeats: if it does it ignores the request, if not it is gone and the item needs a "
            "stop by force."
        ),
        board="environment",
    )


def _lost(thresholds: Thresholds, scope: Scope) -> Iterator[Alert]:
    settled = thresholds.settle
    vanished = f"{scope.select(VANISHED)} >= {number(thresholds.vanished_items)}"
    yield Alert(
        name="QoderWorkItemsVanishing",
        symptom="loss",
        severity="warning",
        expr=held("QoderWorkItemsVanishing", vanished, seconds=settled),
        pending=0,
        labels=ENVIRONMENT,
        summary="Live items disappear from the API.",
        description=(
            f"Environment {ENVIRONMENT_NAME}: {COUNT} items that had not stopped are no longer known to the API, "
            "within an hour. Look first at whether somebody deleted their sessions."
        ),
        board="environment",
    )
    requeued = (
        f"{scope.select(REQUEUED)} / {ON} clamp_min({CREATED}, 1) > {number(thresholds.requeued_share)}\n"
        f"and {ON} {REQUEUED} >= {number(thresholds.requeued_items)}"
    )
    yield Alert(
        name="QoderWorkItemsRequeuedOften",
        symptom="loss",
        severity="warning",
        expr=held("QoderWorkItemsRequeuedOften", requeued, seconds=settled),
        pending=0,
        labels=ENVIRONMENT,
        summary="Many items go back to the queue after a worker had them.",
        description=(
            f"Environment {ENVIRONMENT_NAME}: in an hour the items that went back to the queue were {SHARE} of those "
            "created. Look first at why workers die or lose their leases: restarts, memory, network."
        ),
        board="environment",
    )
