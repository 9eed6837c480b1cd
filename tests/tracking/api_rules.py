"""What the API does in the model: it forgets, fails, talks nonsense, lies, and writes records that nobody can read."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from hypothesis import event
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from exporter.simulator import Garbage, Reset, Status, TrueItem, Truncate
from exporter.tracking.snapshot import Queue
from exporter.tracking.witness import LASTING, LONGEST_PAUSE
from tests.tracking.lies import Change, Lie, cut_short, empty, odd, renamed, without
from tests.tracking.machine import Machine, known_ids
from tests.tracking.queue_rules import SEEDS
from tests.tracking.reference import misread

CURSORS = ("compare", "not_found", "invalid", "empty", "restart")
GARBAGE = ("html", "invalid_json", "wrong_types", "empty", "null", "repeated_page", "stuck_cursor", "descending")

LIES: dict[str, Callable[..., Change]] = {
    "without": without,
    "empty": lambda *_: empty,
    "cut short": lambda *_: cut_short,
    "renamed": lambda *_: renamed,
    "foreign": lambda *work_ids: odd(*work_ids, environment_id="env_of_somebody_else"),
}

TIMES = ("created_at", "acknowledged_at", "started_at", "latest_heartbeat_at", "stop_requested_at")
UNSET = ("0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "")
ABSURD = ("9999-12-31T23:59:59Z", "1999-12-31T23:59:59+14:00", "yesterday", 7, {"at": "noon"})
LEAP = "a leap second"

ODD: dict[str, tuple[Any, Any, bool]] = {
    "a state that is a number": ({"state": 7}, {"state": "other"}, True),
    "a state that is none": ({"state": None}, {"state": "other"}, True),
    "a state without an end": ({"state": "x" * 65}, {"state": "other"}, True),
    "half an emoji": ({"metadata": {"job": "\ud83d"}}, {"metadata": {"job": "\N{REPLACEMENT CHARACTER}"}}, False),
    "metadata that is text": ({"metadata": "train"}, {"metadata": {}}, False),
    "a session that is a number": ({"data": 7, "metadata": None}, {"metadata": {}}, False),
}
"""What stands in a record, what it is read as, and whether that makes the record unreadable."""


class APIRules(Machine):
    """The API has whims."""

    @rule(manner=st.sampled_from(CURSORS))
    def unknown_cursors_mean(self, manner: str) -> None:
        self.simulation.change_options(self.environment, unknown_cursor=manner)

    @rule(cap=st.sampled_from([3, 17, 60, 99, 100, 100, 100]))
    def pages_shrink(self, cap: int) -> None:
        self.simulation.change_options(self.environment, page_cap=cap)

    @rule(omit=st.sampled_from([(), ("has_more",), ("next_page",), ("first_id", "last_id")]))
    def envelopes_lack(self, omit: tuple[str, ...]) -> None:
        self.simulation.change_options(self.environment, omit=frozenset(omit))

    @rule(share=st.floats(0, 1), manner=st.sampled_from(["not_found", "invalid", "empty"]), seed=SEEDS)
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

    # -- lies ---------------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.counting)
    @rule(lie=st.sampled_from(sorted(LIES)), share=st.floats(0.05, 1), seed=SEEDS)
    def the_list_lies_for_a_moment(self, lie: str, share: float, seed: int) -> None:
        """It leaves out what is there, ends early, or shows other IDs: that changes no number and no counter."""
        if not self.all_is_known(seed):
            return
        last, known = self.watched.tracker.ledger.tail.last, known_ids(self)
        assert last is not None
        hidden = self.choose(known, max(1, int(share * len(known))), seed)
        before = self.numbers()
        with Lie(self.watched, LIES[lie](last, *hidden) if lie == "foreign" else LIES[lie](*hidden)):
            view = self.refresh()
        event(f"lie {'passes' if view.up else 'is refused'}")
        if view.up:
            assert lie != "foreign"
            assert view.snapshot is not None
            assert view.snapshot.queue is not None
            self.settled(view.snapshot.queue)
        assert self.numbers() == before

    # -- records that cannot be read in full --------------------------------------------------------------------------

    @precondition(lambda self: self.counting)
    @rule(what=st.sampled_from(sorted(ODD)), count=st.integers(1, 30), seed=SEEDS)
    def live_records_are_odd(self, what: str, count: int, seed: int) -> None:
        written, read, unreadable = ODD[what]
        self.some_are_odd(count, seed, lambda _: (written, read, unreadable))

    @precondition(lambda self: self.counting)
    @rule(
        name=st.sampled_from(TIMES),
        text=st.sampled_from([*UNSET, *ABSURD, LEAP]),
        count=st.integers(1, 30),
        seed=SEEDS,
    )
    def times_are_absurd(self, name: str, text: Any, count: int, seed: int) -> None:
        def odd_time(item: TrueItem) -> tuple[Any, Any, bool]:
            if getattr(item, name) is None:
                return {}, {}, False
            if text != LEAP:
                return {name: text}, {name: None}, text in ABSURD
            minute = getattr(item, name) // 60 * 60
            return {name: f"{datetime.fromtimestamp(minute, UTC):%Y-%m-%dT%H:%M}:60Z"}, {name: minute + 59}, False

        self.some_are_odd(count, seed, odd_time)

    def some_are_odd(self, count: int, seed: int, oddity: Callable[[TrueItem], tuple[Any, Any, bool]]) -> None:
        """Live items count under what can be read of them, hide nothing beside them, and are right again afterwards."""
        if not self.all_is_known(seed):
            return
        view, chosen = self.watched.tracker.view(), self.choose(self.ids(live=True), count, seed)
        before, lifecycle = view.unreadable, self.numbers()["lifecycle"]
        truth = self.watched.truth()
        change: Change = lambda _, page: page  # noqa: E731
        unreadable = 0
        for item in truth.items:
            if item.id in chosen:
                written, read, makes_it_so = oddity(item)
                change = both(change, odd(item.id, **written))
                truth = misread(truth, {item.id}, **read)
                unreadable += makes_it_so

        def as_read(queue: Queue) -> None:
            self.agrees(queue, truth)
            assert queue.unreadable == before + unreadable or self.nobody_knows_the_time

        with Lie(self.watched, change, alone=True):
            self.refreshes(as_read)
        view = self.watched.tracker.view()
        assert view.up, view.error
        assert self.numbers()["lifecycle"] == lifecycle
        self.refreshes(self.settled)
        assert self.numbers()["lifecycle"] == lifecycle

    @precondition(lambda self: self.counting)
    @rule(text=st.sampled_from([*UNSET, *ABSURD]), count=st.integers(1, 20), seed=SEEDS)
    def items_stop_at_an_absurd_time(self, text: Any, count: int, seed: int) -> None:
        """They count as stopped, without a duration, and stay unreadable until they are read again."""
        if not self.all_is_known(seed):
            return
        view, ledger = self.watched.tracker.view(), self.watched.tracker.ledger
        stopping = self.choose(list(ledger.live), count, seed)
        before, run = view.unreadable, ledger.lifecycle.run.copy()
        for work_id in stopping:
            self.simulation.force(self.environment, work_id, "stopped", stopped_at=self.watched.clock.now())
        fresh = len(stopping) if text in ABSURD else 0
        self.unreadable += fresh
        with Lie(self.watched, odd(*stopping, stopped_at=text), alone=True):
            self.refreshes(self.settled)
        view = self.watched.tracker.view()
        assert not view.up or view.unreadable == before + fresh or self.nobody_knows_the_time
        assert ledger.lifecycle.run == run

    # -- two witnesses ------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.counting and self.seen.drift)
    @rule()
    def the_statistics_tell_of_queued_items_that_nothing_shows(self) -> None:
        self.api_recovers()
        for _ in range(LASTING + 1):
            self.watched.clock.advance(LONGEST_PAUSE)  # long after any other search
            self.refreshes(self.settled)
            if not self.watched.tracker.view().up or not self.watched.settings.queue_stats:
                return
            self.watched.settle()
            self.seen.see(self.watched.truth(), surely=False)
        ledger = self.watched.tracker.ledger
        queued = {item.id for item in self.watched.truth().in_state("queued")}
        assert queued == {work_id for work_id, item in ledger.live.items() if item.seen.state == "queued"}


def both(first: Change, second: Change) -> Change:
    """Make one change after the other."""
    return lambda request, page: second(request, first(request, page))
