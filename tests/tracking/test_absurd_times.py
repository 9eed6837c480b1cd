"""A time that cannot be right makes no age, no wait and no counter, and hides nothing but itself."""

from datetime import UTC, datetime
from typing import Any

import pytest

from exporter.api.types import WorkItem
from exporter.tracking.observation import LONGEST_LEAD, observe
from tests.tracking.harness import Watched
from tests.tracking.lies import Lie, dated

NOW = datetime(2026, 7, 1, 8, tzinfo=UTC)

UNSET = ("0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z")
ABSURD = ("9999-12-31T23:59:59Z", "1999-12-31T23:59:59Z", "1970-01-01T00:00:01Z", "2026-07-03T08:00:00Z")


def seen(text: str) -> Any:
    return observe(WorkItem("work_1", "active", created_at=datetime.fromisoformat(text)), (), NOW.timestamp())


@pytest.mark.parametrize("text", UNSET)
def test_a_time_that_means_none_is_none(text: str) -> None:
    assert (seen(text).created, seen(text).unreadable) == (None, False)


@pytest.mark.parametrize("text", ABSURD)
def test_a_time_that_cannot_be_is_none_and_the_item_unreadable(text: str) -> None:
    assert (seen(text).created, seen(text).unreadable) == (None, True)


@pytest.mark.parametrize("text", ["2026-07-01T08:10:00Z", "2026-07-01T13:30:00+05:30", "2000-01-01T00:00:00Z"])
def test_a_time_that_can_be_is_believed(text: str) -> None:
    assert (seen(text).created, seen(text).unreadable) == (datetime.fromisoformat(text).timestamp(), False)


@pytest.mark.parametrize("field", ["created_at", "acknowledged_at", "started_at", "latest_heartbeat_at", "stopped_at"])
@pytest.mark.parametrize("text", [*UNSET, *ABSURD])
def test_absurd_times_make_no_age_and_no_duration(watched: Watched, field: str, text: str) -> None:
    watched.queue()
    watched.clock.advance(10)
    now = watched.clock.now()
    steps = {"acknowledged_at": now, "started_at": now, "latest_heartbeat_at": now}
    for state in ("queued", "active", "stopped"):
        work_id = watched.simulation.create_work(watched.id)
        if state != "queued":
            watched.simulation.force(watched.id, work_id, "active", **steps)
        if state == "stopped":
            watched.simulation.force(watched.id, work_id, "stopped", stopped_at=now)
    watched.clock.advance(5)
    with Lie(watched, dated(field, text)):
        queue = watched.queue()
    assert {state: count for (state, _), count in queue.counts.items() if count} == {
        "queued": 1,
        "active": 1,
        "stopped": 1,
    }
    assert all(age <= 5 for age in queue.oldest_age.values())
    assert queue.max_heartbeat_lag <= 5
    view = watched.tracker.view()
    assert (view.unreadable > 0) == (text in ABSURD)
    assert view.lifecycle is not None
    assert view.lifecycle.created == 3
    for histogram in (view.lifecycle.wait, view.lifecycle.startup, view.lifecycle.run, view.lifecycle.drain):
        assert histogram.sum <= 5
        assert histogram.count <= 3


def test_steps_that_contradict_each_other_make_no_duration(watched: Watched) -> None:
    """The item was created an hour after it was acknowledged."""
    watched.queue()
    work_id = watched.simulation.create_work(watched.id)
    watched.queue()
    moment = watched.clock.now() - 3600
    watched.simulation.force(watched.id, work_id, "active", acknowledged_at=moment, started_at=moment + 5)
    watched.queue()
    lifecycle = watched.tracker.ledger.lifecycle
    assert (lifecycle.wait.count, lifecycle.startup.count) == (0, 1)


def test_a_clock_that_is_a_little_ahead_is_believed_and_makes_no_negative_age(watched: Watched) -> None:
    watched.simulation.create_work(watched.id, created_at=watched.clock.now() + LONGEST_LEAD - 60)
    queue = watched.queue()
    assert queue.oldest_age["queued"] == 0
    assert queue.oldest_queued_at == watched.clock.now() + LONGEST_LEAD - 60
    assert watched.tracker.view().unreadable == 0


def test_an_absurd_time_in_the_statistics_is_none(watched: Watched) -> None:
    watched.simulation.create_work(watched.id)
    with Lie(watched, lambda _, said: said | {"oldest_queued_at": "0001-01-01T00:00:00Z"}, endpoint="stats"):
        for _ in range(4):
            watched.queue()
    view = watched.tracker.view()
    assert view.snapshot is not None
    assert view.snapshot.stats is not None
    assert (view.snapshot.stats.oldest_queued_at, view.snapshot.stats.oldest_queued_age) == (None, 0)
    assert not view.disputed
