"""Which alerts are heard when several fire at once, asked of a real Alertmanager with the example's configuration."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from prometheus.catalogue import alerts
from prometheus.thresholds import Thresholds
from rules.alerting import Alertmanager, about, alertmanager

BY_NAME = {alert.name: alert for alert in alerts(Thresholds())}
pytestmark = pytest.mark.program("prometheus-alertmanager")


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
def test_heard(firing: list[dict[str, str]], heard: list[dict[str, str]], manager: Alertmanager) -> None:
    manager.fire(*firing)

    assert manager.heard() == {(labels["alertname"], about(labels)) for labels in heard}
