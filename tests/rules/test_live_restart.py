"""Prometheus is restarted during an incident, with the real programs, a minute in ten seconds.

Not faster: how long the program takes to start, and to look for its targets, cannot be divided.
"""

import subprocess
import time
from pathlib import Path

import pytest

from exporter.mixin.rules.recordings import KNOWN
from tests.rules import compressed
from tests.rules.alerting import Listener, alertmanager
from tests.rules.outages import dead, healthy
from tests.rules.stage import Exporters, Page, evaluating, pages
from tests.support.waiting import until

MINUTE = 10.0
"""Seconds."""

EVALUATED = 15
"""Seconds, before they are divided: as in the example's configuration."""

BEGINS, SHOWN = 40, 120
"""The minute at which Prometheus first sees the work, 35 minutes after the workers died; and how many there are."""

PAGES = {"QoderWorkHeartbeatLost", "QoderWorkNoWorkersPolling"}

AWAY = 0.5
"""How many minutes Prometheus is away, beside what it takes to end and to start."""

LAPSES = 4
"""After so many minutes Alertmanager takes an alert that is not sent any more as resolved."""


REMEMBERED = 20
"""For how many minutes Prometheus has already known the environments, without which it would wait to see them."""


def remembered(folder: Path) -> Path:
    """The data of a Prometheus that has known the environments for some time."""
    now = time.time()
    moments = range(int(now - REMEMBERED * MINUTE), int(now))
    lines = [
        f'{KNOWN}{{environment_id="env_{name}",environment="{name}"}} 1 {moment}'
        for name in ("dead", "well")
        for moment in moments
    ]
    text, data = folder / "known.txt", folder / "data"
    text.write_text("\n".join([*lines, "# EOF\n"]))
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(text), str(data)]
    subprocess.run(command, check=True, capture_output=True)
    return data


@pytest.mark.long(only=True)
@pytest.mark.program("prometheus", "promtool", "prometheus-alertmanager")
def test_a_restart_resolves_nothing_and_pages_nobody_twice(tmp_path: Path) -> None:
    for name in ("before", "after", "alertmanager"):
        (tmp_path / name).mkdir()
    shown = {"a:10190": {**dead("dead", dies=5).play(SHOWN), **healthy("well").play(SHOWN)}}
    data = remembered(tmp_path)

    with (
        Listener() as listener,
        alertmanager(
            tmp_path / "alertmanager", listener.url, lambda url: compressed.alertmanager_config(60 / MINUTE, url)
        ) as manager,
        Exporters(shown, MINUTE, BEGINS) as exporters,
    ):

        def paged() -> list[Page]:
            return pages(exporters, listener.notifications("pager"))

        def minute() -> float:
            return exporters.minutes(time.time())

        with evaluating(tmp_path / "before", exporters, manager.url, data, EVALUATED):
            until(lambda: {page.name for page in paged()} >= PAGES, lambda: f"the incident to be paged: {paged()}")
            exporters.wait(minute() + 1.5)
        before, stopped = paged(), minute()
        exporters.wait(stopped + AWAY)
        with evaluating(tmp_path / "after", exporters, manager.url, data, EVALUATED, again=True) as server:
            while minute() < stopped + LAPSES + 2:
                known = {name for name, _ in manager.heard() | manager.silenced()}
                assert known >= PAGES, "Alertmanager takes it as resolved"
                time.sleep(0.1)
            fires = {
                series.labels["alertname"] for series in server.instant('ALERTS{alertstate="firing"}', time.time())
            }

    assert paged() == before, "the restart is nobody's business"
    assert {page.name for page in before} == PAGES
    assert {page.status for page in before} == {"firing"}
    assert fires >= PAGES, "the incident is not over"
