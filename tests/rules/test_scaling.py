"""How many workers the rules ask for, over a burst and its drain, and what reads that number."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from exporter.mixin.rules.recordings import WORKERS_NEEDED
from tests.deploy.helm import SCHEMAS
from tests.rules.evaluating import values
from tests.rules.outages import unread
from tests.rules.places import ROOT
from tests.rules.queues import Queue, always
from tests.rules.shapes import batch, every

FOLDER = ROOT / "deploy" / "autoscaling"
OBJECTS = ("keda-prometheus", "keda-metrics-api", "hpa")


def needed(queue: Queue, minutes: int, at: list[int], folder: Path) -> list[float]:
    series = {**queue.play(minutes)}
    return values(series, WORKERS_NEEDED, at, folder)


@pytest.mark.program("promtool")
def test_a_burst_asks_for_workers_and_its_drain_lets_them_go(tmp_path: Path) -> None:
    # 200 items of a minute each: all taken within five minutes by 34 workers, of which there are ten.
    queue = Queue(sorted([*every(10, 0, 60), *batch(200, 60)]), 60, always(10))
    before, burst, drain, late, after = needed(queue, 120, [59, 61, 70, 79, 90], tmp_path)
    assert before == 0
    assert 40 <= burst <= 44, "34 for the queue, beside the ten that are busy"
    assert burst > drain > late >= 10
    assert after == 0


@pytest.mark.program("promtool")
def test_steady_work_asks_for_as_many_as_keep_up(tmp_path: Path) -> None:
    # An item a minute that runs for five: five workers are busy at any time.
    assert set(needed(Queue(every(1), 300, always(9)), 240, [100, 150, 200, 240], tmp_path)) == {5}


@pytest.mark.program("promtool")
def test_where_nothing_has_run_yet_an_item_asks_for_a_worker(tmp_path: Path) -> None:
    assert needed(Queue(batch(1, 30), 60, always(0)), 40, [29, 35], tmp_path) == [0, 1]


@pytest.mark.program("promtool")
def test_an_outage_scales_nothing_down(tmp_path: Path) -> None:
    series = unread(Queue(every(1), 300, always(9)).play(160), 100, 150)
    assert values(series, WORKERS_NEEDED, [99, 110, 149, 155], tmp_path) == [5, 5, 5, 5]


@pytest.mark.parametrize("name", OBJECTS)
def test_manifests_keep_to_the_schemas(name: str) -> None:
    manifest: Any = yaml.safe_load((FOLDER / f"{name}.yaml").read_text())
    schema = json.loads((SCHEMAS / f"{manifest['kind'].lower()}.json").read_text())
    assert [error.message for error in jsonschema.Draft7Validator(schema).iter_errors(manifest)] == []


def test_what_they_read_exists() -> None:
    texts = {name: (FOLDER / f"{name}.yaml").read_text() for name in (*OBJECTS, "prometheus-adapter")}
    assert WORKERS_NEEDED in texts["keda-prometheus"]
    assert WORKERS_NEEDED in texts["prometheus-adapter"]
    named = yaml.safe_load(texts["prometheus-adapter"])["rules"]["external"][0]["name"]["as"]
    (metric,) = yaml.safe_load(texts["hpa"])["spec"]["metrics"]
    assert metric["external"]["metric"]["name"] == named
