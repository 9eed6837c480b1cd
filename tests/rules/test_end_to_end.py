"""A lost heartbeat on its way through everything: simulator, exporter, Prometheus, Alertmanager, webhook."""

import contextlib
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml

from exporter.mixin.rules.document import rules_file
from exporter.mixin.site import Site
from exporter.simulator import DEFAULT_TOKEN, Simulation, SimulatorThread
from exporter.thresholds import Thresholds
from tests.dashboards.running import prometheus
from tests.rules.alerting import Alertmanager, Listener, alertmanager
from tests.rules.places import PROMETHEUS_CONFIG
from tests.support.waiting import free_port, until

NAME = "gpu workers"


@contextlib.contextmanager
def exporter(folder: Path, base_url: str) -> Iterator[str]:
    """Run the exporter until the end of the block; gives its host and port."""
    address = f"127.0.0.1:{free_port()}"
    config = folder / "exporter.yaml"
    config.write_text(
        yaml.safe_dump(
            {
                "accounts": [{"name": "default", "base_url": base_url, "token_env": "QODER_PAT"}],
                "scrape": {"min_interval": "500ms"},
            }
        )
    )
    output = folder / "exporter.log"
    command = [sys.executable, "-m", "exporter", "--config.file", str(config), "--web.listen-address", address]
    environment = os.environ | {"QODER_PAT": DEFAULT_TOKEN}
    with output.open("w") as log, subprocess.Popen(command, stdout=log, stderr=log, env=environment) as process:
        try:

            def ready() -> bool:
                assert process.poll() is None, output.read_text()
                with contextlib.suppress(httpx.TransportError):
                    return httpx.get(f"http://{address}/-/ready").status_code == 200
                return False

            until(ready, "the exporter to be ready")
            yield address
        finally:
            process.terminate()


def impatient(folder: Path, exporter_address: str, manager: Alertmanager) -> str:
    """The example's configuration with these addresses, hardly a wait, and rules that wait as little."""
    rules = folder / "impatient.rules.yml"
    rules.write_text(rules_file(Thresholds(), Site(exporter=f"http://{exporter_address}"), pending_scale=0.01))
    config = yaml.safe_load(PROMETHEUS_CONFIG.read_text())
    config["global"]["evaluation_interval"] = "1s"
    config["rule_files"] = [str(rules)]
    config["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] = [manager.url.removeprefix("http://")]
    (job,) = config["scrape_configs"]
    job |= {"scrape_interval": "1s", "scrape_timeout": "1s", "static_configs": [{"targets": [exporter_address]}]}
    return yaml.safe_dump(config)


@pytest.mark.program("prometheus", "prometheus-alertmanager")
def test_a_lost_heartbeat_reaches_the_pager_and_so_does_its_end(tmp_path: Path) -> None:
    simulation = Simulation()
    environment_id = simulation.create_environment(NAME)
    work_id = simulation.create_work(environment_id, state="active", created_at=time.time() - 3600)
    simulation.force(environment_id, work_id, latest_heartbeat_at=time.time() - 615)
    for name in ("exporter", "prometheus", "alertmanager"):
        (tmp_path / name).mkdir()

    with (
        Listener() as listener,
        SimulatorThread(simulation) as api,
        exporter(tmp_path / "exporter", api.base_url) as address,
        alertmanager(tmp_path / "alertmanager", listener.url) as manager,
        prometheus(tmp_path / "prometheus", impatient(tmp_path / "prometheus", address, manager)),
    ):
        until(lambda: bool(listener.heard("pager", "firing")), "the pager to be told")
        until(lambda: ("QoderWorkHeartbeatLate", NAME) in manager.silenced(), "the milder alert to be silenced")
        simulation.force(environment_id, work_id, latest_heartbeat_at=time.time())
        until(lambda: bool(listener.heard("pager", "resolved")), "the pager to be told of the end")

        paged, ended = listener.heard("pager", "firing"), listener.heard("pager", "resolved")
        assert listener.heard("tickets", "firing") == [], "the late heartbeat is part of the same incident"
        found = httpx.get(paged[0]["annotations"]["items_url"]).raise_for_status().text
        command = [sys.executable, "-m", "exporter", *shlex.split(paged[0]["annotations"]["inspect"])[1:]]
        inspected = subprocess.run(command, capture_output=True, text=True, check=False).stdout

    labels = {
        "alertname": "QoderWorkHeartbeatLost",
        "severity": "critical",
        "symptom": "heartbeat",
        "environment_id": environment_id,
        "environment": NAME,
    }
    assert [alert["labels"] for alert in paged] == [labels] * len(paged)
    assert [alert["labels"] for alert in ended] == [labels] * len(ended)
    annotations = paged[0]["annotations"]
    assert annotations["summary"] == "An item's worker has sent no heartbeat for longer than any lease lasts."
    assert re.match(
        rf"Environment {NAME} \({environment_id}\): an active or stopping item has had no heartbeat for 1[01]m \d+s,",
        annotations["description"],
    )
    assert annotations["runbook_url"].endswith("/qoderworkheartbeatlost.md")
    assert annotations["dashboard_url"].endswith("/d/qoder-work-environment?var-environment=gpu+workers")
    assert annotations["inspect"] == f"qoder-work-exporter inspect {environment_id} --url http://{address}"
    assert "sess_" in found
    assert work_id in found, "one click leads to the item"
    assert work_id in inspected, "and so does one command"
    assert work_id not in str(paged)
    assert DEFAULT_TOKEN not in str(paged)
