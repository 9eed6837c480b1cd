"""The whole list is read in the background, page by page, and nothing that is shown meanwhile jumps or goes missing."""

import asyncio
import random
import re
from itertools import pairwise
from typing import Any
from unittest.mock import Mock

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from exporter.simulator import Options, Status
from exporter.tracking import resync
from exporter.tracking.traversal import Traversal
from exporter.tracking.walk import CursorLostError
from tests.support.randomness import FACTOR
from tests.support.settings import tracking_settings
from tests.tracking.conftest import Watch
from tests.tracking.harness import Watched, shown
from tests.tracking.reference import expected
from tests.tracking.virtual_time import VirtualTime

LIVE = ("queued", "starting", "active", "stopping")


def fill(watched: Watched, count: int, live_every: int = 20) -> None:
    for number in range(count):
        state = LIVE[number % 4] if number % live_every == 0 else "stopped"
        watched.simulation.create_work(watched.id, state=state)
        watched.clock.advance(0.002)


def truth(watched: Watched) -> dict[str, Any]:
    return vars(expected(watched.truth()))


def step_by_step(watched: Watched) -> Traversal:
    """A whole reading of which the test makes the steps, with no other one under way."""
    watched.tracker.resync.start = Mock()  # type: ignore[method-assign]
    return watched.tracker.resync._traversal(watched.source())


# -- the first time ---------------------------------------------------------------------------------------------------


def test_the_first_refresh_reads_everything(watched: Watched) -> None:
    fill(watched, 350)
    assert shown(watched.queue()) == truth(watched)
    assert watched.tracker.view().history_complete


def test_until_the_list_is_read_only_the_statistics_are_shown(watch: Watch, virtual_time: VirtualTime) -> None:
    watched = watch(page_interval=1.0)
    fill(watched, 950)

    async def scrape(seconds: float) -> None:
        task = watched.tracker.refresh(virtual_time.now + seconds)
        assert task is not None
        await task

    watched.run(scrape(3.0))
    view = watched.tracker.view()
    assert view.up
    assert not view.history_complete
    assert view.lifecycle is None
    assert view.snapshot is not None
    assert view.snapshot.queue is None
    assert view.snapshot.stats is not None
    assert view.snapshot.stats.depth == watched.truth().depth
    assert view.snapshot.stats.oldest_queued_at == watched.truth().oldest_queued_at
    assert view.progress is not None
    watched.run(scrape(30.0))
    view = watched.tracker.view()
    assert view.history_complete
    assert view.snapshot is not None
    assert view.snapshot.queue is not None
    assert shown(view.snapshot.queue) == truth(watched)
    assert view.progress is None


def test_statistics_are_shown_as_soon_as_they_are_there(watch: Watch, virtual_time: VirtualTime) -> None:
    watched = watch(page_interval=1.0)
    fill(watched, 450)

    async def begin() -> None:
        assert watched.tracker.refresh(virtual_time.now + 30) is not None
        while watched.tracker.view().snapshot is None:  # noqa: ASYNC110 -- the time is virtual
            await asyncio.sleep(0.1)

    watched.run(begin())
    assert not watched.tracker.view().history_complete


def test_pages_are_an_interval_apart(watch: Watch, virtual_time: VirtualTime) -> None:
    watched = watch(page_interval=0.1)
    fill(watched, 450)
    start = virtual_time.now
    watched.traverse()
    assert virtual_time.now - start == pytest.approx(0.4)


def test_pages_are_an_interval_apart_although_segments_end_elsewhere(watch: Watch, virtual_time: VirtualTime) -> None:
    """Deletions have moved the segments, so that each page shows more than a segment and less than two."""
    watched = watch(page_interval=0.1)
    fill(watched, 450)
    watched.queue()
    watched.simulation.delete_work(watched.id, *watched.simulation.work_ids(watched.id)[1:20])
    moments: list[float] = []
    watched.transport.before = lambda request: moments.append(virtual_time.now)
    watched.traverse()
    assert len(moments) >= 5
    assert all(later - earlier > 0.099 for earlier, later in pairwise(moments))


def test_a_failed_traversal_goes_on_from_the_page_it_had_reached(watched: Watched) -> None:
    fill(watched, 950, live_every=2000)
    watched.simulation.faults.add(Status(status=401, endpoint="list", skip=6))
    assert watched.refresh().failures["auth"] == 1
    watched.simulation.faults.clear()
    assert shown(watched.queue()) == truth(watched)
    pages = [cursor for cursor in watched.asked("list") if cursor is not None]
    assert len(pages) == 4 + 1  # what was left, and the tail
    assert None not in watched.asked("list")


def test_a_restarted_exporter_goes_on_from_the_page_it_had_reached(watched: Watched) -> None:
    fill(watched, 950, live_every=2000)
    watched.simulation.faults.add(Status(status=401, endpoint="list", skip=6))
    watched.refresh()
    watched.simulation.faults.clear()
    watched.restart()
    assert shown(watched.queue()) == truth(watched)
    assert len(watched.asked("list")) == 4 + 1


@pytest.mark.parametrize("manner", ["compare", "not_found", "invalid", "empty", "restart"])
def test_a_traversal_goes_on_though_the_item_at_which_it_stopped_was_deleted(watch: Watch, manner: Any) -> None:
    watched = watch(Options(unknown_cursor=manner))
    fill(watched, 950, live_every=2000)
    watched.simulation.faults.add(Status(status=401, endpoint="list", skip=6))
    watched.refresh()
    watched.simulation.faults.clear()
    reached = watched.tracker.ledger.traversed
    assert reached is not None
    watched.simulation.delete_work(watched.id, reached)
    queue = watched.queue()
    assert queue.counts["stopped", ()] == watched.truth().counts["stopped"] + 1  # until the next whole reading
    assert len(watched.asked("list")) <= 4 + 5
    watched.traverse()
    assert shown(watched.queue()) == truth(watched)


def test_a_traversal_whose_every_cursor_has_gone_starts_over(watch: Watch) -> None:
    watched = watch(Options(unknown_cursor="not_found"))
    fill(watched, 1450, live_every=2000)
    watched.simulation.faults.add(Status(status=401, endpoint="list", skip=11))
    watched.refresh()
    watched.simulation.faults.clear()
    ends = [segment.end for segment in watched.tracker.ledger.history.segments]
    watched.simulation.delete_work(watched.id, *(end for number, end in enumerate(ends) if number > 1))
    assert shown(watched.queue()) == truth(watched)


def test_an_api_that_leads_nowhere_fails_and_is_not_asked_for_ever(watch: Watch) -> None:
    watched = watch(Options(unknown_cursor="not_found"))
    fill(watched, 950, live_every=2000)
    watched.simulation.forget_cursors(watched.id, *watched.simulation.work_ids(watched.id))
    view = watched.refresh()
    assert view.failures["invalid_response"] == 1
    assert not view.history_complete
    assert len(watched.transport.requests) < 20


def test_progress_is_logged_now_and_then(
    watch: Watch, virtual_time: VirtualTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    structlog.reset_defaults()
    monkeypatch.setattr(resync, "PAGES_BEFORE", 1_000_000)
    watched = watch(page_interval=1.0)
    fill(watched, 3000, live_every=100)
    with capture_logs() as logs:
        watched.traverse()
    progress = [entry for entry in logs if "progress" in entry]
    assert 2 <= len(progress) <= 3
    assert all("items read" in entry["progress"] for entry in progress)
    assert (logs[-1]["items"], logs[-1]["live"]) == (3000, 30)


def test_progress_is_estimated_from_the_times_in_the_ids(
    watch: Watch, virtual_time: VirtualTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resync, "PAGES_BEFORE", 1_000_000)
    watched = watch(page_interval=1.0)
    watched.simulation.create_history(watched.id, 2000, oldest_age=1000, newest_age=0)

    async def halfway() -> None:
        reading = watched.tracker.resync.start()
        await asyncio.sleep(9.5)
        progress = watched.tracker.view().progress or ""
        assert "10 requests made, 1000 items read, about" in progress
        found = re.search(r"about (\d+)% of the list by its time; (\d+) s left", progress)
        assert found is not None
        share, left = float(found[1]), float(found[2])
        assert share == pytest.approx(50, abs=8)
        assert left == pytest.approx(10, abs=4)
        await reading

    watched.run(halfway())


def test_smaller_pages_than_segments_make_no_difference(watch: Watch) -> None:
    watched = watch(Options(page_cap=7))
    fill(watched, 450)
    assert shown(watched.queue()) == truth(watched)
    watched.traverse()
    assert shown(watched.queue()) == truth(watched)


def test_pages_that_shrink_between_two_traversals_make_no_difference(watched: Watched) -> None:
    fill(watched, 450)
    watched.queue()
    watched.simulation.change_options(watched.id, page_cap=7)
    watched.traverse()
    assert shown(watched.queue()) == truth(watched)


# -- again ------------------------------------------------------------------------------------------------------------


def test_a_whole_reading_corrects_what_no_refresh_has_reason_to_look_at(watched: Watched) -> None:
    fill(watched, 950)
    watched.queue()
    ids = watched.simulation.work_ids(watched.id)
    watched.simulation.delete_work(watched.id, *[each for each in ids[:700] if ids.index(each) % 20 in (3, 4)])
    watched.simulation.force(watched.id, ids[310 + 1], "active")
    drifted = watched.queue()
    assert drifted.counts["stopped", ()] != watched.truth().counts["stopped"]
    watched.traverse()
    assert shown(watched.queue()) == truth(watched)


def test_while_the_list_is_read_again_everything_stays_shown_and_comes_closer_to_the_truth(watched: Watched) -> None:
    fill(watched, 950)
    watched.queue()
    ids = watched.simulation.work_ids(watched.id)
    watched.simulation.delete_work(watched.id, *[each for each in ids[:700] if ids.index(each) % 20 == 3])
    true = watched.truth().counts["stopped"]
    off = [watched.queue().counts["stopped", ()] - true]
    again = step_by_step(watched)
    finished = False
    while not finished:
        finished = watched.run(again.step())
        view = watched.refresh()
        assert view.history_complete
        assert view.lifecycle is not None
        assert view.snapshot is not None
        assert view.snapshot.queue is not None
        off.append(view.snapshot.queue.counts["stopped", ()] - true)
        assert {state: shown(view.snapshot.queue)["counts"][state] for state in LIVE} == {
            state: watched.truth().counts[state] for state in LIVE
        }
    assert off == sorted(off, reverse=True)
    assert off[0] == 35
    assert off[-1] == 0


@pytest.mark.parametrize("page_cap", [7, 60, 100])
def test_where_nothing_has_drifted_reading_again_changes_no_number(watched: Watched, page_cap: int) -> None:
    fill(watched, 950)
    watched.queue()
    before = truth(watched)
    watched.simulation.change_options(watched.id, page_cap=page_cap)
    again = step_by_step(watched)
    while not watched.run(again.step()):
        assert shown(watched.queue()) == before
    assert shown(watched.queue()) == before


def test_the_list_is_read_again_after_the_interval(watch: Watch) -> None:
    watched = watch(settings=tracking_settings(min_interval=0, resync_interval=3600))
    fill(watched, 450, live_every=2000)
    watched.queue()
    watched.clock.advance(3599)
    watched.queue()
    assert len(watched.asked("list")) == 1
    watched.clock.advance(2)
    watched.queue()
    watched.traverse()
    assert len(watched.asked("list")) == 1 + 5


def test_the_list_is_never_read_again_where_that_is_turned_off(watch: Watch) -> None:
    watched = watch(settings=tracking_settings(min_interval=0, resync_interval=0))
    fill(watched, 450, live_every=2000)
    watched.queue()
    watched.clock.advance(1e9)
    watched.queue()
    assert watched.tracker.resync._task is not None
    assert watched.tracker.resync._task.done()


def test_a_failing_resync_neither_fails_the_refresh_nor_is_forgotten(watch: Watch) -> None:
    watched = watch(settings=tracking_settings(min_interval=0, resync_interval=3600))
    fill(watched, 950, live_every=2000)
    watched.queue()
    watched.clock.advance(3601)

    def deny(request: Any) -> None:
        cursor = request.url.params.get("after_id")
        if cursor == watched.simulation.work_ids(watched.id)[499]:
            watched.simulation.faults.add(Status(status=401, endpoint="list", count=1))

    watched.transport.before = deny
    assert watched.refresh().up
    with pytest.raises(Exception, match="401"):
        watched.traverse()
    watched.transport.before = None
    assert watched.refresh().up
    watched.traverse()
    assert watched.asked("list").count(watched.simulation.work_ids(watched.id)[499]) == 1
    assert None not in watched.asked("list")
    assert watched.tracker.traversed_at == watched.clock.now()


def test_a_whole_reading_that_became_necessary_is_gone_on_with_though_no_other_is_wanted(watch: Watch) -> None:
    watched = watch(Options(unknown_cursor="not_found"), tracking_settings(min_interval=0, resync_interval=0))
    fill(watched, 950, live_every=2000)
    watched.queue()
    read_at = watched.tracker.traversed_at
    watched.clock.advance(1)
    watched.transport.forgotten = set(watched.simulation.work_ids(watched.id)[199:])
    assert watched.refresh().failures["invalid_response"] == 1
    with pytest.raises(Exception, match="does not go on"):
        watched.traverse()
    watched.transport.forgotten = set()
    watched.clock.advance(1)
    assert watched.refresh().up
    assert watched.tracker.resync._task is not None
    watched.run(asyncio.wait_for(watched.tracker.resync._task, 60))
    assert watched.tracker.traversed_at != read_at
    assert None not in watched.asked("list")


def test_new_items_that_a_whole_reading_sees_first_are_counted_once(watched: Watched) -> None:
    fill(watched, 450)
    watched.queue()
    fill(watched, 150)
    watched.traverse()
    assert shown(watched.queue()) == truth(watched)
    assert watched.tracker.ledger.lifecycle.created == 150


def test_a_page_that_ends_with_the_last_known_item_counts_nothing_twice(watched: Watched) -> None:
    """The live item at the end has been deleted, new ones have come, and the page ends between them."""
    fill(watched, 250, live_every=2000)
    gone = watched.simulation.create_work(watched.id, state="active")
    watched.queue()
    watched.simulation.delete_work(watched.id, gone)
    watched.queue()
    watched.simulation.change_options(watched.id, page_cap=50)
    fill(watched, 30, live_every=2000)
    again = step_by_step(watched)
    while not watched.run(again.step()):
        assert watched.tracker.ledger.history.stopped.total() <= watched.truth().counts["stopped"]
    assert shown(watched.queue()) == truth(watched)


def test_a_first_segment_that_is_gone_is_no_empty_list(watched: Watched) -> None:
    """The first page ends before the second segment does, so nothing but the lack of the first can be counted."""
    fill(watched, 300)
    watched.queue()
    pruned = watched.simulation.work_ids(watched.id)[:102]
    watched.simulation.delete_work(watched.id, *pruned)
    watched.simulation.create_work(watched.id, state="queued")
    watched.simulation.change_options(watched.id, page_cap=17)
    watched.queue()
    watched.traverse()
    assert shown(watched.queue()) == truth(watched)


def test_the_end_of_a_segment_that_has_moved_on_since_loses_no_count(watched: Watched) -> None:
    """A traversal stopped at the last known item; then a refresh put new items into the same segment."""
    fill(watched, 130, live_every=2000)
    watched.queue()
    again = step_by_step(watched)
    fill(watched, 3)
    watched.simulation.change_options(watched.id, page_cap=65)
    assert not watched.run(again.step())
    watched.simulation.change_options(watched.id, page_cap=100)
    fill(watched, 5)
    watched.queue()
    while not watched.run(again.step()):
        pass
    assert shown(watched.queue()) == truth(watched)


@settings(max_examples=40 * FACTOR)
@given(
    seed=st.integers(0, 2**32),
    cap=st.sampled_from([7, 33, 60, 99, 100]),
    manner=st.sampled_from(["compare", "empty", "not_found"]),
)
def test_whatever_refreshes_do_between_its_steps_a_whole_reading_ends_in_the_truth(
    seed: int, cap: int, manner: Any
) -> None:
    chance = random.Random(seed)
    with Watched(Options(lease_expiry="keep", unknown_cursor=manner)) as watched:
        fill(watched, chance.randrange(450), live_every=chance.randrange(2, 40))
        watched.queue()
        again = step_by_step(watched)
        watched.simulation.change_options(watched.id, page_cap=cap)
        finished = False
        while not finished:
            happens(watched, chance)
            if chance.random() < 0.6:
                watched.refresh()
            try:
                finished = watched.run(again.step())
            except CursorLostError:
                watched.tracker.ledger.traversed = None
                again = step_by_step(watched)
        watched.simulation.change_options(watched.id, page_cap=100)
        assert shown(watched.queue()) == truth(watched)


def happens(watched: Watched, chance: random.Random) -> None:
    """Something that a refresh notices by itself."""
    simulation = watched.simulation
    live = [item.id for item in watched.truth().live]
    end = simulation.work_ids(watched.id)[-chance.randrange(1, 9) :]
    match chance.randrange(5):
        case 0:
            fill(watched, chance.randrange(1, 40), live_every=chance.randrange(1, 9))
        case 1 if live:
            simulation.delete_work(watched.id, *chance.sample(live, chance.randrange(1, len(live) + 1)))
        case 2 if live:
            moment = watched.clock.now()
            times = {"acknowledged_at": moment, "started_at": moment, "latest_heartbeat_at": moment}
            simulation.force(watched.id, chance.choice(live), chance.choice([*LIVE, "stopped"]), **times)
        case 3 if end:
            watched.refresh()
            simulation.delete_work(watched.id, *end)
            watched.refresh()
        case 4:
            watched.refresh()
            simulation.commit_late(watched.id, 0.009, state=chance.choice([*LIVE, "stopped"]))
        case _:
            pass


@pytest.mark.parametrize("manner", ["not_found", "empty", "invalid"])
@pytest.mark.parametrize("new", [2, 8, 40])
def test_after_one_reading_of_another_list_with_short_pages_refreshes_succeed(
    watch: Watch, manner: Any, new: int
) -> None:
    """Of the list that was known nothing is left; the end of the other one is in several pages."""
    watched = watch(Options(page_cap=3, unknown_cursor=manner))
    fill(watched, 450)
    watched.queue()
    watched.simulation.delete_work(watched.id, *watched.simulation.work_ids(watched.id))
    for _ in range(new):
        watched.simulation.create_work(watched.id, state="active")
    watched.refresh()
    watched.settle()
    assert shown(watched.queue()) == vars(expected(watched.truth()))
