"""Whatever happens to a queue and to the API, a refresh that claims success shows exactly what is true.

Run it for longer with ``MODEL_EXAMPLES=3000``, and the same run again with the ``MODEL_SEED`` that it prints. With
``MODEL_SHRINK=0`` a failure is reported as it was found, and not looked for with fewer steps.
"""

import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule, run_state_machine_as_test

from tests.support import randomness
from tests.support.randomness import FACTOR
from tests.tracking.api_rules import APIRules
from tests.tracking.clock_rules import ClockRules
from tests.tracking.queue_rules import SEEDS, QueueRules
from tests.tracking.virtual_time import install

EXAMPLES = int(os.environ.get("MODEL_EXAMPLES", 100 * FACTOR))
SEED = int(os.environ.get("MODEL_SEED", randomness.seed()))
PHASES = [phase for phase in Phase if phase is not Phase.shrink or os.environ.get("MODEL_SHRINK") != "0"]

SETTINGS: dict[str, tuple[Any, ...]] = {"max_staleness": (60.0, 90.0, 120.0), "queue_stats": (True, False)}
KEYS = ((), ("job",), ("job", "team"))


class QueueMachine(QueueRules, APIRules, ClockRules):
    """All rules together, and what happens to the exporter."""

    @rule()
    def the_exporter_restarts(self) -> None:
        self.watched.restart()
        self.untold |= self.watched.ahead != 0

    @rule(
        setting=st.sampled_from([*sorted(SETTINGS), "page_interval", "client", "account"]),
        which=st.integers(0, 2),
    )
    def another_configuration_is_loaded(self, setting: str, which: int) -> None:
        """What is shown and known stays, whatever is set."""
        if setting == "max_staleness":
            self.refreshes(self.settled)  # what is old may go
        self.without_change(lambda: self.reconfigure(setting, which))

    def reconfigure(self, setting: str, which: int) -> None:
        watched = self.watched
        if setting in SETTINGS:
            values = SETTINGS[setting]
            watched.reconfigure(replace(watched.settings, **{setting: values[which % len(values)]}))
        elif setting == "account":
            watched.tracker.environment = replace(watched.tracker.environment, account=f"account-{which}")
        else:
            watched.reconfigure(page_interval=which / 10, client=setting == "client")

    @precondition(lambda self: self.counting)
    @rule(keys=st.sampled_from(KEYS))
    def other_metadata_become_labels(self, keys: tuple[str, ...]) -> None:
        """Counts are made anew; counters go on."""
        if keys == self.keys:
            return
        tracker = self.watched.tracker
        before = self.numbers()["lifecycle"]
        self.watched.reconfigure(replace(self.watched.settings, metadata_keys=keys))
        self.keys, self.seen.paused = keys, True
        snapshot = tracker.view().snapshot
        assert snapshot is None or snapshot.queue is None
        assert self.numbers()["lifecycle"] == before

    @rule()
    def a_refresh_is_true(self) -> None:
        self.refreshes(self.settled)

    @rule()
    def another_refresh_is_true(self) -> None:
        """Rules are equally likely; what matters most should come more often."""
        self.refreshes(self.settled)

    @precondition(lambda self: self.counting)
    @rule(
        number=st.integers(0, 12),
        what=st.sampled_from(
            [
                *("items_come", "items_move", "live_items_are_deleted", "the_end_is_deleted"),
                *("our_clock_is_set", "the_apis_clock_is_set", "another_configuration_is_loaded"),
            ]
        ),
        count=st.integers(1, 30),
        seed=SEEDS,
    )
    def a_refresh_is_true_though_things_happen_meanwhile(self, number: int, what: str, count: int, seed: int) -> None:
        """Of the refresh itself, counters are true; of the next one, everything is."""
        happen: dict[str, Callable[[], None]] = {
            "items_come": lambda: self.items_come(count, 0.5, seed),
            "items_move": lambda: self.items_move(count, "stopped", seed),
            "live_items_are_deleted": lambda: self.live_items_are_deleted(count, seed),
            "the_end_is_deleted": lambda: self.the_end_is_deleted(count),
            "our_clock_is_set": lambda: self.our_clock_is_set((seed - 500) * 100.0),
            "the_apis_clock_is_set": lambda: self.the_apis_clock_is_set(seed * 10.0),
            "another_configuration_is_loaded": lambda: self.reconfigure("client", count % 3),
        }
        self.time_passes(count * 10.0)
        self.happening = number, happen[what]
        self.refreshes(lambda _: None)
        self.happening = None

    @rule()
    def the_whole_list_is_read(self) -> None:
        self.read_everything()


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
            phases=PHASES,
        ),
    )
