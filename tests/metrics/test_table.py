"""The table of metrics is the whole surface: all of it is exposed, and nothing else."""

import re

import pytest

from exporter.metrics.families import families
from exporter.metrics.table import ENVIRONMENT, METRICS, MetricSpec
from tests.metrics.views import LOOP_LAG, RELOAD, fleet, names, samples

by_name = pytest.mark.parametrize("spec", METRICS, ids=lambda spec: spec.name)


def test_a_full_view_shows_the_whole_table_and_nothing_else() -> None:
    shown = names(samples(fleet()))
    assert shown == {series for spec in METRICS for series in spec.series}


def test_the_families_stand_in_the_tables_order_with_its_types_and_words() -> None:
    shown = [(family.name, family.type, family.documentation) for family in families(fleet(), RELOAD, LOOP_LAG)]
    assert shown == [(spec.name.removesuffix("_total"), spec.type, spec.help) for spec in METRICS]


@by_name
def test_a_series_has_the_tables_labels(spec: MetricSpec) -> None:
    for name, labels in samples(fleet()):
        if name in spec.series:
            extra = {"le"} if name.endswith("_bucket") and spec.type.endswith("histogram") else set()
            assert {label for label, _ in labels} == set(spec.labels) | extra


@by_name
def test_a_name_says_what_is_counted_and_in_which_unit(spec: MetricSpec) -> None:
    assert re.fullmatch(r"qoder_(work|api|exporter)_[a-z]+(_[a-z]+)*", spec.name)
    assert spec.name.endswith("_total") == (spec.type == "counter")
    assert spec.type not in {"histogram", "gaugehistogram"} or spec.name.endswith("_seconds")
    assert ("timestamp" in spec.name) == spec.name.endswith("timestamp_seconds")
    assert spec.name.endswith("_info") == spec.help.startswith("1; ")


@by_name
def test_a_help_text_is_a_sentence_on_one_line(spec: MetricSpec) -> None:
    assert spec.help.isprintable()
    assert re.fullmatch(r"[A-Z0-9].{15,}\.", spec.help)


def test_names_and_help_texts_are_unique() -> None:
    series = [name for spec in METRICS for name in spec.series]
    assert len(set(series)) == len(series)
    assert len({spec.help for spec in METRICS}) == len(METRICS)


@by_name
def test_what_belongs_to_an_environment_says_so_and_nothing_names_an_item(spec: MetricSpec) -> None:
    assert (spec.labels[:2] == ENVIRONMENT) is spec.name.startswith("qoder_work_")
    assert not {"work_id", "session_id", "worker_id", "id"} & set(spec.labels)
