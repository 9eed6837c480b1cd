"""What happened to work items since the watch began: counters and durations, each item once."""

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import Final

from exporter.api.decoding import OTHER
from exporter.histogram import Example, Histogram
from exporter.tracking.observation import QUEUED, Observation

EXEMPLAR_LENGTH = 128
"""OpenMetrics bounds an exemplar: its labels' names and values together have at most this many characters."""


DISAGREEMENT = 60.0
"""Seconds by which a step may be dated before the one it follows; beyond that neither time is believed."""


class Counted:
    """What of an item has been counted already, or happened before the watch began: bits of an integer.

    No enum: its operations took half the time of a refresh of a large backlog, during which nothing else is answered.
    """

    NOTHING: Final = 0
    WAIT: Final = 1
    STARTUP: Final = 2
    STOP: Final = 4
    ALL: Final = 7
    FOUND: Final = 8
    """It was found where nobody had looked for it, and the segment it stands in has not been recounted since."""


@dataclass(slots=True)
class Lifecycle:
    """Counters and histograms of one environment, all from 0 when the watch began.

    Attributes:
        created: Items created.
        stopped: Items stopped.
        requeued: Items seen to go back to ``queued``.
        vanished: Live items the API no longer knows.
        wait: Seconds from creation to acknowledgement.
        startup: Seconds from acknowledgement to the first heartbeat.
        run: Seconds from the first heartbeat to the stop.
        drain: Seconds from the request to stop to the stop.
    """

    created: int = 0
    stopped: int = 0
    requeued: int = 0
    vanished: int = 0
    wait: Histogram = field(default_factory=Histogram)
    startup: Histogram = field(default_factory=Histogram)
    run: Histogram = field(default_factory=Histogram)
    drain: Histogram = field(default_factory=Histogram)

    def appeared(self, item: Observation) -> int:
        """Count an item created during the watch, and everything that has happened to it already."""
        self.created += 1
        return self._steps(item, Counted.NOTHING)

    def changed(self, before: Observation, now: Observation, counted: int) -> int:
        """Count what has happened to a known item between two readings."""
        unknown = before.unreadable and before.state == OTHER
        if now.state == QUEUED and before.state != QUEUED and not unknown:
            self.requeued += 1
        return self._steps(now, counted)

    @staticmethod
    def past(item: Observation) -> int:
        """What has happened to an item found when the watch began; none of it is counted."""
        counted: int = Counted.NOTHING
        if item.acknowledged is not None:
            counted |= Counted.WAIT
        if item.started is not None:
            counted |= Counted.STARTUP
        if not item.live:
            counted |= Counted.ALL
        return counted

    def copy(self) -> "Lifecycle":
        """An independent copy with the same content."""
        return Lifecycle(
            *(self.created, self.stopped, self.requeued, self.vanished),
            *(self.wait.copy(), self.startup.copy(), self.run.copy(), self.drain.copy()),
        )

    def _steps(self, item: Observation, counted: int) -> int:
        if item.acknowledged is not None and not counted & Counted.WAIT:
            counted |= Counted.WAIT
            _observe(self.wait, item, item.created, item.acknowledged)
        if item.started is not None and not counted & Counted.STARTUP:
            counted |= Counted.STARTUP
            _observe(self.startup, item, item.acknowledged, item.started)
        if not item.live and not counted & Counted.STOP:
            counted |= Counted.STOP
            self.stopped += 1
            _observe(self.run, item, item.started, item.stopped)
            _observe(self.drain, item, item.stop_requested, item.stopped)
        return counted


def _observe(histogram: Histogram, item: Observation, start: float | None, end: float | None) -> None:
    """Count one duration; a step the API did not date counts nowhere, and clocks that disagree a little count as 0."""
    if start is None or end is None or end < start - DISAGREEMENT:
        return
    value = max(0.0, end - start)
    former = histogram.examples.get(bisect_left(histogram.bounds, value))
    # Items come in the order of the list, not of these moments; and Prometheus refuses exemplars older than the last.
    newer = former is None or former.timestamp <= end
    histogram.observe(value, Example(_exemplar(item), value, end) if newer else None)


def _exemplar(item: Observation) -> dict[str, str]:
    """The IDs that lead to the item, as many as an exemplar has room for."""
    labels: dict[str, str] = {}
    room = EXEMPLAR_LENGTH
    for name, value in (("work_id", item.id), ("session_id", item.session_id)):
        if value is not None and len(name) + len(value) <= room:
            labels[name] = value
            room -= len(name) + len(value)
    return labels
