"""The example's maintenance: who is told in its hours, asked of a real Alertmanager."""

from pathlib import Path
from typing import Any

import pytest

from tests.rules.alerting import Listener, alertmanager, impatient
from tests.support.waiting import until

pytestmark = pytest.mark.program("prometheus-alertmanager")

ALWAYS: dict[str, Any] = {"times": [{"start_time": "00:00", "end_time": "24:00"}]}
NEVER: dict[str, Any] = {"months": ["2:2"], "days_of_month": ["30:31"]}


def told(folder: Path, hours: dict[str, Any]) -> set[str]:
    """The environments whose alert is notified, where these are the hours of maintenance."""

    def settings(listener_url: str) -> dict[str, Any]:
        config = impatient(listener_url)
        (interval,) = config["time_intervals"]
        interval["time_intervals"] = [hours]
        return config

    def paged() -> set[str]:
        return {alert["labels"]["environment"] for alert in listener.heard("pager", "firing")}

    with Listener() as listener, alertmanager(folder, listener.url, settings) as manager:
        for environment in ("maintained-1", "gpu"):
            labels = {"environment": environment, "environment_id": f"env_{environment}", "symptom": "waiting"}
            manager.fire({"alertname": "QoderWorkQueueStalled", "severity": "critical", **labels})
        until(lambda: "gpu" in paged(), "the environment that is not maintained to be paged")
        manager.fire({"alertname": "QoderWorkStuckStarting", "severity": "critical", "symptom": "startup"} | LATER)
        # What fires later is notified later: by then the maintained environment's page would have come, too.
        until(lambda: "later" in paged(), "an alert that fires later to be paged")
        if hours is NEVER:
            until(lambda: "maintained-1" in paged(), "the maintained environment to be paged")
        return paged() - {"later"}


LATER = {"environment": "later", "environment_id": "env_later"}


def test_in_its_hours_maintained_environments_page_nobody(tmp_path: Path) -> None:
    assert told(tmp_path, ALWAYS) == {"gpu"}


def test_outside_of_them_they_do(tmp_path: Path) -> None:
    assert told(tmp_path, NEVER) == {"gpu", "maintained-1"}
