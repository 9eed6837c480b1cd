"""What every panel of ours must have, for the kinds too that Grafana's linter looks past."""

import re
from collections import Counter
from typing import Any

import yaml

from exporter.metrics.table import METRICS
from exporter.mixin import palette
from exporter.mixin.rules.recordings import WORKERS_NEEDED
from tests.dashboards.conftest import ROOT
from tests.dashboards.promql_names import names_in
from tests.dashboards.test_names import names_of

Json = dict[str, Any]

CORE = {"stat", "timeseries", "heatmap", "state-timeline", "table"}
UNITS = {"s", "short", "none", "percentunit", "reqps", "bytes", "ops"}
TYPES = {series: spec.type for spec in METRICS for series in spec.series}
WINDOWS_OF_ALERTS = {"10m", "1h", "6h", "1d", "3d"}


def defaults(panel: Json) -> Json:
    found: Json = panel["fieldConfig"]["defaults"]
    return found


def override(panel: Json, column: str) -> Json:
    (found,) = (one for one in panel["fieldConfig"]["overrides"] if one["matcher"]["options"] == column)
    return {one["id"]: one["value"] for one in found["properties"]}


def columns(panel: Json) -> list[str]:
    """The headings of a table's columns of numbers."""
    (organize,) = (one["options"] for one in panel["transformations"] if one["id"] == "organize")
    return [title for name, title in organize["renameByName"].items() if name.startswith("Value")]


def steps(config: Json) -> list[tuple[float | None, str]]:
    return [(step["value"], step["color"]) for step in config["thresholds"]["steps"]]


def test_every_panel_is_of_a_kind_that_grafana_brings_along(panels: list[Json]) -> None:
    assert {panel["type"] for panel in panels} <= CORE


def test_titles_are_short_and_name_one_panel_each(panels: list[Json]) -> None:
    titles = Counter(panel["title"] for panel in panels)
    assert [title for title, times in titles.items() if times > 1] == []
    assert [title for title in titles if not 2 <= len(title) <= 50] == []


def test_descriptions_say_how_to_read_the_panel_and_when_to_worry(panels: list[Json]) -> None:
    lacking = [
        panel["title"]
        for panel in panels
        if "worry" not in panel["description"].lower() or len(re.findall(r"[.:;]", panel["description"])) < 2
    ]
    assert lacking == []


def test_every_panel_has_a_unit_that_grafana_knows(panels: list[Json]) -> None:
    for panel in panels:
        assert defaults(panel)["unit"] in UNITS, panel["title"]
        if panel["type"] == "heatmap":
            assert panel["options"]["yAxis"]["unit"] in UNITS
            assert panel["options"]["cellValues"]["unit"] in {"short", "cps"}
        if panel["type"] == "table":
            assert {override(panel, column)["unit"] for column in columns(panel)} <= UNITS


def test_what_is_counted_and_not_measured_says_what_it_counts(panels: list[Json]) -> None:
    counting = [panel for panel in panels if panel["type"] == "timeseries" and defaults(panel)["unit"] == "short"]
    unnamed = [panel["title"] for panel in counting if not defaults(panel)["custom"]["axisLabel"]]
    # Its two lines are named in the legend, and count different things.
    assert unnamed in ([], ["Workers polling and items queued"])


def test_every_panel_has_a_text_for_no_data(panels: list[Json]) -> None:
    assert [panel["title"] for panel in panels if len(defaults(panel)["noValue"]) < 5] == []


def test_targets_are_numbered_and_use_the_chosen_data_source(panels: list[Json]) -> None:
    for panel in panels:
        assert panel["targets"], panel["title"]
        references = [target["refId"] for target in panel["targets"]]
        assert references == [chr(ord("A") + number) for number in range(len(references))]
        for one in (panel, *panel["targets"]):
            assert one["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


def test_now_is_asked_at_one_moment_and_history_over_the_range(panels: list[Json]) -> None:
    for panel in panels:
        at_once = panel["type"] in {"stat", "table"}
        assert {target["instant"] for target in panel["targets"]} == {at_once}, panel["title"]
        assert {target["range"] for target in panel["targets"]} == {not at_once}, panel["title"]
        expected = {"table": "table", "heatmap": "heatmap"}.get(panel["type"], "time_series")
        assert {target["format"] for target in panel["targets"]} == {expected}, panel["title"]


def test_every_selector_keeps_to_the_chosen_exporters_and_environments(board: Json, panels: list[Json]) -> None:
    excused = {
        (entry["dashboard"], entry["panel"], int(entry["targetidx"]))
        for rule in ("target-job-rule", "target-instance-rule")
        for entry in linter_exclusions()[rule]["entries"]
    }
    found = set()
    for panel in panels:
        for number, target in enumerate(panel["targets"]):
            for selector in names_in(target["expr"]).selectors:
                if {'job=~"$job"', 'instance=~"$instance"'} <= set(selector.matchers):
                    if selector.name.startswith("qoder_work_"):
                        assert 'environment=~"$environment"' in selector.matchers, panel["title"]
                else:
                    assert selector.name in {"ALERTS", WORKERS_NEEDED}, panel["title"]
                    found.add((board["title"], panel["title"], number))
    assert found == {one for one in excused if one[0] == board["title"]}, "excused in .lint is what needs it, no more"


def linter_exclusions() -> Json:
    configured: Json = yaml.safe_load((ROOT / "grafana" / "dashboards" / ".lint").read_text())
    assert set(configured) == {"exclusions"}
    exclusions: Json = configured["exclusions"]
    return exclusions


def test_the_linters_exceptions_have_reasons() -> None:
    assert {rule for rule, one in linter_exclusions().items() if len(one["reason"]) < 20 or not one["entries"]} == set()


def functions_around(expression: str) -> list[tuple[str, str, str]]:
    """Each range selector: the function on it, the series, the window."""
    return re.findall(r"(\w+)\((\w+)\{[^}]*\}\[([^\]]+)\]\)", expression)


def test_counters_are_only_seen_as_rates_and_gauges_never(panels: list[Json]) -> None:
    for panel in panels:
        for target in panel["targets"]:
            ranged = functions_around(target["expr"])
            assert len(ranged) == target["expr"].count("["), f"{panel['title']}: a window of another form"
            for function, series, window in ranged:
                kind = TYPES.get(series, "counter" if series.endswith("_total") else "gauge")
                if function in {"rate", "increase"}:
                    assert kind in {"counter", "histogram"}, f"{panel['title']}: {function} of the {kind} {series}"
                allowed = {"rate": {"$__rate_interval"}, "increase": {"$__range", *WINDOWS_OF_ALERTS}}
                assert window in allowed.get(function, {"$__range"}), f"{panel['title']}: {function} over {window}"
            seen_as_rates = {series for function, series, _ in ranged if function in {"rate", "increase"}}
            for selector in names_in(target["expr"]).selectors:
                if TYPES.get(selector.name) in {"counter", "histogram"} or selector.name.endswith("_total"):
                    assert selector.name in seen_as_rates, f"{panel['title']}: the bare counter {selector.name}"


def test_every_metric_of_the_table_is_on_a_dashboard() -> None:
    text = "".join(file.read_text() for file in (ROOT / "grafana" / "dashboards").glob("*.json"))
    absent = {spec.name for spec in METRICS if not any(re.search(rf"\b{name}\b", text) for name in spec.series)}
    assert absent == {
        # The same as an age of qoder_work_oldest_age_seconds, for recordings that want a moment instead of an age.
        "qoder_work_oldest_queued_timestamp_seconds",
        "qoder_work_oldest_heartbeat_timestamp_seconds",
        # It says which account reads an environment, for joins in rules; every panel of an account has the label.
        "qoder_work_environment_info",
        # The moment of the newest successful load: whether it succeeded is what the tile shows.
        "qoder_exporter_config_last_reload_success_timestamp_seconds",
    }


def test_what_is_coloured_has_thresholds_or_words(panels: list[Json]) -> None:
    for panel in panels:
        config = defaults(panel)
        match panel["type"]:
            case "stat":
                coloured = panel["options"]["colorMode"] == "background"
                named = [one for one in panel["fieldConfig"]["overrides"] if one["matcher"]["id"] == "byRegexp"]
                assert coloured == bool(len(steps(config)) > 1 or config.get("mappings") or named), panel["title"]
            case "timeseries":
                dashed = config["custom"]["thresholdsStyle"]["mode"] == "dashed"
                assert dashed == (len(steps(config)) > 1), panel["title"]
            case "state-timeline":
                assert config["mappings"], panel["title"]
            case "table":
                for column in columns(panel):
                    own = override(panel, column)
                    if "custom.cellOptions" in own:
                        assert own["custom.cellOptions"]["type"] == "color-background"
                        assert "mappings" in own or len(own["thresholds"]["steps"]) > 1, column


def test_steps_climb(panels: list[Json]) -> None:
    for panel in panels:
        if "thresholds" in defaults(panel):
            first, *others = [value for value, _ in steps(defaults(panel))]
            assert first is None
            assert others == sorted(value for value in others if value is not None), panel["title"]


def test_legends_and_tooltips_are_shown(panels: list[Json]) -> None:
    for panel in panels:
        if panel["type"] in {"timeseries", "state-timeline"}:
            assert panel["options"]["legend"]["showLegend"], panel["title"]
            assert all(target["legendFormat"] for target in panel["targets"]), panel["title"]
        if panel["type"] == "timeseries":
            assert panel["options"]["tooltip"] == {"mode": "multi", "sort": "desc"}


def colours_in(value: object) -> set[str]:
    if isinstance(value, dict):
        return {colour for inner in value.values() for colour in colours_in(inner)}
    if isinstance(value, list):
        return {colour for inner in value for colour in colours_in(inner)}
    return {value} if isinstance(value, str) and re.fullmatch(r"#[0-9A-Fa-f]{6}", value) else set()


def test_only_colours_of_the_palette_are_used(panels: list[Json]) -> None:
    ours = {value for name, value in vars(palette).items() if name.isupper() and isinstance(value, str)}
    assert colours_in(panels) <= ours


def test_a_state_has_the_same_colour_on_every_panel(panels: list[Json]) -> None:
    seen = 0
    for panel in panels:
        for one in panel["fieldConfig"]["overrides"]:
            name = one["matcher"]["options"].strip("^$")
            if one["matcher"]["id"] == "byRegexp" and name in palette.STATES:
                (colour,) = (prop["value"]["fixedColor"] for prop in one["properties"] if prop["id"] == "color")
                assert colour == palette.STATES[name], panel["title"]
                seen += 1
    by_state = any("{{state}}" in target["legendFormat"] for panel in panels for target in panel["targets"])
    assert seen or not by_state


def test_the_series_of_a_pair_of_exporters_have_one_name(panels: list[Json]) -> None:
    for panel in panels:
        for target in panel["targets"]:
            names = {name for selector in names_in(target["expr"]).selectors for name in names_of(selector)}
            by_exporter = "{{instance}}" in target["legendFormat"]
            if not by_exporter and any(name.startswith("qoder_work_") for name in names):
                assert names_in(target["expr"]).functions & {"max", "min"}, panel["title"]
