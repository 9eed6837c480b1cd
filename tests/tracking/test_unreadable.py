"""An item that cannot be read in full is counted under what it does give, and said to be unreadable."""

from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from tests.tracking.harness import Watched
from tests.tracking.lies import Change, Lie, Page, odd


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({"created_at": "yesterday"}, "active"),
        ({"started_at": 7}, "active"),
        ({"state": 7}, "other"),
        ({"state": None}, "other"),
        ({"state": ["stopped"]}, "other"),
        ({"created_at": "9999-12-31T23:59:59Z"}, "active"),
        ({"state": "\ud83d" * 65}, "other"),
    ],
)
def test_an_odd_item_hides_nothing_beside_it(watched: Watched, fields: dict[str, Any], state: str) -> None:
    ids = [watched.simulation.create_work(watched.id, state="active") for _ in range(5)]
    with Lie(watched, odd(ids[2], **fields)):
        for _ in range(2):
            queue = watched.queue()
            counts = {name: count for (name, _), count in queue.counts.items() if count}
            assert counts == ({"active": 5} if state == "active" else {"active": 4, state: 1})
            assert watched.tracker.view().unreadable == 1
    watched.queue()
    assert watched.tracker.view().unreadable == 0


def test_a_state_that_could_not_be_read_once_is_no_event(watched: Watched) -> None:
    work_id = watched.simulation.create_work(watched.id)
    watched.queue()
    with Lie(watched, odd(work_id, state=7), alone=True):
        assert watched.queue().counts["other", ()] == 1
    watched.queue()
    assert watched.tracker.ledger.lifecycle.requeued == 0


def test_a_stopped_item_stays_unreadable_until_it_is_read_again(watched: Watched) -> None:
    work_id = watched.simulation.create_work(watched.id, state="stopped")
    with Lie(watched, odd(work_id, stopped_at="never")):
        assert watched.queue().counts["stopped", ()] == 1
        assert watched.tracker.view().unreadable == 1
    watched.restart()
    watched.queue()
    assert watched.tracker.view().unreadable == 1
    watched.traverse()
    watched.queue()
    assert watched.tracker.view().unreadable == 0


def nameless(*work_ids: str) -> Change:
    """Leave out the IDs of some items."""

    def change(_: httpx.Request, page: Page) -> Page:
        return page | {"data": [item | ({"id": None} if item["id"] in work_ids else {}) for item in page["data"]]}

    return change


def without_id(watched: Watched) -> int:
    """How many items are said to be unreadable after another refresh."""
    watched.queue()
    return watched.tracker.view().unreadable


@pytest.mark.parametrize("states", [("stopped",), ("active",), ("active", "stopped")])
def test_items_without_an_id_are_in_no_count_but_one(watched: Watched, states: tuple[str, ...]) -> None:
    ids = [watched.simulation.create_work(watched.id, state=states[n % len(states)]) for n in range(330)]
    some = [ids[0], ids[3], ids[4], ids[99], ids[100], ids[250]]
    with Lie(watched, nameless(*some)):
        for _ in range(3):
            assert without_id(watched) == len(some)
            assert sum(watched.queue().counts.values()) == len(ids) - len(some)
        watched.restart()
        assert without_id(watched) == len(some)
        watched.traverse()
        assert without_id(watched) == len(some)
    watched.traverse()
    assert without_id(watched) == 0
    assert sum(watched.queue().counts.values()) == len(ids)


def test_new_items_without_an_id_are_seen_by_the_next_refresh_and_counted_once(watched: Watched) -> None:
    for _ in range(30):
        watched.simulation.create_work(watched.id, state="stopped")
    watched.queue()
    some: list[str] = []
    for number in range(1, 30):
        some.append(watched.simulation.create_work(watched.id, state="stopped"))
        if number % 3 == 0:
            watched.simulation.create_work(watched.id, state="stopped")
        with Lie(watched, nameless(*some)):
            assert without_id(watched) == number


def test_how_many_places_are_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch, watched: Watched) -> None:
    monkeypatch.setattr("exporter.tracking.without_id.MAX_PLACES", 5)
    ids = [watched.simulation.create_work(watched.id, state="stopped") for _ in range(40)]
    with Lie(watched, nameless(*ids[::2])), capture_logs() as logs:
        for _ in range(3):
            assert 0 < without_id(watched) <= 5
    (line,) = (entry for entry in logs if entry["event"] == "items without an ID are left out of the counts")
    assert line["environment_id"] == watched.id


def test_an_item_of_another_environment_is_refused_and_changes_nothing(watched: Watched) -> None:
    ids = [watched.simulation.create_work(watched.id, state="active") for _ in range(5)]
    watched.queue()
    before = watched.tracker.record()
    with Lie(watched, odd(ids[2], environment_id="env_another", state="stopped")):
        view = watched.refresh()
    assert view.failures["invalid_response"] == 1
    assert watched.tracker.record() == before
