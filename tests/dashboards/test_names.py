"""Nothing on a dashboard names a series or a label that does not exist."""

import re
from functools import cache
from typing import Any

import prometheus_client
import yaml

from exporter.metrics.table import METRICS
from tests.dashboards.conftest import ROOT
from tests.dashboards.promql_names import Selector, names_in

Json = dict[str, Any]

GIVEN_BY_PROMETHEUS = {"job", "instance"}
LEGEND_LABEL = re.compile(r"\{\{\s*(\w+)\s*\}\}")


@cache
def known() -> dict[str, set[str]]:
    """The labels of every series there is, by its name."""
    series = {"up": set(GIVEN_BY_PROMETHEUS)}
    for spec in METRICS:
        for name in spec.series:
            series[name] = {*spec.labels, *GIVEN_BY_PROMETHEUS, *({"le"} if name.endswith("_bucket") else ())}
    for family in prometheus_client.REGISTRY.collect():
        for sample in family.samples:
            series.setdefault(sample.name, set(GIVEN_BY_PROMETHEUS)).update(sample.labels)
    alerts = {"alertname", "alertstate"}
    for rule in rules():
        expression = names_in(rule["expr"])
        if "record" in rule:
            series[rule["record"]] = set(expression.grouped)
        else:
            alerts |= expression.grouped | set(rule["labels"])
    series["ALERTS"] = alerts
    return series


def rules() -> list[Json]:
    files = sorted((ROOT / "prometheus" / "rules").glob("*.yml"))
    groups = [group for file in files for group in yaml.safe_load(file.read_text())["groups"]]
    return [rule for group in groups for rule in group["rules"]]


def names_of(selector: Selector) -> list[str]:
    """The names a selector takes: its own, or the alternatives of its matcher for the name."""
    if selector.name:
        return [selector.name]
    (pattern,) = (matcher for matcher in selector.matchers if matcher.startswith("__name__=~"))
    return pattern.removeprefix('__name__=~"').removesuffix('"').split("|")


def unknown_in(expression: str, *, legend: str = "") -> list[str]:
    names = names_in(expression)
    complaints = []
    labels = set()
    for selector in names.selectors:
        for name in names_of(selector):
            if name not in known():
                complaints.append(f"no series {name}")
                continue
            labels |= known()[name]
            complaints += [f"{name} has no label {label}" for label in selector.labels - known()[name] - {"__name__"}]
    wanted = names.grouped | set(LEGEND_LABEL.findall(legend))
    return complaints + [f"no series of the query has a label {label}" for label in wanted - labels]


def test_the_check_itself_finds_what_does_not_exist() -> None:
    assert unknown_in('rate(qoder_work_made_total{job=~"$job"}[5m])') == ["no series qoder_work_made_total"]
    assert unknown_in('qoder_work_up{worker="a"}') == ["qoder_work_up has no label worker"]
    assert unknown_in("sum by (worker) (qoder_work_up)") == ["no series of the query has a label worker"]
    assert unknown_in("qoder_work_up", legend="{{worker}}") == ["no series of the query has a label worker"]


def test_panels_name_only_what_exists(panels: list[Json]) -> None:
    complaints = [
        f"{panel['title']}: {complaint}"
        for panel in panels
        for target in panel["targets"]
        for complaint in unknown_in(target["expr"], legend=target["legendFormat"])
    ]
    assert complaints == []


def test_variables_name_only_what_exists(board: Json) -> None:
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            call = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["definition"])
            assert call, variable["definition"]
            assert unknown_in(f"sum by ({call[2]}) ({call[1]})") == []


def test_annotations_name_only_what_exists(board: Json) -> None:
    queried = [one for one in board["annotations"]["list"] if "expr" in one]
    assert len(queried) == 2
    for one in queried:
        assert unknown_in(one["expr"], legend=f"{one['titleFormat']} {one['textFormat']}") == []


def test_every_alert_of_the_rules_is_one_the_dashboards_look_for(board: Json) -> None:
    (firing,) = (one["expr"] for one in board["annotations"]["list"] if one["name"] == "Firing alerts")
    (pattern,) = re.findall(r'alertname=~"([^"]+)"', firing)
    alerts = {rule["alert"] for rule in rules() if "alert" in rule}
    assert alerts
    assert {alert for alert in alerts if not re.fullmatch(pattern, alert)} == set()
