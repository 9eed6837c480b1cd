"""Mutations that take out what the truth of the numbers rests on: the model must notice nearly all of them alone."""

from tests.mutated.mutation import Mutation

TRUTH = (
    Mutation(
        "api/client: items of another environment are believed",
        "if any(item.environment_id not in (None, request.environment_id) for item in items):",
        "if False:",
        ("test_model",),
    ),
    Mutation(
        "api/decoding: half an emoji fails the page",
        'return _ESCAPE.sub(lambda found: b"\\\\ufffd" if found[1] else found[0], text)',
        "return text",
        ("test_model",),
    ),
    Mutation(
        "api/decoding: a leap second is no time",
        'return _LEAP_SECOND.sub(r"\\g<1>59", value)',
        "return value",
        ("test_model", "../api/test_timestamps"),
    ),
    Mutation(
        "api/decoding: an unreadable record is said to be readable",
        '{"unreadable": bool(lost & {"state", *TIMESTAMPS})}',
        '{"unreadable": False}',
        ("test_model",),
    ),
    Mutation(
        "api/decoding: a state that cannot be read is stopped",
        'given["state"] = OTHER',
        'given["state"] = "stopped"',
        ("test_model",),
    ),
    Mutation(
        "api/decoding: a record that cannot be read in full is left out",
        "items = [_record(raw, WorkItem) or _work_item(msgspec.json.decode(raw)) for raw in envelope.data]",
        "items = [_record(raw, WorkItem) for raw in envelope.data]",
        ("test_model",),
    ),
    Mutation(
        "observation: an absurd time is believed",
        "return EARLIEST <= moment <= now + LONGEST_LEAD",
        "return True",
        ("test_model",),
    ),
    Mutation(
        "observation: a time that means none makes unreadable",
        "return not plausible(moment, now) and moment not in UNSET",
        "return not plausible(moment, now)",
        ("test_model",),
    ),
    Mutation(
        "snapshot: stopped items are readable",
        "+ self._ledger.history.unreadable + ",
        "+ ",
        ("test_model",),
    ),
    Mutation(
        "lifecycle: a state that could not be read is left",
        " and not unknown:",
        ":",
        ("test_model",),
    ),
    Mutation(
        "api/clock: an absurd date is believed",
        "if written is None or not EARLIEST <= written <= LATEST:",
        "if written is None:",
        ("test_model",),
    ),
    Mutation(
        "api/clock: one answer sets the clock",
        "CONFIRMATIONS = 3",
        "CONFIRMATIONS = 1",
        ("test_model",),
    ),
    Mutation(
        "api/clock: a clock that is set is never believed",
        "if self._confirmations >= CONFIRMATIONS:",
        "if False:",
        ("test_model",),
    ),
    Mutation(
        "api/clock: a first answer is believed whatever it says",
        "SURPRISING = 3600.0",
        "SURPRISING = 1e12",
        ("test_model", "test_lookback"),
    ),
    Mutation(
        "api/client: the API's clock is held against one that is set",
        "self.clock = APIClock(now)",
        "self.clock = APIClock(now, now)",
        ("test_model",),
    ),
    Mutation(
        "source: what was read in doubt about the clock is believed",
        "while self.api.clock.in_doubt and",
        "while False and",
        ("test_model",),
    ),
    Mutation(
        "tracker: staleness goes by a clock that is set",
        "return monotonic() - moment <= self._settings.max_staleness",
        "return self._now() - (self._snapshot.read_at if self._snapshot else 0.0) <= self._settings.max_staleness",
        ("test_model",),
    ),
    Mutation(
        "results: a refresh that was cancelled has ended",
        "        # One that was cancelled has come to no end: what is known of the one before it stays.\n",
        "        finally:\n            self.ended = monotonic()\n",
        ("test_model", "test_reconfigure"),
    ),
    Mutation(
        "tracker: another configuration hides what is shown",
        "if other_labels and self._snapshot is not None:",
        "if self._snapshot is not None:",
        ("test_model",),
    ),
    Mutation(
        "tracker: other labels change nothing",
        "if (api, settings, page_interval) == (self._api, self._settings, self._page_interval):",
        "if api is self._api:",
        ("test_model",),
    ),
    Mutation(
        "tracker: counters begin anew with other labels",
        "self.ledger = self.ledger.renewed()",
        "self.ledger = Ledger()",
        ("test_model",),
    ),
    Mutation(
        "ledger: with other labels things count twice",
        "corrections=self.corrections, counted=self.counted | counted)",
        "corrections=self.corrections)",
        ("test_reconfigure",),
    ),
    Mutation(
        "tracker: another configuration makes a resync due",
        "if why is None and age is not None:",
        "if False:",
        ("test_model",),
    ),
)
