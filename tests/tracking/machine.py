"""One queue, an API and a tracker to which a model's rules do things, and what must be true whatever they do."""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from math import inf
from typing import Any

import httpx
import pytest
from hypothesis import event
from hypothesis.stateful import RuleBasedStateMachine, invariant

from exporter.api.clock import APPLIED_FROM, RESOLUTION
from exporter.simulator import Options, Truth
from exporter.tracking.record import record_lifecycle
from exporter.tracking.snapshot import Queue
from exporter.tracking.view import EnvironmentView
from tests.support.settings import tracking_settings
from tests.tracking.harness import Watched, shown
from tests.tracking.reference import expected
from tests.tracking.seen import Seen
from tests.tracking.virtual_time import VirtualTime

NO_DATES = (
    *("Thu, 01 Jan 1970 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT", "Sat, 01 Jan 0001 00:00:00 GMT", "soon", ""),
)
"""What no API's clock can say."""

LIVE = ("queued", "starting", "active", "stopping")
FEW = 8

EXACT = 1e-3
"""Seconds by which an age may be wrong where no clock is."""


class Machine(RuleBasedStateMachine):
    """A queue that lives, an API with whims, and a tracker that must not be wrong.

    Stopped items that are deleted, or come back to life, where no refresh has reason to look, are drift: until the
    next whole reading only the items that never were such are compared.

    Attributes:
        seen: What can have been seen so far.
        lately: Items that were there at the last refresh.
        happening: What is to happen before which request of the next refresh.
        keys: The metadata keys that are labels.
        unreadable: How many stopped items are unreadable at most.
        clocks: Whether all clocks agree, and always have.
        untold: Whether the API may not have told its time since it was set, or since nothing was known of it.
    """

    virtual: VirtualTime

    def __init__(self) -> None:
        super().__init__()
        self.keys: tuple[str, ...] = ("job",)
        tracking = tracking_settings(min_interval=0, metadata_keys=self.keys, resync_interval=0.0)
        self.watched = Watched(Options(lease_expiry="keep"), tracking, virtual=self.virtual)
        self.simulation = self.watched.simulation
        self.environment = self.watched.id
        self.seen = Seen()
        self.lately: set[str] = set()
        self.happening: tuple[int, Callable[[], None]] | None = None
        self.unreadable = 0.0
        self.clocks = True
        self.untold = False
        self.began = self.watched.clock.now()
        self.watched.transport.before = self.before_request

    def teardown(self) -> None:
        self.watched.close()

    # -- for the rules ------------------------------------------------------------------------------------------------

    @property
    def counting(self) -> bool:
        """Whether the whole list has been read."""
        return self.seen.first is not None and not self.seen.paused

    def ids(self, *, live: bool) -> list[str]:
        return [item.id for item in self.watched.truth().items if (item.state != "stopped") == live]

    def choose(self, ids: list[str], count: int, seed: int) -> list[str]:
        return random.Random(seed).sample(ids, min(count, len(ids)))

    def create(self, state: str, job: str) -> None:
        self.simulation.create_work(self.environment, state=state, metadata={"job": job} if job else {})

    def delete(self, gone: list[str]) -> None:
        """Delete items; of stopped ones nobody is told, nor of those that the ledger has for stopped."""
        self.seen.drift |= set(gone) & set(self.ids(live=False)) - self.watched.tracker.ledger.live.keys()
        self.simulation.delete_work(self.environment, *gone)

    def before_request(self, _: httpx.Request) -> None:
        """Let the thing that is to happen at this request happen."""
        if self.happening is not None and len(self.watched.transport.requests) > self.happening[0]:
            happen = self.happening[1]
            self.happening = None
            happen()
            self.seen.see(self.watched.truth(), surely=False)

    def numbers(self) -> dict[str, Any]:
        """What is counted, apart from ages."""
        ledger = self.watched.tracker.ledger
        return {
            "live": {work_id: item.seen.state for work_id, item in ledger.live.items()},
            "stopped": ledger.history.stopped.copy(),
            "lifecycle": record_lifecycle(ledger.lifecycle),
            "corrections": ledger.corrections,
        }

    # -- a refresh ----------------------------------------------------------------------------------------------------

    def refresh(self) -> EnvironmentView:
        """One refresh, and when it began."""
        self.began = self.watched.clock.now()
        return self.watched.refresh()

    def refreshes(self, check: Callable[[Queue], None]) -> None:
        """One refresh, of which the counters must be true, and if it succeeds whatever is to be checked."""
        ledger = self.watched.tracker.ledger
        before, vanished = set(ledger.live), ledger.lifecycle.vanished
        complete = ledger.complete
        there = set(self.simulation.work_ids(self.environment))
        # A reading in the background may take in only now what was there at the refresh before.
        there, self.lately = there | self.lately, there
        self.seen.see(self.watched.truth(), surely=False)
        view = self.refresh()
        self.lately |= set(self.simulation.work_ids(self.environment))
        event(f"refresh {'succeeds' if view.up else 'fails'}")
        if self.nobody_knows_the_time:
            self.unreadable = inf
        ledger = self.watched.tracker.ledger
        if complete and ledger.complete:
            still = set(self.simulation.work_ids(self.environment))
            gone = before - set(ledger.live) - still
            # What is deleted meanwhile may have been seen for the first time just before; what is gone may have been
            # seen stopped before it was deleted.
            counted = ledger.lifecycle.vanished - vanished
            assert len(gone - self.seen.stopped_maybe) <= counted <= len(gone | (there - still))
        if view.up and not self.nobody_knows_the_time:
            self.untold = False
        if view.up and self.happening is None:
            assert view.snapshot is not None
            assert view.snapshot.queue is not None
            check(view.snapshot.queue)
        self.begins()
        self.seen.agrees(ledger.lifecycle)

    def read_everything(self) -> None:
        """Read the whole list once more, after which nothing is drift."""
        self.api_recovers()
        self.seen.see(self.watched.truth(), surely=False)
        complete = self.refresh().history_complete
        self.begins()
        if not complete:
            return
        ledger = self.watched.tracker.ledger
        if ledger.traversed != ledger.origin:
            self.watched.traverse()  # an earlier reading goes on where it stopped, and does not see what is before that
        self.watched.traverse()
        self.seen.drift.clear()
        self.unreadable = 0
        view = self.refresh()
        assert view.up, view.error
        assert view.snapshot is not None
        assert view.snapshot.queue is not None
        self.settled(view.snapshot.queue)
        self.seen.agrees(ledger.lifecycle)

    def api_recovers(self) -> None:
        """Nothing fails, and nothing is forgotten, from now on."""
        self.simulation.faults.clear()
        self.watched.transport.forgotten, self.watched.transport.dates = set(), []

    def all_is_known(self, seed: int) -> bool:
        """Have some live items, of which everything has been read; return whether that is so."""
        self.api_recovers()
        chance = random.Random(seed)
        while len(self.ids(live=True)) < FEW:
            self.create(chance.choice(LIVE), "train")
        if self.seen.drift:
            self.read_everything()
        else:
            self.refreshes(self.settled)
        return self.watched.tracker.view().up and not self.seen.drift

    def begins(self) -> None:
        """Note that the whole list has been read."""
        if self.watched.tracker.ledger.complete and not self.counting:
            self.seen.begin(self.watched.truth())

    def settled(self, queue: Queue) -> None:
        """A refresh has succeeded in which nothing else happened."""
        self.begins()
        truth = self.watched.truth()
        self.seen.see(truth, surely=True)
        self.agrees(queue, truth)
        assert queue.unreadable <= self.unreadable

    def agrees(self, queue: Queue, truth: Truth) -> None:
        """Every number is the true one, as far as it can be known."""
        ledger, drift = self.watched.tracker.ledger, self.seen.drift
        live = {item.id: item.state for item in truth.live}
        known = {work_id: item.seen.state for work_id, item in ledger.live.items()}
        unseen = live.keys() - known.keys()
        assert unseen <= drift
        assert known == {work_id: state for work_id, state in live.items() if work_id not in unseen}
        self.moments_are_right()
        if not drift:
            read_at = {work_id: item.seen.read_at for work_id, item in ledger.live.items()}
            assert shown(queue) == vars(expected(truth, read_at))
            by_job = Counter(
                (item.state, tuple(item.metadata.get(key, "") for key in self.keys)) for item in truth.items
            )
            assert {key: count for key, count in queue.counts.items() if count} == by_job

    def moments_are_right(self) -> None:
        """What is shown was read during this refresh, on the API's clock and on our own."""
        snapshot = self.watched.tracker.view().snapshot
        assert snapshot is not None
        ended, ahead = self.watched.clock.now(), self.watched.ahead
        assert self.began + ahead - EXACT <= snapshot.read_at <= ended + ahead + EXACT
        if self.nobody_knows_the_time:
            return
        coarse = EXACT if self.clocks else APPLIED_FROM + RESOLUTION
        for item in self.watched.tracker.items():
            assert self.began - coarse <= item.read_at <= ended + coarse

    @property
    def nobody_knows_the_time(self) -> bool:
        """Whether the API may not have said enough, since clocks were set, for anybody to know what its clock is."""
        return self.untold and not set(NO_DATES).isdisjoint(self.watched.transport.told)

    def without_change(self, happen: Callable[[], None]) -> None:
        """Whatever happens, what is shown stays, and so does what is counted and when the whole list is read again."""
        tracker = self.watched.tracker
        view, numbers, age = tracker.view(), self.numbers(), tracker.resync.age
        happen()
        assert replace(tracker.view(), environment=view.environment, progress=view.progress) == view
        assert self.numbers() == numbers
        assert tracker.resync.age == pytest.approx(age)

    @invariant()
    def the_ledger_is_consistent(self) -> None:
        ledger = self.watched.tracker.ledger
        stopped = sum(count for segment in ledger.history.segments for _, count in segment.stopped)
        assert stopped == ledger.history.stopped.total()
        ends = [segment.end for segment in ledger.history.segments]
        assert ends == sorted(set(ends))
        assert ledger.tail.ids == sorted(set(ledger.tail.ids), key=lambda work_id: work_id or "")


def known_ids(machine: Machine) -> list[str]:
    """The IDs that each refresh must show: live items, and the last ones of the list."""
    ledger = machine.watched.tracker.ledger
    return [work_id for work_id in (*ledger.live, *ledger.tail.ids[1:]) if work_id is not None]
