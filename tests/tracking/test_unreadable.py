"""An item that cannot be read in full is counted under what it does give, and said to be unreadable."""

from typing import Any

import httpx
import pytest

from tests.tracking.harness import Watched
from tests.tracking.lies import Lie, Page


def odd(work_id: str, **fields: Any) -> Any:
    """Write something odd into one item."""

    def change(_: httpx.Request, page: Page) -> Page:
        return page | {"data": [item | (fields if item["id"] == work_id else {}) for item in page["data"]]}

    return change


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({"created_at": "yesterday"}, "active"),
        ({"started_at": 7}, "active"),
        ({"state": 7}, "other"),
        ({"state": None}, "other"),
        ({"state": ["stopped"]}, "other"),
        ({"created_at": "9999-12-31T23:59:59Z"}, "active"),
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


def test_an_item_of_another_environment_is_refused_and_changes_nothing(watched: Watched) -> None:
    ids = [watched.simulation.create_work(watched.id, state="active") for _ in range(5)]
    watched.queue()
    before = watched.tracker.record()
    with Lie(watched, odd(ids[2], environment_id="env_another", state="stopped")):
        view = watched.refresh()
    assert view.failures["invalid_response"] == 1
    assert watched.tracker.record() == before
