"""Which alerts are heard when several fire at once, asked of a real Alertmanager with the example's configuration."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from exporter.mixin.rules.catalogue import alerts
from exporter.mixin.rules.rule import Alert
from exporter.thresholds import Thresholds
from tests.rules.alerting import Alertmanager, about, alertmanager
from tests.rules.places import ALERTMANAGER_CONFIG

ALERTS = alerts(Thresholds())
BY_NAME = {alert.name: alert for alert in ALERTS}
INHIBITIONS = yaml.safe_load(ALERTMANAGER_CONFIG.read_text())["inhibit_rules"]


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Alertmanager]:
    with alertmanager(tmp_path, "http://127.0.0.1:9") as running:  # nobody needs to listen
        yield running


def fired(name: str, **labels: str) -> dict[str, str]:
    """An alert with the labels it would have."""
    alert = BY_NAME["QoderWork" + name]
    if "environment" in alert.labels:
        labels = {"environment": "gpu", **labels}
        labels["environment_id"] = f"env_{labels['environment']}"
    for label in alert.labels:
        labels.setdefault(label, {"account": "default", "job": "qoder", "instance": "a:10190"}.get(label, "x"))
    return {"alertname": alert.name, "severity": alert.severity, "symptom": alert.symptom, **labels}


EVERY_OTHER = [name.removeprefix("QoderWork") for name in BY_NAME if name != "QoderWorkExporterAbsent"]


@pytest.mark.parametrize(
    ("firing", "heard"),
    [
        pytest.param(
            [fired("ExporterAbsent"), *(fired(name) for name in EVERY_OTHER)],
            [fired("ExporterAbsent")],
            id="an absent exporter silences everything",
        ),
        pytest.param(
            [
                fired("TokenRefused"),
                fired("ApiDown"),
                fired("DiscoveryFailing"),
                fired("EnvironmentDown"),
                fired("EnvironmentDown", environment="other", account="other"),
            ],
            [fired("TokenRefused"), fired("EnvironmentDown", environment="other", account="other")],
            id="a refused token silences its account",
        ),
        pytest.param(
            [
                fired("ApiDown"),
                fired("EnvironmentDown"),
                fired("EnvironmentDown", environment="cpu"),
                fired("ApiSlow"),
                fired("QueueStalled"),
                fired("ClockSkewed"),
            ],
            [fired("ApiDown"), fired("ClockSkewed")],
            id="an API that is down silences the environments of its account",
        ),
        pytest.param(
            [
                fired("EnvironmentDown"),
                fired("QueueStalled"),
                fired("HeartbeatLost"),
                fired("SnapshotStale"),
                fired("QueueStalled", environment="cpu"),
            ],
            [fired("EnvironmentDown"), fired("QueueStalled", environment="cpu")],
            id="an environment that is down silences what is known of it",
        ),
        pytest.param(
            [fired("EnvironmentRefused"), fired("HistoryIncomplete"), fired("QueueStalled")],
            [fired("EnvironmentRefused")],
            id="an environment that is refused silences what is known of it",
        ),
        pytest.param(
            [
                fired("NoWorkersPolling"),
                fired("QueueGrowingWithoutWorkers"),
                fired("QueueStalled"),
                fired("BacklogNotDraining"),
                fired("QueueWaitBudgetBurningFast"),
                fired("QueueWaitBudgetBurningSlowly"),
                fired("QueueStalled", environment="cpu"),
            ],
            [fired("NoWorkersPolling"), fired("QueueStalled", environment="cpu")],
            id="missing workers explain all that waits",
        ),
        pytest.param(
            [fired("QueueGrowingWithoutWorkers"), fired("QueueStalled"), fired("QueueWaitBudgetBurningFast")],
            [fired("QueueGrowingWithoutWorkers")],
            id="a queue that grows unserved explains its old items",
        ),
        pytest.param(
            [
                fired("QueueStalled"),
                fired("QueueWaitBudgetBurningFast"),
                fired("QueueWaitBudgetBurningSlowly"),
                fired("BacklogNotDraining"),
            ],
            [fired("QueueStalled")],
            id="a stalled queue explains the burning budget",
        ),
        pytest.param(
            [
                fired("HeartbeatLost"),
                fired("HeartbeatLate"),
                fired("StuckStarting"),
                fired("DrainOverdue"),
                fired("HeartbeatLate", environment="cpu"),
            ],
            [
                fired("HeartbeatLost"),
                fired("StuckStarting"),
                fired("DrainOverdue"),
                fired("HeartbeatLate", environment="cpu"),
            ],
            id="within a symptom the critical alert speaks, other symptoms are heard",
        ),
        pytest.param(
            [fired("ConfigReloadFailed"), fired("ExporterDown"), fired("ItemsVanishing"), fired("ApiThrottled")],
            [fired("ConfigReloadFailed"), fired("ExporterDown"), fired("ItemsVanishing"), fired("ApiThrottled")],
            id="what has nothing to do with each other is heard",
        ),
    ],
)
@pytest.mark.program("prometheus-alertmanager")
def test_heard(firing: list[dict[str, str]], heard: list[dict[str, str]], manager: Alertmanager) -> None:
    manager.fire(*firing)

    assert manager.heard() == {(labels["alertname"], about(labels)) for labels in heard}


def matches(matchers: list[str], alert: Alert) -> bool:
    """Whether an alert can match; what only its instances have is taken as present."""
    labels = {"alertname": alert.name, "severity": alert.severity, "symptom": alert.symptom}
    labels |= dict.fromkeys(alert.labels, "present")
    for matcher in matchers:
        parts = re.fullmatch(r'(\w+)(=~|!~|!=|=)"(.*)"', matcher)
        assert parts is not None, matcher
        name, operator, value = parts.groups()
        found = labels.get(name, "")
        same = re.fullmatch(value, found) is not None if "~" in operator else found == value
        if same == operator.startswith("!"):
            return False
    return True


def silencing() -> set[tuple[int, int]]:
    """The places, among all alerts, of one that silences and of one that it silences."""
    return {
        (above, below)
        for rule in INHIBITIONS
        for above, source in enumerate(ALERTS)
        for below, target in enumerate(ALERTS)
        if matches(rule["source_matchers"], source) and matches(rule["target_matchers"], target)
        if "symptom" not in rule.get("equal", []) or source.symptom == target.symptom
    }


def test_every_inhibition_is_about_alerts_that_exist() -> None:
    for rule in INHIBITIONS:
        assert any(matches(rule["source_matchers"], alert) for alert in ALERTS)
        assert any(matches(rule["target_matchers"], alert) for alert in ALERTS)


def test_what_is_silenced_is_evaluated_before_what_silences_it() -> None:
    # Each alert's end is sent as soon as its rule was evaluated: silence must not end before what it silences.
    late = [(ALERTS[above].name, ALERTS[below].name) for above, below in silencing() if below > above]
    assert late == []


def test_no_alert_silences_another_that_silences_it() -> None:
    pairs = silencing()
    assert not {(above, below) for above, below in pairs if (below, above) in pairs}
