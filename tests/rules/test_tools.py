"""The tools of Prometheus accept what is written for them."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.rules.places import ALERTMANAGER_CONFIG, PROMETHEUS_CONFIG, ROOT, RULES


def run(*command: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, cwd=ROOT)


@pytest.mark.program("promtool")
def test_promtool_accepts_the_rules() -> None:
    outcome = run("promtool", "check", "rules", RULES)

    assert outcome.returncode == 0, outcome.stderr
    rules = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
    assert f"SUCCESS: {len(rules)} rules found" in outcome.stdout


@pytest.mark.program("promtool")
def test_promtool_accepts_the_example_of_prometheus_and_finds_the_rules() -> None:
    outcome = run("promtool", "check", "config", PROMETHEUS_CONFIG)

    assert outcome.returncode == 0, outcome.stderr
    assert "1 rule files found" in outcome.stdout


@pytest.mark.program("amtool")
def test_amtool_accepts_the_example_of_alertmanager() -> None:
    outcome = run("amtool", "check-config", ALERTMANAGER_CONFIG)

    assert outcome.returncode == 0, outcome.stderr
    assert "SUCCESS" in outcome.stdout


@pytest.mark.program("amtool")
@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        ({"alertname": "QoderWorkQueueStalled", "severity": "critical", "environment": "gpu"}, "pager"),
        ({"alertname": "QoderWorkDrainOverdue", "severity": "warning", "environment": "gpu"}, "tickets"),
        ({"alertname": "QoderWorkSomething", "severity": "info"}, "nobody"),
        ({"alertname": "QoderWorkSomething"}, "tickets"),
        ({"alertname": "SomebodyElse", "severity": "critical"}, "others"),
    ],
    ids=lambda value: value if isinstance(value, str) else value["alertname"],
)
def test_alerts_go_to_their_receivers(labels: dict[str, str], receiver: str) -> None:
    pairs = [f"{name}={value}" for name, value in labels.items()]

    outcome = run(
        *("amtool", "config", "routes", "test", f"--config.file={ALERTMANAGER_CONFIG}"),
        *(f"--verify.receivers={receiver}", *pairs),
    )

    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert outcome.stdout.strip() == receiver


@pytest.mark.parametrize("file", [ALERTMANAGER_CONFIG, PROMETHEUS_CONFIG], ids=lambda file: file.name)
def test_examples_name_no_real_place(file: Path) -> None:
    hosts = re.findall(r"https?://([^/\s]+)|([\w.-]+):\d{4,}", file.read_text())
    assert hosts
    assert all("".join(host).endswith(".example.org") for host in hosts)


def test_the_scrape_timeout_fits_into_the_interval() -> None:
    (job,) = yaml.safe_load(PROMETHEUS_CONFIG.read_text())["scrape_configs"]
    assert (job["scrape_interval"], job["scrape_timeout"]) == ("15s", "10s")


@pytest.mark.linter("pint")
def test_pint_finds_nothing() -> None:
    outcome = run("pint", "--offline", "--no-color", "--log-level=WARN", "lint", "--min-severity=info", RULES)

    # pint succeeds in spite of mere warnings, so its silence is the proof.
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert (outcome.stdout + outcome.stderr).strip() == ""
