"""The simulator's scenarios in fast motion: the healthy one pages nobody for an hour, the faulty one as it should."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.metrics.table import METRICS
from exporter.mixin.rules.catalogue import alerts
from exporter.thresholds import Thresholds
from tests.rules.alerting import about, alertmanager
from tests.rules.playing import SCRAPE_INTERVAL, Series, play, query

pytestmark = pytest.mark.program("promtool")

SEEN = 'last_over_time(ALERTS{{alertstate="{state}"}}[1d])'
FIRED = f"group by (alertname, environment) ({SEEN.format(state='firing')})"
CONSIDERED = f"group by (alertname, environment) ({SEEN.format(state='pending')})"
FIRED_AGAIN = (
    f"group by (alertname, environment) (changes(ALERTS_FOR_STATE[1d]) > 0 and on (alertname, environment) {FIRED})"
)
BY_NAME = {alert.name: alert for alert in alerts(Thresholds())}
CUMULATIVE = {series for spec in METRICS if spec.type in {"counter", "histogram"} for series in spec.series}

DEMO = {
    ("QoderWorkNoWorkersPolling", "nightly-reports"),
    ("QoderWorkQueueGrowingWithoutWorkers", "nightly-reports"),
    ("QoderWorkQueueStalled", "nightly-reports"),
    ("QoderWorkStuckStarting", "nightly-reports"),
    ("QoderWorkStuckStarting", "gpu-workers"),
    ("QoderWorkHeartbeatLost", "gpu-workers"),
    ("QoderWorkHeartbeatLate", "gpu-workers"),
    ("QoderWorkDrainOverdue", "gpu-workers"),
}
"""All that fires in the demo: a worker that died beside a queue, and items that are stuck in three ways."""

PAGES = {
    ("QoderWorkNoWorkersPolling", "nightly-reports"),
    ("QoderWorkStuckStarting", "nightly-reports"),
    ("QoderWorkStuckStarting", "gpu-workers"),
    ("QoderWorkHeartbeatLost", "gpu-workers"),
}
TICKETS = {("QoderWorkDrainOverdue", "gpu-workers")}


def expected(found: set[tuple[str, str]]) -> set[tuple[tuple[str, str], ...]]:
    return {(("alertname", name), ("environment", environment)) for name, environment in found}


@pytest.fixture(scope="module")
def healthy_hour() -> Series:
    return asyncio.run(play("healthy", minutes=60))


@pytest.fixture(scope="module")
def demo() -> Series:
    return asyncio.run(play("demo", minutes=45))


def without_scrapes(series: Series, scrapes: set[int]) -> Series:
    """The series as they would be if Prometheus had not got through to the exporter."""
    return {
        name: [
            (0.0 if name.startswith("up{") else None) if scrape in scrapes else value
            for scrape, value in enumerate(values)
        ]
        for name, values in series.items()
    }


def restarted(series: Series, at: int, down: int, incomplete: int) -> Series:
    """The series as they would be if the exporter had been restarted without a checkpoint.

    Args:
        series: What it showed.
        at: The scrape from which on it is down.
        down: For so many scrapes.
        incomplete: Scrapes after that in which it has not read the whole list.
    """
    back = at + down
    always = ("up{", "qoder_work_up{", "qoder_exporter_", "qoder_work_environment_info{", "qoder_work_snapshot_")
    from_stats = ("qoder_work_workers_polling{", "qoder_api_")

    def values_of(name: str, values: list[float | None]) -> Iterator[float | None]:
        counts = name.split("{", maxsplit=1)[0] in CUMULATIVE
        begun = back if name.startswith("qoder_api_") else back + incomplete
        queued = name.startswith("qoder_work_oldest_age_seconds{") and 'state="queued"' in name
        for scrape, value in enumerate(values):
            if at <= scrape < back:
                yield 0.0 if name.startswith("up{") else None
            elif name.startswith("qoder_work_history_complete{"):
                yield 0.0 if back <= scrape < back + incomplete else value
            elif back <= scrape < back + incomplete and not (queued or name.startswith((*always, *from_stats))):
                yield None
            elif counts and value is not None and scrape >= begun:
                yield value - (values[begun] or 0.0)
            else:
                yield value

    return {name: list(values_of(name, values)) for name, values in series.items()}


def test_a_healthy_hour_pages_nobody(healthy_hour: Series, tmp_path: Path) -> None:
    assert len(next(iter(healthy_hour.values()))) == 3600 / SCRAPE_INTERVAL

    assert query(healthy_hour, {FIRED: set(), CONSIDERED: set()}, tmp_path) == ""


def test_lost_scrapes_page_nobody(healthy_hour: Series, tmp_path: Path) -> None:
    lost = without_scrapes(healthy_hour, {40, 80, 81, 120, 122, 124, 200})

    assert query(lost, {FIRED: set()}, tmp_path) == ""


def test_a_restart_of_the_exporter_pages_nobody(healthy_hour: Series, tmp_path: Path) -> None:
    again = restarted(healthy_hour, at=100, down=4, incomplete=20)

    assert query(again, {FIRED: set()}, tmp_path) == ""


def test_the_demo_fires_what_is_wrong_with_it_once(demo: Series, tmp_path: Path) -> None:
    assert query(demo, {FIRED: expected(DEMO), FIRED_AGAIN: set()}, tmp_path) == ""


def test_lost_scrapes_hide_nothing_in_the_demo(demo: Series, tmp_path: Path) -> None:
    lost = without_scrapes(demo, {20, 21, 60, 100, 140, 141})

    assert query(lost, {FIRED: expected(DEMO), FIRED_AGAIN: set()}, tmp_path) == ""


@pytest.mark.program("prometheus-alertmanager")
def test_each_fault_of_the_demo_is_heard_once(tmp_path: Path) -> None:
    with alertmanager(tmp_path, "http://127.0.0.1:9") as manager:
        firing = [
            {
                "alertname": name,
                "environment": environment,
                "environment_id": f"env_{environment}",
                "severity": BY_NAME[name].severity,
                "symptom": BY_NAME[name].symptom,
            }
            for name, environment in DEMO
        ]
        manager.fire(*firing)

        assert manager.heard() == PAGES | TICKETS
        assert {
            (labels["alertname"], about(labels)) for labels in firing if labels["severity"] == "critical"
        } & manager.heard() == PAGES
