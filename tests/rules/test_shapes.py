"""What fires in each shape of traffic, and when: docs/alerts.md shows the same list."""

from pathlib import Path

import pytest

from exporter.mixin.rules.catalogue import alerts
from exporter.thresholds import Thresholds
from tests.rules.evaluating import firings
from tests.rules.shapes import SHAPES, Shape

CRITICAL = {alert.name for alert in alerts(Thresholds()) if alert.severity == "critical"}
pytestmark = pytest.mark.program("promtool")
shapes = pytest.mark.parametrize("shape", [pytest.param(shape, id=name) for name, shape in SHAPES.items()])


def fired(shape: Shape, dies: int | None, folder: Path) -> dict[str, int]:
    """When each alert fires first, in minutes, counted from the death where there is one."""
    queue = shape.queue()
    if dies is not None:
        queue.dies = dies * 60
    since = dies or 0
    found = firings(queue.play(shape.minutes), shape.minutes, folder)
    return {name: firing.first - since for (name, _), firing in found.items() if firing.first >= since}


@shapes
def test_while_all_is_well(shape: Shape, tmp_path: Path) -> None:
    assert fired(shape, None, tmp_path) == shape.well


@shapes
def test_after_every_worker_has_died(shape: Shape, tmp_path: Path) -> None:
    assert fired(shape, shape.dies, tmp_path) == shape.dead


def test_what_drains_pages_nobody() -> None:
    pages = {name for name, shape in SHAPES.items() if set(shape.well) & CRITICAL}
    # More work than the workers can take pages for more workers; so does an item that waits for a busy one for hours.
    assert pages == {"overload", "long-waiting"}


@shapes
def test_deaths_always_page(shape: Shape) -> None:
    first = min(minute for name, minute in shape.dead.items() if name in CRITICAL)
    # An idle environment learns of it when work comes: here 60 minutes after the death.
    assert first <= (72 if shape is SHAPES["idle"] else 12)


@pytest.mark.linter("promtool3")
@pytest.mark.parametrize("name", ["burst", "steady", "overload"])
def test_the_newest_prometheus_says_the_same_within_a_minute(name: str, tmp_path: Path) -> None:
    shape = SHAPES[name]
    found = firings(shape.queue().play(shape.minutes), shape.minutes, tmp_path, program="promtool3")
    assert {alert for alert, _ in found} == set(shape.well)
    assert all(abs(firing.first - shape.well[alert]) <= 1 for (alert, _), firing in found.items())
