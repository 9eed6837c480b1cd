"""What a refresh costs, counted where the requests leave."""

import pytest

from exporter.simulator import Latency, Options
from exporter.tracking.planner import plan
from tests.support.settings import tracking_settings
from tests.tracking.conftest import Watch
from tests.tracking.harness import Watched
from tests.tracking.virtual_time import VirtualTime

NO_STATS = tracking_settings(min_interval=0, queue_stats=False)


def read(watched: Watched, size: int, live: set[int]) -> None:
    """Create a list with these live items, and let the tracker read it once."""
    for number in range(size):
        watched.simulation.create_work(watched.id, state="active" if number in live else "stopped")
    watched.queue()


@pytest.mark.parametrize("size", [0, 500])
def test_an_idle_environment_takes_two_requests(watched: Watched, size: int) -> None:
    read(watched, size, set())
    watched.queue()
    assert len(watched.asked("list")) == 1
    assert len(watched.asked("stats")) == 1
    assert len(watched.transport.requests) == 2


def test_without_statistics_an_idle_environment_takes_one_request(watch: Watch) -> None:
    watched = watch(settings=NO_STATS)
    read(watched, 500, set())
    watched.queue()
    assert len(watched.transport.requests) == 1
    assert watched.tracker.view().refresh_requests == 1


def test_the_requests_of_a_refresh_are_told(watched: Watched) -> None:
    read(watched, 500, {30, 200, 210})
    watched.queue()
    assert watched.tracker.view().refresh_requests == len(watched.transport.requests) == 4


@pytest.mark.parametrize("live", [{995, 996, 997, 998, 999}, {900, 920, 940, 960, 980}, {500, 510, 520, 960, 999}])
def test_a_thousand_items_of_which_five_neighbours_live_take_at_most_three_requests(
    watch: Watch, live: set[int]
) -> None:
    watched = watch()
    read(watched, 1000, live)
    watched.queue()
    assert len(watched.transport.requests) <= 3


def test_a_refresh_takes_exactly_the_planned_requests(watched: Watched) -> None:
    read(watched, 1500, {*range(0, 1500, 170), *range(600, 650, 7)})
    planned = plan(watched.tracker.ledger, 100)
    watched.queue()
    assert len(watched.transport.requests) == planned.requests + 1


def test_items_that_come_take_no_further_requests_as_long_as_they_fit_on_a_page(watched: Watched) -> None:
    read(watched, 500, {480})
    for _ in range(60):
        watched.simulation.create_work(watched.id)
    watched.queue()
    assert len(watched.transport.requests) == 2


def test_a_deleted_neighbour_takes_no_further_request_where_ids_compare(watched: Watched) -> None:
    read(watched, 500, {100, 150})
    ids = watched.simulation.work_ids(watched.id)
    watched.simulation.delete_work(watched.id, ids[99], ids[120])
    watched.queue()
    assert len(watched.transport.requests) == 3


def test_ten_thousand_items_of_which_sixty_live_are_read_in_four_round_trips(
    watch: Watch, virtual_time: VirtualTime
) -> None:
    watched = watch()
    watched.simulation.create_history(watched.id, 10_000)
    ids = watched.simulation.work_ids(watched.id)
    for number in [*range(0, 9000, 1500), *range(9700, 9970, 5)]:
        watched.simulation.force(watched.id, ids[number], "active", acknowledged_at=0, started_at=0)
    watched.queue()
    watched.simulation.faults.add(Latency(seconds=0.04))
    watched.transport.peak = 0
    start = virtual_time.now
    watched.queue()
    assert len(watched.transport.requests) == 6 + 3 + 1
    assert watched.transport.peak == 8  # max_concurrency
    assert virtual_time.now - start == pytest.approx(2 * 0.04)


def test_all_pages_of_a_refresh_are_asked_for_at_once(watch: Watch) -> None:
    watched = watch(max_concurrency=100)
    live = {number for start in range(0, 3000, 250) for number in (start, start + 50)}
    read(watched, 3000, live)
    watched.simulation.faults.add(Latency(seconds=0.04))
    watched.transport.peak = 0
    watched.queue()
    assert watched.transport.peak == len(watched.transport.requests) == 12 + 2


def test_what_a_page_should_have_shown_is_asked_for_alone(watch: Watch) -> None:
    watched = watch(Options(page_cap=100))
    read(watched, 500, {100, 150, 190})
    watched.simulation.change_options(watched.id, page_cap=20)
    watched.queue()
    assert len(watched.asked("list")) == 1 + 4
    assert watched.asked("get") == [watched.simulation.work_ids(watched.id)[190]]


def test_after_old_items_were_pruned_a_whole_reading_puts_the_plan_right(watched: Watched) -> None:
    """Between what is left, no more items stand than there are now: sixty live ones fit on a few pages again."""
    live = set(range(0, 4000, 66))
    read(watched, 4000, live)
    ids = watched.simulation.work_ids(watched.id)
    watched.simulation.delete_work(watched.id, *(ids[number] for number in range(3900) if number % 66))
    watched.queue()
    assert len(watched.transport.requests) > 20
    watched.traverse()
    watched.queue()
    assert len(watched.transport.requests) == 2 + 1  # 160 items are left: a page, the tail, and the statistics


def test_an_item_found_in_the_past_does_not_make_refreshes_expensive(watched: Watched) -> None:
    read(watched, 2000, {1995})
    watched.simulation.force(watched.id, watched.simulation.work_ids(watched.id)[300], "active")
    watched.traverse()
    watched.queue()
    assert len(watched.transport.requests) == 1 + 1 + 1
