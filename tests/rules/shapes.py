"""Shapes of traffic, and what fires in each: while all is well, and after every worker has died.

The table in docs/alerts.md is made from this list, and the list is checked by letting promtool evaluate the rules.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tests.rules.queues import Queue, always

HOUR = 60


def every(minutes: float, start: float = 0, end: float = 36 * HOUR) -> list[float]:
    """One item each so many minutes, in seconds."""
    count = int((end - start) / minutes)
    return [60 * (start + number * minutes) for number in range(count)]


def batch(size: int, *moments: float, over: float = 0) -> list[float]:
    """So many items at each of these minutes, submitted over some minutes."""
    return sorted(60 * (moment + over * number / size) for moment in moments for number in range(size))


class FromZero:
    """No worker while nothing waits; some come when an item has waited so long, and leave when idle."""

    def __init__(self, count: int, after: float) -> None:
        self.count = count
        self.after = after
        self.until = 0.0

    def __call__(self, now: float, waited: float) -> int:
        if waited >= 60 * self.after or (waited and now < self.until):
            self.until = now + 300
        return self.count if now < self.until else 0


def rollout(now: float, waited: float) -> int:
    """Three workers that are replaced at minute 60, all at once."""
    return 0 if 3600 <= now < 3900 else 3


@dataclass(frozen=True)
class Shape:
    """One kind of traffic.

    Attributes:
        words: What the table calls it.
        queue: Makes the queue.
        minutes: How long it is watched.
        dies: The minute at which every worker dies, in the second run.
        well: What fires while all is well: minutes from the beginning, by alert.
        dead: What fires after the death: minutes after it, by alert.
    """

    words: str
    queue: Callable[[], Queue]
    minutes: int
    dies: int
    well: Mapping[str, int] = field(default_factory=dict)
    dead: Mapping[str, int] = field(default_factory=dict)


SHAPES = {
    "idle": Shape(
        "Idle; one item a day",
        lambda: Queue(batch(1, 90), 120, always(3)),
        180,
        30,
        well={},
        dead={"QoderWorkNoWorkersPolling": 71, "QoderWorkQueueStalled": 77, "QoderWorkBacklogNotDraining": 111},
    ),
    "steady": Shape(
        "Steady: an item a minute, three workers, two minutes each",
        lambda: Queue(every(1), 120, always(3)),
        180,
        60,
        well={},
        dead={
            "QoderWorkHeartbeatLate": 3,
            "QoderWorkHeartbeatLost": 11,
            "QoderWorkNoWorkersPolling": 11,
            "QoderWorkQueueGrowingWithoutWorkers": 11,
            "QoderWorkQueueStalled": 17,
            "QoderWorkBacklogNotDraining": 51,
        },
    ),
    "burst": Shape(
        "Burst: 200 items at once, worked off in 20 min",
        lambda: Queue(batch(200, 60), 60, always(10)),
        180,
        70,
        well={"QoderWorkQueueWaitBudgetBurningSlowly": 81},
        dead={
            "QoderWorkHeartbeatLate": 3,
            "QoderWorkHeartbeatLost": 11,
            "QoderWorkNoWorkersPolling": 10,
            "QoderWorkQueueStalled": 10,
            "QoderWorkQueueWaitBudgetBurningSlowly": 11,
            "QoderWorkBacklogNotDraining": 70,
        },
    ),
    "hourly": Shape(
        "Hourly batch of 100 items, worked off in 40 min",
        lambda: Queue(batch(100, *range(30, 600, 60)), 240, always(10)),
        360,
        220,
        well={"QoderWorkQueueWaitBudgetBurningSlowly": 53},
        dead={
            "QoderWorkHeartbeatLate": 3,
            "QoderWorkNoWorkersPolling": 9,
            "QoderWorkQueueStalled": 9,
            "QoderWorkHeartbeatLost": 11,
            "QoderWorkQueueGrowingWithoutWorkers": 51,
            "QoderWorkBacklogNotDraining": 66,
        },
    ),
    "nightly": Shape(
        "Nightly batch of 3,000 items, worked off in 5 h",
        lambda: Queue(batch(3000, 60), 60, always(10)),
        420,
        180,
        well={"QoderWorkQueueWaitBudgetBurningSlowly": 81, "QoderWorkBacklogNotDraining": 111},
        dead={
            "QoderWorkHeartbeatLate": 3,
            "QoderWorkHeartbeatLost": 11,
            "QoderWorkNoWorkersPolling": 10,
            "QoderWorkQueueStalled": 10,
        },
    ),
    "submitted": Shape(
        "Batch of 300 items submitted over 30 min, worked off in an hour",
        lambda: Queue(batch(300, 60, over=30), 120, always(10)),
        240,
        100,
        well={"QoderWorkQueueWaitBudgetBurningSlowly": 86},
        dead={
            "QoderWorkHeartbeatLate": 3,
            "QoderWorkHeartbeatLost": 11,
            "QoderWorkNoWorkersPolling": 10,
            "QoderWorkQueueStalled": 10,
            "QoderWorkBacklogNotDraining": 68,
        },
    ),
    "zero": Shape(
        "Scale from zero: an item each half hour, a worker comes after 6 min",
        lambda: Queue(every(30, 30), 300, FromZero(2, 6)),
        360,
        95,
        well={"QoderWorkQueueWaitBudgetBurningSlowly": 171},
        dead={"QoderWorkNoWorkersPolling": 6, "QoderWorkQueueStalled": 12, "QoderWorkBacklogNotDraining": 46},
    ),
    "busy-zero": Shape(
        "Scale from zero: 20 items each hour, workers come after 7 min",
        lambda: Queue(batch(20, *range(30, 600, 60)), 120, FromZero(5, 7)),
        300,
        160,
        well={"QoderWorkQueueWaitBudgetBurningSlowly": 52},
        dead={
            "QoderWorkHeartbeatLate": 3,
            "QoderWorkHeartbeatLost": 11,
            "QoderWorkNoWorkersPolling": 10,
            "QoderWorkQueueStalled": 10,
            "QoderWorkQueueGrowingWithoutWorkers": 51,
            "QoderWorkBacklogNotDraining": 72,
        },
    ),
    "long": Shape(
        "Six-hour items, as many workers as items",
        lambda: Queue(every(60, 10), 6 * 3600, always(8)),
        420,
        240,
        well={},
        dead={
            "QoderWorkHeartbeatLate": 3,
            "QoderWorkHeartbeatLost": 11,
            "QoderWorkNoWorkersPolling": 21,
            "QoderWorkQueueStalled": 27,
            "QoderWorkBacklogNotDraining": 61,
        },
    ),
    "long-waiting": Shape(
        "Six-hour items, two more than workers",
        lambda: Queue(batch(12, 30), 6 * 3600, always(10)),
        420,
        240,
        well={"QoderWorkQueueStalled": 47, "QoderWorkBacklogNotDraining": 81},
        dead={"QoderWorkHeartbeatLate": 3, "QoderWorkNoWorkersPolling": 3, "QoderWorkHeartbeatLost": 11},
    ),
    "rollout": Shape(
        "Steady, and all workers are replaced within 5 min",
        lambda: Queue(every(1), 120, rollout),
        180,
        120,
        well={},
        dead={
            "QoderWorkHeartbeatLate": 3,
            "QoderWorkHeartbeatLost": 11,
            "QoderWorkNoWorkersPolling": 11,
            "QoderWorkQueueGrowingWithoutWorkers": 11,
            "QoderWorkQueueStalled": 17,
            "QoderWorkBacklogNotDraining": 51,
        },
    ),
    "overload": Shape(
        "More than the workers can take: 12 items a minute, 10 taken",
        lambda: Queue(every(1 / 12, 30), 60, always(10)),
        300,
        120,
        well={
            "QoderWorkQueueWaitBudgetBurningSlowly": 77,
            "QoderWorkBacklogNotDraining": 106,
            "QoderWorkQueueWaitBudgetBurningFast": 108,
        },
        dead={
            "QoderWorkHeartbeatLate": 3,
            "QoderWorkHeartbeatLost": 11,
            "QoderWorkNoWorkersPolling": 11,
            "QoderWorkQueueGrowingWithoutWorkers": 11,
            "QoderWorkQueueStalled": 11,
        },
    ),
}
