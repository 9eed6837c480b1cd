"""History is read back to a moment, which is found with few requests where the API lets us, and the same elsewhere."""

from email.utils import formatdate
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.simulator import Options, Status
from exporter.tracking.lookback import find_origin
from tests.support.randomness import FACTOR
from tests.support.settings import tracking_settings
from tests.tracking.conftest import Watch
from tests.tracking.harness import Watched

DAY = 86400.0
WEEK = tracking_settings(min_interval=0, lookback=7 * DAY)
MANNERS = ("compare", "not_found", "invalid", "empty", "restart")

every_manner = pytest.mark.parametrize("manner", MANNERS)


def true_origin(watched: Watched, since: float) -> str | None:
    """The last item before the first young one, looked for from the start of the list."""
    origin = None
    for item in watched.truth().items:
        if item.created_at >= since:
            break
        origin = item.id
    return origin


def origin(watched: Watched, since: float) -> str | None:
    watched.transport.requests.clear()
    found = watched.run(find_origin(watched.source(), since))
    return None if found is None else found.id


def month(watch: Watch, count: int = 3000, **options: Any) -> Watched:
    """A list of stopped items, evenly created in the last 30 days, with a few live ones."""
    watched = watch(Options(lease_expiry="keep", **options), WEEK)
    watched.simulation.create_history(watched.id, count, oldest_age=30 * DAY, newest_age=60)
    ids = watched.simulation.work_ids(watched.id)
    for number in range(0, count, count // 10):
        watched.simulation.force(watched.id, ids[number], "active", acknowledged_at=0, started_at=0)
    return watched


def young(watched: Watched) -> dict[str, int]:
    """What is true of the work of the last week, as it was when the watch began."""
    first = watched.tracker.ledger.since
    assert first is not None
    counts = dict.fromkeys(("queued", "starting", "active", "stopping", "stopped"), 0)
    for item in watched.truth().items:
        counts[item.state] += item.created_at >= first
    return counts


def counts(watched: Watched) -> dict[str, int]:
    return {state: count for (state, _), count in watched.queue().counts.items()}


# -- where it is ------------------------------------------------------------------------------------------------------


@settings(max_examples=60 * FACTOR)
@given(
    bursts=st.lists(st.tuples(st.integers(1, 250), st.floats(0, 200), st.floats(0, 1e6)), max_size=5),
    share=st.floats(-0.1, 1.1),
    cap=st.sampled_from([2, 30, 100]),
    manner=st.sampled_from(MANNERS),
)
def test_the_origin_is_the_last_old_item(
    bursts: list[tuple[int, float, float]], share: float, cap: int, manner: Any
) -> None:
    with Watched(Options(page_cap=cap, unknown_cursor=manner)) as watched:
        start = watched.clock.now()
        for count, seconds, pause in bursts:
            for _ in range(count):
                watched.simulation.create_work(watched.id)
                watched.clock.advance(seconds / count)
            watched.clock.advance(pause)
        since = start + share * (watched.clock.now() - start)
        assert origin(watched, since) == true_origin(watched, since)


def test_where_ids_compare_few_requests_are_needed(watch: Watch) -> None:
    watched = month(watch, 30_000)
    since = watched.clock.now() - 7 * DAY
    assert origin(watched, since) == true_origin(watched, since)
    assert len(watched.transport.requests) <= 20


def test_few_requests_are_needed_if_everything_is_old(watch: Watch) -> None:
    watched = month(watch, 30_000)
    since = watched.clock.now() + DAY
    assert origin(watched, since) == watched.simulation.work_ids(watched.id)[-1]
    assert len(watched.transport.requests) <= 20


@pytest.mark.parametrize("manner", MANNERS[1:])
def test_elsewhere_the_list_is_read_page_by_page(watch: Watch, manner: Any) -> None:
    watched = month(watch, unknown_cursor=manner)
    since = watched.clock.now() - 7 * DAY
    assert origin(watched, since) == true_origin(watched, since)
    assert len(watched.transport.requests) == 24 + 1  # pages with something old on them, and the question


def test_if_everything_is_young_one_request_is_needed(watch: Watch) -> None:
    watched = month(watch)
    assert origin(watched, watched.clock.now() - 31 * DAY) is None
    assert len(watched.transport.requests) == 1


def test_an_empty_list_has_no_origin(watched: Watched) -> None:
    assert origin(watched, watched.clock.now()) is None
    assert len(watched.transport.requests) == 1


def test_ids_that_hold_no_time_are_read_page_by_page(watched: Watched) -> None:
    for number in range(250):
        watched.simulation.create_work(watched.id, work_id=f"work_{number:04}")
        watched.clock.advance(60)
    since = watched.clock.now() - 3600
    assert origin(watched, since) == true_origin(watched, since)
    assert len(watched.transport.requests) == 2


def test_ids_that_hold_another_time_give_the_same_origin(watched: Watched) -> None:
    for number in range(250):
        watched.simulation.create_work(watched.id, created_at=watched.clock.now() - 1e6 + 60 * number)
        watched.clock.advance(1)
    since = watched.truth().items[220].created_at
    assert origin(watched, since) == watched.truth().items[219].id


def test_an_api_that_does_not_know_its_own_ids_is_read_page_by_page(watch: Watch) -> None:
    watched = month(watch)
    since = watched.clock.now() - 7 * DAY
    expected = true_origin(watched, since)
    assert expected is not None
    watched.transport.forgotten = {expected}
    assert origin(watched, since) == expected


# -- what it means ----------------------------------------------------------------------------------------------------


@every_manner
def test_work_that_was_old_at_the_first_start_is_ignored_live_or_not(watch: Watch, manner: Any) -> None:
    watched = month(watch, unknown_cursor=manner)
    assert counts(watched) == young(watched)
    assert watched.tracker.view().history_complete
    assert min(watched.tracker.ledger.live) > (watched.tracker.ledger.origin or "")
    assert sum(counts(watched).values()) == 699


def test_what_was_young_at_the_first_start_stays_counted(watch: Watch) -> None:
    watched = month(watch)
    before = counts(watched)
    watched.clock.advance(20 * DAY)
    assert counts(watched) == before
    watched.restart()
    assert counts(watched) == before
    watched.traverse()
    assert counts(watched) == before


def test_nothing_old_is_read(watch: Watch) -> None:
    watched = month(watch, 30_000)
    watched.queue()
    assert len(watched.asked("list")) < 5 + 70 + 10


def test_an_old_item_that_stops_is_not_counted(watch: Watch) -> None:
    watched = month(watch)
    watched.queue()
    watched.simulation.force(watched.id, watched.simulation.work_ids(watched.id)[0], "stopped")
    watched.queue()
    assert watched.tracker.ledger.lifecycle.stopped == 0


@every_manner
def test_if_everything_was_old_only_new_work_is_counted(watch: Watch, manner: Any) -> None:
    watched = month(watch, unknown_cursor=manner)
    watched.clock.advance(10 * DAY)
    assert sum(counts(watched).values()) == 0
    assert sum(counts(watched).values()) == 0
    assert len(watched.transport.requests) == 2
    for state in ("queued", "active", "stopped"):
        watched.simulation.create_work(watched.id, state=state)
    assert counts(watched) == young(watched)
    assert watched.tracker.ledger.lifecycle.created == 3


@every_manner
@pytest.mark.parametrize("pruned", [1, 500, 2299])
def test_the_origin_may_be_deleted(watch: Watch, manner: Any, pruned: int) -> None:
    watched = month(watch, unknown_cursor=manner)
    before = counts(watched)
    since = watched.tracker.ledger.since
    remembered = watched.tracker.ledger.origin
    assert remembered is not None
    number = watched.simulation.work_ids(watched.id).index(remembered)
    old = watched.simulation.work_ids(watched.id)[number - pruned + 1 : number + 1]
    watched.simulation.delete_work(watched.id, *old)
    watched.clock.advance(3 * DAY)
    watched.simulation.delete_work(watched.id, watched.truth().live[-1].id)  # something to look into
    watched.refresh()
    watched.traverse()
    before["active"] -= 1
    assert counts(watched) == before == young(watched)
    assert watched.tracker.ledger.since == since
    assert watched.tracker.ledger.lifecycle.vanished == 1


def test_an_api_that_does_not_know_the_origin_fails_and_is_not_asked_for_ever(watch: Watch) -> None:
    watched = month(watch, unknown_cursor="not_found")
    watched.queue()
    ledger = watched.tracker.ledger
    watched.simulation.forget_cursors(watched.id, *(each for each in (ledger.origin, ledger.foothold) if each))
    watched.transport.requests.clear()
    with pytest.raises(Exception, match="cannot be read on"):
        watched.traverse()
    assert len(watched.transport.requests) < 100


def test_a_failure_while_looking_fails_the_refresh_and_the_next_one_looks_again(watch: Watch) -> None:
    watched = month(watch)
    watched.simulation.faults.add(Status(status=403, endpoint="list", skip=2))
    assert watched.refresh().failures["permission"] == 1
    watched.simulation.faults.clear()
    assert counts(watched) == young(watched)


def test_the_items_before_the_origin_can_all_be_gone(watch: Watch) -> None:
    watched = month(watch)
    before = counts(watched)
    ids = watched.simulation.work_ids(watched.id)
    assert watched.tracker.ledger.origin is not None
    watched.simulation.delete_work(watched.id, *ids[: ids.index(watched.tracker.ledger.origin) + 1])
    watched.traverse()
    assert counts(watched) == before


@every_manner
def test_history_may_be_pruned_all_the_time(watch: Watch, manner: Any) -> None:
    """No refresh fails because the item at which the watched part of the list began has gone long ago."""
    watched = month(watch, unknown_cursor=manner)
    counts(watched)
    watched.simulation.prune(watched.id, 2500)
    watched.clock.advance(3 * DAY)
    for _ in range(3):
        watched.simulation.delete_work(watched.id, watched.truth().live[0].id)
        assert watched.refresh().up
        watched.simulation.create_work(watched.id)
    watched.traverse()
    assert counts(watched) == young(watched)


# -- on which clock ---------------------------------------------------------------------------------------------------


class Dated(httpx.AsyncBaseTransport):
    """Writes another date into the first answers."""

    def __init__(self, watched: Watched, date: str, count: int) -> None:
        self._inner, self._watched, self._date, self._left = watched.transport.inner, watched, date, count

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._inner.handle_async_request(request)
        self._left -= 1
        now = formatdate(self._watched.clock.now(), usegmt=True)
        response.headers["Date"] = self._date if self._left >= 0 else now
        return response


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize(
    "date", ["Fri, 31 Dec 9999 23:59:59 GMT", "Thu, 01 Jan 1970 00:00:00 GMT", "Mon, 01 Jan 2080 00:00:00 GMT", "soon"]
)
def test_an_absurd_date_moves_no_origin(watch: Watch, date: str, count: int) -> None:
    watched = month(watch)
    watched.transport.inner = Dated(watched, date, count)
    start = watched.clock.now()
    shown = counts(watched)
    assert watched.tracker.ledger.since == pytest.approx(start - 7 * DAY, abs=5)
    assert shown == young(watched)
    assert sum(shown.values()) == 699


def test_an_api_whose_clock_is_hours_off_is_believed_when_it_says_so_again(watch: Watch) -> None:
    """Its items are dated by the same clock."""
    watched = month(watch)
    watched.api.clock._local = watched.api._now = lambda: watched.clock.now() - 3 * 3600
    watched.transport.inner = Dated(watched, "", 0)
    assert counts(watched) == young(watched)
    assert watched.tracker.ledger.since == pytest.approx(watched.clock.now() - 7 * DAY, abs=5)
