"""A long list is read for the first time in several ranges at once, with the very result of reading it page by page."""

from bisect import bisect
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.simulator import Options
from exporter.tracking import ranges, resync
from exporter.tracking.history import History
from exporter.tracking.record import EnvironmentRecord
from tests.support.randomness import FACTOR
from tests.support.settings import tracking_settings
from tests.tracking.harness import Watched, shown
from tests.tracking.reference import expected


@pytest.fixture(autouse=True)
def _ranges_for_short_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resync, "PAGES_BEFORE", 2)
    monkeypatch.setattr(ranges, "PAGES_A_RANGE", 1)


def fill(watched: Watched, bursts: list[tuple[int, float]], live_every: int) -> None:
    """Bursts of items, each with the seconds that pass after it."""
    number = 0
    for count, seconds in bursts:
        for _ in range(count):
            number += 1
            state = ("queued", "starting", "active", "stopping")[number % 4] if number % live_every == 0 else "stopped"
            watched.simulation.create_work(watched.id, state=state)
            watched.clock.advance(0.01)
        watched.clock.advance(seconds)


def places(record: EnvironmentRecord) -> dict[str, Any]:
    """What a first reading leaves behind, apart from where segments happen to end."""
    return {
        "items": sum(segment.size for segment in record.segments),
        "stopped": sum(count for segment in record.segments for _, count in segment.stopped),
        "live": [(item.seen.id, item.seen.state, item.before, item.counted) for item in record.live],
        "positions": list(
            History(record.segments).positions(
                [item.seen.id for item in record.live], [item.offset for item in record.live]
            )
        ),
        "last": record.recent[-1],
        "complete": record.complete,
    }


@settings(max_examples=12 * FACTOR)
@given(
    bursts=st.lists(st.tuples(st.integers(1, 250), st.floats(0, 5000)), min_size=1, max_size=6),
    live_every=st.integers(2, 50),
    cap=st.sampled_from([7, 40, 100]),
)
def test_ranges_give_what_a_reading_page_by_page_gives(
    bursts: list[tuple[int, float]], live_every: int, cap: int
) -> None:
    with Watched(Options(page_cap=cap, lease_expiry="keep")) as watched:
        fill(watched, bursts, live_every)
        queue = watched.queue()
        in_ranges = places(watched.tracker.record())
        watched.tracker._settings = tracking_settings(min_interval=0, metadata_keys=("job",))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(resync, "PAGES_BEFORE", 1_000_000)
            watched.tracker = watched.new_tracker()
            watched.queue()
            assert in_ranges == places(watched.tracker.record())
        assert shown(queue) == vars(expected(watched.truth()))


def test_ranges_are_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranges, "PAGES_A_RANGE", 5)
    with Watched() as watched:
        fill(watched, [(3000, 0.0)], 40)
        watched.refresh()
        cursors = watched.asked("list")
        foreign = [cursor for cursor in cursors if cursor is not None and cursor.endswith("0" * 20)]
        assert len(foreign) == 4
        assert len(cursors) - len(set(cursors)) <= len(foreign)


@pytest.mark.parametrize("manner", ["not_found", "invalid", "empty", "restart"])
def test_an_api_that_refuses_unknown_ids_is_read_page_by_page(manner: Any) -> None:
    with Watched(Options(unknown_cursor=manner)) as watched:
        fill(watched, [(1000, 0.0)], 40)
        watched.traverse()
        items = {None, *watched.simulation.work_ids(watched.id)}
        assert len([cursor for cursor in watched.asked("list") if cursor not in items]) == 1, "asked once, and refused"
        assert shown(watched.queue()) == vars(expected(watched.truth()))


def test_a_failure_keeps_what_was_read_from_the_start_of_the_list() -> None:
    with Watched() as watched:
        fill(watched, [(3000, 0.0)], 40)
        inner = watched.transport.inner

        class Failing(httpx.AsyncBaseTransport):
            async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
                if len(watched.transport.requests) > 20:
                    return httpx.Response(401)
                return await inner.handle_async_request(request)

        watched.transport.inner = Failing()
        assert watched.refresh().failures["auth"] == 1
        read = watched.tracker.ledger.size
        assert 200 < read < 3000
        watched.transport.inner = inner
        assert shown(watched.queue()) == vars(expected(watched.truth()))
        assert None not in watched.asked("list")


def test_ranges_between_which_something_is_missing_are_not_joined() -> None:
    """An API that skips what comes just after a place where no item is."""
    with Watched() as watched:
        fill(watched, [(3000, 0.0)], 40)
        inner = watched.transport.inner
        known = watched.simulation.work_ids(watched.id)
        skipped: list[str] = []

        class Skipping(httpx.AsyncBaseTransport):
            async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
                cursor = request.url.params.get("after_id")
                if cursor is not None and cursor.endswith("0" * 20):
                    skipped.append(cursor)
                    request.url = request.url.copy_set_param("after_id", known[bisect(known, cursor) + 2])
                return await inner.handle_async_request(request)

        watched.transport.inner = Skipping()
        assert shown(watched.queue()) == vars(expected(watched.truth()))
        assert skipped
