"""Direct access to the state: IDs, bulk history, deletion, the brute-force truth."""

import random
import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.simulator import STATES, Life, ManualClock, Simulation
from exporter.simulator.ids import IdSource
from tests.simulator.account import START, Account

WORK_ID = re.compile(r"work_[0-9a-f]{12}7[0-9a-f]{3}[89ab][0-9a-f]{15}")


def new() -> tuple[Simulation, str]:
    simulation = Simulation(clock=ManualClock(), seed=7)
    return simulation, simulation.create_environment("gpu-workers")


@given(steps=st.lists(st.integers(-5_000_000, 5_000_000), min_size=1, max_size=200), seed=st.integers())
def test_ids_ascend_even_if_the_clock_goes_back(steps: list[int], seed: int) -> None:
    source = IdSource(random.Random(seed))
    now_us, ids = 1_782_892_800_000_000, []
    for step in steps:
        now_us += step
        ids.append(source.next("work_", now_us))
    assert ids == sorted(set(ids))
    assert all(WORK_ID.fullmatch(work_id) for work_id in ids)


def test_an_id_carries_its_time() -> None:
    source = IdSource(random.Random(0))
    time_us = 1_782_892_800_123_456
    for work_id in (source.next("work_", time_us), source.at("work_", time_us)):
        assert int(work_id[5:17], 16) == time_us // 1000


def test_many_ids_of_one_moment_differ_and_ascend() -> None:
    simulation, environment_id = new()
    ids = [simulation.create_work(environment_id) for _ in range(2000)]
    assert ids == sorted(set(ids)) == simulation.work_ids(environment_id)


def test_history_is_stopped_ordered_and_plausible() -> None:
    simulation, environment_id = new()
    simulation.create_history(environment_id, 3000, oldest_age=86400, newest_age=0, life=Life(wait=60, run=600))
    truth = simulation.truth(environment_id)
    assert truth.counts["stopped"] == len(truth.items) == 3000
    created = [item.created_at for item in truth.items]
    assert created == sorted(created)
    assert created[0] == START - 86400
    assert START - 30 <= created[-1] <= START
    for item in truth.items:
        assert item.acknowledged_at is not None
        assert item.started_at is not None
        assert item.stopped_at is not None
        assert item.created_at <= item.acknowledged_at <= item.started_at <= item.stopped_at <= START
    drained = sum(1 for item in truth.items if item.stop_requested_at is not None)
    assert 0.15 < drained / 3000 < 0.25


def test_history_shares_the_given_metadata() -> None:
    simulation, environment_id = new()
    choices = ({"job": "a"}, {"job": "b"})
    simulation.create_history(environment_id, 1000, metadata=choices)
    jobs = Counter(item.metadata["job"] for item in simulation.truth(environment_id).items)
    assert set(jobs) == {"a", "b"}
    assert min(jobs.values()) > 300


def test_history_goes_before_what_is_there_already() -> None:
    simulation, environment_id = new()
    work_id = simulation.create_work(environment_id)
    simulation.create_history(environment_id, 100)
    ids = simulation.work_ids(environment_id)
    assert ids == sorted(ids)
    assert ids[-1] == work_id


@pytest.mark.parametrize("position", [0, 5, -1])
async def test_a_deleted_item_is_gone(account: Account, position: int) -> None:
    ids = [account.simulation.create_work(account.id) for _ in range(10)]
    account.simulation.delete_work(account.id, ids[position])
    assert (await account.http.get(f"{account.work}/{ids.pop(position)}")).status_code == 404
    assert [item["id"] for item in (await account.page())["data"]] == ids
    assert (await account.stats())["depth"] == 9


def test_several_items_are_deleted_at_once() -> None:
    simulation, environment_id = new()
    ids = [simulation.create_work(environment_id) for _ in range(10)]
    simulation.delete_work(environment_id, *ids[2:7])
    assert simulation.work_ids(environment_id) == ids[:2] + ids[7:]


def test_deleting_nothing_changes_nothing() -> None:
    simulation, environment_id = new()
    work_id = simulation.create_work(environment_id)
    simulation.delete_work(environment_id)
    assert simulation.prune(environment_id, 0) == []
    assert simulation.work_ids(environment_id) == [work_id]


def test_pruning_takes_the_oldest() -> None:
    simulation, environment_id = new()
    ids = [simulation.create_work(environment_id, state=state) for state in STATES]
    assert simulation.prune(environment_id, 3) == ids[:3]
    assert simulation.work_ids(environment_id) == ids[3:]


def test_an_item_committed_late_appears_before_newer_ones() -> None:
    simulation, environment_id = new()
    older = simulation.create_work(environment_id)
    simulation.clock.advance(10)  # type: ignore[attr-defined]
    newer = simulation.create_work(environment_id)
    late = simulation.commit_late(environment_id, 5)
    assert simulation.work_ids(environment_id) == [older, late, newer]
    [item] = [item for item in simulation.truth(environment_id).items if item.id == late]
    assert item.created_at == START + 5


def test_an_id_is_given_only_once() -> None:
    simulation, environment_id = new()
    work_id = simulation.create_work(environment_id)
    with pytest.raises(ValueError, match=f"^{work_id}: this work item exists already$"):
        simulation.create_work(environment_id, work_id=work_id)


def test_unknown_names_are_key_errors() -> None:
    simulation, environment_id = new()
    with pytest.raises(KeyError, match="env_0"):
        simulation.truth("env_0")
    with pytest.raises(KeyError, match="work_0"):
        simulation.delete_work(environment_id, "work_0")
    with pytest.raises(KeyError, match="work_0"):
        simulation.force(environment_id, "work_0", "active")


def test_truth_counts_every_state_at_zero_too() -> None:
    simulation, environment_id = new()
    assert simulation.truth(environment_id).counts == dict.fromkeys(STATES, 0)
    simulation.create_work(environment_id, state="paused")
    assert simulation.truth(environment_id).counts == {**dict.fromkeys(STATES, 0), "paused": 1}


def test_truth_does_not_change_afterwards() -> None:
    simulation, environment_id = new()
    work_id = simulation.create_work(environment_id, metadata={"job": "a"})
    truth = simulation.truth(environment_id)
    simulation.force(environment_id, work_id, "active")
    simulation.create_work(environment_id)
    assert truth.counts["queued"] == len(truth.items) == 1
    assert truth.items[0].state == "queued"
    with pytest.raises(TypeError):
        truth.counts["queued"] = 9  # type: ignore[index]


def test_truth_may_leave_stopped_items_out() -> None:
    simulation, environment_id = new()
    simulation.create_history(environment_id, 50)
    work_id = simulation.create_work(environment_id)
    truth = simulation.truth(environment_id, live_only=True)
    assert truth.counts["stopped"] == 50
    assert [item.id for item in truth.items] == [work_id]
    assert simulation.truth(environment_id).live == truth.items


def test_truth_shows_times_as_the_api_does() -> None:
    simulation, environment_id = new()
    simulation.create_work(
        environment_id,
        state="active",
        created_at=START - 30.7,
        acknowledged_at=START - 20.7,
        started_at=START - 10.7,
        latest_heartbeat_at=START - 5.123456,
    )
    [item] = simulation.truth(environment_id).in_state("active")
    assert (item.created_at, item.acknowledged_at, item.started_at) == (START - 31, START - 21, START - 11)
    assert item.latest_heartbeat_at == pytest.approx(START - 5.123456, abs=1e-6)


def test_a_state_implies_its_times() -> None:
    simulation, environment_id = new()
    for state in STATES:
        simulation.create_work(environment_id, state=state, created_at=START - 60)
    given = {
        item.state: (
            item.acknowledged_at,
            item.started_at,
            item.latest_heartbeat_at,
            item.stop_requested_at,
            item.stopped_at,
        )
        for item in simulation.truth(environment_id).items
    }
    at = START - 60
    assert given == {
        "queued": (None, None, None, None, None),
        "starting": (at, None, None, None, None),
        "active": (at, at, at, None, None),
        "stopping": (at, at, at, at, None),
        "stopped": (at, at, at, None, at),
    }


def test_the_same_seed_gives_the_same_account() -> None:
    def build(seed: int) -> object:
        simulation = Simulation(clock=ManualClock(), seed=seed)
        environment_id = simulation.create_environment("gpu-workers")
        simulation.create_history(environment_id, 200)
        simulation.create_work(environment_id)
        simulation.commit_late(environment_id, 3)
        return simulation.truth(environment_id)

    assert build(1) == build(1)
    assert build(1) != build(2)
