"""Two exporters that watch the same queues: the numbers of the queues are not doubled."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from exporter.mixin.rules.recordings import WORKERS_NEEDED
from tests.dashboards.backfill import ENVIRONMENTS, INSTANCES, SPAN, write
from tests.dashboards.conftest import FILES
from tests.dashboards.promql_names import names_in
from tests.dashboards.running import ALL, ask, prometheus
from tools.drawing.interpolate import All, Chosen
from tools.drawing.query_api import Prometheus

Json = dict[str, Any]
pytestmark = pytest.mark.program("prometheus", "promtool")

TARGETS = [
    pytest.param(target, id=f"{file.stem}: {panel['title']}, {target['refId']}")
    for file in FILES
    for panel in json.loads(file.read_text())["panels"]
    if panel["type"] != "row"
    for target in panel["targets"]
    # What rules record is not made up here; the demo has it.
    if WORKERS_NEEDED not in target["expr"]
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    folder = tmp_path_factory.mktemp("pair")
    with prometheus(folder, "", write(folder)) as running:
        yield running


def choose(**chosen: str) -> Mapping[str, All | Chosen]:
    return {**ALL, **{name: Chosen((value,)) for name, value in chosen.items()}}


def values(server: Prometheus, target: Json, **chosen: str) -> dict[str, list[float]]:
    return {
        json.dumps(dict(sorted(series.labels.items()))): [value for _, value in series.points]
        for series in ask(server, target, SPAN, choose(**chosen))
    }


@pytest.mark.parametrize("target", TARGETS)
def test_a_second_exporter_changes_nothing_about_the_queues(server: Prometheus, target: Json) -> None:
    of_queues = {selector.name.startswith("qoder_work_") for selector in names_in(target["expr"]).selectors}
    both = values(server, target)
    assert both, "made-up samples of every metric are there"
    one = values(server, target, instance=INSTANCES[0])
    if of_queues == {True} and "{{instance}}" not in target["legendFormat"]:
        assert both.keys() == one.keys()
        assert all(both[name] == pytest.approx(one[name]) for name in one)
    elif "{{instance}}" in target["legendFormat"]:
        assert len(both) == 2 * len(one)


def target_of(uid: str, title: str) -> Json:
    (file,) = (file for file in FILES if file.stem == uid)
    (panel,) = (panel for panel in json.loads(file.read_text())["panels"] if panel["title"] == title)
    target: Json = panel["targets"][0]
    return target


def test_items_of_two_environments_and_of_all_metadata_add_up(server: Prometheus) -> None:
    target = target_of("qoder-work-environment", "Queued items")

    def number(**chosen: str) -> float:
        (series,) = ask(server, target, SPAN, choose(**chosen))
        return series.last

    apart = [number(environment=name) for _, name in ENVIRONMENTS]
    assert number() == sum(apart)
    (raw,) = server.instant(
        f'sum(qoder_work_items{{state="queued", environment_id="env_1", instance="{INSTANCES[0]}"}})', SPAN.end
    )
    assert apart[0] == raw.last


def test_requests_of_two_exporters_add_up(server: Prometheus) -> None:
    target = target_of("qoder-work-exporter", "Requests by endpoint")
    both = ask(server, target, SPAN)
    one = ask(server, target, SPAN, choose(instance=INSTANCES[0]))
    assert [series.last for series in both] == pytest.approx([2 * series.last for series in one])


def test_several_chosen_environments_are_shown_and_no_other(server: Prometheus) -> None:
    target = target_of("qoder-work-fleet", "Workers polling")
    names = tuple(name for _, name in ENVIRONMENTS)
    shown = ask(server, target, SPAN, {**ALL, "environment": Chosen(names)})
    assert {series.labels["environment"] for series in shown} == set(names)
    one = ask(server, target, SPAN, {**ALL, "environment": Chosen(names[1:])})
    assert {series.labels["environment"] for series in one} == set(names[1:])


def test_the_variables_offer_what_is_there(server: Prometheus) -> None:
    assert server.label_values("job", '{__name__=~"qoder_work_up|qoder_exporter_build_info"}') == ["qoder-work"]


def test_a_severer_finding_comes_before_a_lesser_one(server: Prometheus) -> None:
    target = target_of("qoder-work-fleet", "Environments, worst first")
    ranks = {series.labels["environment"]: series.last for series in ask(server, target, SPAN)}
    assert ranks["batch (nightly)"] == 8, "it is down"
    assert ranks["gpu-workers"] < 1, "nothing there is beyond a threshold"
