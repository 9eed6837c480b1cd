"""``qoder-work-exporter mixin``: what it writes, what it calls drift, and what it refuses."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from exporter.cli import main
from exporter.mixin.rules.document import rules_file
from exporter.mixin.site import Site
from exporter.overrides import OF_ENVIRONMENTS, Override
from exporter.thresholds import Thresholds, decode

ROOT = Path(__file__).resolve().parents[2]
RULES = "prometheus/rules/qoder-work.rules.yml"
FLEET = "grafana/dashboards/qoder-work-fleet.json"
FLEET_IMPORT = "grafana/import/qoder-work-fleet.json"


def mixin(*arguments: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(main, ["mixin", *map(str, arguments)])
    return result.exit_code, result.output


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """A directory with everything as the command writes it."""
    assert mixin("--output", tmp_path) == (0, "")
    return tmp_path


def test_this_repository_holds_what_the_command_writes() -> None:
    assert mixin("--check", "--output", ROOT) == (0, "")


def test_what_was_just_written_is_current(written: Path) -> None:
    assert mixin("--check", "--output", written) == (0, "")
    assert sorted(path.name for path in (written / "grafana" / "import").iterdir()) == sorted(
        path.name for path in (written / "grafana" / "dashboards").iterdir()
    )


@pytest.mark.parametrize("path", [RULES, FLEET, FLEET_IMPORT])
def test_an_edited_file_is_drift_and_is_written_again(written: Path, path: str) -> None:
    original = (written / path).read_text()
    (written / path).write_text(original + "\n")
    assert mixin("--check", "--output", written) == (1, f"{written / path}: not current\n")
    assert mixin("--output", written) == (0, "")
    assert (written / path).read_text() == original


def test_missing_files_are_drift(tmp_path: Path) -> None:
    code, output = mixin("--check", "--output", tmp_path / "nowhere")
    assert (code, output.count("not current")) == (1, 7)


def test_a_dashboard_that_is_no_longer_made_is_drift_and_goes(written: Path) -> None:
    old = written / "grafana" / "dashboards" / "qoder-work-old.json"
    mine = written / "grafana" / "dashboards" / "mine.json"
    for file in (old, mine):
        file.write_text("{}")
    assert mixin("--check", "--output", written) == (1, f"{old}: not current\n")
    assert mixin("--output", written) == (0, "")
    assert not old.exists()
    assert mine.exists(), "what users keep beside the dashboards is theirs"


def test_a_file_that_is_no_text_is_drift(written: Path) -> None:
    (written / RULES).write_bytes(b"\xff\xfe")
    assert mixin("--check", "--output", written) == (1, f"{written / RULES}: not current\n")


def test_rules_and_dashboards_take_the_same_thresholds(tmp_path: Path) -> None:
    mine = tmp_path / "thresholds.yml"
    mine.write_text("heartbeat_lost: 777\nobjective_wait: 600\n")
    assert mixin("--output", tmp_path, "--thresholds", mine) == (0, "")
    rules = (tmp_path / RULES).read_text()
    assert "environment:qoder_work_max_heartbeat_lag_seconds:max > 777\n" in rules
    assert 'le=~"600(\\\\.0)?"' in rules
    assert 'le=~"300(\\\\.0)?"' not in rules
    fleet = json.loads((tmp_path / FLEET).read_text())
    silence = next(panel for panel in fleet["panels"] if panel["title"] == "Longest time without a heartbeat")
    assert [step["value"] for step in silence["fieldConfig"]["defaults"]["thresholds"]["steps"]] == [None, 120, 777]


def test_links_lead_to_ones_own_addresses(tmp_path: Path) -> None:
    addresses = ("--grafana-url", "https://g.test/", "--runbooks-url", "https://r.test")
    assert mixin("--output", tmp_path, *addresses) == (0, "")
    rules = (tmp_path / RULES).read_text()
    assert "runbook_url: https://r.test/qoderworkqueuestalled.md" in rules
    assert "dashboard_url: https://g.test/d/qoder-work-environment" in rules
    assert "example.org" not in rules
    (runbooks,) = (link for link in json.loads((tmp_path / FLEET).read_text())["links"] if link["type"] == "link")
    assert (runbooks["title"], runbooks["url"]) == ("Runbooks", "https://r.test")


def test_an_exporters_address_leads_to_the_items_and_to_its_runbooks(tmp_path: Path) -> None:
    assert mixin("--output", tmp_path, "--exporter-url", "https://e.test/") == (0, "")
    rules = [rule for group in yaml.safe_load((tmp_path / RULES).read_text())["groups"] for rule in group["rules"]]
    (stalled,) = (rule for rule in rules if rule.get("alert") == "QoderWorkQueueStalled")
    (absent,) = (rule for rule in rules if rule.get("alert") == "QoderWorkExporterAbsent")
    annotations = stalled["annotations"]
    assert annotations["inspect"] == "qoder-work-exporter inspect {{ $labels.environment_id }} --url https://e.test"
    assert annotations["items_url"] == "https://e.test/environments/{{ $labels.environment_id | urlquery }}"
    assert annotations["runbook_url"] == "https://e.test/runbooks/qoderworkqueuestalled.md"
    assert not {"inspect", "items_url"} & absent["annotations"].keys()


def test_dashboards_have_no_link_to_runbooks_without_an_address(tmp_path: Path) -> None:
    assert mixin("--output", tmp_path) == (0, "")
    assert [link["type"] for link in json.loads((tmp_path / FLEET).read_text())["links"]] == ["dashboards"]


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
def test_wrong_thresholds_are_named_and_nothing_is_written(content: str, message: str, tmp_path: Path) -> None:
    mine = tmp_path / "thresholds.yml"
    mine.write_text(content)
    code, output = mixin("--output", tmp_path / "out", "--thresholds", mine)
    assert code == 1
    assert output.startswith(f"{mine}: ")
    assert message in output
    assert not (tmp_path / "out").exists()


def test_a_directory_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "prometheus").write_text("a file where a directory belongs")
    code, output = mixin("--output", tmp_path)
    assert (code, str(tmp_path / "prometheus") in output) == (1, True)
    assert "Traceback" not in output


def test_the_installed_package_needs_no_repository(tmp_path: Path) -> None:
    package = tmp_path / "site" / "exporter"
    shutil.copytree(ROOT / "exporter", package, ignore=shutil.ignore_patterns("__pycache__"))
    outside = tmp_path / "elsewhere"
    outside.mkdir()
    program = "import exporter.cli as cli; assert cli.__file__.startswith({!r}); cli.main()"
    command = [sys.executable, "-c", program.format(str(package)), "mixin", "--output", "out"]
    environment = os.environ | {"PYTHONPATH": str(package.parent)}
    done = subprocess.run(command, cwd=outside, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (outside / "out" / RULES).read_text() == (ROOT / RULES).read_text()


NIGHTLY = """
- environments: nightly-.*
  thresholds: {queue_stalled_age: 28800, objective_wait: 3600}
- environments: nightly-gpu|"odd"
  thresholds: {heartbeat_lost: 1200}
"""


@pytest.fixture
def apart(tmp_path: Path) -> dict[str, list[dict[str, Any]]]:
    """The rules by name, where some environments have thresholds of their own."""
    (tmp_path / "thresholds.yml").write_text("backlog_age: 400\n")
    (tmp_path / "nightly.yml").write_text(NIGHTLY)
    files = ("--thresholds", tmp_path / "thresholds.yml", "--environment-thresholds", tmp_path / "nightly.yml")
    assert mixin("--output", tmp_path, *files) == (0, "")
    rules: dict[str, list[dict[str, Any]]] = {}
    for group in yaml.safe_load((tmp_path / RULES).read_text())["groups"]:
        for rule in group["rules"]:
            rules.setdefault(rule.get("alert") or rule["record"], []).append(rule)
    return rules


def test_environments_with_thresholds_of_their_own_have_rules_of_their_own(
    apart: dict[str, list[dict[str, Any]]],
) -> None:
    usual, nightly, odd = (rule["expr"] for rule in apart["QoderWorkQueueStalled"])
    assert '{state="queued", environment!~"nightly-.*|nightly-gpu|\\"odd\\""} > 900' in usual
    assert '{state="queued", environment=~"nightly-.*"} > 28800' in nightly
    assert '{state="queued", environment=~"nightly-gpu|\\"odd\\"", environment!~"nightly-.*"} > 900' in odd
    assert [">" + rule["expr"].partition(" >")[2].split()[0] for rule in apart["QoderWorkHeartbeatLost"]] == [
        ">600",
        ">600",
        ">1200",
    ]


def test_what_nobody_changed_is_one_rule_for_all(apart: dict[str, list[dict[str, Any]]]) -> None:
    (backlog,) = apart["QoderWorkBacklogNotDraining"]
    assert backlog["expr"].startswith('environment_state:qoder_work_oldest_age_seconds:max{state="queued"} > 400\n')
    assert len(apart["QoderWorkStuckStarting"]) == 1
    assert len(apart["environment:qoder_work_items_beating:max"]) == 1


def test_the_objective_of_an_environment_reaches_its_recordings(apart: dict[str, list[dict[str, Any]]]) -> None:
    usual, nightly, odd = apart["environment:qoder_work_queue_wait_late:increase1h"]
    assert 'le=~"3600(\\\\.0)?", environment=~"nightly-.*"' in nightly["expr"]
    assert all('le=~"300(\\\\.0)?"' in rule["expr"] for rule in (usual, odd))


@pytest.mark.program("promtool")
def test_prometheus_accepts_rules_for_some_environments(apart: dict[str, list[dict[str, Any]]], tmp_path: Path) -> None:
    assert apart
    done = subprocess.run(["promtool", "check", "rules", tmp_path / RULES], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a: 1\n", "must be a list of environments (a pattern) and thresholds (a mapping)"),
        ("- {environments: a}\n", "must be a list of environments (a pattern) and thresholds (a mapping)"),
        ("- {environments: 5, thresholds: {}}\n", "environments must be a pattern for names, not 5"),
        ("- {environments: 'a(', thresholds: {}}\n", "environments: 'a(' is no regular expression: "),
        ("- {environments: a, thresholds: 5}\n", "thresholds of 'a' must be a mapping of names to numbers"),
        ("- {environments: a, thresholds: {scrape_gap: 60}}\n", "'a': scrape_gap: unknown, or cannot differ"),
        ("- {environments: a, thresholds: {queue_staled: 60}}\n", "'a': queue_staled: unknown, or cannot differ"),
        ("- {environments: a, thresholds: {heartbeat_lost: -1}}\n", "heartbeat_lost must be above 0, not -1"),
    ],
)
def test_wrong_environment_thresholds_are_named(content: str, message: str, tmp_path: Path) -> None:
    mine = tmp_path / "environments.yml"
    mine.write_text(content)
    code, output = mixin("--output", tmp_path / "out", "--environment-thresholds", mine)
    assert code == 1
    assert output.startswith(f"{mine}: ")
    assert message in output
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", sorted(OF_ENVIRONMENTS))
def test_every_threshold_of_environments_can_differ(name: str) -> None:
    other = {"beating_within": 300, "objective_wait": 600}.get(name, getattr(Thresholds(), name) / 2)
    rules = rules_file(Thresholds(), Site(), [Override("some", decode({name: other}))])
    assert 'environment=~"some"' in rules
    assert 'environment!~"some"' in rules
