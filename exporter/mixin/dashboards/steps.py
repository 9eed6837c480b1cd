"""The alerts' thresholds as steps of colour, so that a panel turns yellow or red where an alert would fire."""

from dataclasses import dataclass

from exporter.mixin.palette import CRITICAL, OK, WARNING
from exporter.thresholds import Thresholds


@dataclass(frozen=True, slots=True)
class Step:
    """From this value on, this colour."""

    value: float
    colour: str


@dataclass(frozen=True, slots=True)
class Steps:
    """The steps of everything the dashboards colour.

    Attributes:
        thresholds: The alerts' numbers they come from.
    """

    thresholds: Thresholds

    @property
    def oldest_queued(self) -> tuple[Step, ...]:
        """Age of the oldest queued item: a backlog that may not drain, then a stalled queue."""
        return Step(self.thresholds.backlog_age, WARNING), Step(self.thresholds.queue_stalled_age, CRITICAL)

    @property
    def no_workers(self) -> tuple[Step, ...]:
        """Age of the oldest queued item where nobody works: workers are gone."""
        return (Step(self.thresholds.no_workers_wait, CRITICAL),)

    @property
    def heartbeat_lag(self) -> tuple[Step, ...]:
        """Time since a heartbeat: beyond a usual lease, then beyond any lease."""
        return Step(self.thresholds.heartbeat_late, WARNING), Step(self.thresholds.heartbeat_lost, CRITICAL)

    @property
    def starting(self) -> tuple[Step, ...]:
        """Time in starting: stuck for ever."""
        return (Step(self.thresholds.startup_stuck, CRITICAL),)

    @property
    def stopping(self) -> tuple[Step, ...]:
        """Time in stopping: the drain is overdue."""
        return (Step(self.thresholds.drain_overdue, WARNING),)

    @property
    def passing(self) -> tuple[Step, ...]:
        """Time in starting and in stopping on one panel, the lower step first."""
        return tuple(sorted((*self.starting, *self.stopping), key=lambda step: step.value))

    @property
    def snapshot_age(self) -> tuple[Step, ...]:
        """Age of the data shown: the snapshot is stale."""
        return (Step(self.thresholds.snapshot_stale_age, WARNING),)

    @property
    def clock_skew(self) -> tuple[Step, ...]:
        """Difference of two clocks, whichever is ahead."""
        return (Step(self.thresholds.clock_skew, WARNING),)

    @property
    def wait(self) -> tuple[Step, ...]:
        """How long an item may wait and still be in time."""
        return (Step(self.thresholds.objective_wait, WARNING),)

    @property
    def api_latency(self) -> tuple[Step, ...]:
        """Ninth decile of the time a request takes."""
        return (Step(self.thresholds.api_slow_seconds, WARNING),)

    @property
    def throttled(self) -> tuple[Step, ...]:
        """Share of an account's requests that the API throttled."""
        return (Step(self.thresholds.throttled_share, WARNING),)

    @property
    def burn(self) -> tuple[Step, ...]:
        """Burn rate, as a share of the one that alerts."""
        return (Step(1, WARNING),)

    @property
    def in_time(self) -> tuple[Step, ...]:
        """Share of the items acknowledged in time: good from the objective on."""
        return (Step(self.thresholds.objective_share, OK),)

    @property
    def budget_left(self) -> tuple[Step, ...]:
        """Share of the error budget that is left: used up, some, most of it."""
        return Step(0, WARNING), Step(0.5, OK)

    @property
    def requeued_share(self) -> tuple[Step, ...]:
        """Share of the created items that were given back or lost by a worker."""
        return (Step(self.thresholds.requeued_share, WARNING),)


ANY = (Step(1, CRITICAL),)
"""One is one too many."""
