"""A panel turns yellow or red where an alert fires, and the colour is that of the alert's severity."""

import json
import re
from typing import Any

import pytest

from exporter.mixin.palette import SEVERITIES
from tests.dashboards.conftest import ROOT
from tests.dashboards.test_names import rules

Json = dict[str, Any]

STEPS = [
    ("qoder-work-fleet", "Backlog: oldest queued item", ["QoderWorkBacklogNotDraining", "QoderWorkQueueStalled"]),
    ("qoder-work-fleet", "Oldest queued item", ["QoderWorkBacklogNotDraining", "QoderWorkQueueStalled"]),
    ("qoder-work-fleet", "Dead worker: oldest heartbeat", ["QoderWorkHeartbeatLate", "QoderWorkHeartbeatLost"]),
    ("qoder-work-fleet", "Longest time without a heartbeat", ["QoderWorkHeartbeatLate", "QoderWorkHeartbeatLost"]),
    ("qoder-work-fleet", "Stuck item: longest in starting", ["QoderWorkStuckStarting"]),
    ("qoder-work-fleet", "Longest time in starting", ["QoderWorkStuckStarting"]),
    ("qoder-work-fleet", "Slow drain: longest in stopping", ["QoderWorkDrainOverdue"]),
    ("qoder-work-environment", "Oldest queued", ["QoderWorkBacklogNotDraining", "QoderWorkQueueStalled"]),
    ("qoder-work-environment", "Heartbeat lag", ["QoderWorkHeartbeatLate", "QoderWorkHeartbeatLost"]),
    ("qoder-work-environment", "Longest in starting", ["QoderWorkStuckStarting"]),
    ("qoder-work-environment", "Longest in stopping", ["QoderWorkDrainOverdue"]),
    ("qoder-work-environment", "Longest in starting and stopping", ["QoderWorkStuckStarting", "QoderWorkDrainOverdue"]),
    ("qoder-work-environment", "Requeued share of created items, over an hour", ["QoderWorkItemsRequeuedOften"]),
    ("qoder-work-environment", "Age of the data shown", ["QoderWorkSnapshotStale"]),
    ("qoder-work-exporter", "Age of the data shown", ["QoderWorkSnapshotStale"]),
    ("qoder-work-exporter", "Request duration, quantiles", ["QoderWorkApiSlow"]),
    ("qoder-work-exporter", "Refused requests, share", ["QoderWorkApiThrottled"]),
    ("qoder-work-exporter", "Clock difference", ["QoderWorkClockSkewed"]),
]


def panel_of(uid: str, title: str) -> Json:
    board = json.loads((ROOT / "grafana" / "dashboards" / f"{uid}.json").read_text())
    (panel,) = (panel for panel in board["panels"] if panel["title"] == title)
    return dict(panel)


def alert(name: str) -> Json:
    (rule,) = (rule for rule in rules() if rule.get("alert") == name)
    return rule


@pytest.mark.parametrize(("uid", "title", "alerts"), STEPS)
def test_steps_are_the_thresholds_and_severities_of_the_alerts(uid: str, title: str, alerts: list[str]) -> None:
    _, *steps = panel_of(uid, title)["fieldConfig"]["defaults"]["thresholds"]["steps"]
    of_alerts = []
    for name in alerts:
        threshold = re.search(r"> ([0-9.]+)", alert(name)["expr"])
        assert threshold, name
        of_alerts.append((float(threshold[1]), SEVERITIES[alert(name)["labels"]["severity"]]))
    assert [(step["value"], step["color"]) for step in steps] == of_alerts


@pytest.mark.parametrize(
    ("uid", "title", "bad", "name"),
    [
        ("qoder-work-fleet", "Environments down", 1, "QoderWorkEnvironmentDown"),
        ("qoder-work-exporter", "Environments down", 1, "QoderWorkEnvironmentDown"),
        ("qoder-work-exporter", "Histories incomplete", 1, "QoderWorkHistoryIncomplete"),
        ("qoder-work-exporter", "Exporters up", 0.5, "QoderWorkExporterDown"),
        ("qoder-work-exporter", "Exporters up", 0, "QoderWorkExporterAbsent"),
    ],
)
def test_tiles_that_count_have_the_colour_of_the_alerts_severity(uid: str, title: str, bad: float, name: str) -> None:
    steps = panel_of(uid, title)["fieldConfig"]["defaults"]["thresholds"]["steps"]
    reached = [step["color"] for step in steps if step["value"] is None or step["value"] <= bad]
    assert reached[-1] == SEVERITIES[alert(name)["labels"]["severity"]]


@pytest.mark.parametrize(
    ("title", "name"),
    [("Discovery", "QoderWorkDiscoveryFailing"), ("Configuration", "QoderWorkConfigReloadFailed")],
)
def test_words_for_failure_have_the_colour_of_the_alerts_severity(title: str, name: str) -> None:
    (mapping,) = panel_of("qoder-work-exporter", title)["fieldConfig"]["defaults"]["mappings"]
    assert mapping["options"]["0"]["color"] == SEVERITIES[alert(name)["labels"]["severity"]]


def test_the_objective_is_that_of_the_burn_rate_alerts() -> None:
    burn = panel_of("qoder-work-environment", "Error budget burn, share of the alert's")
    windows = {target["legendFormat"]: target["expr"] for target in burn["targets"]}
    found: dict[str, float] = {}
    for name in ("QoderWorkQueueWaitBudgetBurningFast", "QoderWorkQueueWaitBudgetBurningSlowly"):
        pairs = re.findall(r":ratio_rate(\w+) > ([0-9.]+)\s+and on [^:]+:[^:]+:ratio_rate", alert(name)["expr"])
        found |= {window: float(limit) for window, limit in pairs}
    assert windows.keys() == found.keys()
    for window, expression in windows.items():
        budget, factor = map(float, re.findall(r" / ([0-9.]+)", expression)[-2:])
        assert budget * factor == pytest.approx(found[window])
        assert f"[{window}]" in expression
