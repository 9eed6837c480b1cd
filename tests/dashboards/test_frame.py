"""What is around the panels: variables, links, identifiers, annotations, provisioning, the variant for import."""

import json
import re
from typing import Any

import pytest
import yaml

from tests.dashboards.conftest import FILES, ROOT

Json = dict[str, Any]

UIDS = {"qoder-work-fleet", "qoder-work-environment", "qoder-work-exporter"}
VARIABLE = re.compile(r"\$\{?(\w+)")
GRAFANA_GIVES = {"__rate_interval", "__range", "__interval"}


def variables(board: Json) -> dict[str, Json]:
    return {variable["name"]: variable for variable in board["templating"]["list"]}


def data_links(board: Json) -> list[str]:
    found = []
    for panel in board["panels"]:
        if panel["type"] == "row":
            continue
        config = panel["fieldConfig"]
        found += [link["url"] for link in config["defaults"].get("links", [])]
        for override in config["overrides"]:
            for one in override["properties"]:
                if one["id"] == "links":
                    found += [link["url"] for link in one["value"]]
    return found


def test_the_dashboards_are_those_the_alerts_link_to() -> None:
    assert {json.loads(file.read_text())["uid"] for file in FILES} == UIDS
    assert {file.stem for file in FILES} == UIDS
    rules = "".join(file.read_text() for file in (ROOT / "prometheus" / "rules").glob("*.yml"))
    linked = set(re.findall(r"/d/([\w-]+)", rules))
    assert linked
    assert linked <= UIDS


def test_links_of_alerts_set_variables_that_exist(board: Json) -> None:
    rules = "".join(file.read_text() for file in (ROOT / "prometheus" / "rules").glob("*.yml"))
    queries = re.findall(rf"/d/{board['uid']}\?(\S*)", rules)
    assert set(re.findall(r"var-(\w+)=", " ".join(queries))) <= set(variables(board))


def test_it_is_the_classic_schema_of_the_oldest_grafana(board: Json) -> None:
    assert board["schemaVersion"] == 38
    assert "id" not in board
    assert (board["editable"], board["graphTooltip"], board["tags"]) == (False, 1, ["qoder-work"])
    assert 8 <= len(board["uid"]) <= 40


def test_no_data_source_is_hard_coded(board: Json) -> None:
    def sources(value: object) -> list[Json]:
        if isinstance(value, dict):
            own = [value["datasource"]] if "datasource" in value else []
            return own + [source for inner in value.values() for source in sources(inner)]
        if isinstance(value, list):
            return [source for inner in value for source in sources(inner)]
        return []

    named = {(source["type"], source["uid"]) for source in sources(board)}
    # Grafana's own is where marks made by hand are kept.
    assert named == {("prometheus", "${datasource}"), ("grafana", "-- Grafana --")}


def test_variables_are_those_expected_in_the_order_they_narrow(board: Json) -> None:
    assert [(one["name"], one["label"]) for one in board["templating"]["list"]] == [
        ("datasource", "Data source"),
        ("job", "Job"),
        ("instance", "Instance"),
        ("environment", "Environment"),
    ]


@pytest.mark.parametrize("name", ["job", "instance", "environment"])
def test_query_variables_offer_several_values_and_all(board: Json, name: str) -> None:
    variable = variables(board)[name]
    assert (variable["multi"], variable["includeAll"], variable["refresh"]) == (True, True, 2)
    assert variable["current"]["value"] == ["$__all"]
    assert variable["query"]["query"] == variable["definition"]


def test_a_variable_uses_only_those_before_it(board: Json) -> None:
    seen: set[str] = set()
    for variable in board["templating"]["list"]:
        used = set(VARIABLE.findall(variable.get("definition", ""))) - {"__name__"}
        assert used <= seen
        seen.add(variable["name"])


def test_queries_use_only_variables_that_exist(panels: list[Json], board: Json) -> None:
    for panel in panels:
        for target in panel["targets"]:
            assert set(VARIABLE.findall(target["expr"])) <= {*variables(board), *GRAFANA_GIVES}, panel["title"]


def test_dashboards_link_to_each_other_with_time_and_variables(board: Json) -> None:
    (link,) = board["links"]
    assert (link["type"], link["tags"], link["keepTime"], link["includeVars"]) == (
        "dashboards",
        board["tags"],
        True,
        True,
    )


def test_data_links_lead_to_a_dashboard_of_ours_with_time_and_variables(board: Json) -> None:
    links = data_links(board)
    assert links
    for url in links:
        address, _, query = url.partition("?")
        assert address.removeprefix("/d/") in UIDS
        assert "${__url_time_range}" in query
        kept = {*re.findall(r"\$\{(\w+):queryparam\}", query), *re.findall(r"var-(\w+)=", query)}
        assert kept == set(variables(board))


def test_a_row_of_the_overview_leads_to_its_environment() -> None:
    fleet = json.loads((ROOT / "grafana" / "dashboards" / "qoder-work-fleet.json").read_text())
    (table,) = (panel for panel in fleet["panels"] if panel["type"] == "table")
    key = next(one for one in table["fieldConfig"]["overrides"] if one["matcher"]["options"] == "Environment")
    (links,) = (one["value"] for one in key["properties"] if one["id"] == "links")
    assert [link["url"].partition("?")[0] for link in links] == ["/d/qoder-work-environment"]
    assert "var-environment=${__data.fields.Environment:percentencode}" in links[0]["url"]


def test_annotations_mark_firing_alerts_and_starts_of_exporters(board: Json) -> None:
    queried = {one["name"]: one for one in board["annotations"]["list"] if "expr" in one}
    assert 'ALERTS{alertstate="firing"' in queried["Firing alerts"]["expr"]
    starts = queried["Exporter starts"]
    assert starts["expr"].startswith("process_start_time_seconds{")
    # Grafana takes the value as milliseconds.
    assert ("* 1000" in starts["expr"], starts["useValueForTime"]) == (True, True)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_variant_for_import_asks_for_a_data_source_and_is_the_same_otherwise(file: Any) -> None:
    board = json.loads(file.read_text())
    variant = json.loads((ROOT / "grafana" / "import" / file.name).read_text())
    (wanted,) = variant.pop("__inputs")
    required = {(one["type"], one["id"]) for one in variant.pop("__requires")}
    placeholder = f"${{{wanted['name']}}}"
    assert (wanted["type"], wanted["pluginId"]) == ("datasource", "prometheus")
    preset = variables(variant)["datasource"]
    assert preset["current"] == {"selected": True, "text": placeholder, "value": placeholder}
    preset["current"] = {}
    assert variant == board
    used = {("panel", panel["type"]) for panel in board["panels"]} - {("panel", "row")}
    assert required == {*used, ("grafana", "grafana"), ("datasource", "prometheus")}


def test_the_provisioned_dashboards_never_hold_a_placeholder_of_the_import_page(board: Json) -> None:
    assert "DS_PROMETHEUS" not in json.dumps(board)
    assert "__inputs" not in board


def test_the_provisioning_files_give_grafana_a_prometheus_and_the_folder() -> None:
    folder = ROOT / "grafana" / "provisioning"
    (source,) = yaml.safe_load((folder / "datasources" / "prometheus.yml").read_text())["datasources"]
    assert (source["type"], source["isDefault"], source["jsonData"]["timeInterval"]) == ("prometheus", True, "15s")
    (provider,) = yaml.safe_load((folder / "dashboards" / "qoder-work.yml").read_text())["providers"]
    assert (provider["type"], provider["allowUiUpdates"]) == ("file", False)
    assert provider["options"]["path"].startswith("/var/lib/grafana/dashboards")
