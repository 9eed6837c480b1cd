"""Whatever workers, operators and time do to a queue, the API answers as a plain model of the documentation says."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

import httpx
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from exporter.simulator import STATES
from tests.simulator.account import Account
from tests.support.randomness import FACTOR

WORKERS = st.sampled_from([None, "w1", "w2", "w3"])
SECOND = 1_000_000
RECLAIM, POLLING_WINDOW = 5 * SECOND, 30 * SECOND


@dataclass
class Modelled:
    """What the documentation lets one expect of an item."""

    state: str = "queued"
    poller: str | None = None
    delivered_at: int | None = None
    holder: str | None = None
    heartbeat: str | None = None
    expires_at: int | None = None


class QueueMachine(RuleBasedStateMachine):
    """Random calls on one queue through the API, each answer foretold by the model."""

    items = Bundle("items")

    def __init__(self) -> None:
        super().__init__()
        self.account = Account()
        self.runner = asyncio.Runner()
        self.model: dict[str, Modelled] = {}
        self.polled: dict[str, int] = {}

    def teardown(self) -> None:
        self.runner.run(self.account.http.aclose())
        self.runner.close()

    def ask(self, call: Coroutine[Any, Any, httpx.Response]) -> httpx.Response:
        return self.runner.run(call)

    @property
    def now(self) -> int:
        """Microseconds: in seconds, sums of fractions would not be exact."""
        return self.account.clock.now_us()

    @rule(target=items, count=st.integers(1, 4))
    def create(self, count: int) -> Any:
        created = [self.account.simulation.create_work(self.account.id) for _ in range(count)]
        self.model |= {work_id: Modelled() for work_id in created}
        return multiple(*created)

    @rule(target=items, age=st.floats(0, 100))
    def commit_late(self, age: float) -> str:
        work_id = self.account.simulation.commit_late(self.account.id, age)
        self.model[work_id] = Modelled()
        return work_id

    @rule(worker=WORKERS)
    def poll(self, worker: str | None) -> None:
        claimable = [
            work_id
            for work_id, item in sorted(self.model.items())
            if item.state == "queued" and (item.delivered_at is None or self.now - item.delivered_at >= RECLAIM)
        ]
        answer: Any = self.runner.run(self.account.poll(worker))
        assert (answer and answer["id"]) == (claimable[0] if claimable else None)
        if worker is not None:
            self.polled[worker] = self.now
        if claimable:
            item = self.model[claimable[0]]
            item.poller, item.delivered_at = worker, self.now

    @rule(work_id=items, worker=WORKERS)
    def ack(self, work_id: str, worker: str | None) -> None:
        item = self.model[work_id]
        owner = item.poller if item.state == "queued" else item.holder
        other_worker = owner is not None and worker is not None and owner != worker
        refused = item.state in ("stopping", "stopped") or other_worker
        assert self.ask(self.account.ack(work_id, worker)).status_code == (409 if refused else 200)
        if not refused and item.state == "queued":
            self.model[work_id] = Modelled("starting", holder=worker or owner)

    @rule(work_id=items, expects=st.sampled_from(["nothing", "first", "latest", "other"]), ttl=st.integers(1, 700))
    def heartbeat(self, work_id: str, expects: str, ttl: int) -> None:
        item = self.model[work_id]
        expected = {
            "nothing": None,
            "first": "NO_HEARTBEAT",
            "latest": item.heartbeat or "NO_HEARTBEAT",
            "other": "2001-01-01T00:00:00Z",
        }[expects]
        query: dict[str, str | int] = {"desired_ttl_seconds": ttl}
        if expected is not None:
            query["expected_last_heartbeat"] = expected
        answer = self.ask(self.account.heartbeat(work_id, **query))
        if item.state in ("queued", "stopped"):
            assert answer.status_code == 409
        elif expected not in (None, item.heartbeat or "NO_HEARTBEAT"):
            assert answer.status_code == 412
        else:
            lease = min(max(ttl, 10), 600)
            beat = answer.json()
            item.state = "active" if item.state == "starting" else item.state
            assert (beat["state"], beat["ttl_seconds"]) == (item.state, lease)
            item.heartbeat, item.expires_at = beat["last_heartbeat"], self.now + lease * SECOND

    @rule(work_id=items, force=st.booleans())
    def stop(self, work_id: str, force: bool) -> None:
        item = self.model[work_id]
        item.state = "stopping" if item.state in ("starting", "active") and not force else "stopped"
        answer = self.ask(self.account.stop(work_id, json={"force": force}))
        assert (answer.status_code, answer.json()["state"]) == (200, item.state)

    @rule(seconds=st.sampled_from([0.001, 1.0, 4.999, 5.0, 30.0, 90.0, 601.0]))
    def advance(self, seconds: float) -> None:
        self.account.clock.advance(seconds)
        for work_id, item in self.model.items():
            if item.state == "active" and item.expires_at is not None and item.expires_at <= self.now:
                self.model[work_id] = Modelled()

    @rule(work_id=items, state=st.sampled_from(STATES))
    def force(self, work_id: str, state: str) -> None:
        before, self.model[work_id] = self.model[work_id], Modelled(state)
        self.account.simulation.force(self.account.id, work_id, state, latest_heartbeat_at=None)
        if state == before.state == "queued":
            self.model[work_id] = before
        elif state != "queued":
            self.model[work_id].holder = before.holder

    @rule(work_id=consumes(items))
    def delete(self, work_id: str) -> None:
        self.account.simulation.delete_work(self.account.id, work_id)
        del self.model[work_id]
        assert self.ask(self.account.http.get(f"{self.account.work}/{work_id}")).status_code == 404

    @invariant()
    def the_list_is_the_model(self) -> None:
        page = self.runner.run(self.account.page(limit=100))
        assert [(item["id"], item["state"]) for item in page["data"]] == [
            (work_id, item.state) for work_id, item in sorted(self.model.items())[:100]
        ]

    @invariant()
    def the_stats_are_the_models_and_the_truth(self) -> None:
        queued = [item for item in self.model.values() if item.state == "queued"]
        pending = [item for item in queued if item.delivered_at is not None and self.now - item.delivered_at < RECLAIM]
        polling = [at for at in self.polled.values() if self.now - at <= POLLING_WINDOW]
        stats = self.runner.run(self.account.stats())
        truth = self.account.simulation.truth(self.account.id)
        shown = (stats["depth"], stats["pending"], stats["workers_polling"])
        assert shown == (len(queued) - len(pending), len(pending), len(polling))
        assert shown == (truth.depth, truth.pending, truth.workers_polling)
        assert (stats["oldest_queued_at"] is None) == (truth.oldest_queued_at is None) == (not queued)
        assert truth.counts["queued"] == len(queued)


TestQueue = QueueMachine.TestCase
TestQueue.settings = settings(max_examples=40 * FACTOR, stateful_step_count=40)
