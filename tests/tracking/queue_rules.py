"""What happens to a queue in the model: items come, move, go, come late and come back."""

import random

from hypothesis import strategies as st
from hypothesis.stateful import rule

from tests.tracking.machine import LIVE, Machine

JOBS = ("", "train", "evaluate", "serve")
SEEDS = st.integers(0, 1000)


class QueueRules(Machine):
    """The queue lives."""

    @rule(seconds=st.floats(0.1, 5000))
    def time_passes(self, seconds: float) -> None:
        """What is older than may be shown goes, whatever any clock says."""
        self.watched.clock.advance(seconds)
        view = self.watched.tracker.view()
        if seconds > self.watched.settings.max_staleness:
            assert (view.up, view.snapshot) == (False, None)

    @rule(count=st.integers(1, 130), live=st.floats(0, 1), seed=SEEDS)
    def items_come(self, count: int, live: float, seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(count):
            self.create(chance.choice(LIVE) if chance.random() < live else "stopped", chance.choice(JOBS))

    @rule(count=st.integers(100, 450), job=st.sampled_from(JOBS))
    def history_comes(self, count: int, job: str) -> None:
        for _ in range(count):
            self.create("stopped", job)

    @rule(count=st.integers(1, 40), state=st.sampled_from([*LIVE, "stopped"]), seed=SEEDS)
    def items_move(self, count: int, state: str, seed: int) -> None:
        now = self.watched.clock.now()
        for work_id in self.choose(self.ids(live=True), count, seed):
            times = {"acknowledged_at": now, "started_at": now, "stop_requested_at": now, "latest_heartbeat_at": now}
            self.simulation.force(self.environment, work_id, state, **(times if state != "queued" else {}))

    @rule(count=st.integers(1, 40), job=st.sampled_from(JOBS), seed=SEEDS)
    def metadata_changes(self, count: int, job: str, seed: int) -> None:
        queue = self.simulation.environment(self.environment).queue
        for work_id in self.choose(self.ids(live=True), count, seed):
            item = queue.find(work_id)
            assert item is not None
            item.metadata = {"job": job}

    @rule(count=st.integers(1, 20), seed=SEEDS)
    def live_items_are_deleted(self, count: int, seed: int) -> None:
        self.delete(self.choose(self.ids(live=True), count, seed))

    @rule(count=st.integers(1, 20), seed=SEEDS)
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

    @rule(state=st.sampled_from(LIVE), seed=SEEDS)
    def a_stopped_item_comes_back(self, state: str, seed: int) -> None:
        for work_id in self.choose(self.ids(live=False), 1, seed):
            self.seen.drift.add(work_id)
            self.simulation.force(self.environment, work_id, state)

    @rule(age=st.floats(0.1, 3), state=st.sampled_from([*LIVE, "stopped"]), job=st.sampled_from(JOBS))
    def an_item_comes_late(self, age: float, state: str, job: str) -> None:
        late = self.simulation.commit_late(self.environment, age, state=state, metadata={"job": job})
        self.seen.drift.add(late)
        self.seen.late.add(late)
