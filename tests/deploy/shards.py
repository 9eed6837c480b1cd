"""Several exporters and one Prometheus: run inside a `sandbox`, it starts the services that it is given as JSON.

It prints which instances each environment was read through, as JSON, once Prometheus has all environments.
"""

import json
import sys
from typing import Any

from tests.deploy.stack import get, running
from tests.support.waiting import eventually

PROMETHEUS = "http://127.0.0.1:9090"


def instances(expected: int) -> dict[str, list[str]] | None:
    """By environment's ID, the instances that have shown it; None while there are fewer than expected."""
    answer = get(f"{PROMETHEUS}/api/v1/query?query=qoder_work_up") or {"data": {"result": []}}
    found: dict[str, list[str]] = {}
    for series in answer["data"]["result"]:
        found.setdefault(series["metric"]["environment_id"], []).append(series["metric"]["instance"])
    return found if len(found) >= expected else None


def main(services: dict[str, dict[str, Any]], exporter: str) -> None:
    """Run the services, and print what Prometheus has."""
    with running(services):
        targets = eventually(lambda: get(f"{exporter}/sd"), "service discovery")
        print(json.dumps(eventually(lambda: instances(len(targets)), "every environment")))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), sys.argv[2])
