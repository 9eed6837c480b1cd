import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from exporter.thresholds import Thresholds
from grafana.generate import dashboards, main
from grafana.layout import Section, place
from grafana.panels import Panel


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(main, arguments)
    return result.exit_code, result.output


def test_the_committed_files_are_what_the_generator_writes() -> None:
    assert run("--check") == (0, "")


def test_an_edited_file_is_drift(tmp_path: Path) -> None:
    assert run("--output", str(tmp_path)) == (0, "")
    edited = tmp_path / "dashboards" / "qoder-work-fleet.json"
    edited.write_text(edited.read_text().replace('"refresh": "30s"', '"refresh": "5s"'))
    code, output = run("--check", "--output", str(tmp_path))
    assert (code, "dashboards/qoder-work-fleet.json" in output) == (1, True)
    assert "import/" not in output


def test_a_missing_and_a_forgotten_file_are_drift(tmp_path: Path) -> None:
    run("--output", str(tmp_path))
    (tmp_path / "import" / "qoder-work-fleet.json").rename(tmp_path / "import" / "old.json")
    code, output = run("--check", "--output", str(tmp_path))
    assert code == 1
    assert "import/old.json, import/qoder-work-fleet.json" in output


def test_other_thresholds_colour_the_panels(tmp_path: Path) -> None:
    values = tmp_path / "thresholds.yml"
    values.write_text("heartbeat_lost: 777\n")
    assert run("--output", str(tmp_path), "--thresholds", str(values)) == (0, "")
    fleet = json.loads((tmp_path / "dashboards" / "qoder-work-fleet.json").read_text())
    silence = next(panel for panel in fleet["panels"] if panel["title"] == "Longest time without a heartbeat")
    assert [step["value"] for step in silence["fieldConfig"]["defaults"]["thresholds"]["steps"]] == [None, 120, 777]


@pytest.mark.parametrize("wrong", ["heartbeat_lots: 777", "heartbeat_lots: late", "heartbeat_lots"])
def test_a_wrong_threshold_is_named(tmp_path: Path, wrong: str) -> None:
    values = tmp_path / "thresholds.yml"
    values.write_text(wrong)
    code, output = run("--output", str(tmp_path), "--thresholds", str(values))
    assert (code, str(values) in output) == (1, True)
    assert not (tmp_path / "dashboards").exists()


def test_generating_twice_gives_the_same() -> None:
    assert dashboards(Thresholds()) == dashboards(Thresholds())


def panel(width: int, height: int) -> Panel:
    return Panel(width=width, height=height, body={"title": "Example", "type": "stat"})


def test_a_line_with_a_hole_is_refused() -> None:
    with pytest.raises(ValueError, match="'Example' is not 24 columns wide"):
        place([Section("", [[panel(12, 4), panel(11, 4)]])])


def test_a_ragged_line_is_refused() -> None:
    with pytest.raises(ValueError, match="not equally high"):
        place([Section("", [[panel(12, 4), panel(12, 5)]])])
