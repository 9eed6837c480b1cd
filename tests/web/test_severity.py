"""How bad it is, by the thresholds of the alerts."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from exporter import advice
from exporter.api.errors import REASONS
from exporter.histogram import Example
from exporter.thresholds import Thresholds
from exporter.tracking.lifecycle import Lifecycle
from exporter.tracking.observation import STATES, Observation
from exporter.tracking.outcomes import Outcome
from exporter.tracking.patterns import Pattern
from exporter.tracking.results import INTERNAL
from exporter.web.severity import Judge, Judges, spoken, worst
from tests.web.fakes import environment
from tests.web.reports import NOW, failed, item, snapshot_of, succeeded

LIMITS = Thresholds()
JUDGE = Judge()


@pytest.mark.parametrize(
    ("found", "severity", "alert"),
    [
        (item("w", "queued", LIMITS.queue_stalled_age), "warning", "QoderWorkBacklogNotDraining"),
        (item("w", "queued", LIMITS.queue_stalled_age + 1), "critical", "QoderWorkQueueStalled"),
        (item("w", "queued", LIMITS.backlog_age), "ok", ""),
        (item("w", "queued", LIMITS.backlog_age + 1), "warning", "QoderWorkBacklogNotDraining"),
        (item("w", "starting", LIMITS.startup_stuck), "ok", ""),
        (item("w", "starting", LIMITS.startup_stuck + 1), "critical", "QoderWorkStuckStarting"),
        (item("w", "active", 9999, heartbeat=LIMITS.heartbeat_late), "ok", ""),
        (item("w", "active", 9999, heartbeat=LIMITS.heartbeat_late + 1), "warning", "QoderWorkHeartbeatLate"),
        (item("w", "active", 9999, heartbeat=LIMITS.heartbeat_lost + 1), "critical", "QoderWorkHeartbeatLost"),
        (item("w", "active", LIMITS.heartbeat_lost + 1), "critical", "QoderWorkHeartbeatLost"),
        (item("w", "stopping", LIMITS.drain_overdue, heartbeat=1), "ok", ""),
        (item("w", "stopping", LIMITS.drain_overdue + 1, heartbeat=1), "warning", "QoderWorkDrainOverdue"),
        (item("w", "stopping", 1, heartbeat=LIMITS.heartbeat_lost + 1), "critical", "QoderWorkHeartbeatLost"),
        (item("w", "stopping", 99999, heartbeat=LIMITS.heartbeat_lost + 1), "critical", "QoderWorkHeartbeatLost"),
        (item("w", "hibernating"), "ok", ""),
    ],
)
def test_an_item_is_judged_at_the_thresholds_of_its_alerts(found: Observation, severity: str, alert: str) -> None:
    verdict = JUDGE.item(found, served=False)
    assert (verdict.severity, verdict.alert) == (severity, alert)


def test_the_first_pattern_that_matches_the_whole_name_says_who_judges() -> None:
    patient, lenient, usual = (Judge(Thresholds(heartbeat_late=late)) for late in (300, 500, 200))
    judges = Judges(usual, ((Pattern("batch-.*"), patient), (Pattern(".*-gpu"), lenient)))
    names = {"batch-gpu": patient, "big-gpu": lenient, "batch": usual, "big-gpu-2": usual}
    assert {name: judges.of(name) for name in names} == names


def test_other_thresholds_judge_otherwise() -> None:
    patient = Judge(Thresholds(queue_stalled_age=7200, backlog_age=3600))
    assert patient.item(item("w", "queued", 3000), served=False).severity == "ok"


def test_waiting_long_is_milder_where_workers_take_work() -> None:
    waits = item("w", "queued", LIMITS.queue_stalled_age + 1)
    assert JUDGE.item(waits, served=True).severity == "warning"
    assert JUDGE.item(waits, served=False).severity == "critical"


@pytest.mark.parametrize(
    ("items", "served"),
    [
        ([], False),
        ([item("w", "queued", 5000)], False),
        ([item("w", "queued", 5000), item("v", "active", 50, acknowledged=LIMITS.idle_window)], True),
        ([item("w", "queued", 5000), item("v", "active", 50, acknowledged=LIMITS.idle_window + 1)], False),
    ],
)
def test_work_is_taken_if_something_was_acknowledged_lately(items: list[Observation], served: bool) -> None:
    assert JUDGE.served(environment(), items) is served


def test_what_was_taken_and_has_stopped_counts_too() -> None:
    lifecycle = Lifecycle()
    lifecycle.wait.observe(3.0, Example({}, 3.0, NOW - LIMITS.idle_window))
    view = environment(lifecycle=lifecycle)
    assert JUDGE.served(view, [item("w", "queued", 5000)])
    late = msgspec.structs.replace(item("w", "queued", 5000), read_at=NOW + 1)
    assert not JUDGE.served(view, [late])


def test_a_young_heartbeat_shows_that_somebody_works() -> None:
    for heartbeat, critical in ((LIMITS.beating_within, False), (LIMITS.beating_within + 1, True)):
        items = [item("w", "queued", 5000), item("v", "active", 50, heartbeat=heartbeat)]
        view = environment(snapshot=snapshot_of(items, polling=0), read_at=NOW)
        found = [verdict.alert for verdict in JUDGE.environment(view, NOW)]
        assert found == (["QoderWorkNoWorkersPolling"] if critical else [])


@pytest.mark.parametrize(
    ("waited", "polling", "critical"),
    [
        (LIMITS.no_workers_wait + 1, 0, True),
        (LIMITS.no_workers_wait, 0, False),
        (LIMITS.no_workers_wait + 1, 1, False),
        (LIMITS.no_workers_wait + 1, None, False),
    ],
)
def test_work_that_nobody_polls_for_is_critical(waited: float, polling: int | None, critical: bool) -> None:
    view = environment(snapshot=snapshot_of([item("w", "queued", waited)], polling=polling), read_at=NOW)
    found = [verdict.alert for verdict in JUDGE.environment(view, NOW)]
    assert found == (["QoderWorkNoWorkersPolling"] if critical else [])


@pytest.mark.parametrize(
    ("outcome", "lasting", "severity", "words"),
    [
        (failed(NOW), 10, "warning", "cannot be read for 10 s: the API, or a gateway before it, failed"),
        (failed(NOW), 400, "critical", "cannot be read for 6 min: the API, or a gateway before it, failed"),
        (failed(NOW, "auth"), 130, "critical", "cannot be read for 2 min: the API refuses the token"),
        (failed(NOW, "permission"), 9999, "warning", "the token may not read this environment"),
        (failed(NOW, "internal"), 10, "warning", "a defect of the exporter"),
    ],
)
def test_an_environment_that_cannot_be_read_says_why_and_since_when(
    outcome: Outcome, lasting: float, severity: str, words: str
) -> None:
    view = environment(up=False, error="secret words", outcomes=(outcome,), failing_since=NOW - lasting)
    verdict = worst(list(JUDGE.environment(view, NOW)))
    assert verdict.severity == severity
    assert words in verdict.reason
    assert "secret" not in verdict.reason


def test_nothing_is_ok_before_it_has_been_read() -> None:
    view = environment(up=False, history_complete=False)
    assert [verdict.severity for verdict in JUDGE.environment(view, NOW)] == ["unknown"]


def test_a_first_reading_of_the_list_is_not_ok_either() -> None:
    view = environment(history_complete=False, snapshot=None, outcomes=(succeeded(NOW),))
    assert worst(list(JUDGE.environment(view, NOW))).severity == "unknown"


def test_withheld_data_are_not_ok() -> None:
    view = environment(snapshot=None, read_at=NOW - 90, outcomes=(succeeded(NOW - 90),))
    (verdict,) = JUDGE.environment(view, NOW)
    assert (verdict.severity, verdict.reason) == ("unknown", "last read 1 min ago, so its counts are withheld")


def test_data_that_stay_old_are_a_warning() -> None:
    view = environment(snapshot=None, read_at=NOW - LIMITS.snapshot_stale_age - 1, outcomes=(succeeded(NOW),))
    assert "QoderWorkSnapshotStale" in [verdict.alert for verdict in JUDGE.environment(view, NOW)]


@pytest.mark.parametrize(
    ("changes", "alert"),
    [
        ({"disputed": True}, "QoderWorkCountsDisputed"),
        ({"unreadable": 3}, "QoderWorkItemsUnreadable"),
        ({"leaving": True}, "QoderWorkEnvironmentGone"),
    ],
)
def test_what_makes_numbers_doubtful_is_a_warning(changes: dict[str, Any], alert: str) -> None:
    view = environment(snapshot=snapshot_of([]), read_at=NOW, **changes)
    assert [(verdict.severity, verdict.alert) for verdict in JUDGE.environment(view, NOW)] == [("warning", alert)]


@pytest.mark.parametrize(
    "found",
    [
        item("w", "queued", LIMITS.backlog_age + 1),
        item("w", "starting", LIMITS.startup_stuck + 1),
        item("w", "active", 9999, heartbeat=LIMITS.heartbeat_late + 1),
        item("w", "stopping", LIMITS.drain_overdue + 1, heartbeat=1),
    ],
)
def test_every_item_beyond_a_threshold_makes_its_snapshot_suspicious(found: Observation) -> None:
    assert JUDGE.item(found, served=True).severity != "ok"
    assert JUDGE.suspicious(snapshot_of([found]))
    assert not JUDGE.suspicious(snapshot_of([item("w", "queued", 1), item("v", "active", 1, heartbeat=1)]))


def test_there_is_advice_for_every_state_and_failure() -> None:
    assert tuple(advice.STATES) == STATES
    assert sorted(advice.FAILURES) == sorted((*REASONS, INTERNAL))
    for each in (*advice.STATES.values(), *advice.FAILURES.values(), advice.UNKNOWN_STATE, advice.UNKNOWN_FAILURE):
        assert each.meaning.endswith(".")
        assert each.next_step.endswith(".")


def test_every_runbook_it_names_is_there() -> None:
    runbooks = {file.stem for file in Path("docs/runbooks").glob("*.md")}
    named = {each.runbook.lower() for each in (*advice.STATES.values(), *advice.FAILURES.values()) if each.runbook}
    assert named <= runbooks
    assert len(named) >= 8


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0 s"),
        (0, "0 s"),
        (59.4, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (3600, "1 h"),
        (5400, "1 h 30 min"),
        (86399, "23 h 59 min"),
        (1e6, "11 d 13 h"),
    ],
)
def test_a_duration_is_written_by_its_two_largest_units(seconds: float, text: str) -> None:
    assert spoken(seconds) == text
