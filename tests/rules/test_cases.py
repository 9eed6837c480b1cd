"""Every alert has its four cases among the unit tests, and the unit tests pass."""

import re
import subprocess
from dataclasses import dataclass
from typing import Any

import pytest
import yaml

from exporter.mixin.rules.catalogue import alerts, groups
from exporter.thresholds import Thresholds
from tests.rules.places import UNIT_TESTS

CASES = ("fires", "below", "gap", "resolves")
ANNOTATIONS = {"summary", "description", "runbook_url", "dashboard_url"}
ALERTS = [alert.name for alert in alerts(Thresholds())]
LISTED = [test for file in UNIT_TESTS for test in yaml.safe_load(file.read_text())["tests"]]


@dataclass(frozen=True)
class Check:
    """What one unit test says about one alert at one moment, in minutes."""

    minute: float
    expected: list[dict[str, Any]]


def minutes(duration: str) -> float:
    factors = {"s": 1 / 60, "m": 1, "h": 60, "d": 1440}
    return sum(int(count) * factors[unit] for count, unit in re.findall(r"(\d+)([smhd])", duration))


def cases_of(alert: str, case: str) -> list[dict[str, Any]]:
    return [
        test for test in LISTED if (parts := test["name"].split(": "))[0] == alert and case in parts[-1].split(", ")
    ]


def checks(test: dict[str, Any], alert: str) -> list[Check]:
    found = [
        Check(minutes(entry["eval_time"]), entry["exp_alerts"] or [])
        for entry in test["alert_rule_test"]
        if entry["alertname"] == alert
    ]
    return sorted(found, key=lambda check: check.minute)


def missing_scrapes(test: dict[str, Any]) -> set[float]:
    """The minutes at which a series of the test has no sample although it had one before and has one later."""
    step = minutes(test["interval"])
    gaps: set[float] = set()
    for series in test["input_series"]:
        position = 0
        for token in series["values"].split():
            times = re.search(r"x(\d+)$", token)
            if token in {"stale", "_"} and position > 0:
                gaps.add(position * step)
            position += 1 if times is None else int(times.group(1)) + (0 if token.startswith("_") else 1)
    return gaps


@pytest.mark.parametrize("alert", ALERTS)
@pytest.mark.parametrize("case", CASES)
def test_every_alert_has_every_case(alert: str, case: str) -> None:
    assert len(cases_of(alert, case)) == 1


@pytest.mark.parametrize("alert", ALERTS)
def test_firing_is_preceded_by_silence_and_asserts_every_annotation(alert: str) -> None:
    (test,) = cases_of(alert, "fires")
    first, *rest = checks(test, alert)
    assert first.expected == []
    fired = [entry for check in rest for entry in check.expected]
    assert fired
    for entry in fired:
        command = {"inspect"} if "environment_id" in entry["exp_labels"] else set()
        assert set(entry["exp_annotations"]) == ANNOTATIONS | command
        assert {"severity", "symptom"} <= set(entry["exp_labels"])


@pytest.mark.parametrize("alert", ALERTS)
def test_below_is_silence_all_along(alert: str) -> None:
    (test,) = cases_of(alert, "below")
    below = checks(test, alert)
    assert len(below) >= 2
    assert all(check.expected == [] for check in below)


@pytest.mark.parametrize("alert", [name for name in ALERTS if name != "QoderWorkExporterAbsent"])
def test_an_alert_fires_at_the_very_moment_of_a_missing_scrape(alert: str) -> None:
    (test,) = cases_of(alert, "gap")
    gaps = missing_scrapes(test)
    assert any(check.expected and check.minute in gaps for check in checks(test, alert))


def test_an_absent_exporter_is_told_from_a_missing_scrape() -> None:
    (test,) = cases_of("QoderWorkExporterAbsent", "gap")
    gap = min(missing_scrapes(test))
    assert next(check for check in checks(test, "QoderWorkExporterAbsent") if check.minute >= gap).expected == []


@pytest.mark.parametrize("alert", ALERTS)
def test_resolving_is_silence_after_firing(alert: str) -> None:
    (test,) = cases_of(alert, "resolves")
    *before, last = checks(test, alert)
    assert before[-1].expected
    assert last.expected == []


@pytest.mark.parametrize("file", UNIT_TESTS, ids=lambda file: file.name)
def test_groups_are_evaluated_in_the_order_of_the_rules_file(file: Any) -> None:
    # promtool's own order is random, and alerts read what recording rules have just written.
    assert yaml.safe_load(file.read_text())["group_eval_order"] == [group.name for group in groups(Thresholds())]


@pytest.mark.parametrize(
    "program",
    [
        pytest.param("promtool", marks=pytest.mark.program("promtool")),
        # Range selectors leave out the sample at their beginning since Prometheus 3.
        pytest.param("promtool3", marks=pytest.mark.linter("promtool3")),
    ],
)
@pytest.mark.parametrize("file", UNIT_TESTS, ids=lambda file: file.name)
def test_the_unit_tests_pass(file: Any, program: str) -> None:
    outcome = subprocess.run([program, "test", "rules", file], capture_output=True, text=True, check=False)

    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert "SUCCESS" in outcome.stdout
