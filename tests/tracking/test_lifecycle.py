"""Counters and durations: each item once, whatever happens between refreshes and restarts, and nothing of the past."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.histogram import Histogram
from exporter.simulator import Options, TrueItem
from exporter.tracking.lifecycle import EXEMPLAR_LENGTH, Lifecycle
from exporter.tracking.observation import Observation
from tests.support.randomness import FACTOR
from tests.tracking.harness import Watched
from tests.tracking.reference import BOUNDS
from tests.tracking.virtual_time import VirtualTime

HISTOGRAMS = ("wait", "startup", "run", "drain")


# -- against brute force ----------------------------------------------------------------------------------------------


@dataclass
class Reference:
    """Counts events by comparing whole lists with one another, and knows nothing of the exporter.

    Attributes:
        first: The list as it was when the watch began.
        latest: The list as it was at the latest refresh.
        durations: Seconds, by histogram and item.
    """

    first: Mapping[str, TrueItem]
    latest: Mapping[str, TrueItem]
    stopped: set[str] = field(default_factory=set)
    requeued: int = 0
    durations: dict[str, dict[str, float | None]] = field(default_factory=lambda: {name: {} for name in HISTOGRAMS})

    def look(self, now: Mapping[str, TrueItem]) -> None:
        for work_id, item in now.items():
            old, before = self.first.get(work_id), self.latest.get(work_id)
            self.requeued += before is not None and before.state != "queued" and item.state == "queued"
            if item.acknowledged_at is not None and (old is None or old.acknowledged_at is None):
                self._once("wait", item, item.created_at, item.acknowledged_at)
            if item.started_at is not None and (old is None or old.started_at is None):
                self._once("startup", item, item.acknowledged_at, item.started_at)
            if item.state == "stopped" and (old is None or old.state != "stopped"):
                self.stopped.add(work_id)
                self._once("run", item, item.started_at, item.stopped_at)
                self._once("drain", item, item.stop_requested_at, item.stopped_at)
        self.latest = now

    def _once(self, name: str, item: TrueItem, start: float | None, end: float | None) -> None:
        # What follows something that it is dated long before is no duration, as after an item was queued again.
        apart = None if start is None or end is None else end - start
        seconds = None if apart is None or apart < -60 else max(0.0, apart)
        self.durations[name].setdefault(item.id, seconds)

    def expected(self) -> dict[str, Any]:
        values = {name: [each for each in self.durations[name].values() if each is not None] for name in HISTOGRAMS}
        return {
            "created": len(self.latest.keys() - self.first.keys()),
            "stopped": len(self.stopped),
            "requeued": self.requeued,
            "vanished": 0,
            **{name: tuple(sum(value <= bound for value in values[name]) for bound in BOUNDS) for name in HISTOGRAMS},
            **{f"sum of {name}": pytest.approx(sum(values[name])) for name in HISTOGRAMS},
        }


def counted(lifecycle: Lifecycle) -> dict[str, Any]:
    histograms: dict[str, Histogram] = {name: getattr(lifecycle, name) for name in HISTOGRAMS}
    return {
        **{name: getattr(lifecycle, name) for name in ("created", "stopped", "requeued", "vanished")},
        **{name: tuple(row[1] for row in histogram.cumulative()) for name, histogram in histograms.items()},
        **{f"sum of {name}": histogram.sum for name, histogram in histograms.items()},
    }


def items(watched: Watched) -> dict[str, TrueItem]:
    return {item.id: item for item in watched.truth().items}


class Lives:
    """Items that live random lives, by the API's rules."""

    def __init__(self, watched: Watched, chance: random.Random) -> None:
        self.watched = watched
        self.chance = chance

    def go_on(self, seconds: float) -> None:
        """Let items be created, and each live item perhaps take a few steps, while time passes."""
        for _ in range(self.chance.randrange(1, 4)):
            self.watched.clock.advance(seconds * self.chance.random())
            for _ in range(self.chance.randrange(6)):
                self.watched.simulation.create_work(self.watched.id)
            for item in self.watched.truth().live:
                while self.chance.random() < 0.4 and self.step(item.id):
                    self.watched.clock.advance(self.chance.random() * seconds / 10)

    def step(self, work_id: str) -> bool:
        """One step of an item's life; whether it is still alive."""
        item, now = items(self.watched)[work_id], self.watched.clock.now()
        force = self.watched.simulation.force
        dice = self.chance.random()
        match item.state:
            case "queued" if dice < 0.9:
                force(self.watched.id, work_id, "starting", acknowledged_at=now)
            case "starting" if dice < 0.9:
                force(self.watched.id, work_id, "active", started_at=now, latest_heartbeat_at=now)
            case "active" if dice < 0.3:
                force(self.watched.id, work_id, "active", latest_heartbeat_at=now)
            case "active" if dice < 0.6:
                force(self.watched.id, work_id, "stopping", stop_requested_at=now)
            case "active" | "starting" if dice > 0.95 or (item.state == "active" and dice < 0.7):
                keep = self.chance.random() < 0.5
                cleared = {} if keep else {"acknowledged_at": None, "started_at": None, "latest_heartbeat_at": None}
                force(self.watched.id, work_id, "queued", **cleared)
            case _:
                force(self.watched.id, work_id, "stopped", stopped_at=now)
                return False
        return True


@settings(max_examples=60 * FACTOR)
@given(seed=st.integers(0, 2**32))
def test_whatever_lives_items_live_each_event_is_counted_once(virtual_time: VirtualTime, seed: int) -> None:
    chance = random.Random(seed)
    with Watched(Options(lease_expiry="keep"), virtual=virtual_time) as watched:
        lives = Lives(watched, chance)
        for _ in range(chance.randrange(5)):
            lives.go_on(1000)
        watched.queue()
        reference = Reference(items(watched), items(watched))
        for _ in range(chance.randrange(1, 8)):
            lives.go_on(10 ** chance.uniform(0, 5))
            if chance.random() < 0.3:
                watched.restart()
            if chance.random() < 0.2:
                watched.traverse()
            else:
                watched.queue()
            reference.look(items(watched))
            assert counted(watched.tracker.ledger.lifecycle) == reference.expected()


# -- one by one -------------------------------------------------------------------------------------------------------


def observed(state: str = "queued", **fields: Any) -> Observation:
    return Observation(fields.pop("id", "work_1"), state, (), 1000.0, fields.pop("session_id", "sess_1"), **fields)


QUEUED = observed(created=100.0)
STARTING = observed("starting", created=100.0, acknowledged=103.0)
ACTIVE = observed("active", created=100.0, acknowledged=103.0, started=110.0)
STOPPING = observed("stopping", created=100.0, acknowledged=103.0, started=110.0, stop_requested=200.0)
STOPPED = observed("stopped", created=100.0, acknowledged=103.0, started=110.0, stop_requested=200.0, stopped=250.0)


def sums(lifecycle: Lifecycle) -> tuple[float, ...]:
    return tuple(getattr(lifecycle, name).sum for name in HISTOGRAMS)


def test_an_item_that_came_and_went_unseen_counts_with_its_whole_life() -> None:
    lifecycle = Lifecycle()
    lifecycle.appeared(STOPPED)
    assert (lifecycle.created, lifecycle.stopped) == (1, 1)
    assert sums(lifecycle) == (3.0, 7.0, 140.0, 50.0)


def test_each_step_counts_when_it_is_seen() -> None:
    lifecycle = Lifecycle()
    flags = lifecycle.appeared(QUEUED)
    seen = []
    for before, now in zip((QUEUED, STARTING, ACTIVE, STOPPING), (STARTING, ACTIVE, STOPPING, STOPPED), strict=True):
        flags = lifecycle.changed(before, now, flags)
        seen.append(sums(lifecycle))
    assert seen == [(3.0, 0.0, 0.0, 0.0), (3.0, 7.0, 0.0, 0.0), (3.0, 7.0, 0.0, 0.0), (3.0, 7.0, 140.0, 50.0)]
    assert (lifecycle.created, lifecycle.stopped, lifecycle.requeued) == (1, 1, 0)


def test_of_an_item_from_before_only_what_happens_now_counts() -> None:
    lifecycle = Lifecycle()
    lifecycle.changed(STARTING, STOPPED, Lifecycle.past(STARTING))
    assert (lifecycle.created, lifecycle.stopped) == (0, 1)
    assert sums(lifecycle) == (0.0, 7.0, 140.0, 50.0)


def test_of_an_item_that_had_stopped_before_nothing_counts() -> None:
    lifecycle = Lifecycle()
    lifecycle.changed(STOPPED, STOPPED, Lifecycle.past(STOPPED))
    assert counted(lifecycle) == counted(Lifecycle())


def test_a_requeued_item_waits_and_starts_once() -> None:
    lifecycle = Lifecycle()
    flags = lifecycle.appeared(ACTIVE)
    flags = lifecycle.changed(ACTIVE, QUEUED, flags)
    again = observed("active", created=100.0, acknowledged=500.0, started=600.0)
    lifecycle.changed(QUEUED, again, flags)
    assert lifecycle.requeued == 1
    assert (lifecycle.wait.count, lifecycle.startup.count) == (1, 1)
    assert sums(lifecycle)[:2] == (3.0, 7.0)


def test_an_item_that_stays_queued_is_not_requeued() -> None:
    lifecycle = Lifecycle()
    lifecycle.changed(QUEUED, QUEUED, lifecycle.appeared(QUEUED))
    assert lifecycle.requeued == 0


def test_a_step_that_the_api_does_not_date_counts_nowhere() -> None:
    lifecycle = Lifecycle()
    lifecycle.appeared(observed("stopped", created=100.0, stopped=150.0))
    assert lifecycle.stopped == 1
    assert [getattr(lifecycle, name).count for name in HISTOGRAMS] == [0, 0, 0, 0]


def test_times_that_run_backwards_count_as_no_time() -> None:
    lifecycle = Lifecycle()
    lifecycle.appeared(observed("starting", created=100.0, acknowledged=99.0))
    assert (lifecycle.wait.count, lifecycle.wait.sum) == (1, 0.0)


def test_a_copy_does_not_change_with_the_original() -> None:
    lifecycle = Lifecycle()
    copy = lifecycle.copy()
    lifecycle.appeared(STOPPED)
    assert counted(copy) == counted(Lifecycle())
    assert not copy.wait.examples


# -- exemplars --------------------------------------------------------------------------------------------------------


def exemplars(histogram: Histogram) -> Iterator[tuple[float, dict[str, str], float]]:
    for bound, _, example in histogram.cumulative():
        if example is not None:
            yield bound, example.labels, example.timestamp


def test_an_exemplar_leads_to_the_item_and_its_session() -> None:
    lifecycle = Lifecycle()
    lifecycle.appeared(STOPPED)
    assert list(exemplars(lifecycle.wait)) == [(5.0, {"work_id": "work_1", "session_id": "sess_1"}, 103.0)]
    assert list(exemplars(lifecycle.run)) == [(300.0, {"work_id": "work_1", "session_id": "sess_1"}, 250.0)]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_newest_exemplar_of_a_bucket_stays(order: tuple[int, int]) -> None:
    both = (
        observed("starting", id="work_1", created=100.0, acknowledged=104.0),
        observed("starting", id="work_2", created=101.0, acknowledged=104.5),
    )
    lifecycle = Lifecycle()
    for index in order:
        lifecycle.appeared(both[index])
    assert [labels["work_id"] for _, labels, _ in exemplars(lifecycle.wait)] == ["work_2"]


def test_each_bucket_has_an_exemplar_of_its_own() -> None:
    lifecycle = Lifecycle()
    for number, seconds in enumerate((0.5, 7.0, 1e9)):
        lifecycle.appeared(observed("starting", id=f"work_{number}", created=0.0, acknowledged=seconds))
    found = [(bound, labels["work_id"]) for bound, labels, _ in exemplars(lifecycle.wait)]
    assert found == [(1.0, "work_0"), (10.0, "work_1"), (float("inf"), "work_2")]


@pytest.mark.parametrize(
    ("work_id", "session_id", "names"),
    [
        ("w" * 60, "s" * 51, ["work_id", "session_id"]),
        ("w" * 60, "s" * 52, ["work_id"]),
        ("w" * 121, "s", ["work_id"]),
        ("w" * 122, "s" * 10, ["session_id"]),
        ("w" * 200, "s" * 200, []),
        ("work_1", None, ["work_id"]),
    ],
)
def test_an_exemplar_is_as_long_as_openmetrics_allows(work_id: str, session_id: str | None, names: list[str]) -> None:
    lifecycle = Lifecycle()
    item = observed("starting", id=work_id, session_id=session_id, created=0.0, acknowledged=1.0)
    lifecycle.appeared(item)
    ((_, labels, _),) = exemplars(lifecycle.wait)
    assert list(labels) == names
    assert sum(len(name) + len(value) for name, value in labels.items()) <= EXEMPLAR_LENGTH


def test_a_new_id_is_a_new_item_however_old_it_says_it_is(watched: Watched) -> None:
    watched.simulation.create_history(watched.id, 30)
    watched.refresh()
    work_id = watched.simulation.create_work(watched.id, created_at=watched.clock.now() - 5000)
    assert watched.queue().counts["queued", ()] == 1
    watched.simulation.force(watched.id, work_id, "starting", acknowledged_at=watched.clock.now() - 4960)
    lifecycle = watched.refresh().lifecycle
    assert lifecycle is not None
    assert (lifecycle.created, lifecycle.wait.count, lifecycle.wait.sum) == (1, 1, 40)
    assert watched.tracker.view().corrections == 0
