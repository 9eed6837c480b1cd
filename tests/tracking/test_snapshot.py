"""What is shown of a ledger: every number by its definition, none of them negative, and nothing unbounded."""

from datetime import UTC, datetime
from typing import Any

import pytest

from exporter.api.types import QueueStats
from exporter.tracking.ledger import Ledger
from exporter.tracking.observation import Observation
from exporter.tracking.snapshot import MAX_UNKNOWN_STATES, Queue, queue_of, stats_of
from tests.tracking.books import ledger, reading, work_id

NOW = 1000.0
STATES = ("queued", "starting", "active", "stopping", "stopped")


def queue(*items: dict[str, Any]) -> Queue:
    """What is shown of these items, all read at second 1000."""
    known = Ledger()
    observed = [
        Observation(work_id(number), **{"labels": (), "read_at": NOW, **each}) for number, each in enumerate(items)
    ]
    known.recount(reading(None, None, observed))
    return queue_of(known, 0)


def test_every_documented_state_is_shown_at_zero_too() -> None:
    assert dict(queue().counts) == {(state, ()): 0 for state in STATES}
    assert dict(queue().oldest_age) == dict.fromkeys(STATES[:4], 0.0)


def test_states_are_shown_in_the_order_of_a_life() -> None:
    shown = queue({"state": "zombie"}, {"state": "stopped"}, {"state": "queued"}).counts
    assert [state for state, _ in shown] == [*STATES, "zombie"]


def test_stopped_items_are_counted() -> None:
    assert queue_of(ledger(250, {7}), 0).counts == {
        (state, ()): {"stopped": 249, "active": 1}.get(state, 0) for state in STATES
    }


@pytest.mark.parametrize(
    ("state", "times", "age"),
    [
        ("queued", {"created": 990.0}, 10.0),
        ("starting", {"created": 900.0, "acknowledged": 980.0}, 20.0),
        ("active", {"created": 900.0, "acknowledged": 910.0, "started": 970.0, "heartbeat": 999.0}, 30.0),
        ("stopping", {"created": 900.0, "started": 910.0, "stop_requested": 960.0}, 40.0),
        ("active", {"created": 900.0, "acknowledged": 910.0}, 90.0),
        ("stopping", {"created": 900.0}, 100.0),
        ("queued", {"created": 900.0, "acknowledged": 980.0, "started": 985.0}, 100.0),
        ("queued", {}, 0.0),
        ("queued", {"created": 1010.0}, 0.0),
    ],
)
def test_an_items_age_counts_from_when_it_entered_its_state(state: str, times: dict[str, float], age: float) -> None:
    assert queue({"state": state, **times}).oldest_age == dict.fromkeys(STATES[:4], 0.0) | {state: age}


def test_the_oldest_item_of_a_state_is_shown() -> None:
    shown = queue(*({"state": "queued", "created": created} for created in (990.0, 950.0, 970.0)))
    assert shown.oldest_age["queued"] == 50.0
    assert shown.oldest_queued_at == 950.0
    assert (shown.queue_age.count, shown.queue_age.sum) == (3, 90.0)


def test_without_queued_items_there_is_no_oldest() -> None:
    shown = queue({"state": "active", "created": 10.0})
    assert shown.oldest_queued_at is None
    assert shown.queue_age.count == 0


def test_an_item_of_the_future_has_no_age() -> None:
    shown = queue({"state": "queued", "created": 1010.0})
    assert (shown.queue_age.count, shown.queue_age.sum) == (1, 0.0)
    assert shown.oldest_queued_at == 1010.0


@pytest.mark.parametrize(
    ("state", "times", "lag", "since"),
    [
        ("active", {"acknowledged": 900.0, "started": 910.0, "heartbeat": 990.0}, 10.0, 990.0),
        ("stopping", {"acknowledged": 900.0, "started": 910.0, "heartbeat": 980.0}, 20.0, 980.0),
        ("active", {"acknowledged": 900.0, "started": 970.0}, 30.0, 970.0),
        ("stopping", {"acknowledged": 960.0}, 40.0, 960.0),
        ("active", {"created": 900.0}, 0.0, None),
        ("active", {"heartbeat": 1005.0}, 0.0, 1005.0),
        ("starting", {"acknowledged": 900.0}, 0.0, None),
        ("queued", {"heartbeat": 900.0}, 0.0, None),
    ],
)
def test_the_heartbeat_lag_counts_from_the_latest_sign_of_life(
    state: str, times: dict[str, float], lag: float, since: float | None
) -> None:
    shown = queue({"state": state, **times})
    assert shown.max_heartbeat_lag == lag
    assert shown.oldest_heartbeat_at == since
    assert shown.heartbeat_lag.count == (since is not None)


def test_the_longest_lag_is_shown() -> None:
    shown = queue(*({"state": "active", "heartbeat": beat} for beat in (990.0, 950.0, 970.0)))
    assert (shown.max_heartbeat_lag, shown.oldest_heartbeat_at) == (50.0, 950.0)
    assert shown.heartbeat_lag.sum == 90.0


def test_states_that_are_not_documented_are_shown_by_name_up_to_a_bound() -> None:
    unknown = [f"state-{number}" for number in range(MAX_UNKNOWN_STATES + 3)]
    shown = queue(*({"state": state} for state in reversed(unknown))).counts
    assert {state: count for (state, _), count in shown.items() if count} == {
        **dict.fromkeys(unknown[:MAX_UNKNOWN_STATES], 1),
        "other": 3,
    }


def test_an_unknown_state_has_no_age() -> None:
    shown = queue({"state": "zombie", "created": 1.0, "heartbeat": 1.0})
    assert shown.oldest_age == dict.fromkeys(STATES[:4], 0.0)
    assert shown.max_heartbeat_lag == 0.0


def test_statistics_say_what_the_api_says() -> None:
    now = 1_800_000_000.0
    stats = stats_of(QueueStats(3, 1, datetime.fromtimestamp(now - 50, UTC), 2), now)
    assert (stats.depth, stats.pending, stats.workers_polling) == (3, 1, 2)
    assert (stats.oldest_queued_at, stats.oldest_queued_age) == (now - 50, 50.0)


def test_statistics_that_the_api_leaves_out_stay_left_out() -> None:
    stats = stats_of(QueueStats(), NOW)
    assert (stats.depth, stats.pending, stats.workers_polling, stats.oldest_queued_at) == (None, None, None, None)
    assert stats.oldest_queued_age == 0.0
