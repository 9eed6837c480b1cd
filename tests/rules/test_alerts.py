"""House rules every alert keeps, checked on the committed file as Prometheus reads it."""

import re
from typing import Any

import pytest
import yaml

from exporter.mixin.rules.catalogue import alerts
from exporter.mixin.rules.rule import Alert
from exporter.mixin.site import Site
from exporter.thresholds import REASONS, Thresholds
from tests.rules.places import ALERTS_PAGE, RULES, RUNBOOKS

ALERTS = alerts(Thresholds())
WRITTEN: dict[str, dict[str, Any]] = {
    rule["alert"]: rule
    for group in yaml.safe_load(RULES.read_text())["groups"]
    for rule in group["rules"]
    if "alert" in rule
}
HEADINGS = ["## Meaning", "## Impact", "## Diagnosis", "## Mitigation"]


@pytest.fixture(params=ALERTS, ids=lambda alert: alert.name)
def alert(request: pytest.FixtureRequest) -> Alert:
    chosen: Alert = request.param
    return chosen


@pytest.fixture
def annotations(alert: Alert) -> dict[str, str]:
    found: dict[str, str] = WRITTEN[alert.name]["annotations"]
    return found


def test_alerts_have_one_name_each() -> None:
    assert len({alert.name for alert in ALERTS}) == len(ALERTS) == len(WRITTEN)


def test_a_name_is_camel_case_with_the_prefix(alert: Alert) -> None:
    assert re.fullmatch(r"QoderWork([A-Z][a-z]+)+", alert.name)


def test_labels_are_the_severity_and_the_symptom(alert: Alert) -> None:
    assert WRITTEN[alert.name]["labels"] == {"severity": alert.severity, "symptom": alert.symptom}
    assert alert.severity in {"critical", "warning", "info"}


def test_a_summary_is_one_plain_sentence(annotations: dict[str, str]) -> None:
    assert re.fullmatch(r"[A-Z][^.{}]+\.", annotations["summary"])
    assert len(annotations["summary"]) < 100


def test_a_description_names_its_subject_the_value_and_what_to_look_at_first(
    alert: Alert, annotations: dict[str, str]
) -> None:
    description = annotations["description"]
    assert description.count("Look first") == 1
    assert description.endswith(".")
    named = set(re.findall(r"\$labels\.(\w+)", description))
    assert named <= set(alert.labels)
    assert named >= set(alert.labels) - {"state"}
    # Alerts whose value says nothing: is something there or not, has it succeeded or not.
    endings = r"== [01]", r"absent_over_time\S+ > 0", r"build_info\[\w+\]\)\)", r"unless on \(environment_id\) \S+"
    says_nothing = re.search(f"({'|'.join(endings)})$", alert.expr)
    assert ("$value" in description) != bool(says_nothing)
    assert all(re.search(r"\|", use) for use in re.findall(r"{{ \$value.*?}}", description)), "values are humanised"


def test_a_runbook_is_linked_and_exists(alert: Alert, annotations: dict[str, str]) -> None:
    assert annotations["runbook_url"] == f"{Site().runbooks}/{alert.name.lower()}.md"
    runbook = (RUNBOOKS / f"{alert.name.lower()}.md").read_text()
    assert runbook.startswith(f"# {alert.name}\n")
    assert re.findall(r"^## .*$", runbook, re.MULTILINE) == HEADINGS
    assert f"[Qoder Work / {alert.board.capitalize()}](../dashboards.md#{alert.board})" in runbook
    assert "```" in runbook.partition("## Diagnosis")[2].partition("## Mitigation")[0], "a command to run"


def test_every_runbook_belongs_to_an_alert() -> None:
    assert {path.stem for path in RUNBOOKS.iterdir()} == {alert.name.lower() for alert in ALERTS}


def test_the_dashboard_link_fills_in_what_the_alert_is_about(alert: Alert, annotations: dict[str, str]) -> None:
    url = annotations["dashboard_url"]
    assert url.startswith(f"{Site().grafana}/d/qoder-work-{alert.board}")
    for label in ("environment", "job", "instance"):
        assert (f"var-{label}={{{{ $labels.{label} | urlquery }}}}" in url) == (label in alert.labels)
    if alert.board == "environment":
        assert "environment" in alert.labels


def test_a_restart_of_prometheus_does_not_end_an_incident(alert: Alert) -> None:
    # Prometheus takes up again what was firing only if its "for" is ten minutes or longer, and Alertmanager takes an
    # alert that it does not hear of for four minutes as resolved: what waits for less must be back before that. It may
    # have heard of it a minute before, and the restart takes a minute.
    held = alert.symptom in {"waiting", "heartbeat", "startup", "drain", "loss"}
    assert alert.pending <= (60 if held else 180) or alert.pending >= 600


def test_the_page_of_alerts_lists_every_alert_and_threshold() -> None:
    page = ALERTS_PAGE.read_text()
    for name in (alert.name for alert in ALERTS):
        assert f"| [{name}](runbooks/{name.lower()}.md) |" in page
    for name, reason in REASONS.items():
        assert f"| `{name}` | {getattr(Thresholds(), name):g} | {reason.unit} | {reason.why} |" in page
