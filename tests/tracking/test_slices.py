"""Nothing that grows with the backlog is done in one go: others work in between, and the result is the same."""

import asyncio
import threading
from pathlib import Path

import msgspec
import pytest

from exporter.histogram import Histogram
from exporter.tracking import checkpoint, planner, snapshot
from exporter.tracking import ledger as ledgers
from exporter.tracking import reading as readings
from exporter.tracking import record as records
from exporter.tracking.keeper import Keeper
from exporter.tracking.ledger import Ledger
from exporter.tracking.observation import Labeller
from exporter.tracking.record import EnvironmentRecord
from exporter.tracking.snapshot import queue_in_slices, queue_of
from tests.support.settings import tracking_settings
from tests.tracking.books import item, ledger, reading
from tests.tracking.harness import Watched, shown
from tests.tracking.reference import expected


def recorded(books: Ledger) -> EnvironmentRecord:
    """What a later run must know."""
    settings = tracking_settings()
    labeller = Labeller(settings.metadata_keys, settings.max_label_values)
    return records.record(
        *(books, labeller, settings), base_url="api", environment_id="env", saved_at=0.0, traversed_at=None
    )


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
    assert (known.lifecycle, known.tail.ids) == (at_once.lifecycle, at_once.tail.ids)


def test_what_is_applied_of_a_refresh_that_ends_early_counts_once() -> None:
    known = ledger(100, set(range(100)))
    seen = reading(None, None, [item(number) for number in range(120)])
    steps = known.refreshing([seen], (), ())
    for _ in range(15):
        next(steps)
    known.refresh([seen], (), ())
    assert (known.lifecycle.stopped, known.lifecycle.created) == (120, 20)
    assert known.history.stopped.total() == known.history.size == 120


@pytest.mark.parametrize(("size", "live"), [(0, set()), (300, set(range(0, 300, 3))), (100, set(range(100)))])
def test_a_record_is_encoded_in_pieces_with_the_same_result(
    size: int, live: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "AT_ONCE", 7)
    known = recorded(ledger(size, live))
    sizes: list[int] = []
    encode = msgspec.json.encode

    def counting(value: object) -> bytes:
        sizes.extend([len(value)] if isinstance(value, list) else [])
        return encode(value)

    with monkeypatch.context() as patched:
        patched.setattr(msgspec.json, "encode", counting)
        pieces = records.encoded(known)
    assert pieces == encode(known)
    assert max(sizes, default=0) <= 7
    assert sum(sizes) == len(known.live) + len(known.segments)


def test_a_frozen_record_does_not_follow_the_ledger() -> None:
    books = ledger(150, set(range(0, 150, 2)))
    books.without_id.places["work_1"] = 1
    known = records.frozen(recorded(books))
    before = msgspec.json.encode(known)
    books.without_id.places["work_1"] = 2
    books.refresh([reading(None, None, [item(number, "stopped") for number in range(300)])], (), ())
    assert msgspec.json.encode(known) == before != msgspec.json.encode(recorded(books))


async def test_a_checkpoint_is_encoded_beside_the_loop_as_it_was_when_that_began(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    books = ledger(150, set(range(0, 150, 2)))
    changed = threading.Event()

    def encoded(record: EnvironmentRecord) -> bytes:
        assert changed.wait(60), "the loop is held up"
        return records.encoded(record)

    async def change() -> None:
        books.refresh([reading(None, None, [item(number, "stopped") for number in range(300)])], (), ())
        changed.set()

    monkeypatch.setattr(checkpoint, "encoded", encoded)
    keeper = Keeper(tmp_path / "progress", lambda: [recorded(books)])
    before = records.encoded(recorded(books))
    await asyncio.gather(keeper.save(), change())
    assert (tmp_path / "progress").read_bytes().partition(b"\n")[2] == b"[" + before + b"]"
    assert records.encoded(recorded(books)) != before
    await keeper.close(save=False)


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


def test_a_plan_is_made_in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planner, "STEP", 7)
    known = ledger(3000, set(range(0, 3000, 3)))
    steps = sum(1 for _ in planner.planning(known, 100))
    assert steps >= 1000 * (3000 - 100) // 3000 // 7
    assert planner.plan(known, 100).requests == 30


def test_the_readings_of_a_refresh_are_put_together_in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readings, "STEP", 2)
    known = ledger(100, set(range(100)))
    pages = [
        reading(start - 1 if start else None, start + 9, map(item, range(start, start + 10)))
        for start in range(0, 100, 10)
    ]
    assert len(list(known.refreshing(pages, (), ()))) == 10 // 2 + 100 // 7
    assert known.lifecycle.stopped == 100
