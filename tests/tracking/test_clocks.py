"""Clocks, this machine's and the API's, may be wrong and may be set: ages stay right, and data go when they are old."""

from datetime import UTC, datetime
from email.utils import format_datetime

import pytest

from exporter.api.clock import CONFIRMATIONS, RESOLUTION
from tests.tracking.conftest import Watch
from tests.tracking.harness import Watched

DAY = 86_400.0


def age(watched: Watched) -> float:
    return watched.queue().oldest_age["queued"]


@pytest.mark.parametrize("ahead", [-40 * DAY, -3600.0, 3600.0, 400 * DAY])
def test_setting_this_machines_clock_moves_no_age(watched: Watched, ahead: float) -> None:
    watched.simulation.create_work(watched.id)
    watched.clock.advance(100)
    assert age(watched) == 100
    watched.ahead = ahead
    for passed in (100, 110, 120):
        assert age(watched) == pytest.approx(passed, abs=RESOLUTION)
        watched.clock.advance(10)


@pytest.mark.parametrize("ahead", [-40 * DAY, -7200.0, 7200.0, 400 * DAY])
def test_where_this_machines_clock_is_wrong_from_the_start_the_first_ages_are_right(watch: Watch, ahead: float) -> None:
    watched = watch()
    watched.ahead = ahead
    watched.simulation.create_work(watched.id)
    watched.clock.advance(100)
    assert age(watched) == pytest.approx(100, abs=RESOLUTION)


@pytest.mark.parametrize("step", [-7200.0, 7200.0])
def test_a_step_of_the_apis_clock_is_believed_within_one_refresh(watched: Watched, step: float) -> None:
    watched.queue()
    watched.clock.set(watched.clock.now() + step)
    watched.ahead -= step
    watched.simulation.create_work(watched.id)
    watched.clock.advance(100)
    assert age(watched) == pytest.approx(100, abs=RESOLUTION)


@pytest.mark.parametrize("count", range(1, CONFIRMATIONS))
def test_outliers_cost_a_request_or_two_and_move_no_age(watched: Watched, count: int) -> None:
    watched.simulation.create_work(watched.id)
    watched.queue()
    watched.queue()
    usual = len(watched.transport.requests)
    watched.clock.advance(100)
    off = datetime.fromtimestamp(watched.clock.now() + DAY, UTC)
    watched.transport.dates = [None] * (usual - count) + [format_datetime(off, usegmt=True)] * count
    assert age(watched) == 100
    assert len(watched.transport.requests) == usual + 1


@pytest.mark.parametrize("ahead", [-3600.0, 0.0, 3600.0])
def test_data_are_shown_as_long_whatever_this_machines_clock_says(watched: Watched, ahead: float) -> None:
    watched.queue()
    watched.ahead = ahead
    watched.clock.advance(watched.settings.max_staleness)
    view = watched.tracker.view()
    assert view.snapshot is not None
    watched.clock.advance(1)
    view = watched.tracker.view()
    assert (view.snapshot, view.up) == (None, False)


@pytest.mark.parametrize("ahead", [-2 * DAY, 2 * DAY])
def test_the_next_reading_of_the_whole_list_is_due_when_it_was_whatever_is_reconfigured(
    watched: Watched, ahead: float
) -> None:
    watched.queue()
    for _ in range(3):
        watched.clock.advance(DAY / 4)
        watched.ahead = ahead
        watched.tracker.reconfigure(watched.api, watched.settings, page_interval=watched.clock.now())
        assert not watched.tracker.resync.due
    watched.clock.advance(DAY / 4)
    assert watched.tracker.resync.due


def test_a_watch_that_began_while_no_clock_could_be_right_counts_what_comes_all_the_same(watched: Watched) -> None:
    watched.ahead = 100 * DAY
    watched.transport.dates = ["soon"] * 10
    watched.queue()
    watched.transport.dates = []
    for number in range(1, 4):
        watched.simulation.create_work(watched.id)
        watched.clock.advance(1000)
        watched.queue()
        counted = watched.tracker.ledger
        assert (counted.lifecycle.created, counted.corrections) == (number, 0)
