"""How bad it is: judged by the thresholds of the alerts, so that the page agrees with the pager."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf
from typing import Literal

from exporter import advice
from exporter.api.errors import REFUSALS
from exporter.histogram import Histogram
from exporter.thresholds import Thresholds
from exporter.tracking.observation import QUEUED, STARTING, STOPPING, Observation
from exporter.tracking.patterns import Pattern
from exporter.tracking.snapshot import Snapshot
from exporter.tracking.view import EnvironmentView

Severity = Literal["critical", "warning", "unknown", "ok"]
"""Worst first. Unknown is what cannot be judged: nothing has been read yet, or what was read is old."""

RANKS: dict[Severity, int] = {"critical": 0, "warning": 1, "unknown": 2, "ok": 3}

DEFAULTS = Thresholds()


@dataclass(frozen=True, slots=True)
class Verdict:
    """A judgement.

    Attributes:
        severity: How bad it is.
        reason: Why, in words; empty if all is well.
        alert: The alert that stands on the same threshold, or empty.
        urgency: How far beyond its threshold, as a factor; orders what is equally severe.
    """

    severity: Severity
    reason: str = ""
    alert: str = ""
    urgency: float = 0.0

    @property
    def order(self) -> tuple[int, float]:
        """Sorts worst first."""
        return RANKS[self.severity], -self.urgency


OK = Verdict("ok")


def worst(verdicts: Iterator[Verdict] | list[Verdict]) -> Verdict:
    """The worst of some verdicts; all is well if there are none."""
    return min(verdicts, key=lambda verdict: verdict.order, default=OK)


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges by thresholds.

    Attributes:
        thresholds: The numbers of the alerts.
    """

    thresholds: Thresholds = DEFAULTS

    # -- one item -----------------------------------------------------------------------------------------------------

    def item(self, item: Observation, *, served: bool) -> Verdict:
        """Judge one live item at the moment it was read.

        Args:
            item: The item.
            served: Whether work is taken from its queue: then waiting long is a lack of workers, not an outage.
        """
        limits = self.thresholds
        in_state = seconds_in_state(item) or 0.0
        lag = heartbeat_lag(item) or 0.0
        if item.state == QUEUED:
            stalled = Verdict("warning" if served else "critical", f"has waited {spoken(in_state)}")
            return _beyond(in_state, limits.queue_stalled_age, stalled, "QoderWorkQueueStalled") or _beyond_or_ok(
                in_state, limits.backlog_age, Verdict("warning", stalled.reason), "QoderWorkBacklogNotDraining"
            )
        if item.state == STARTING:
            stuck = Verdict("critical", f"has been starting for {spoken(in_state)} without a heartbeat")
            return _beyond_or_ok(in_state, limits.startup_stuck, stuck, "QoderWorkStuckStarting")
        silent = f"has sent no heartbeat for {spoken(lag)}"
        found = [
            _beyond(lag, limits.heartbeat_lost, Verdict("critical", silent), "QoderWorkHeartbeatLost"),
            _beyond(lag, limits.heartbeat_late, Verdict("warning", silent), "QoderWorkHeartbeatLate"),
        ]
        if item.state == STOPPING:
            overdue = Verdict("warning", f"has been stopping for {spoken(in_state)}")
            found.append(_beyond(in_state, limits.drain_overdue, overdue, "QoderWorkDrainOverdue"))
        return worst([verdict for verdict in found if verdict is not None])

    def suspicious(self, snapshot: Snapshot) -> bool:
        """Whether any item of a snapshot can be worth a look: spares going through all of them where none is."""
        queue, limits = snapshot.queue, self.thresholds
        if queue is None:
            return False
        return (
            queue.oldest_age.get(QUEUED, 0) > limits.backlog_age
            or queue.oldest_age.get(STARTING, 0) > limits.startup_stuck
            or queue.oldest_age.get(STOPPING, 0) > limits.drain_overdue
            or queue.max_heartbeat_lag > limits.heartbeat_late
        )

    # -- one environment ----------------------------------------------------------------------------------------------

    def environment(self, view: EnvironmentView, now: float) -> Iterator[Verdict]:
        """Judge the reading of an environment and what its counts alone show; the items are judged one by one."""
        yield from self._reading(view, now)
        if view.read_at is not None and view.snapshot is None:
            age = max(0.0, now - view.read_at)
            yield Verdict("unknown", f"last read {spoken(age)} ago, so its counts are withheld", urgency=age)
        if view.disputed:
            yield Verdict("warning", "the API's own statistics contradict the counts", "QoderWorkCountsDisputed")
        if view.unreadable:
            text = f"{view.unreadable} items cannot be read in full"
            yield Verdict("warning", text, "QoderWorkItemsUnreadable")
        if view.leaving:
            text = "has left its account's list, or is archived; it is watched until none of its items is live"
            yield Verdict("warning", text, "QoderWorkEnvironmentGone")
        if view.snapshot is not None:
            yield from self._nobody_works(view.snapshot)

    def _reading(self, view: EnvironmentView, now: float) -> Iterator[Verdict]:
        limits = self.thresholds
        failed = next(iter(view.outcomes), None)
        if not view.up and (view.error is not None or failed is not None):
            reason = failed.reason if failed is not None and failed.reason is not None else "internal"
            known = advice.of_failure(reason)
            lasting = 0.0 if view.failing_since is None else max(0.0, now - view.failing_since)
            since = f" for {spoken(lasting)}" if lasting >= 1 else ""
            text = f"cannot be read{since}: {known.meaning[:1].lower()}{known.meaning[1:].rstrip('.')}"
            limit = limits.token_refused_for if reason == "auth" else limits.environment_down_for
            severe = reason not in REFUSALS and lasting >= limit
            yield Verdict("critical" if severe else "warning", text, known.runbook, urgency=1 + lasting / limit)
        elif not view.up:
            yield Verdict("unknown", "has not been read yet")
        elif not view.history_complete:
            yield Verdict("unknown", "its list of work is being read for the first time, so counts are withheld")
        elif view.read_at is not None and now - view.read_at > limits.snapshot_stale_age:
            text = f"its data are {spoken(now - view.read_at)} old although reading succeeds"
            yield Verdict("warning", text, "QoderWorkSnapshotStale")

    def _nobody_works(self, snapshot: Snapshot) -> Iterator[Verdict]:
        waited = snapshot.queue.oldest_age.get(QUEUED, 0.0) if snapshot.queue is not None else 0.0
        if waited > self.thresholds.no_workers_wait and self.polling(snapshot) == 0 and not self._beating(snapshot):
            text = f"work has waited {spoken(waited)} and no worker polls"
            urgency = waited / self.thresholds.no_workers_wait
            yield Verdict("critical", text, "QoderWorkNoWorkersPolling", urgency)

    @staticmethod
    def polling(snapshot: Snapshot) -> int | None:
        """Workers that poll, by the API's statistics; None where it gives none."""
        return None if snapshot.stats is None else snapshot.stats.workers_polling

    def served(self, view: EnvironmentView, items: Sequence[Observation]) -> bool:
        """Whether work is taken: something was acknowledged lately, as QoderWorkQueueStalled asks.

        What is still live says when it was acknowledged, and of what has stopped the lifecycle's exemplars do.
        """
        if not items:
            return False
        newest = max((item.acknowledged for item in items if item.acknowledged is not None), default=-inf)
        if view.lifecycle is not None:
            newest = max([newest, *(example.timestamp for example in view.lifecycle.wait.examples.values())])
        return max(item.read_at for item in items) - newest <= self.thresholds.idle_window

    def _beating(self, snapshot: Snapshot) -> bool:
        """Whether an item has a recent heartbeat."""
        queue = snapshot.queue
        return queue is not None and _within(queue.heartbeat_lag, self.thresholds.beating_within) > 0


@dataclass(frozen=True, slots=True)
class Judges:
    """Who judges which environment.

    Attributes:
        usual: Judges those that no pattern matches.
        others: Patterns for whole names, each with who judges those; the first that matches counts, as in the rules.
    """

    usual: Judge = Judge()
    others: tuple[tuple[Pattern, Judge], ...] = ()

    def of(self, environment: str) -> Judge:
        """Who judges the environment of this name."""
        return next((judge for pattern, judge in self.others if pattern.matches(environment)), self.usual)


def seconds_in_state(item: Observation) -> float | None:
    """How long an item had been in its state when it was read, or None where the API does not say."""
    since = item.state_since
    return None if since is None else max(0.0, item.read_at - since)


def heartbeat_lag(item: Observation) -> float | None:
    """The time since an item's last heartbeat when it was read, or None where none is due."""
    since = item.beating_since
    return None if since is None else max(0.0, item.read_at - since)


def spoken(seconds: float) -> str:
    """A duration by its two largest units: ``42 s``, ``3 min``, ``5 h 20 min``, ``2 d 3 h``; never negative."""
    whole = max(0, int(seconds))
    for size, unit, smaller, part in ((86400, "d", 3600, "h"), (3600, "h", 60, "min")):
        if whole >= size:
            rest = whole % size // smaller
            return f"{whole // size} {unit}" + (f" {rest} {part}" if rest else "")
    return f"{whole // 60} min" if whole >= 60 else f"{whole} s"


def _beyond(value: float, limit: float, verdict: Verdict, alert: str) -> Verdict | None:
    if value <= limit:
        return None
    return Verdict(verdict.severity, verdict.reason, alert, value / limit)


def _beyond_or_ok(value: float, limit: float, verdict: Verdict, alert: str) -> Verdict:
    return _beyond(value, limit, verdict, alert) or OK


def _within(histogram: Histogram, bound: float) -> int:
    """Observations up to one of the histogram's bounds."""
    return sum(histogram.counts[: histogram.bounds.index(bound) + 1])
