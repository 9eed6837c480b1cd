"""Nothing that grows with the backlog is done in one go: others work in between, and the result is the same."""

import asyncio

import pytest

from exporter.histogram import Histogram
from exporter.tracking import ledger as ledgers
from exporter.tracking import snapshot
from exporter.tracking.snapshot import queue_in_slices, queue_of
from tests.tracking.books import item, ledger, reading
from tests.tracking.harness import Watched
from tests.tracking.reference import expected
from tests.tracking.test_model import shown


@pytest.fixture(autouse=True)
def _small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "SLICE", 7)
    monkeypatch.setattr(ledgers, "STEP", 7)


def test_a_queue_is_summed_up_in_slices_with_the_same_result() -> None:
    known = ledger(300, set(range(0, 300, 3)))
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def both() -> object:
        beside = asyncio.create_task(others())
        try:
            return await queue_in_slices(known, 0)
        finally:
            beside.cancel()

    assert asyncio.run(both()) == queue_of(known, 0)
    assert turns >= 100 // 7


def test_a_refresh_is_applied_in_steps() -> None:
    known, at_once = ledger(100, set(range(100))), ledger(100, set(range(100)))
    seen = reading(None, None, [item(number, "stopping" if number % 2 else "stopped") for number in range(120)])
    steps = list(known.refreshing([seen], (), ()))
    at_once.refresh([seen], (), ())
    assert len(steps) == 120 // 7
    assert dict(known.live) == dict(at_once.live)
    assert queue_of(known, 0) == queue_of(at_once, 0)
    assert (known.lifecycle, known.recent) == (at_once.lifecycle, at_once.recent)


def test_what_is_applied_of_a_refresh_that_ends_early_counts_once() -> None:
    known = ledger(100, set(range(100)))
    seen = reading(None, None, [item(number) for number in range(120)])
    steps = known.refreshing([seen], (), ())
    for _ in range(15):
        next(steps)
    known.refresh([seen], (), ())
    assert (known.lifecycle.stopped, known.lifecycle.created) == (120, 20)
    assert known.history.stopped.total() == known.history.size == 120


def test_many_observations_at_once_are_the_same_as_one_by_one() -> None:
    values = [0.0, 1.0, 1.5, 2.0, 59.9, 60.0, 60.1, 1e9, 604_800.0]
    at_once, one_by_one = Histogram(), Histogram()
    at_once.observe_all(values)
    for value in values:
        one_by_one.observe(value)
    assert at_once.counts == one_by_one.counts
    assert at_once.sum == pytest.approx(one_by_one.sum)


def test_a_backlog_is_read_and_summed_up_as_it_is(watched: Watched) -> None:
    for number in range(400):
        watched.simulation.create_work(watched.id, state=("queued", "active", "stopping", "stopped")[number % 4])
        watched.clock.advance(1)
    watched.queue()
    watched.clock.advance(30)
    assert shown(watched.queue()) == vars(expected(watched.truth()))
