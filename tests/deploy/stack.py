"""The compose stack without containers: run inside a `sandbox`, it starts what the file says and asks each for numbers.

It takes the services as JSON on its command line, and prints what it found as JSON.
"""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.support.waiting import eventually

PROVISIONED = Path("/etc/grafana/provisioning")
EXPORTER, PROMETHEUS, ALERTMANAGER = "http://exporter:10190", "http://prometheus:9090", "http://alertmanager:9093"


def value_of(url: str, query: str) -> float | None:
    """The one value of a query, or None as long as there is none."""
    with contextlib.suppress(httpx.TransportError):
        answer = httpx.get(f"{url}/api/v1/query", params={"query": query})
        if answer.is_success and (result := answer.json()["data"]["result"]):
            return float(result[0]["value"][1])
    return None


def get(url: str) -> Any:
    """What is found at an address, or None as long as nobody answers."""
    with contextlib.suppress(httpx.TransportError):
        answer = httpx.get(url)
        return answer.json() if answer.is_success else None
    return None


def active_alertmanagers() -> list[str] | None:
    """Those that Prometheus sends alerts to, once there are some."""
    found = get(f"{PROMETHEUS}/api/v1/alertmanagers") or {"data": {"activeAlertmanagers": []}}
    return [manager["url"] for manager in found["data"]["activeAlertmanagers"]] or None


def look() -> dict[str, Any]:
    """What a user would see."""
    (source,) = yaml.safe_load((PROVISIONED / "datasources" / "prometheus.yml").read_text())["datasources"]
    (provider,) = yaml.safe_load((PROVISIONED / "dashboards" / "qoder-work.yml").read_text())["providers"]
    boards = Path(provider["options"]["path"]).glob("*.json")
    items = eventually(lambda: value_of(source["url"], "sum(qoder_work_items)"), "items, asked as Grafana does")
    groups = get(f"{PROMETHEUS}/api/v1/rules")["data"]["groups"]
    rules = [rule for group in groups for rule in group["rules"] if rule["type"] == "alerting"]
    return {
        "items": items,
        "up": eventually(lambda: value_of(PROMETHEUS, 'up{job="qoder-work"}'), "the exporter to be scraped"),
        "rules": [rule["name"] for rule in rules],
        "runbooks": {rule["name"]: httpx.get(rule["annotations"]["runbook_url"]).status_code for rule in rules},
        "links": [rule["annotations"]["items_url"] for rule in rules if "items_url" in rule["annotations"]][:1],
        "alertmanagers": eventually(active_alertmanagers, "Prometheus to know Alertmanager"),
        "alertmanager": eventually(lambda: get(f"{ALERTMANAGER}/api/v2/status"), "Alertmanager")["cluster"]["status"],
        "dashboards": sorted(json.loads(board.read_text())["uid"] for board in boards),
    }


@contextlib.contextmanager
def running(services: dict[str, dict[str, Any]]) -> Iterator[None]:
    """Run services until the end of the block; where it fails, show what they logged."""
    with contextlib.ExitStack() as stack:
        for name, service in services.items():
            log = stack.enter_context(Path(f"/tmp/{name}.log").open("w"))
            process = stack.enter_context(
                subprocess.Popen(service["command"], stdout=log, stderr=log, env=os.environ | service["environment"])
            )
            stack.callback(process.terminate)
        try:
            yield
        except AssertionError:
            for log_file in sorted(Path("/tmp").glob("*.log")):
                print(log_file.name, log_file.read_text()[-3000:], file=sys.stderr)
            raise


def main(services: dict[str, dict[str, Any]]) -> None:
    """Run the services, and print what there is to see."""
    with running(services):
        print(json.dumps(look()))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
