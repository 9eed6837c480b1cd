"""Whatever has become of the items and cursors that are remembered is noticed, repaired, and never miscounted."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from exporter.simulator import Latency, Options, Status
from exporter.tracking.reader import TAIL_PAGES
from exporter.tracking.tail import OVERLAP
from tests.support.settings import tracking_settings
from tests.tracking.conftest import Watch
from tests.tracking.harness import Watched, shown
from tests.tracking.reference import expected

MANNERS = ("compare", "not_found", "invalid", "empty", "restart")

every_manner = pytest.mark.parametrize("manner", MANNERS)


def read(watched: Watched, size: int, live: set[int] | None = None) -> list[str]:
    """Create a list with these live items, let the tracker read it once, and return its IDs."""
    for number in range(size):
        watched.simulation.create_work(watched.id, state="active" if number in (live or ()) else "stopped")
        watched.clock.advance(0.001)
    watched.queue()
    return watched.simulation.work_ids(watched.id)


def truth(watched: Watched) -> dict[str, Any]:
    return vars(expected(watched.truth()))


def assert_true(watched: Watched) -> None:
    """One refresh succeeds and shows what is true."""
    assert shown(watched.queue()) == truth(watched)


def before_request(watched: Watched, number: int, change: Callable[[], None]) -> None:
    """Let something happen once, just before the request of this number, counted from 0 and from now."""
    left = number

    def before(_: httpx.Request) -> None:
        nonlocal left
        left -= 1
        if left == -1:
            change()

    watched.transport.before = before


def knowing(watch: Watch, manner: Any, **kwargs: Any) -> Watched:
    return watch(Options(unknown_cursor=manner, lease_expiry="keep"), **kwargs)


# -- the end of the list ----------------------------------------------------------------------------------------------


@every_manner
def test_the_last_item_may_be_deleted(watch: Watch, manner: Any) -> None:
    watched = knowing(watch, manner)
    ids = read(watched, 450)
    watched.simulation.delete_work(watched.id, ids[-1])
    assert_true(watched)


@every_manner
@pytest.mark.parametrize("count", [OVERLAP - 1, OVERLAP, OVERLAP + 1, OVERLAP + 2])
def test_everything_that_is_known_one_by_one_may_be_deleted(watch: Watch, manner: Any, count: int) -> None:
    """What stood before it, and was deleted too, is drift: it takes a whole reading to be noticed."""
    watched = knowing(watch, manner)
    ids = read(watched, 450, {*range(0, 450 - OVERLAP, 20), 450 - OVERLAP - 1, 450 - OVERLAP - 2})
    watched.simulation.delete_work(watched.id, *ids[-count:])
    assert_true(watched)
    assert watched.tracker.ledger.tail.last == ids[-count - 1]


@every_manner
def test_new_items_are_found_after_an_end_that_was_deleted(watch: Watch, manner: Any) -> None:
    watched = knowing(watch, manner)
    ids = read(watched, 450)
    watched.simulation.delete_work(watched.id, *ids[-OVERLAP:])
    for state in ("queued", "active", "stopped"):
        watched.simulation.create_work(watched.id, state=state)
    assert_true(watched)
    assert watched.tracker.ledger.lifecycle.created == 3


def test_doubt_about_several_items_of_a_segment_is_settled_at_once(watched: Watched) -> None:
    ids = read(watched, 450)
    watched.simulation.delete_work(watched.id, *ids[-5:])
    assert_true(watched)
    assert len(watched.asked("list")) == 1 + 1 + 1  # the tail, the environment that is still there, the segment


@every_manner
def test_the_item_before_those_known_one_by_one_may_be_deleted(watch: Watch, manner: Any) -> None:
    watched = knowing(watch, manner)
    ids = read(watched, 450, {100, 445})
    watched.simulation.delete_work(watched.id, ids[-OVERLAP - 1])
    watched.queue()
    assert len(watched.asked("list")) <= 5
    watched.traverse()
    assert_true(watched)


@every_manner
def test_the_item_at_which_the_last_page_begins_may_be_deleted(watch: Watch, manner: Any) -> None:
    """The last page is read from before its first live item; all that stands on it is still read as pages."""
    watched = knowing(watch, manner)
    live = set(range(360, 450, 2))
    ids = read(watched, 450, live)
    watched.simulation.delete_work(watched.id, ids[359])
    watched.queue()
    assert not watched.asked("get")
    watched.queue()
    assert len(watched.transport.requests) == 2
    watched.traverse()
    assert_true(watched)


def test_the_list_may_be_emptied(watched: Watched) -> None:
    ids = read(watched, 450, {3, 200, 440})
    watched.simulation.delete_work(watched.id, *ids)
    assert_true(watched)
    assert watched.tracker.ledger.lifecycle.vanished == 3


@every_manner
def test_a_list_may_be_emptied_and_filled_again(watch: Watch, manner: Any) -> None:
    watched = knowing(watch, manner)
    ids = read(watched, 450, {3, 200, 440})
    watched.simulation.delete_work(watched.id, *ids)
    for state in ("queued", "active", "stopped"):
        watched.simulation.create_work(watched.id, state=state)
    assert_true(watched)
    assert watched.tracker.ledger.lifecycle.created == 3


@pytest.mark.parametrize("manner", ["not_found", "invalid", "empty"])
def test_a_list_of_which_nothing_known_is_left_is_read_as_a_whole(watch: Watch, manner: Any) -> None:
    watched = knowing(watch, manner)
    ids = read(watched, 450, {3, 200, 440})
    for _ in range(250):
        watched.simulation.create_work(watched.id, state="stopped")
    watched.simulation.delete_work(watched.id, *ids)
    view = watched.refresh()
    assert view.failures["invalid_response"] == 1
    assert "no known item leads to the end of the list" in (view.error or "")
    watched.traverse()
    assert_true(watched)
    assert watched.tracker.ledger.lifecycle.created == 250
    assert watched.tracker.ledger.lifecycle.vanished == 3


@pytest.mark.parametrize("page_cap", [3, 17, 100])
def test_an_end_that_was_deleted_is_repaired_with_small_pages_too(watch: Watch, page_cap: int) -> None:
    watched = knowing(watch, "compare")
    ids = read(watched, 490)
    watched.simulation.change_options(watched.id, page_cap=page_cap)
    watched.simulation.delete_work(watched.id, *ids[-3:])
    assert_true(watched)


@pytest.mark.parametrize("manner", ["not_found", "invalid", "empty"])
def test_the_end_is_found_from_far_back_if_need_be(watch: Watch, manner: str) -> None:
    """No ID that a reading of the tail can begin at is left of the last 20 pages, more than one takes in at once."""
    watched = knowing(watch, manner)
    read(watched, 100 * (TAIL_PAGES * 2 + 20))
    ledger = watched.tracker.ledger
    ends = [segment.end for segment in ledger.history.segments]
    watched.transport.manner = manner
    watched.transport.forgotten = {*ends[-TAIL_PAGES * 2 :], *(each for each in ledger.tail.ids[:3] if each)}
    watched.simulation.create_work(watched.id)
    assert_true(watched)
    assert watched.tracker.ledger.tail.last == watched.simulation.work_ids(watched.id)[-1]


# -- live items -------------------------------------------------------------------------------------------------------


@every_manner
def test_the_item_at_which_a_page_begins_may_be_deleted(watch: Watch, manner: Any) -> None:
    watched = knowing(watch, manner)
    ids = read(watched, 950, {510, 520, 590})
    watched.simulation.delete_work(watched.id, ids[509])
    watched.queue()
    assert [item.seen.id for item in watched.tracker.ledger.targets()] == [ids[510], ids[520], ids[590]]
    assert watched.tracker.ledger.lifecycle.vanished == 0
    watched.queue()
    assert len(watched.transport.requests) == 3  # the page is read from another item now
    watched.traverse()
    assert_true(watched)


@every_manner
def test_the_first_item_of_a_page_may_vanish(watch: Watch, manner: Any) -> None:
    watched = knowing(watch, manner)
    ids = read(watched, 950, {510, 520, 590})
    watched.simulation.delete_work(watched.id, ids[510])
    assert_true(watched)
    assert watched.tracker.ledger.lifecycle.vanished == 1


@every_manner
def test_all_items_of_a_page_may_vanish(watch: Watch, manner: Any) -> None:
    watched = knowing(watch, manner)
    ids = read(watched, 950, {510, 520, 590})
    watched.simulation.delete_work(watched.id, ids[510], ids[520], ids[590])
    assert_true(watched)
    assert watched.tracker.ledger.lifecycle.vanished == 3


def test_an_item_read_alone_may_vanish(watched: Watched) -> None:
    ids = read(watched, 950, {510})
    watched.simulation.delete_work(watched.id, ids[510])
    assert_true(watched)
    assert watched.tracker.ledger.lifecycle.vanished == 1


def test_a_vanished_item_is_counted_once(watched: Watched) -> None:
    ids = read(watched, 950, {100, 510, 520, 945})
    watched.simulation.delete_work(watched.id, ids[100], ids[510], ids[945])
    for _ in range(3):
        assert_true(watched)
    assert watched.tracker.ledger.lifecycle.vanished == 3
    assert watched.tracker.ledger.lifecycle.stopped == 0


@every_manner
@pytest.mark.parametrize("count", [100, 250, 505])
def test_the_start_of_the_list_may_be_pruned(watch: Watch, manner: Any, count: int) -> None:
    watched = knowing(watch, manner)
    read(watched, 950, {50, 120, 510, 520, 945})
    watched.simulation.prune(watched.id, count)
    watched.queue()
    live = [item.id for item in watched.truth().live]
    assert [item.seen.id for item in watched.tracker.ledger.targets()] == live
    assert watched.tracker.ledger.lifecycle.vanished == 5 - len(live)
    watched.traverse()
    assert_true(watched)


@every_manner
def test_a_stopped_item_that_lives_again_among_live_ones_is_found_and_counted(watch: Watch, manner: Any) -> None:
    watched = knowing(watch, manner)
    ids = read(watched, 950, {510, 590})
    moment = watched.clock.now()
    watched.simulation.force(watched.id, ids[550], "active", started_at=moment, latest_heartbeat_at=moment)
    assert_true(watched)
    assert watched.tracker.ledger.lifecycle.created == 0
    watched.simulation.force(watched.id, ids[550], "stopped")
    assert_true(watched)
    assert watched.tracker.ledger.lifecycle.stopped == 0  # it had been counted, or was before the watch


def test_a_stopped_item_that_lives_again_at_the_end_is_found_and_counted(watched: Watched) -> None:
    ids = read(watched, 950)
    watched.simulation.force(watched.id, ids[-3], "queued")
    assert_true(watched)


def test_an_item_that_goes_back_to_queued_is_counted_as_requeued(watched: Watched) -> None:
    ids = read(watched, 950, {100, 510, 590})
    for number in (100, 590):
        watched.simulation.force(watched.id, ids[number], "queued", acknowledged_at=None, started_at=None)
    assert_true(watched)
    assert_true(watched)
    assert watched.tracker.ledger.lifecycle.requeued == 2


def test_a_page_that_shows_nothing_known_proves_nothing(watch: Watch) -> None:
    """An API that shows the newest items instead of those after a cursor it has forgotten."""
    watched = knowing(watch, "compare")
    ids = read(watched, 950, {510, 520, 590})
    watched.simulation.delete_work(watched.id, ids[509])
    inner = watched.transport.inner

    class Newest(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if request.url.params.get("after_id") == ids[509]:
                request.url = request.url.copy_set_param("after_id", ids[-5])
            return await inner.handle_async_request(request)

    watched.transport.inner = Newest()
    watched.queue()
    assert list(watched.tracker.ledger.live) == [ids[510], ids[520], ids[590]]
    assert watched.tracker.ledger.lifecycle.vanished == 0


# -- items that become visible late -----------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["queued", "active", "stopped"])
def test_an_id_that_appears_late_among_the_last_ones_is_counted_once(watched: Watched, state: str) -> None:
    read(watched, 450)
    late = watched.simulation.commit_late(watched.id, 0.0055, state=state)
    assert watched.simulation.work_ids(watched.id).index(late) > 450 - OVERLAP
    for _ in range(2):
        assert_true(watched)
    assert watched.tracker.ledger.lifecycle.created == 1
    assert watched.tracker.ledger.lifecycle.stopped == (state == "stopped")


def test_a_live_item_that_appears_late_further_back_is_found_when_a_page_shows_it(watched: Watched) -> None:
    read(watched, 450, {300, 350})
    late = watched.simulation.commit_late(watched.id, 0.1255, state="queued")
    assert 300 < watched.simulation.work_ids(watched.id).index(late) < 350
    assert_true(watched)
    assert watched.tracker.ledger.lifecycle.created == 0  # it may as well be an old one that lives again


def test_an_item_that_appears_late_where_nothing_looks_is_found_by_the_next_whole_reading(watched: Watched) -> None:
    read(watched, 450)
    watched.simulation.commit_late(watched.id, 0.2005, state="queued")
    assert watched.queue().counts["queued", ()] == 0
    watched.traverse()
    assert_true(watched)


# -- things that happen between two requests of a refresh -------------------------------------------------------------


@pytest.mark.parametrize("number", range(7))
def test_items_may_come_and_go_between_any_two_requests(watched: Watched, number: int) -> None:
    """The refresh shows either state of the list, the next one the truth, and the counters each event once."""
    ids = read(watched, 950, {*range(0, 900, 170), 510, 590, 860, 870})

    def change() -> None:
        watched.simulation.delete_work(watched.id, *ids[520:580], ids[-2], ids[510])
        for state in ("queued", "stopped", "active"):
            watched.simulation.create_work(watched.id, state=state)

    before_request(watched, number, change)
    assert watched.refresh().up
    assert number < len(watched.transport.requests)
    watched.queue()
    counted = watched.tracker.ledger.lifecycle
    assert (counted.created, counted.stopped, counted.vanished) == (3, 1, 1)
    watched.traverse()
    assert_true(watched)


def test_a_thousand_items_may_come_between_two_requests(watched: Watched) -> None:
    read(watched, 950, {100, 860, 870})
    limit = 100 * TAIL_PAGES + 50

    def change() -> None:
        for _ in range(limit):
            watched.simulation.create_work(watched.id, state="stopped")

    before_request(watched, 2, change)
    watched.queue()
    assert_true(watched)
    assert watched.tracker.ledger.lifecycle.created == limit


# -- many new items ---------------------------------------------------------------------------------------------------


def test_more_new_items_than_are_read_at_once_are_all_counted(watched: Watched) -> None:
    read(watched, 50)
    for number in range(100 * TAIL_PAGES * 2 + 150):
        watched.simulation.create_work(watched.id, state="queued" if number % 7 == 0 else "stopped")
    assert_true(watched)
    assert watched.tracker.ledger.lifecycle.created == 100 * TAIL_PAGES * 2 + 150


def test_a_failure_among_many_new_items_loses_none_and_repeats_none(watched: Watched) -> None:
    read(watched, 50)
    count = 100 * TAIL_PAGES + 450
    for number in range(count):
        watched.simulation.create_work(watched.id, state="queued" if number % 7 == 0 else "stopped")
    watched.simulation.faults.add(Status(status=401, endpoint="list", skip=TAIL_PAGES + 1))
    before = watched.tracker.view().snapshot
    view = watched.refresh()
    assert view.failures["auth"] == 1
    assert view.snapshot == before
    watched.simulation.faults.clear()
    assert_true(watched)
    assert watched.tracker.ledger.lifecycle.created == count
    assert None not in watched.asked("list")


# -- failures ---------------------------------------------------------------------------------------------------------


@every_manner
def test_a_deleted_environment_is_not_found_and_nothing_is_forgotten(watch: Watch, manner: Any) -> None:
    watched = knowing(watch, manner)
    read(watched, 950, {100, 510, 590, 940})
    before = watched.tracker.record()
    watched.simulation.delete_environment(watched.id)
    view = watched.refresh()
    assert not view.up
    assert view.failures["not_found"] == 1
    assert watched.tracker.record() == before


@pytest.mark.parametrize("number", range(4))
def test_an_environment_deleted_between_two_requests_is_not_found(watched: Watched, number: int) -> None:
    read(watched, 950, {100, 510, 590})

    before_request(watched, number, lambda: watched.simulation.delete_environment(watched.id))
    view = watched.refresh()
    assert view.failures["not_found"] == 1
    assert watched.tracker.ledger.lifecycle.vanished == 0
    assert len(watched.tracker.ledger.live) == 3


def test_an_item_that_is_gone_with_its_environment_has_not_vanished(watched: Watched) -> None:
    """The list was answered before the environment was deleted, the item was asked for after that."""
    read(watched, 950, {100, 510, 590})
    watched.simulation.faults.add(Latency(seconds=1, endpoint="get"))

    async def refresh() -> None:
        task = watched.tracker.refresh(time.monotonic() + 10)
        assert task is not None
        await asyncio.sleep(0.5)
        watched.simulation.delete_environment(watched.id)
        await task

    watched.run(refresh())
    assert watched.tracker.view().failures["not_found"] == 1
    assert watched.tracker.ledger.lifecycle.vanished == 0
    assert len(watched.tracker.ledger.live) == 3


@pytest.mark.parametrize("endpoint", ["list", "get"])
def test_a_failed_refresh_leaves_the_ledger_as_it_was(watched: Watched, endpoint: str) -> None:
    ids = read(watched, 950, {100, 510, 590, 940})
    watched.simulation.force(watched.id, ids[100], "stopped")
    watched.simulation.force(watched.id, ids[590], "stopped")
    watched.simulation.create_work(watched.id)
    before = watched.tracker.record()
    watched.simulation.faults.add(Status(status=403, endpoint=endpoint))
    assert watched.refresh().failures["permission"] == 1
    assert watched.tracker.record() == before
    watched.simulation.faults.clear()
    assert_true(watched)
    assert watched.tracker.ledger.lifecycle.stopped == 2


def test_whole_counts_are_shown_though_the_statistics_fail(watched: Watched) -> None:
    read(watched, 50, {7})
    watched.simulation.create_work(watched.id)
    watched.simulation.faults.add(Status(status=403, endpoint="stats"))
    view = watched.refresh()
    assert not view.up
    assert view.failures["permission"] == 1
    assert view.snapshot is not None
    assert view.snapshot.stats is None
    assert view.snapshot.queue is not None
    assert shown(view.snapshot.queue) == truth(watched)


def test_old_data_stay_until_they_are_stale_though_the_list_fails(watch: Watch) -> None:
    watched = watch(settings=tracking_settings(min_interval=0, max_staleness=60))
    read(watched, 50, {7})
    good = watched.tracker.view().snapshot
    watched.simulation.faults.add(Status(status=403, endpoint="list"))
    watched.clock.advance(60)
    view = watched.refresh()
    assert not view.up
    assert view.snapshot == good
    watched.clock.advance(0.1)
    view = watched.refresh()
    assert view.snapshot is None
    assert view.history_complete
    assert view.lifecycle is not None


def test_another_item_than_was_asked_for_is_an_invalid_response(watched: Watched) -> None:
    ids = read(watched, 950, {100})
    inner = watched.transport.inner

    class Confused(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if request.url.path.endswith(ids[100]):
                request.url = request.url.copy_with(path=request.url.path.replace(ids[100], ids[101]))
            return await inner.handle_async_request(request)

    watched.transport.inner = Confused()
    view = watched.refresh()
    assert view.failures["invalid_response"] == 1
    assert view.error == f"get: asked for {ids[100]}, got another item"


def test_the_words_of_a_failure_are_logged_and_shown(watched: Watched) -> None:
    read(watched, 50)
    watched.simulation.faults.add(Status(status=403, endpoint="list"))
    with capture_logs() as logs:
        view = watched.refresh()
    assert view.error is not None
    assert "HTTP 403" in view.error
    assert [entry["error"] for entry in logs if entry["event"] == "refresh failed"] == [view.error]
