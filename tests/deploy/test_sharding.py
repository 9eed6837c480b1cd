"""The scrape configuration of docs/operating.md divides the environments among exporters, with a real Prometheus."""

import hashlib
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.simulator import DEFAULT_TOKEN
from tests.deploy import sandbox

PAGE = Path(__file__).parents[2] / "docs" / "operating.md"
SIMULATOR = "http://127.0.0.1:10191"
HOSTS = {"exporter-0.example.org": "127.0.0.2", "exporter-1.example.org": "127.0.0.3"}


def configuration() -> dict[str, Any]:
    """The page's, with an interval that a test can wait for."""
    section = PAGE.read_text(encoding="utf-8").partition("## Sharding\n")[2].partition("\n## ")[0]
    (snippet,) = re.findall(r"```yaml\n(scrape_configs:.*?)```", section, re.DOTALL)
    document: dict[str, Any] = yaml.safe_load(snippet)
    (job,) = document["scrape_configs"]
    job |= {"scrape_interval": "2s", "scrape_timeout": "2s"}
    job["http_sd_configs"][0]["refresh_interval"] = "1s"
    return document


def exporter(address: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "exporter", f"--web.listen-address={address}:10190"]
    variables = {"QODER_PAT": DEFAULT_TOKEN, "QODER_BASE_URL": f"{SIMULATOR}/api/v1/cloud"}
    return {"command": command, "environment": variables}


def chosen_for(environment_id: str) -> str:
    """The exporter of an environment, by the hash that Prometheus' hashmod takes."""
    digest = hashlib.md5(environment_id.encode(), usedforsecurity=False).digest()
    return list(HOSTS)[int.from_bytes(digest[8:], "big") % len(HOSTS)]


@pytest.mark.program("bwrap", "prometheus")
def test_each_environment_is_read_through_the_exporter_that_its_hash_chooses(tmp_path: Path) -> None:
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(configuration()))
    prometheus = ["prometheus", "--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/tmp/prometheus"]
    simulate = [sys.executable, "-m", "exporter", "simulate", "--simulator.listen-address=127.0.0.1:10191"]
    services = {
        "simulator": {"command": simulate, "environment": {}},
        **{name: exporter(address) for name, address in HOSTS.items()},
        "prometheus": {"command": prometheus, "environment": {}},
    }
    done = sandbox.run(
        [sys.executable, "-m", "tests.deploy.shards", json.dumps(services), "http://exporter-0.example.org:10190"],
        files={"/etc/prometheus/prometheus.yml": tmp_path / "prometheus.yml"},
        hosts=HOSTS,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    through = json.loads(done.stdout)
    assert through == {
        environment_id: [f"{chosen_for(environment_id)}:10190/{environment_id}"] for environment_id in through
    }
    assert len(through) > 1
