"""Nothing in the rules names a metric or a label that does not exist."""

import re
from itertools import chain
from pathlib import Path

import pytest

from exporter.api.errors import REASONS
from exporter.histogram import REQUEST_SECONDS, SECONDS_TO_A_WEEK
from exporter.metrics.table import METRICS, MetricSpec
from exporter.mixin.rules.catalogue import alerts, recorded
from exporter.mixin.rules.recordings import WORKERS_NEEDED
from exporter.mixin.rules.rule import Alert, Recording
from exporter.thresholds import Thresholds
from tests.dashboards.promql_names import Names, names_in
from tests.rules.places import RUNBOOKS

TARGET = {"job", "instance"}
"""What Prometheus itself adds to every series."""

RECORDED = {rule.name: rule for rule in recorded(Thresholds())}
RULES: tuple[Alert | Recording, ...] = (*RECORDED.values(), *alerts(Thresholds()))
TABLE: dict[str, MetricSpec] = {series: spec for spec in METRICS for series in spec.series}

OF_PROMETHEUS = {"up": TARGET, "ALERTS": {"alertname", "alertstate", "environment_id", "environment"}}
"""The labels of the series that Prometheus itself makes."""


def labels_of(series: str) -> set[str]:
    """The labels a series has in Prometheus. Raises KeyError if nothing makes it."""
    if series in OF_PROMETHEUS:
        return OF_PROMETHEUS[series]
    if series in RECORDED:
        return set(RECORDED[series].labels)
    bucket = {"le"} if series.endswith("_bucket") else set()
    return set(TABLE[series].labels) | TARGET | bucket


def rule_id(rule: Alert | Recording) -> str:
    return rule.name


@pytest.fixture(params=RULES, ids=rule_id)
def rule(request: pytest.FixtureRequest) -> Alert | Recording:
    chosen: Alert | Recording = request.param
    return chosen


@pytest.fixture
def names(rule: Alert | Recording) -> Names:
    return names_in(rule.expr)


def test_series_exist(names: Names) -> None:
    for selector in names.selectors:
        assert labels_of(selector.name), selector.name


def test_labels_exist(names: Names) -> None:
    known: set[str] = set()
    for selector in names.selectors:
        labels = labels_of(selector.name)
        assert selector.labels <= labels
        known |= labels
    assert names.grouped <= known


def test_no_job_or_instance_is_pinned(names: Names) -> None:
    for selector in names.selectors:
        assert not selector.labels & TARGET


def test_values_of_labels_exist(names: Names) -> None:
    states = {"queued", "starting", "active", "stopping", "stopped"}
    for matcher in chain.from_iterable(selector.matchers for selector in names.selectors):
        label, _, value = re.split(r"(=~|=|!=)", matcher)
        if label == "state":
            assert set(value.strip('"').split("|")) <= states
        if label == "reason":
            assert set(value.strip('"').split("|")) <= set(REASONS)


def test_bucket_bounds_exist(rule: Alert | Recording) -> None:
    for series, bound in re.findall(r'(\w+)_bucket\{le="([^"]+)"\}', rule.expr):
        bounds = REQUEST_SECONDS if series.startswith("qoder_api_") else SECONDS_TO_A_WEEK
        assert bound in {str(limit) for limit in bounds}


def test_counters_are_only_used_as_rates_and_gauges_never(rule: Alert | Recording) -> None:
    presence = "|last_over_time" if rule.name == "QoderWorkHistogramsMissing" else ""
    rated = set(re.findall(rf"(?:rate|increase|changes|resets{presence})\((\w+)", rule.expr))
    named = {selector.name for selector in names_in(rule.expr).selectors if selector.name in TABLE}
    cumulative = {
        series for series in named if TABLE[series].type in {"counter", "histogram"} and not series.endswith("_info")
    }
    assert rated - {"qoder_work_items"} == cumulative


def test_recorded_names_say_level_metric_and_operation() -> None:
    for name, rule in RECORDED.items():
        level, metric, operation = name.split(":")
        assert metric.startswith("qoder_work_")
        assert "_total" not in metric
        assert operation
        told_apart = {"environment": "environment_id", "state": "state", "account": "account", "reason": "reason"}
        assert {told_apart[part] for part in level.split("_")} | {"environment"} == set(rule.labels)


def test_every_recorded_series_has_the_labels_it_says(rule: Alert | Recording) -> None:
    # The aggregation that is read first is the outermost one, or the left side of a binary operator, which decides.
    if isinstance(rule, Recording):
        outermost = re.search(r"(?:max|sum) by \(([^)]*)\)", rule.expr)
        assert outermost is not None
        assert set(outermost.group(1).split(", ")) == set(rule.labels)


def test_every_recorded_series_is_used() -> None:
    used = {selector.name for rule in RULES for selector in names_in(rule.expr).selectors}
    # What autoscalers and dashboards read.
    assert set(RECORDED) - used == {WORKERS_NEEDED}


@pytest.mark.parametrize("runbook", sorted(RUNBOOKS.glob("*.md")), ids=lambda path: path.stem)
def test_queries_in_a_runbook_name_what_exists(runbook: Path) -> None:
    text = runbook.read_text()
    queries = re.findall(r"```promql\n(.*?)```", text, re.DOTALL)
    for query in (line for block in queries for line in block.splitlines() if line and not line.startswith("#")):
        for selector in names_in(query).selectors:
            assert selector.labels <= labels_of(selector.name), query
    for series in re.findall(r"\b(?:qoder_(?:work|api|exporter)_\w+|environment\w*:qoder_\w+:\w+)", text):
        assert series in TABLE or series in RECORDED, series
