"""Whatever happens to a queue and to the API, a refresh that claims success shows exactly what is true."""

import os
import random
from typing import Any

import pytest
from hypothesis import HealthCheck, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from tenacity import wait_none

from exporter.api import retry
from exporter.simulator import Options, Status
from exporter.tracking.snapshot import Queue
from tracking.harness import Watched
from tracking.reference import expected

LIVE = ("queued", "starting", "active", "stopping")
CURSORS = ("compare", "not_found", "invalid", "empty", "restart")


def shown(queue: Queue) -> dict[str, Any]:
    """A snapshot's numbers, named as in the reference."""
    counts: dict[str, int] = {}
    for (state, _), count in queue.counts.items():
        counts[state] = counts.get(state, 0) + count
    return {
        "counts": counts,
        "oldest_age": {state: pytest.approx(age, abs=1e-3) for state, age in queue.oldest_age.items()},
        "oldest_queued_at": queue.oldest_queued_at,
        "queue_age": tuple(count for _, count, _ in queue.queue_age.cumulative()),
        "max_heartbeat_lag": pytest.approx(queue.max_heartbeat_lag, abs=1e-3),
        "oldest_heartbeat_at": queue.oldest_heartbeat_at,
        "heartbeat_lag": tuple(count for _, count, _ in queue.heartbeat_lag.cumulative()),
    }


class QueueMachine(RuleBasedStateMachine):
    """A queue that lives, an API with whims, and a tracker that must not be wrong.

    Stopped items that are deleted, or come back to life, where no refresh has reason to look, are drift: until the
    next whole reading only the items that never were such are compared.
    """

    def __init__(self) -> None:
        super().__init__()
        self.watched = Watched()
        self.simulation = self.watched.simulation
        self.environment = self.watched.id
        self.random = random.Random(0)
        self.drift: set[str] = set()
        self.forgotten_for_good = False

    def teardown(self) -> None:
        self.watched.close()

    def options(self, **changes: Any) -> None:
        environment = self.simulation.environment(self.environment)
        current = environment.options
        environment.options = Options(
            unknown_cursor=changes.get("unknown_cursor", current.unknown_cursor),
            page_cap=changes.get("page_cap", current.page_cap),
            lease_expiry="keep",
        )

    def ids(self, *, live: bool) -> list[str]:
        return [item.id for item in self.watched.truth().items if (item.state != "stopped") == live]

    def choose(self, ids: list[str], count: int, seed: int) -> list[str]:
        return random.Random(seed).sample(ids, min(count, len(ids)))

    @rule(seconds=st.floats(0.1, 5000))
    def time_passes(self, seconds: float) -> None:
        self.watched.clock.advance(seconds)

    @rule(count=st.integers(1, 130), live=st.floats(0, 1), seed=st.integers(0, 1000))
    def items_come(self, count: int, live: float, seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(count):
            state = chance.choice(LIVE) if chance.random() < live else "stopped"
            self.simulation.create_work(self.environment, state=state)

    @rule(count=st.integers(100, 450))
    def history_comes(self, count: int) -> None:
        for _ in range(count):
            self.simulation.create_work(self.environment, state="stopped")

    @rule(count=st.integers(1, 40), state=st.sampled_from([*LIVE, "stopped"]), seed=st.integers(0, 1000))
    def items_move(self, count: int, state: str, seed: int) -> None:
        now = self.watched.clock.now()
        for work_id in self.choose(self.ids(live=True), count, seed):
            times = {"acknowledged_at": now, "started_at": now, "stop_requested_at": now, "latest_heartbeat_at": now}
            self.simulation.force(self.environment, work_id, state, **(times if state != "queued" else {}))

    @rule(count=st.integers(1, 20), seed=st.integers(0, 1000))
    def live_items_are_deleted(self, count: int, seed: int) -> None:
        self.simulation.delete_work(self.environment, *self.choose(self.ids(live=True), count, seed))

    @rule(count=st.integers(1, 20), seed=st.integers(0, 1000))
    def stopped_items_are_deleted(self, count: int, seed: int) -> None:
        gone = self.choose(self.ids(live=False), count, seed)
        self.drift.update(gone)
        self.simulation.delete_work(self.environment, *gone)

    @rule(count=st.integers(1, 15))
    def the_end_is_deleted(self, count: int) -> None:
        gone = self.simulation.work_ids(self.environment)[-count:]
        self.drift.update(set(gone) & set(self.ids(live=False)))
        self.simulation.delete_work(self.environment, *gone)

    @rule(count=st.integers(1, 300))
    def history_is_pruned(self, count: int) -> None:
        stopped = set(self.ids(live=False))
        self.drift.update(stopped & set(self.simulation.prune(self.environment, count)))

    @rule(state=st.sampled_from(LIVE), seed=st.integers(0, 1000))
    def a_stopped_item_comes_back(self, state: str, seed: int) -> None:
        for work_id in self.choose(self.ids(live=False), 1, seed):
            self.drift.add(work_id)
            self.simulation.force(self.environment, work_id, state)

    @rule(age=st.floats(0.1, 3), state=st.sampled_from([*LIVE, "stopped"]))
    def an_item_comes_late(self, age: float, state: str) -> None:
        self.drift.add(self.simulation.commit_late(self.environment, age, state=state))

    @rule(manner=st.sampled_from(CURSORS))
    def unknown_cursors_mean(self, manner: str) -> None:
        self.options(unknown_cursor=manner)

    @rule(cap=st.sampled_from([3, 17, 60, 99, 100, 100, 100]))
    def pages_shrink(self, cap: int) -> None:
        self.options(page_cap=cap)

    @rule(share=st.floats(0, 1), manner=st.sampled_from(["not_found", "invalid", "empty"]), seed=st.integers(0, 1000))
    def cursors_are_forgotten(self, share: float, manner: str, seed: int) -> None:
        ids = self.simulation.work_ids(self.environment)
        self.watched.transport.forgotten = set(self.choose(ids, int(share * len(ids)), seed))
        self.watched.transport.manner = manner

    @rule()
    def cursors_are_known_again(self) -> None:
        self.watched.transport.forgotten = set()

    @rule(endpoint=st.sampled_from(["list", "get", "stats"]), count=st.integers(1, 12))
    def the_api_fails(self, endpoint: Any, count: int) -> None:
        self.simulation.faults.add(Status(status=503, endpoint=endpoint, count=count))

    @rule()
    def a_refresh_is_true(self) -> None:
        view = self.watched.refresh()
        event(f"refresh {'succeeds' if view.up else 'fails'}")
        if view.up:
            assert view.snapshot is not None
            assert view.snapshot.queue is not None
            self.compare(view.snapshot.queue)

    @rule()
    def the_whole_list_is_read(self) -> None:
        self.simulation.faults.clear()
        self.watched.transport.forgotten = set()
        if not self.watched.refresh().history_complete:
            return
        self.watched.traverse()
        self.drift.clear()
        self.compare(self.watched.queue())

    def compare(self, queue: Queue) -> None:
        truth = self.watched.truth()
        ledger = self.watched.tracker.ledger
        live = {item.id: item.state for item in truth.live}
        known = {work_id: item.seen.state for work_id, item in ledger.live.items()}
        unseen = live.keys() - known.keys()
        assert unseen <= self.drift
        assert known == {work_id: state for work_id, state in live.items() if work_id not in unseen}
        if not self.drift:
            assert shown(queue) == vars_of(truth)
            assert queue.counts["stopped", ()] == ledger.history.stopped.total()

    @invariant()
    def the_ledger_is_consistent(self) -> None:
        ledger = self.watched.tracker.ledger
        stopped = sum(count for segment in ledger.history.segments for _, count in segment.stopped)
        assert stopped == ledger.history.stopped.total()
        ends = [segment.end for segment in ledger.history.segments]
        assert ends == sorted(set(ends))


def vars_of(truth: Any) -> dict[str, Any]:
    return vars(expected(truth))


def test_every_successful_refresh_is_true(monkeypatch: pytest.MonkeyPatch) -> None:
    """MODEL_EXAMPLES=2000 runs it for longer; a failure prints how to run it again."""
    monkeypatch.setattr(retry, "BACKOFF", wait_none())
    run_state_machine_as_test(
        QueueMachine,
        settings=settings(
            max_examples=int(os.environ.get("MODEL_EXAMPLES", "60")),
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )
