"""``qoder-work-exporter mixin``: what it writes, what it calls drift, and what it refuses."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from exporter.cli import main

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
