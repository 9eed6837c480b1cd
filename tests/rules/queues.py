"""A queue with its workers, minute by minute, and the series that an exporter would show of it."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

TICK = 5
SCRAPE = 60
TARGET = 'job="qoder", instance="a:10190"'


@dataclass(slots=True)
class _Item:
    created: float
    ends: float = 0
    heartbeat: float = 0


@dataclass(slots=True)
class Queue:
    """Work that comes, waits, runs and stops.

    Attributes:
        arrivals: When items are created, in seconds, sorted.
        run: How long each runs.
        workers: How many workers there are at a time, given how long work has waited (0 if none does).
        dies: When every worker dies and none comes back.
        name: The environment.
        stands: From when to when the API answers nobody: nothing is created, taken, kept alive or stopped.
    """

    arrivals: Iterable[float]
    run: float
    workers: Callable[[float, float], int]
    dies: float = float("inf")
    name: str = "gpu"
    stands: tuple[float, float] = (0, 0)
    _waiting: deque[_Item] = field(default_factory=deque)
    _active: list[_Item] = field(default_factory=list)
    _taken: int = 0
    _in_time: int = 0
    _created: int = 0
    _stopped: int = 0
    _polling: int = 0

    def play(self, minutes: int) -> dict[str, list[float | None]]:
        """The series, one value per minute."""
        coming = deque(self.arrivals)
        series: dict[str, list[float | None]] = {}
        for tick in range(0, minutes * 60 + 1, TICK):
            stands = self.stands[0] <= tick < self.stands[1]
            while coming and coming[0] <= tick:
                if stands:
                    coming.popleft()
                    continue
                self._waiting.append(_Item(coming.popleft()))
                self._created += 1
            if not stands:
                self._work(tick)
            if tick % SCRAPE == 0:
                for name, value in self._shown(tick).items():
                    series.setdefault(name, []).append(value)
        return series

    def _work(self, now: float) -> None:
        if now >= self.dies:
            self._polling = 0
            return
        ended = [item for item in self._active if item.ends <= now]
        self._active = [item for item in self._active if item.ends > now]
        self._stopped += len(ended)
        waited = now - self._waiting[0].created if self._waiting else 0
        free = max(0, self.workers(now, waited) - len(self._active))
        while free and self._waiting:
            item = self._waiting.popleft()
            item.ends = now + self.run
            self._active.append(item)
            self._taken += 1
            self._in_time += now - item.created <= 300
            free -= 1
        for item in self._active:
            item.heartbeat = now - now % 30
        self._polling = free

    def _shown(self, now: float) -> dict[str, float]:
        environment = f'{TARGET}, environment_id="env_{self.name}", environment="{self.name}"'
        oldest = now - self._waiting[0].created if self._waiting else 0.0
        lags = [now - item.heartbeat for item in self._active]
        counts = {"queued": len(self._waiting), "starting": 0, "active": len(self._active), "stopping": 0}
        ages = {"queued": oldest, "starting": 0, "active": 0, "stopping": 0}
        return {
            f"up{{{TARGET}}}": 1,
            f'qoder_exporter_build_info{{{TARGET}, version="1", python="3"}}': 1,
            f'qoder_exporter_environments{{{TARGET}, account="default"}}': 1,
            f'qoder_work_environment_info{{{environment}, account="default"}}': 1,
            f"qoder_work_up{{{environment}}}": 1,
            f"qoder_work_history_complete{{{environment}}}": 1,
            f"qoder_work_snapshot_timestamp_seconds{{{environment}}}": now,
            f"qoder_work_max_heartbeat_lag_seconds{{{environment}}}": max(lags, default=0.0),
            f'qoder_work_heartbeat_lag_seconds_bucket{{{environment}, le="120.0"}}': sum(lag <= 120 for lag in lags),
            f"qoder_work_workers_polling{{{environment}}}": self._polling,
            f"qoder_work_queue_wait_seconds_count{{{environment}}}": self._taken,
            f'qoder_work_queue_wait_seconds_bucket{{{environment}, le="300.0"}}': self._in_time,
            f"qoder_work_created_total{{{environment}}}": self._created,
            f"qoder_work_stopped_total{{{environment}}}": self._stopped,
            f"qoder_work_run_seconds_sum{{{environment}}}": self._stopped * self.run,
            f"qoder_work_run_seconds_count{{{environment}}}": self._stopped,
            f"qoder_work_requeued_total{{{environment}}}": 0,
            f"qoder_work_vanished_total{{{environment}}}": 0,
            **{f'qoder_work_items{{{environment}, state="{state}"}}': n for state, n in counts.items()},
            **{f'qoder_work_oldest_age_seconds{{{environment}, state="{state}"}}': age for state, age in ages.items()},
        }


def always(count: int) -> Callable[[float, float], int]:
    """So many workers at all times."""
    return lambda now, waited: count
