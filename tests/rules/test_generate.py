import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from exporter.thresholds import REASONS, Thresholds, decode
from prometheus import generate
from prometheus.catalogue import alerts
from prometheus.model import Site
from prometheus.promql import duration
from prometheus.render import fill, rules_file
from tests.rules.places import ALERTS_PAGE, GENERATE, ROOT, RULES


def run(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, GENERATE, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_committed_files_are_what_the_sources_make() -> None:
    outcome = run("--check")

    assert outcome.returncode == 0, outcome.stderr


@pytest.mark.parametrize("file", [RULES, ALERTS_PAGE], ids=lambda file: file.name)
def test_check_names_a_file_that_drifted(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copies = {"RULES": tmp_path / RULES.name, "ALERTS_PAGE": tmp_path / ALERTS_PAGE.name}
    for name, original in (("RULES", RULES), ("ALERTS_PAGE", ALERTS_PAGE)):
        copies[name].write_text(original.read_text())
        monkeypatch.setattr(generate, name, copies[name])
    drifted = tmp_path / file.name
    drifted.write_text(drifted.read_text().replace("has waited too long.", "has waited for ever."))

    outcome = CliRunner().invoke(generate.main, ["--check"])

    assert outcome.exit_code == 1
    assert str(drifted) in outcome.output
    assert CliRunner().invoke(generate.main, []).exit_code == 0
    assert drifted.read_text() == file.read_text()


def test_thresholds_and_addresses_of_ones_own(tmp_path: Path) -> None:
    mine = tmp_path / "thresholds.yml"
    mine.write_text("queue_stalled_age: 1800\nobjective_wait: 600\n")
    output = tmp_path / "mine.rules.yml"

    outcome = run(
        "--thresholds", mine, "--grafana-url", "https://g.test/", "--runbooks-url", "https://r.test", "--output", output
    )

    assert outcome.returncode == 0, outcome.stderr
    rules = output.read_text()
    assert 'environment_state:qoder_work_oldest_age_seconds:max{state="queued"} > 1800\n' in rules
    assert 'le="600.0"' in rules
    assert 'le="300.0"' not in rules
    assert "runbook_url: https://r.test/qoderworkqueuestalled.md" in rules
    assert "dashboard_url: https://g.test/d/qoder-work-environment" in rules
    assert "example.org" not in rules


def test_every_threshold_changes_the_rules() -> None:
    original = rules_file(Thresholds(), Site())
    other = {"beating_within": 300, "objective_wait": 600, "api_slow_seconds": 5}

    idle = [
        name
        for name in REASONS
        if rules_file(decode({name: other.get(name, getattr(Thresholds(), name) / 2)}), Site()) == original
    ]

    assert idle == []


def test_pending_times_can_be_scaled_for_tests(tmp_path: Path) -> None:
    output = tmp_path / "fast.rules.yml"

    assert run("--for-scale", "0.001", "--output", output).returncode == 0

    fast, slow = yaml.safe_load(output.read_text()), yaml.safe_load(RULES.read_text())
    pending = {rule["alert"]: rule.pop("for") for group in fast["groups"] for rule in group["rules"] if "for" in rule}
    assert pending["QoderWorkHeartbeatLost"] == "60ms"
    assert pending == {alert.name: duration(alert.pending / 1000) for alert in alerts(Thresholds()) if alert.pending}
    for group in slow["groups"]:
        for rule in group["rules"]:
            rule.pop("for", None)
    assert fast == slow


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("queue_staled_age: 5\n", "unknown thresholds: queue_staled_age"),
        ("queue_stalled_age: soon\n", "Expected `float`, got `str` - at `$.queue_stalled_age`"),
        ("queue_stalled_age: -1\n", "queue_stalled_age must be above 0, not -1"),
        ("objective_share: 99\n", "objective_share must be a share below 1, not 99"),
        ("objective_wait: 301\n", "objective_wait must be one of the bucket bounds 1, 2, 5,"),
        ("- 5\n", "thresholds must be a mapping of names to numbers"),
        ("a: [\n", "while parsing"),
    ],
)
def test_wrong_thresholds_are_named(content: str, message: str, tmp_path: Path) -> None:
    mine = tmp_path / "thresholds.yml"
    mine.write_text(content)

    outcome = run("--thresholds", mine, "--output", tmp_path / "mine.rules.yml")

    assert outcome.returncode == 1
    assert message in outcome.stderr
    assert str(mine) in outcome.stderr
    assert "Traceback" not in outcome.stderr
    assert not (tmp_path / "mine.rules.yml").exists()


@pytest.mark.parametrize("arguments", [("--grafana-url", "x"), ("--for-scale", "0.1"), ("--check", "--output", "x")])
def test_options_that_do_not_fit_together_are_refused(arguments: tuple[str, ...]) -> None:
    outcome = run(*arguments)

    assert outcome.returncode == 2
    assert "--output" in outcome.stderr


def test_a_page_without_a_place_for_a_table_is_an_error() -> None:
    with pytest.raises(ValueError, match="no place for the table of alerts"):
        fill("# Alerts\n", {"alerts": "| a |\n"})


@pytest.mark.parametrize(
    ("seconds", "text"), [(900, "15m"), (90, "90s"), (7200, "2h"), (86_400, "1d"), (0.06, "60ms"), (0, "0s")]
)
def test_durations_are_written_as_promql_reads_them(seconds: float, text: str) -> None:
    assert duration(seconds) == text
