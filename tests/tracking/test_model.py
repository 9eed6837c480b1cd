"""Whatever happens to a queue and to the API, a refresh that claims success shows exactly what is true.

Run it for longer with ``MODEL_EXAMPLES=3000``, and the same run again with the ``MODEL_SEED`` that it prints.
"""

import os
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import event, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from exporter.simulator import Garbage, Options, Reset, Status, Truncate
from exporter.tracking.record import record_lifecycle
from exporter.tracking.snapshot import Queue
from exporter.tracking.witness import LASTING, LONGEST_PAUSE
from tests.support import randomness
from tests.support.randomness import FACTOR
from tests.support.settings import tracking_settings
from tests.tracking.harness import Watched
from tests.tracking.lies import Lie, cut_short, empty, renamed, without
from tests.tracking.reference import expected
from tests.tracking.virtual_time import VirtualTime, install

LIVE = ("queued", "starting", "active", "stopping")
CURSORS = ("compare", "not_found", "invalid", "empty", "restart")
JOBS = ("", "train", "evaluate", "serve")
GARBAGE = ("html", "invalid_json", "wrong_types", "empty", "null", "repeated_page", "stuck_cursor", "descending")

EXAMPLES = int(os.environ.get("MODEL_EXAMPLES", 100 * FACTOR))
SEED = int(os.environ.get("MODEL_SEED", randomness.seed()))


LIES: dict[str, Callable[..., Any] | None] = {
    "without": None,
    "empty": empty,
    "cut short": cut_short,
    "renamed": renamed,
}


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

    Attributes:
        drift: IDs of such items.
        late: IDs that became visible after later ones; whether they are taken for new depends on how far back.
        first: The states of all items when the watch began, or None before that.
        surely: Items that a refresh must have seen: those there at one that succeeded.
        maybe: Items that a refresh can have seen: those there at any.
        stopped_surely: Items that a refresh must have seen stopped.
        stopped_maybe: Items that a refresh can have seen stopped.
    """

    virtual: VirtualTime

    def __init__(self) -> None:
        super().__init__()
        tracking = tracking_settings(min_interval=0, metadata_keys=("job",), resync_interval=0.0)
        self.watched = Watched(Options(lease_expiry="keep"), tracking, virtual=self.virtual)
        self.simulation = self.watched.simulation
        self.environment = self.watched.id
        self.drift: set[str] = set()
        self.late: set[str] = set()
        self.first: dict[str, str] | None = None
        self.surely: set[str] = set()
        self.maybe: set[str] = set()
        self.stopped_surely: set[str] = set()
        self.stopped_maybe: set[str] = set()
        self.lately: set[str] = set()
        self.happening: tuple[int, Callable[[], None]] | None = None
        self.watched.transport.before = self.before_request

    def teardown(self) -> None:
        self.watched.close()

    def ids(self, *, live: bool) -> list[str]:
        return [item.id for item in self.watched.truth().items if (item.state != "stopped") == live]

    def choose(self, ids: list[str], count: int, seed: int) -> list[str]:
        return random.Random(seed).sample(ids, min(count, len(ids)))

    def create(self, state: str, job: str) -> None:
        self.simulation.create_work(self.environment, state=state, metadata={"job": job} if job else {})

    # -- the queue ----------------------------------------------------------------------------------------------------

    @rule(seconds=st.floats(0.1, 5000))
    def time_passes(self, seconds: float) -> None:
        self.watched.clock.advance(seconds)

    @rule(count=st.integers(1, 130), live=st.floats(0, 1), seed=st.integers(0, 1000))
    def items_come(self, count: int, live: float, seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(count):
            self.create(chance.choice(LIVE) if chance.random() < live else "stopped", chance.choice(JOBS))

    @rule(count=st.integers(100, 450), job=st.sampled_from(JOBS))
    def history_comes(self, count: int, job: str) -> None:
        for _ in range(count):
            self.create("stopped", job)

    @rule(count=st.integers(1, 40), state=st.sampled_from([*LIVE, "stopped"]), seed=st.integers(0, 1000))
    def items_move(self, count: int, state: str, seed: int) -> None:
        now = self.watched.clock.now()
        for work_id in self.choose(self.ids(live=True), count, seed):
            times = {"acknowledged_at": now, "started_at": now, "stop_requested_at": now, "latest_heartbeat_at": now}
            self.simulation.force(self.environment, work_id, state, **(times if state != "queued" else {}))

    @rule(count=st.integers(1, 40), job=st.sampled_from(JOBS), seed=st.integers(0, 1000))
    def metadata_changes(self, count: int, job: str, seed: int) -> None:
        queue = self.simulation.environment(self.environment).queue
        for work_id in self.choose(self.ids(live=True), count, seed):
            item = queue.find(work_id)
            assert item is not None
            item.metadata = {"job": job}

    @rule(count=st.integers(1, 20), seed=st.integers(0, 1000))
    def live_items_are_deleted(self, count: int, seed: int) -> None:
        self.delete(self.choose(self.ids(live=True), count, seed))

    @rule(count=st.integers(1, 20), seed=st.integers(0, 1000))
    def stopped_items_are_deleted(self, count: int, seed: int) -> None:
        self.delete(self.choose(self.ids(live=False), count, seed))

    @rule(count=st.integers(1, 15))
    def the_end_is_deleted(self, count: int) -> None:
        self.delete(self.simulation.work_ids(self.environment)[-count:])

    @rule(count=st.integers(1, 300))
    def history_is_pruned(self, count: int) -> None:
        self.delete(self.simulation.work_ids(self.environment)[:count])

    @rule()
    def everything_is_deleted(self) -> None:
        self.delete(self.simulation.work_ids(self.environment))

    def delete(self, gone: list[str]) -> None:
        """Delete items; of stopped ones nobody is told, nor of those that the ledger has for stopped."""
        self.drift |= set(gone) & set(self.ids(live=False)) - self.watched.tracker.ledger.live.keys()
        self.simulation.delete_work(self.environment, *gone)

    @rule(state=st.sampled_from(LIVE), seed=st.integers(0, 1000))
    def a_stopped_item_comes_back(self, state: str, seed: int) -> None:
        for work_id in self.choose(self.ids(live=False), 1, seed):
            self.drift.add(work_id)
            self.simulation.force(self.environment, work_id, state)

    @rule(age=st.floats(0.1, 3), state=st.sampled_from([*LIVE, "stopped"]), job=st.sampled_from(JOBS))
    def an_item_comes_late(self, age: float, state: str, job: str) -> None:
        late = self.simulation.commit_late(self.environment, age, state=state, metadata={"job": job})
        self.drift.add(late)
        self.late.add(late)

    # -- the API ------------------------------------------------------------------------------------------------------

    @rule(manner=st.sampled_from(CURSORS))
    def unknown_cursors_mean(self, manner: str) -> None:
        self.simulation.change_options(self.environment, unknown_cursor=manner)

    @rule(cap=st.sampled_from([3, 17, 60, 99, 100, 100, 100]))
    def pages_shrink(self, cap: int) -> None:
        self.simulation.change_options(self.environment, page_cap=cap)

    @rule(omit=st.sampled_from([(), ("has_more",), ("next_page",), ("first_id", "last_id")]))
    def envelopes_lack(self, omit: tuple[str, ...]) -> None:
        self.simulation.change_options(self.environment, omit=frozenset(omit))

    @rule(share=st.floats(0, 1), manner=st.sampled_from(["not_found", "invalid", "empty"]), seed=st.integers(0, 1000))
    def cursors_are_forgotten(self, share: float, manner: str, seed: int) -> None:
        ids = self.simulation.work_ids(self.environment)
        self.watched.transport.forgotten = set(self.choose(ids, int(share * len(ids)), seed))
        self.watched.transport.manner = manner

    @rule()
    def cursors_are_known_again(self) -> None:
        self.watched.transport.forgotten = set()

    @rule(endpoint=st.sampled_from(["list", "get", "stats"]), skip=st.integers(0, 5), count=st.integers(1, 12))
    def the_api_fails(self, endpoint: str, skip: int, count: int) -> None:
        self.simulation.faults.add(Status(status=503, endpoint=endpoint, skip=skip, count=count))

    @rule(content=st.sampled_from(GARBAGE), skip=st.integers(0, 5), count=st.integers(1, 3))
    def the_api_talks_nonsense(self, content: Any, skip: int, count: int) -> None:
        self.simulation.faults.add(Garbage(content=content, endpoint="list", skip=skip, count=count))

    @rule(fault=st.sampled_from([Reset, Truncate]), skip=st.integers(0, 5), count=st.integers(1, 5))
    def connections_break(self, fault: type[Reset | Truncate], skip: int, count: int) -> None:
        self.simulation.faults.add(fault(skip=skip, count=count))

    @precondition(lambda self: self.first is not None)
    @rule(lie=st.sampled_from(sorted(LIES)), share=st.floats(0.05, 1), seed=st.integers(0, 1000))
    def the_list_lies_for_a_moment(self, lie: str, share: float, seed: int) -> None:
        """It leaves out what is there, ends early, or shows other IDs: that changes no number and no counter."""
        self.refreshes(self.settled)
        view, ledger = self.watched.tracker.view(), self.watched.tracker.ledger
        known = [work_id for work_id in (*ledger.live, *ledger.tail.ids[1:]) if work_id is not None]
        if not view.up or self.drift or not known:
            return
        hidden = self.choose(known, max(1, int(share * len(known))), seed)
        before = self.numbers()
        with Lie(self.watched, LIES[lie] or without(*hidden)):
            view = self.watched.refresh()
        event(f"lie {'passes' if view.up else 'is refused'}")
        if view.up:
            assert view.snapshot is not None
            assert view.snapshot.queue is not None
            self.settled(view.snapshot.queue)
        assert self.numbers() == before

    def numbers(self) -> dict[str, Any]:
        """What is counted, apart from ages."""
        ledger = self.watched.tracker.ledger
        return {
            "live": {work_id: item.seen.state for work_id, item in ledger.live.items()},
            "stopped": ledger.history.stopped.copy(),
            "lifecycle": record_lifecycle(ledger.lifecycle),
            "corrections": ledger.corrections,
        }

    @precondition(lambda self: self.first is not None and self.drift)
    @rule()
    def the_statistics_tell_of_queued_items_that_nothing_shows(self) -> None:
        self.simulation.faults.clear()
        self.watched.transport.forgotten = set()
        for _ in range(LASTING + 1):
            self.watched.clock.advance(LONGEST_PAUSE)  # long after any other search
            self.refreshes(self.settled)
            if not self.watched.tracker.view().up:
                return
            self.watched.settle()
            self.see(surely=False)
        ledger = self.watched.tracker.ledger
        queued = {item.id for item in self.watched.truth().in_state("queued")}
        assert queued == {work_id for work_id, item in ledger.live.items() if item.seen.state == "queued"}

    # -- the exporter -------------------------------------------------------------------------------------------------

    @rule()
    def the_exporter_restarts(self) -> None:
        self.watched.restart()

    @rule()
    def a_refresh_is_true(self) -> None:
        self.refreshes(self.settled)

    @rule()
    def another_refresh_is_true(self) -> None:
        """Rules are equally likely; what matters most should come more often."""
        self.refreshes(self.settled)

    @precondition(lambda self: self.first is not None)
    @rule(
        number=st.integers(0, 12),
        what=st.sampled_from(["items_come", "items_move", "live_items_are_deleted", "the_end_is_deleted"]),
        count=st.integers(1, 30),
        seed=st.integers(0, 1000),
    )
    def a_refresh_is_true_though_things_happen_meanwhile(self, number: int, what: str, count: int, seed: int) -> None:
        """Of the refresh itself, counters are true; of the next one, everything is."""
        happen: dict[str, Callable[[], None]] = {
            "items_come": lambda: self.items_come(count, 0.5, seed),
            "items_move": lambda: self.items_move(count, "stopped", seed),
            "live_items_are_deleted": lambda: self.live_items_are_deleted(count, seed),
            "the_end_is_deleted": lambda: self.the_end_is_deleted(count),
        }
        self.happening = number, happen[what]
        self.refreshes(lambda _: None)
        self.happening = None

    def before_request(self, _: httpx.Request) -> None:
        """Let the thing that is to happen at this request happen."""
        if self.happening is not None and len(self.watched.transport.requests) > self.happening[0]:
            happen = self.happening[1]
            self.happening = None
            happen()
            self.see(surely=False)

    def refreshes(self, check: Callable[[Queue], None]) -> None:
        ledger = self.watched.tracker.ledger
        before, vanished = set(ledger.live), ledger.lifecycle.vanished
        complete = ledger.complete
        there = set(self.simulation.work_ids(self.environment))
        # A reading in the background may take in only now what was there at the refresh before.
        there, self.lately = there | self.lately, there
        self.see(surely=False)
        view = self.watched.refresh()
        self.lately |= set(self.simulation.work_ids(self.environment))
        event(f"refresh {'succeeds' if view.up else 'fails'}")
        ledger = self.watched.tracker.ledger
        if complete:
            still = set(self.simulation.work_ids(self.environment))
            gone = before - set(ledger.live) - still
            # What is deleted meanwhile may have been seen for the first time just before.
            counted = ledger.lifecycle.vanished - vanished
            assert len(gone) - self.unseen_stops(gone) <= counted <= len(gone | (there - still))
        if view.up:
            assert view.snapshot is not None
            assert view.snapshot.queue is not None
            if self.happening is None:
                check(view.snapshot.queue)
        self.begins()
        self.counters_are_true()

    def unseen_stops(self, gone: set[str]) -> int:
        """How many of these may have been seen stopped before they were deleted."""
        return len(gone & self.stopped_maybe)

    @rule()
    def the_whole_list_is_read(self) -> None:
        self.simulation.faults.clear()
        self.watched.transport.forgotten = set()
        self.see(surely=False)
        complete = self.watched.refresh().history_complete
        self.begins()
        if not complete:
            return
        ledger = self.watched.tracker.ledger
        if ledger.traversed != ledger.origin:
            self.watched.traverse()  # an earlier reading goes on where it stopped, and does not see what is before that
        self.watched.traverse()
        self.drift.clear()
        self.settled(self.watched.queue())
        self.counters_are_true()

    # -- what is true -------------------------------------------------------------------------------------------------

    def see(self, *, surely: bool) -> None:
        """Remember what can be seen now, or must have been."""
        items = {item.id: item.state for item in self.watched.truth().items}
        stopped = {work_id for work_id, state in items.items() if state == "stopped"}
        self.maybe |= items.keys()
        self.stopped_maybe |= stopped
        if surely and self.first is not None:
            self.surely |= items.keys()
            self.stopped_surely |= stopped

    def begins(self) -> None:
        """Remember what there was when the whole list had been read for the first time."""
        if self.first is None and self.watched.tracker.ledger.complete:
            self.first = {item.id: item.state for item in self.watched.truth().items}
            self.maybe, self.stopped_maybe = set(), set()

    def settled(self, queue: Queue) -> None:
        """A refresh has succeeded in which nothing else happened."""
        self.begins()
        self.see(surely=True)
        truth = self.watched.truth()
        ledger = self.watched.tracker.ledger
        live = {item.id: item.state for item in truth.live}
        known = {work_id: item.seen.state for work_id, item in ledger.live.items()}
        unseen = live.keys() - known.keys()
        assert unseen <= self.drift
        assert known == {work_id: state for work_id, state in live.items() if work_id not in unseen}
        if not self.drift:
            assert shown(queue) == vars(expected(truth))
            by_job = Counter((item.state, (item.metadata.get("job", ""),)) for item in truth.items)
            assert {key: count for key, count in queue.counts.items() if count} == by_job

    def counters_are_true(self) -> None:
        """Every item is counted once, if it was certainly seen; and none that certainly was not."""
        if self.first is None:
            return
        counted = self.watched.tracker.ledger.lifecycle
        new = self.surely - self.first.keys()
        perhaps = (self.maybe | self.surely) - self.first.keys()
        assert len(new - self.late) <= counted.created <= len(perhaps)
        old = {work_id for work_id, state in self.first.items() if state == "stopped"}
        stopped = self.stopped_surely - old - self.drift - self.late
        perhaps = (self.stopped_maybe | self.stopped_surely | self.drift) - (old - self.drift)
        assert len(stopped) <= counted.stopped <= len(perhaps)

    @invariant()
    def the_ledger_is_consistent(self) -> None:
        ledger = self.watched.tracker.ledger
        stopped = sum(count for segment in ledger.history.segments for _, count in segment.stopped)
        assert stopped == ledger.history.stopped.total()
        ends = [segment.end for segment in ledger.history.segments]
        assert ends == sorted(set(ends))
        assert ledger.tail.ids == sorted(set(ledger.tail.ids), key=lambda work_id: work_id or "")


@pytest.mark.hypothesis
def test_every_successful_refresh_is_true(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():  # it belongs into the log of a run that went well, too
        print(f"MODEL_SEED={SEED} MODEL_EXAMPLES={EXAMPLES}")
    monkeypatch.setattr(QueueMachine, "virtual", install(monkeypatch.setattr), raising=False)
    run_state_machine_as_test(
        seed(SEED)(QueueMachine),
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=40,
        ),
    )
