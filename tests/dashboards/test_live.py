"""Every query of every panel against a real Prometheus that scrapes the running demo."""

import json
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from exporter.mixin.palette import CRITICAL
from exporter.mixin.rules.document import rules_file
from exporter.mixin.site import Site
from exporter.thresholds import Thresholds
from tests.dashboards.queries import ABSENT_IN_THE_DEMO, BOARDS, EMPTY_IN_HEALTH, EVERYTHING, Asked
from tests.dashboards.running import ALL, Demo, ask, demo, prometheus
from tests.support.waiting import until
from tools.drawing.frame import Frame, mapped, step_colour
from tools.drawing.interpolate import Chosen, Scope, Span
from tools.drawing.query_api import Prometheus, Series
from tools.drawing.tiles import rows_of

Json = dict[str, Any]
pytestmark = pytest.mark.program("prometheus")

SCRAPE_INTERVAL = 1


@dataclass(frozen=True, slots=True)
class Stage:
    """A demo that runs, and the Prometheus that scrapes it.

    Attributes:
        demo: The demo.
        server: The Prometheus.
        start: Unix time of the first scrape, about.
    """

    demo: Demo
    server: Prometheus
    start: float

    def now(self) -> Span:
        """The range from the first scrape until now."""
        return Span(self.start, time.time(), SCRAPE_INTERVAL)

    def results(self, asked: Asked) -> list[Series]:
        return ask(self.server, asked.target, self.now())

    def silent(self, among: Iterable[Asked]) -> set[Asked]:
        """Which of these queries return nothing."""
        return {asked for asked in among if not self.results(asked)}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("live")
    rules = folder / "rules.yml"
    # Alerts fire as soon as they are true: how long they wait is the subject of the rules' own tests.
    rules.write_text(rules_file(Thresholds(), Site(), pending_scale=0))
    flags = ["--enable-feature=exemplar-storage"]
    with demo(folder) as running, prometheus(folder, configuration(running, rules), flags=flags) as server:
        stage = Stage(running, server, time.time())
        until(lambda: bool(server.instant("qoder_work_up == 1", time.time())), "the first scrape")
        yield stage


def configuration(running: Demo, rules: Path) -> str:
    return json.dumps(
        {
            "global": {"scrape_interval": f"{SCRAPE_INTERVAL}s", "evaluation_interval": f"{SCRAPE_INTERVAL}s"},
            "rule_files": [str(rules)],
            "scrape_configs": [{"job_name": "qoder-work", "static_configs": [{"targets": [running.exporter]}]}],
        }
    )


@pytest.fixture(scope="module")
def filled(stage: Stage) -> Stage:
    """The stage once everything that happens in the demo has happened."""
    waiting = set(EVERYTHING - EMPTY_IN_HEALTH.keys() - ABSENT_IN_THE_DEMO.keys())

    def all_answered() -> bool:
        waiting.intersection_update(stage.silent(waiting))
        return not waiting

    until(all_answered, lambda: f"data of {sorted(waiting, key=str)}")
    return stage


def test_every_query_returns_data_or_is_known_to_be_empty_in_health(filled: Stage) -> None:
    assert filled.silent(EMPTY_IN_HEALTH) == EMPTY_IN_HEALTH.keys(), "what is listed as empty in health is not"


def test_panels_that_show_exemplars_find_some_with_the_items_id(filled: Stage) -> None:
    shown = [asked for asked in EVERYTHING if asked.target["exemplar"]]
    assert shown
    for asked in shown:
        expression = Scope(filled.now(), ALL).fill(asked.target["expr"])
        found = filled.server.exemplars(expression, filled.now())
        assert found, asked
        assert all(labels["work_id"] for labels in found), asked


def test_legends_name_labels_that_the_results_have(filled: Stage) -> None:
    for asked in EVERYTHING:
        labels = set(re.findall(r"\{\{(\w+)\}\}", asked.target["legendFormat"]))
        for series in filled.results(asked):
            # An alert about an exporter has no environment, one about an environment has no instance.
            assert labels - {"environment"} <= set(series.labels), asked


def test_choosing_every_value_by_name_is_the_same_as_all(filled: Stage) -> None:
    span = Span(filled.start, time.time() - 3, SCRAPE_INTERVAL)
    choices = {}
    for variable in BOARDS["qoder-work-fleet"]["templating"]["list"]:
        if variable["type"] == "query":
            call = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["definition"])
            assert call
            offered = filled.server.label_values(call[2], Scope(span, ALL).fill(call[1]))
            assert offered, variable["name"]
            choices[variable["name"]] = Chosen(tuple(offered))
    assert len(choices["environment"].values) > 1
    for asked in EVERYTHING:
        if "ALERTS" not in asked.target["expr"]:  # an alert about an exporter has no environment that could be chosen
            by_name = ask(filled.server, asked.target, span, choices)
            assert by_name == ask(filled.server, asked.target, span), asked


def test_annotations_mark_alerts_and_the_start_of_the_exporter(filled: Stage) -> None:
    for board in BOARDS.values():
        for annotation in board["annotations"]["list"]:
            if "expr" in annotation:
                series = filled.server.range(Scope(filled.now(), ALL).fill(annotation["expr"]), filled.now())
                assert series, annotation["name"]
                if annotation["useValueForTime"]:
                    assert {round(one.last / 1000) for one in series} <= set(
                        range(round(filled.start) - 120, round(time.time()))
                    ), "milliseconds of a moment just before the first scrape"


def shown(stage: Stage, title: str) -> Frame:
    """A panel of the first dashboard with its data."""
    (panel,) = (panel for panel in BOARDS["qoder-work-fleet"]["panels"] if panel["title"] == title)
    span = stage.now()
    return Frame(panel, [ask(stage.server, target, span) for target in panel["targets"]], Scope(span, ALL))


@pytest.mark.parametrize(
    ("title", "environments"),
    [
        ("Backlog: oldest queued item", {"nightly-reports"}),
        ("Dead worker: oldest heartbeat", {"gpu-workers"}),
        ("Stuck item: longest in starting", {"nightly-reports", "gpu-workers"}),
    ],
)
def test_a_stranger_finds_the_trouble_in_the_first_row_of_tiles(
    filled: Stage, title: str, environments: set[str]
) -> None:
    frame = shown(filled, title)
    assert frame.panel["gridPos"]["y"] == 0
    (line,) = frame.lines()
    assert line.name in environments
    assert step_colour(frame.defaults["thresholds"]["steps"], line.series.last) == CRITICAL


def test_a_stranger_finds_the_trouble_in_words_at_the_top_of_the_table(filled: Stage) -> None:
    frame = shown(filled, "Environments, worst first")
    _, _, rows = rows_of(frame)
    finding = next(one for one in frame.panel["fieldConfig"]["overrides"] if one["matcher"]["options"] == "Finding")
    (mappings,) = (one["value"] for one in finding["properties"] if one["id"] == "mappings")
    said = [(row.labels["environment"], mapped(mappings, row.values["Finding"])) for row in rows]
    assert said[:2] == [
        ("nightly-reports", ("No workers", CRITICAL)),
        ("gpu-workers", ("Dead worker", CRITICAL)),
    ]
    assert {name: word for name, word in said[2:] if word}["docs-preview"][0] == "OK"


def test_what_is_empty_in_health_shows_data_under_a_fault(filled: Stage) -> None:
    filled.demo.break_down(kind="status", status=503)
    try:
        until(lambda: not filled.silent(EMPTY_IN_HEALTH), "every query to show the fault")
        until(lambda: shown(filled, "Environments down").lines()[0].series.last > 0, "the tile to count what is down")
        frame = shown(filled, "Environments, worst first")
        _, _, rows = rows_of(frame)
        assert rows[0].values["Finding"] == 8, "down comes before anything else"
    finally:
        filled.demo.mend()
    until(lambda: shown(filled, "Environments down").lines()[0].series.last == 0, "the environments to be up again")
