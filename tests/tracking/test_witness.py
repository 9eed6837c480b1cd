"""The list and the statistics are two witnesses; where they disagree for long, what is hidden is found."""

from itertools import pairwise
from typing import Any

import pytest
from structlog.testing import capture_logs

from exporter.histogram import Histogram
from exporter.simulator import Options, Status
from exporter.tracking.snapshot import Queue, Stats
from exporter.tracking.suspects import MOST, suspects
from exporter.tracking.witness import FIRST_PAUSE, LASTING, Difference, Witness, difference
from tests.support.settings import tracking_settings
from tests.tracking.conftest import Watch
from tests.tracking.harness import Watched, shown
from tests.tracking.lies import Lie
from tests.tracking.reference import expected


def queue(queued: int, oldest: float | None = None, moving: int = 0) -> Queue:
    """What was counted."""
    counts: dict[tuple[str, tuple[str, ...]], int] = {("queued", ()): queued, ("active", ()): 7}
    return Queue(counts, {}, oldest, Histogram(), 0.0, None, Histogram(), moving)


def stats(depth: int | None, pending: int | None = 0, oldest: float | None = None) -> Stats:
    """What the API says."""
    return Stats(depth, pending, None, oldest, 0.0)


# -- one comparison ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("counted", "said", "found"),
    [
        (queue(3), stats(2, 1), None),
        (queue(0), stats(0, 0), None),
        (queue(0), stats(1, 0), Difference(1)),
        (queue(5), stats(2, 1), Difference(-2)),
        (queue(3), stats(None, None), None),
        (queue(3), stats(2, None), None),
        (queue(1), stats(2, None), Difference(1)),
        (queue(1), stats(None, 2), Difference(1)),
        (queue(3, moving=2), stats(5), None),
        (queue(3, moving=2), stats(6), Difference(3)),
        (queue(1, 100.0), stats(1, 0, 99.0), Difference(0, 99.0)),
        (queue(1, 100.7), stats(1, 0, 100.0), None),
        (queue(1, 100.0), stats(1, 0, 200.0), None),
        (queue(0), stats(None, None, 99.0), Difference(0, 99.0)),
        (queue(2, None), stats(2, 0, 99.0), None),
    ],
    ids=lambda value: None,
)
def test_two_witnesses_are_compared(counted: Queue, said: Stats, found: Difference | None) -> None:
    assert difference(counted, said, None) == found


def test_items_that_are_too_old_to_be_watched_are_no_difference() -> None:
    assert difference(queue(1, 100.0), stats(3, 0, 20.0), since=50.0) is None
    assert difference(queue(1, 100.0), stats(3, 0, None), since=50.0) is None
    assert difference(queue(1, 100.0), stats(3, 0, 60.0), since=50.0) == Difference(2, 60.0)


def test_pending_items_may_be_counted_in_depth() -> None:
    assert difference(queue(3), stats(3, 2), None, overlapping=True) is None
    assert difference(queue(2), stats(3, 2), None, overlapping=True) == Difference(1)


# -- several in a row -------------------------------------------------------------------------------------------------


def heard(*observations: tuple[Queue, Stats]) -> Difference | None:
    witness = Witness()
    for counted, said in observations:
        witness.observe(counted, said, None)
    return witness.lasting


def test_only_a_difference_that_stays_is_one() -> None:
    assert heard(*[(queue(1), stats(2))] * (LASTING - 1)) is None
    assert heard(*[(queue(1), stats(2))] * LASTING) == Difference(1)


def test_what_all_have_in_common_is_the_difference() -> None:
    assert heard(*((queue(1), stats(depth)) for depth in (5, 3, 4))) == Difference(2)
    assert heard(*((queue(9), stats(depth)) for depth in (5, 3, 4))) == Difference(-4)


def test_a_queue_that_moves_is_no_difference() -> None:
    assert heard((queue(3), stats(5)), (queue(5), stats(3)), (queue(3), stats(5))) is None
    assert heard(*((queue(1, 100.0 + each), stats(1, 0, 90.0 + each)) for each in (0, 2, 4))) is None


def test_an_old_item_that_stays_is_a_difference_though_the_queue_moves() -> None:
    moving = [(queue(each, 100.0 + each, moving=9), stats(each, 0, 90.0)) for each in (3, 5, 4)]
    assert heard(*moving) == Difference(0, 90.0)


def test_agreement_ends_it() -> None:
    assert heard(*[(queue(1), stats(2))] * LASTING, (queue(2), stats(2))) is None


def test_searches_that_find_nothing_become_rare() -> None:
    witness, now, searches = Witness(), 0.0, []
    for _ in range(10_000):
        now += 60
        witness.observe(queue(1), stats(2), None)
        if witness.wants_search(now):
            searches.append(now)
            witness.searched(now, whole=True, found=False)
    pauses = [later - earlier for earlier, later in pairwise(searches)]
    assert pauses[0] == pytest.approx(FIRST_PAUSE, abs=180)
    assert pauses[-1] == pytest.approx(86_400, abs=180)
    assert len(searches) < 20


def test_searches_that_find_something_each_time_are_not_made_one_after_the_other() -> None:
    """The list is pruned all the time, so that each one corrects something else."""
    witness, now, searches = Witness(), 0.0, 0
    for _ in range(60):
        now += 60
        witness.observe(queue(1), stats(2), None)
        if witness.wants_search(now):
            searches += 1
            witness.searched(now, whole=True, found=True)
    assert searches <= 3600 / FIRST_PAUSE


def test_fewer_items_than_are_counted_are_not_searched_for() -> None:
    """Every live item is read at each refresh anyway."""
    witness = Witness()
    for _ in range(LASTING):
        witness.observe(queue(5), stats(2), None)
    assert witness.lasting == Difference(-3)
    assert not witness.wants_search(1e9)


# -- where to look ----------------------------------------------------------------------------------------------------


def test_the_segments_of_the_time_come_first_then_the_last_ones(watched: Watched) -> None:
    read(watched, 950)
    segments = watched.tracker.ledger.history.segments
    ends = [segment.end for segment in segments]
    assert suspects(segments, None) == ends[: -MOST - 1 : -1]
    oldest = watched.truth().items[250].created_at
    assert suspects(segments, oldest) == [ends[2], *(end for end in ends[: -MOST - 1 : -1])]


# -- what becomes of it -----------------------------------------------------------------------------------------------


def read(watched: Watched, size: int, live: set[int] | None = None) -> list[str]:
    """Create a list, one item each five seconds, let the tracker read it, and return its IDs."""
    for number in range(size):
        watched.simulation.create_work(watched.id, state="queued" if number in (live or ()) else "stopped")
        watched.clock.advance(5)
    watched.queue()
    return watched.simulation.work_ids(watched.id)


def true(watched: Watched) -> bool:
    return bool(shown(watched.queue()) == vars(expected(watched.truth())))


def scrape(watched: Watched, times: int) -> None:
    """Refresh so often, and let whatever is read in the background come to its end."""

    for _ in range(times):
        assert watched.refresh().up
        watched.settle()
        watched.clock.advance(15)


def come_late(watched: Watched, ids: list[str], number: int) -> str:
    """Let an item become visible just before the one of this number."""
    age = watched.clock.now() - watched.truth().items[number].created_at + 2.5
    return watched.simulation.commit_late(watched.id, age, state="queued")


@pytest.mark.parametrize("number", [100, 500, 890, 930])
def test_an_item_that_becomes_visible_where_no_refresh_looks_is_found(watched: Watched, number: int) -> None:
    ids = read(watched, 950, {945})
    come_late(watched, ids, number)
    assert not true(watched)
    requests = watched.api.counts.total
    with capture_logs() as logs:
        scrape(watched, LASTING + 1)
    assert true(watched)
    view = watched.tracker.view()
    assert (view.corrections, view.disputed) == (1, False)
    assert watched.api.counts.total - requests <= 2 * (LASTING + 2) + 8  # not the whole list
    events = [entry["event"] for entry in logs]
    assert events.count("the API's statistics contradict the counts") == 1
    assert events.count("the API's statistics agree with the counts again") == 1
    assert "counts were wrong and have been corrected" in events


def test_an_item_that_comes_back_to_life_is_found(watched: Watched) -> None:
    ids = read(watched, 950, {300, 945})
    watched.simulation.force(watched.id, ids[500], "queued")
    scrape(watched, LASTING + 1)
    assert true(watched)
    assert watched.tracker.view().corrections == 1


def test_what_is_not_found_nearby_is_found_by_reading_the_whole_list(watched: Watched) -> None:
    """The statistics give no time, and the item stands far from the end."""
    watched.simulation.change_options(watched.id, null_stats=frozenset({"oldest_queued_at"}))
    ids = read(watched, 950, {945})
    watched.simulation.force(watched.id, ids[100], "queued")
    scrape(watched, LASTING + 1)
    assert true(watched)
    assert watched.tracker.view().corrections == 1


def test_while_they_disagree_the_counts_are_shown_and_marked(watched: Watched) -> None:
    read(watched, 150, {145})
    with Lie(watched, lambda _, said: said | {"depth": said["depth"] + 2}, endpoint="stats"):
        scrape(watched, LASTING - 1)
        assert not watched.tracker.view().disputed
        requests = watched.api.counts.total
        scrape(watched, 10)
        view = watched.tracker.view()
        assert view.disputed
        assert view.up
        assert view.snapshot is not None
        assert shown(view.snapshot.queue)["counts"] == expected(watched.truth()).counts  # type: ignore[arg-type]
        assert watched.api.counts.total - requests <= 2 * 10 + 10  # the list was searched once
    scrape(watched, 1)
    assert not watched.tracker.view().disputed
    assert watched.tracker.view().corrections == 0


def test_statistics_that_count_pending_items_twice_are_understood(watch: Watch) -> None:
    watched = watch(Options(depth_includes_pending=True, pending_window_seconds=1e9, lease_expiry="keep"))
    read(watched, 150, {100, 145})
    now = watched.simulation.clock.now_us()
    assert watched.simulation.environment(watched.id).queue.deliver(now, None, 5_000_000) is not None
    watched.clock.advance(10)
    said = watched.truth()
    assert (said.depth, said.pending) == (2, 1)
    scrape(watched, LASTING + 1)
    assert not watched.tracker.view().disputed
    assert watched.tracker.view().corrections == 0
    scrape(watched, 5)
    assert not watched.tracker.view().disputed


def test_failing_statistics_dispute_nothing(watched: Watched) -> None:
    read(watched, 150, {145})
    watched.simulation.faults.add(Status(status=403, endpoint="stats"))
    for _ in range(5):
        watched.refresh()
    assert not watched.tracker.view().disputed


def test_old_queued_items_that_are_not_watched_dispute_nothing(watch: Watch) -> None:
    watched = watch(settings=tracking_settings(min_interval=0, lookback=300.0))
    for number in range(150):
        watched.simulation.create_work(watched.id, state="queued" if number % 10 == 0 else "stopped")
        watched.clock.advance(5)
    scrape(watched, 6)
    assert not watched.tracker.view().disputed
    assert watched.tracker.view().corrections == 0


def test_a_busy_queue_is_not_disputed(watched: Watched) -> None:
    ids: list[Any] = []
    read(watched, 50)
    for number in range(60):
        watched.clock.advance(1)
        ids.append(watched.simulation.create_work(watched.id))
        if number % 2:
            watched.simulation.force(watched.id, ids.pop(0), "active", acknowledged_at=watched.clock.now())
        with Lie(watched, lambda _, said: said | {"depth": said["depth"] + 2}, endpoint="stats"):
            scrape(watched, 1)
        assert not watched.tracker.view().disputed
