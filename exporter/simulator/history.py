"""Stopped work items in bulk: the past that a list never forgets."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from exporter.simulator.clock import microseconds
from exporter.simulator.ids import WORK, IdSource
from exporter.simulator.item import STOPPED, WorkItem


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """Mean seconds of the parts of an item's life, each drawn from an exponential distribution.

    Attributes:
        wait: Created to acknowledged.
        startup: Acknowledged to started.
        run: Started to stopped, or to the request to stop.
        drain: Request to stop to stopped.
        drained: The share of items that were stopped gracefully.
    """

    wait: float = 4.0
    startup: float = 1.5
    run: float = 60.0
    drain: float = 8.0
    drained: float = 0.2


_PATTERNS = 1024
"""Lives to draw from: enough for smooth histograms, and much faster than drawing each afresh."""


def history_items(
    count: int,
    *,
    start_us: int,
    end_us: int,
    now_us: int,
    life: Life,
    metadata: Sequence[Mapping[str, str]],
    randomness: random.Random,
) -> Iterator[WorkItem]:
    """Give stopped items, evenly created from ``start_us`` until before ``end_us``, none stopped after ``now_us``."""
    ids = IdSource(randomness)
    patterns = [_pattern(life, randomness) for _ in range(_PATTERNS)]
    for number in range(count):
        created_us = start_us + (end_us - start_us) * number // count
        wait_us, startup_us, run_us, drain_us = randomness.choice(patterns)
        acknowledged_us = min(created_us + wait_us, now_us)
        started_us = min(acknowledged_us + startup_us, now_us)
        finished_us = min(started_us + run_us, now_us)
        yield WorkItem(
            id=ids.next(WORK, created_us),
            created_us=created_us,
            state=STOPPED,
            acknowledged_us=acknowledged_us,
            started_us=started_us,
            heartbeat_us=finished_us,
            stop_requested_us=finished_us if drain_us else None,
            stopped_us=min(finished_us + drain_us, now_us),
            metadata=metadata[0] if len(metadata) == 1 else randomness.choice(metadata),
        )


def _pattern(life: Life, randomness: random.Random) -> tuple[int, int, int, int]:
    def draw(mean: float) -> int:
        return microseconds(randomness.expovariate(1 / mean)) if mean > 0 else 0

    drain_us = draw(life.drain) if randomness.random() < life.drained else 0
    return draw(life.wait), draw(life.startup), draw(life.run), drain_us
