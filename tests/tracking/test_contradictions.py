"""An answer that contradicts what the API says elsewhere is refused, and leaves nothing behind."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from exporter.tracking import reader
from exporter.tracking.lookup import LEFT_OUT_FOR, LeftOutError
from exporter.tracking.reader import MAX_EXTRA
from tests.support.settings import tracking_settings
from tests.tracking.conftest import Watch
from tests.tracking.harness import Watched, shown
from tests.tracking.lies import Lie, Page, cut_short, empty, from_the_start, renamed, without
from tests.tracking.reference import expected

EVERY_LIE = pytest.mark.parametrize("lie", [empty, cut_short, renamed], ids=lambda lie: lie.__name__)
SIZES = pytest.mark.parametrize("size", [40, 950])


def read(watched: Watched, size: int, live: set[int] | None = None, state: str = "queued") -> list[str]:
    """Create a list with these live items, let the tracker read it, and return its IDs."""
    for number in range(size):
        watched.simulation.create_work(watched.id, state=state if number in (live or ()) else "stopped")
        watched.clock.advance(0.001)
    watched.queue()
    return watched.simulation.work_ids(watched.id)


def known(watched: Watched) -> Any:
    """Everything that is known, apart from where a reading of the whole list stands."""
    record = watched.tracker.record()
    return {name: getattr(record, name) for name in record.__struct_fields__ if name not in {"traversed", "live"}} | {
        "live": [item.seen.id for item in record.live]
    }


def assert_true(watched: Watched) -> None:
    assert shown(watched.queue()) == vars(expected(watched.truth()))


# -- what is left out -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("live", [{100, 510, 520, 590, 945}, {935}, {510, 520}, {300}])
def test_live_items_that_one_answer_leaves_out_have_not_vanished(watched: Watched, live: set[int]) -> None:
    ids = read(watched, 950, live)
    before = known(watched)
    with Lie(watched, without(*(ids[number] for number in live))):
        watched.refresh()
    assert known(watched) == before
    assert_true(watched)
    assert watched.tracker.ledger.lifecycle.vanished == 0
    assert watched.tracker.ledger.lifecycle.created == 0


def test_stopped_items_at_the_end_that_one_answer_leaves_out_stay_counted(watched: Watched) -> None:
    ids = read(watched, 950)
    with Lie(watched, without(*ids[-3:])):
        view = watched.refresh()
    assert view.failures["invalid_response"] == 1
    assert "leaves out what the API has" in (view.error or "")
    assert_true(watched)
    assert watched.tracker.ledger.corrections == 0
    assert watched.tracker.ledger.lifecycle.created == 0


@EVERY_LIE
@SIZES
@pytest.mark.parametrize("live", [set(), {3, 30}, set(range(40))])
def test_a_list_that_is_not_the_known_one_changes_nothing(
    watched: Watched, lie: Callable[..., Any], size: int, live: set[int]
) -> None:
    read(watched, size, live)
    before = known(watched)
    with Lie(watched, lie):
        for _ in range(2):
            view = watched.refresh()
            assert not view.up
            assert view.failures["invalid_response"] > 0
        with pytest.raises(Exception, match=r"leaves out|no longer|does not go on|cannot be read|yet"):
            watched.traverse()
    assert known(watched) == before
    assert_true(watched)
    lifecycle = watched.tracker.ledger.lifecycle
    assert (lifecycle.created, lifecycle.stopped, lifecycle.vanished, lifecycle.wait.count) == (0, 0, 0, 0)
    assert watched.tracker.ledger.corrections == 0


def test_other_ids_in_the_past_are_refused_too(watched: Watched) -> None:
    """Neither a live item nor the end of the list is near: the ends of segments show which list was read."""
    read(watched, 950)
    before = known(watched)

    def change(request: httpx.Request, page: Page) -> Page:
        first = "after_id" not in request.url.params
        return page | {"data": [item | {"id": item["id"] + "0" * first} for item in page["data"]]}

    with Lie(watched, change), pytest.raises(LeftOutError):
        watched.traverse()
    assert known(watched) == before


def test_a_list_that_leaves_an_item_out_for_long_is_believed_on_the_others(watched: Watched) -> None:
    ids = read(watched, 450, {445})
    with Lie(watched, without(ids[445])):
        for _ in range(LEFT_OUT_FOR):
            assert watched.refresh().failures["invalid_response"] > 0
        watched.simulation.create_work(watched.id, state="active")
        for _ in range(3):
            assert_true(watched)
        assert watched.asked("get") == [ids[445]]
    assert_true(watched)
    assert_true(watched)
    assert not watched.asked("get")


# -- an empty list ----------------------------------------------------------------------------------------------------


def test_an_empty_list_at_the_start_is_refused_where_statistics_count_items(watched: Watched) -> None:
    for number in range(900):
        watched.simulation.create_work(watched.id, state="queued" if number % 30 == 0 else "stopped")
        watched.clock.advance(1)
    with Lie(watched, empty):
        view = watched.refresh()
    assert not view.history_complete
    assert view.failures["invalid_response"] == 1
    assert "statistics count 30 queued items" in (view.error or "")
    assert_true(watched)
    lifecycle = watched.tracker.ledger.lifecycle
    assert (lifecycle.created, lifecycle.stopped, lifecycle.wait.count) == (0, 0, 0)


def test_an_emptied_list_is_refused_where_statistics_count_items(watched: Watched) -> None:
    """Even the items by themselves are said to be gone, and yet they are counted."""
    ids = read(watched, 30, {3, 5})
    before = known(watched)
    watched.simulation.delete_work(watched.id, *ids)
    with Lie(watched, lambda _, stats: stats | {"depth": 2}, endpoint="stats"):
        view = watched.refresh()
    assert view.failures["invalid_response"] == 1
    assert known(watched) == before
    assert_true(watched)


def test_an_empty_list_is_believed_where_statistics_are_not_read(watch: Watch) -> None:
    watched = watch(settings=tracking_settings(min_interval=0, queue_stats=False))
    assert watched.refresh().history_complete
    assert not watched.asked("stats")


def test_items_that_a_first_reading_missed_are_no_events_of_the_watch(watched: Watched) -> None:
    """The list seemed to end early when it was read first, and nothing contradicted it."""
    for number in range(60):
        watched.simulation.create_work(watched.id, state="active" if number % 2 else "stopped")
        watched.clock.advance(60)
    with Lie(watched, cut_short):
        assert watched.queue().counts["active", ()] == 1
    watched.simulation.create_work(watched.id, state="active")
    assert_true(watched)
    lifecycle = watched.tracker.ledger.lifecycle
    assert (lifecycle.created, lifecycle.stopped, lifecycle.wait.count) == (
        1 + 5,
        2,
        1 + 5,
    )  # five minutes late at most
    assert watched.tracker.ledger.corrections == 57 - 5


# -- what one refresh may send ----------------------------------------------------------------------------------------


def test_a_list_that_ignores_its_cursor_is_not_asked_for_ever(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "MAX_EXTRA", 60)
    read(watched, 2400, set(range(0, 2400, 2)))
    with Lie(watched, from_the_start(watched)):
        for _ in range(2):
            view = watched.refresh()
            assert view.failures["invalid_response"] > 0
            assert len(watched.transport.requests) <= 25 + 1 + 60
    assert_true(watched)


def test_thousands_of_vanished_items_are_believed_in_a_few_refreshes(watched: Watched) -> None:
    ids = read(watched, 2000, set(range(0, 2000, 2)))
    watched.simulation.delete_work(watched.id, *ids[:1900:2])
    refreshes = 0
    while not watched.refresh().up:
        refreshes += 1
        assert refreshes < 5
        assert len(watched.transport.requests) <= 22 + MAX_EXTRA
    assert watched.tracker.ledger.lifecycle.vanished == 950
    assert_true(watched)


def test_a_long_absence_is_caught_up_with_in_bounded_pieces(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exporter.tracking.reader.MAX_TAILS", 2)
    monkeypatch.setattr("exporter.tracking.reader.TAIL_PAGES", 3)
    read(watched, 50)
    for _ in range(2000):
        watched.simulation.create_work(watched.id, state="stopped")
    assert "more new items than one refresh reads" in (watched.refresh().error or "")
    assert len(watched.asked("list")) <= 12
    while not watched.refresh().up:
        assert watched.asked("list")
    assert_true(watched)
    assert watched.tracker.ledger.lifecycle.created == 2000
