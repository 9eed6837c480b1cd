"""What an exporter shows of a steady queue, with workers and without, through outages of each kind."""

from tests.rules.queues import Queue, always
from tests.rules.shapes import every

Values = dict[str, list[float | None]]
"""A value per minute, or None, by the series in PromQL's notation."""

INCIDENT = {
    "QoderWorkHeartbeatLost",
    "QoderWorkHeartbeatLate",
    "QoderWorkNoWorkersPolling",
    "QoderWorkQueueStalled",
    "QoderWorkQueueGrowingWithoutWorkers",
    "QoderWorkBacklogNotDraining",
}
"""What fires for a queue whose workers died an hour ago."""


def healthy(name: str = "gpu", stands: tuple[float, float] = (0, 0)) -> Queue:
    return Queue(every(1), 120, always(3), name=name, stands=stands)


def dead(name: str = "gpu", stands: tuple[float, float] = (0, 0), dies: int = 20) -> Queue:
    """Every worker dies in this minute."""
    return Queue(every(1), 120, always(3), dies=60 * dies, name=name, stands=stands)


def of(series: str, environment: str) -> bool:
    return f'environment="{environment}"' in series


def unread(values: Values, begin: int, end: int, environment: str = "gpu") -> Values:
    """The series of an environment that cannot be read for some minutes: its data go after a minute."""

    def shown(name: str, minute: int, value: float | None) -> float | None:
        if not of(name, environment) or not begin <= minute < end:
            return value
        if name.startswith("qoder_work_up"):
            return 0
        if name.startswith(("qoder_work_environment_info", "qoder_work_history_complete")):
            return value
        return values[name][begin - 1] if minute == begin else None

    return {name: [shown(name, minute, value) for minute, value in enumerate(row)] for name, row in values.items()}


def restarted(values: Values, begin: int, down: int, incomplete: int) -> Values:
    """The series of an exporter that is gone for some minutes, and then reads the history without a checkpoint."""
    back, whole = begin + down, begin + down + incomplete

    def shown(name: str, minute: int, value: float | None) -> float | None:
        if begin <= minute < back:
            return 0 if name.startswith("up{") else None
        if back <= minute < whole:
            if name.startswith("qoder_work_history_complete"):
                return 0
            seen = ("up{", "qoder_exporter_", "qoder_work_up", "qoder_work_environment_info", "qoder_work_snapshot_")
            return (
                value
                if name.startswith((*seen, "qoder_work_workers_")) or ("oldest_age" in name and '"queued"' in name)
                else None
            )
        if minute >= whole and ("_total" in name or "queue_wait" in name) and value is not None:
            return value - (values[name][whole] or 0)
        return value

    return {name: [shown(name, minute, value) for minute, value in enumerate(row)] for name, row in values.items()}
