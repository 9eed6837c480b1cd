"""Histograms with fixed buckets and a recent example of each bucket."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field

SECONDS_TO_A_WEEK = (
    *(1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0),
    *(1800.0, 3600.0, 7200.0, 14400.0, 28800.0, 86400.0, 172800.0, 604800.0),
)
"""Upper bounds in seconds for whatever happens to work items: a queue is healthy at seconds and stuck at days."""

REQUEST_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper bounds in seconds for one API request."""


@dataclass(frozen=True, slots=True)
class Example:
    """One observation worth showing beside a bucket.

    Attributes:
        labels: What identifies the culprit, for instance ``{"work_id": "work_…"}``.
        value: The observation itself.
        timestamp: Unix time of the observation.
        text: How it was last written, kept by whoever writes it; many outlive thousands of scrapes.
    """

    labels: dict[str, str]
    value: float
    timestamp: float
    text: str | None = field(default=None, init=False, repr=False, compare=False)


@dataclass(slots=True)
class Histogram:
    """A histogram with cumulative output.

    Attributes:
        bounds: Inclusive upper bounds, ascending, without infinity.
        counts: Observations per bucket, not cumulative; one longer than ``bounds``, the last one is up to infinity.
        sum: The sum of all observations.
        examples: The newest example of each bucket, by the bucket's index.
    """

    bounds: tuple[float, ...] = SECONDS_TO_A_WEEK
    counts: list[int] = field(default_factory=list)
    sum: float = 0.0
    examples: dict[int, Example] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.counts:
            self.counts = [0] * (len(self.bounds) + 1)
        if len(self.counts) != len(self.bounds) + 1:
            raise ValueError(f"{len(self.counts)} counts do not fit {len(self.bounds)} bounds")

    def observe(self, value: float, example: Example | None = None) -> None:
        """Count one observation, and keep its example in place of the bucket's former one."""
        index = bisect_left(self.bounds, value)
        self.counts[index] += 1
        self.sum += value
        if example is not None:
            self.examples[index] = example

    def observe_all(self, values: Iterable[float]) -> None:
        """Count many observations, each without an example."""
        ordered = sorted(values)
        before = 0
        for index, bound in enumerate(self.bounds):
            upto = bisect_right(ordered, bound, before)
            self.counts[index] += upto - before
            before = upto
        self.counts[-1] += len(ordered) - before
        self.sum += sum(ordered)

    @property
    def count(self) -> int:
        """How many observations there were."""
        return sum(self.counts)

    def cumulative(self, bounds: tuple[float, ...] | None = None) -> list[tuple[float, int, Example | None]]:
        """Return upper bound, observations up to it, and example of every bucket; the last bound is infinity.

        Args:
            bounds: Those of the histogram's own bounds that remain, ascending; None for all of them. Buckets between
                them are merged, and of their examples the newest stays.
        """
        remaining = None if bounds is None else {*bounds, float("inf")}
        rows: list[tuple[float, int, Example | None]] = []
        total, newest = 0, None
        for index, bound in enumerate((*self.bounds, float("inf"))):
            total += self.counts[index]
            example = self.examples.get(index)
            if newest is None or (example is not None and example.timestamp >= newest.timestamp):
                newest = example
            if remaining is None or bound in remaining:
                rows.append((bound, total, newest))
                newest = None
        return rows

    def copy(self) -> "Histogram":
        """An independent histogram with the same content."""
        return Histogram(self.bounds, list(self.counts), self.sum, dict(self.examples))
