"""Whatever is put right when a part of the list is read again is counted, each item once, and only that."""

from typing import Any

from structlog.testing import capture_logs

from tests.tracking.harness import Watched, shown
from tests.tracking.reference import expected


def read(watched: Watched, size: int = 950, live: set[int] | None = None) -> list[str]:
    for number in range(size):
        watched.simulation.create_work(watched.id, state="active" if number in (live or ()) else "stopped")
        watched.clock.advance(0.001)
    watched.queue()
    return watched.simulation.work_ids(watched.id)


def truth(watched: Watched) -> dict[str, Any]:
    return vars(expected(watched.truth()))


def corrections(watched: Watched) -> int:
    """What is counted after the whole list has been read again, when everything is true."""
    watched.traverse()
    assert shown(watched.queue()) == truth(watched)
    return watched.tracker.view().corrections


def test_where_nothing_is_wrong_nothing_is_corrected(watched: Watched) -> None:
    ids = read(watched, live={100, 510, 940})
    watched.simulation.force(watched.id, ids[510], "stopped")
    watched.simulation.delete_work(watched.id, ids[100])
    for state in ("queued", "stopped", "active"):
        watched.simulation.create_work(watched.id, state=state)
    assert corrections(watched) == 0


def test_deleted_items_are_corrected(watched: Watched) -> None:
    ids = read(watched)
    watched.simulation.delete_work(watched.id, *ids[300:340:2])
    assert corrections(watched) == 20
    assert corrections(watched) == 20


def test_an_item_that_came_back_to_life_is_one_correction(watched: Watched) -> None:
    ids = read(watched)
    watched.simulation.force(watched.id, ids[300], "queued")
    assert corrections(watched) == 1
    watched.simulation.force(watched.id, ids[300], "stopped")
    assert corrections(watched) == 1


def test_an_item_that_became_visible_far_from_the_end_is_one_correction(watched: Watched) -> None:
    read(watched)
    watched.simulation.commit_late(watched.id, 0.5005, state="queued")
    assert corrections(watched) == 1


def test_an_item_that_a_page_shows_by_chance_is_one_correction(watched: Watched) -> None:
    ids = read(watched, live={510, 590})
    watched.simulation.force(watched.id, ids[550], "active")
    assert shown(watched.queue())["counts"] == truth(watched)["counts"]
    assert watched.tracker.view().corrections == 1
    assert corrections(watched) == 1


def test_corrections_survive_a_restart(watched: Watched) -> None:
    ids = read(watched)
    watched.simulation.delete_work(watched.id, *ids[300:303])
    assert corrections(watched) == 3
    watched.restart()
    assert watched.tracker.view().corrections == 3


def test_corrections_are_logged(watched: Watched) -> None:
    ids = read(watched)
    watched.simulation.delete_work(watched.id, *ids[300:303])
    with capture_logs() as logs:
        watched.traverse()
    (entry,) = (entry for entry in logs if entry["event"] == "counts were wrong and have been corrected")
    assert (entry["corrections"], entry["log_level"]) == (3, "warning")
