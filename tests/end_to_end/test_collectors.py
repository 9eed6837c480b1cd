"""The demo behind other people's collectors: rules, alerts and panels show what they show with plain Prometheus."""

import contextlib
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

import pytest
import yaml

from exporter.mixin.rules.document import rules_file
from exporter.mixin.site import Site
from exporter.thresholds import Thresholds
from tests.dashboards.queries import ABSENT_IN_THE_DEMO, EMPTY_IN_HEALTH, EVERYTHING, Asked
from tests.dashboards.running import ask, demo
from tests.end_to_end import collectors
from tests.end_to_end.collectors import Scene
from tests.support.waiting import until
from tools.drawing.interpolate import Span
from tools.drawing.query_api import Prometheus

Labels = frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Way:
    """A way from the exporter into a Prometheus.

    Attributes:
        run: Run what is on the way, for as long as its block.
        tool: What it needs beside the Prometheus of the distribution.
        empty: The queries that it leaves without data.
        fewer: The recorded series that it has for fewer environments.
    """

    run: Callable[[Scene], AbstractContextManager[Prometheus]]
    tool: str | None = None
    empty: frozenset[Asked] = frozenset()
    fewer: frozenset[str] = frozenset()

    @property
    def can_run(self) -> bool:
        return self.tool is None or shutil.which(self.tool) is not None


GAUGE_HISTOGRAMS = frozenset(
    Asked("qoder-work-environment", title, "A")
    for title in ("Age of the queued items", "Time since the last heartbeat")
)
PLAIN = "plain"
INCOMPLETE = "converting only"
WAYS = {
    PLAIN: Way(collectors.prometheus_2),
    "prometheus 3": Way(collectors.prometheus_3, "prometheus3"),
    "converting": Way(collectors.converting, "prometheus3"),
    INCOMPLETE: Way(collectors.converting_only, "prometheus3"),
    "remote write": Way(collectors.remote_write),
    "vmagent": Way(collectors.vmagent, "vmagent"),
    # Without the buckets of heartbeats, a lost worker hides the others of its environment.
    "opentelemetry": Way(
        collectors.opentelemetry, "otelcol", GAUGE_HISTOGRAMS, frozenset({"environment:qoder_work_items_beating:max"})
    ),
}
pytestmark = pytest.mark.program("prometheus")
each = pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.linter(way.tool)] if way.tool else [])
        for name, way in WAYS.items()
        if name not in (PLAIN, INCOMPLETE)
    ],
)


@dataclass(frozen=True, slots=True)
class Stage:
    """The demo, and what has come through.

    Attributes:
        exporter: The exporter's host and port.
        stores: The Prometheus at the end of each way that can run here.
        recorded: The names of all series that the rules record.
        start: Unix time of the first scrape, about.
    """

    exporter: str
    stores: dict[str, Prometheus]
    recorded: frozenset[str]
    start: float

    def series(self, name: str, expression: str) -> set[Labels]:
        """The labels of an expression's series, in one of the stores."""
        return {frozenset(one.labels.items()) for one in self.stores[name].instant(expression, time.time())}

    def rows(self, name: str, without: frozenset[str]) -> set[Labels]:
        """The labels of everything recorded, without these."""
        return {labels for recorded in self.recorded - without for labels in self.series(name, recorded)}

    def silent(self, name: str) -> set[Asked]:
        """The queries of panels that return nothing."""
        span = Span(self.start, time.time(), 1)
        return {asked for asked in EVERYTHING if not ask(self.stores[name], asked.target, span)}

    def alerts(self, name: str) -> set[Labels]:
        """The name, environment and state of each open alert."""
        return self.series(name, "count by (alertname, environment, environment_id, alertstate) (ALERTS)")


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("collectors")
    document = yaml.safe_load(rules_file(Thresholds(), Site(), pending_scale=0))
    for group in document["groups"]:
        group.pop("interval", None)
    rules = folder / "rules.yml"
    rules.write_text(yaml.safe_dump(document))
    recorded = frozenset(rule["record"] for group in document["groups"] for rule in group["rules"] if "record" in rule)
    with contextlib.ExitStack() as stack:
        exporter = stack.enter_context(demo(folder)).exporter
        start = time.time()
        stores = {}
        for name, way in WAYS.items():
            if way.can_run:
                files = tmp_path_factory.mktemp(name.replace(" ", "-"))
                stores[name] = stack.enter_context(way.run(Scene(files, rules, exporter)))
        stage = Stage(exporter, stores, recorded, start)
        until(lambda: named(stage, PLAIN) == recorded, lambda: f"plain: {recorded - named(stage, PLAIN)}")
        yield stage


def named(stage: Stage, name: str) -> frozenset[str]:
    """The names of what is recorded there."""
    return frozenset(recorded for recorded in stage.recorded if stage.series(name, recorded))


@each
def test_every_recorded_series_is_that_of_plain_prometheus(stage: Stage, name: str) -> None:
    fewer = WAYS[name].fewer
    until(
        lambda: stage.rows(name, fewer) == stage.rows(PLAIN, fewer),
        lambda: f"the same series; they differ by {stage.rows(name, fewer) ^ stage.rows(PLAIN, fewer)}",
    )
    assert named(stage, name) == stage.recorded


@each
def test_the_same_alerts_are_open(stage: Stage, name: str) -> None:
    until(
        lambda: stage.alerts(name) == stage.alerts(PLAIN) != set(),
        lambda: f"the same alerts; they differ by {stage.alerts(name) ^ stage.alerts(PLAIN)}",
    )


@each
def test_every_panel_has_data_but_those_that_the_documentation_names(stage: Stage, name: str) -> None:
    empty = WAYS[name].empty | EMPTY_IN_HEALTH.keys() | ABSENT_IN_THE_DEMO.keys()
    until(
        lambda: stage.silent(name) == empty, lambda: f"the other queries; they differ by {stage.silent(name) ^ empty}"
    )


@each
def test_the_target_is_known_by_its_job_and_address(stage: Stage, name: str) -> None:
    target = {frozenset({("job", "qoder-work"), ("instance", stage.exporter)})}
    for series in ("up == 1", "qoder_work_up", "qoder_exporter_build_info"):
        assert stage.series(name, f"count by (job, instance) ({series})") == target


@each
def test_bounds_are_written_as_the_rules_expect_them(stage: Stage, name: str) -> None:
    bounds = stage.series(name, 'count by (le) (qoder_work_queue_wait_seconds_bucket{le=~"300(\\\\.0)?"})')
    assert bounds == {frozenset({("le", "300" if name == "opentelemetry" else "300.0")})}


@pytest.mark.linter("prometheus3")
def test_without_classic_histograms_an_alert_says_so(stage: Stage) -> None:
    until(
        lambda: any(("alertname", "QoderWorkHistogramsMissing") in labels for labels in stage.alerts(INCOMPLETE)),
        "the alert on histograms that are missing",
    )
    assert stage.series(INCOMPLETE, "qoder_work_queue_wait_seconds_count") == set()
    missing = stage.recorded - named(stage, INCOMPLETE)
    assert {record for record in stage.recorded if "queue_wait_late" in record} <= missing
    assert all(("alertname", "QoderWorkHistogramsMissing") not in labels for labels in stage.alerts("converting"))
