"""Shapes of traffic with a real Prometheus and a real Alertmanager, a minute in half a second: what fires, and when.

The same list as in test_shapes.py, all at once and as far as three hours go; only in long runs.
"""

import pytest

from tests.rules.outages import Values
from tests.rules.shapes import SHAPES, Shape
from tests.rules.stage import Played, play
from tests.rules.test_shapes import CRITICAL

pytestmark = [pytest.mark.program("prometheus", "prometheus-alertmanager"), pytest.mark.long(only=True)]
MINUTE = 0.5
"""Seconds."""

WATCHED = 180
LATE = 10
"""How many minutes later than at the exact moment an alert may be noticed, on a busy machine."""

shapes = pytest.mark.parametrize("shape", [pytest.param(shape, id=name) for name, shape in SHAPES.items()])
deadly = pytest.mark.parametrize(
    "shape", [pytest.param(shape, id=name) for name, shape in SHAPES.items() if shape.dies + 30 < WATCHED]
)


def name(shape: Shape, *, dead: bool) -> str:
    known = next(name for name, other in SHAPES.items() if other is shape)
    return f"{known}-dead" if dead else f"{known}-well"


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Played:
    shown: Values = {}
    for shape in SHAPES.values():
        for dead in (False, True):
            queue = shape.queue()
            queue.name = name(shape, dead=dead)
            queue.dies = 60 * shape.dies if dead else queue.dies
            shown |= queue.play(WATCHED)
    return play(tmp_path_factory.mktemp("shapes"), {"a:10190": shown}, MINUTE, 0, WATCHED)


def as_listed(played: Played, environment: str, listed: dict[str, int], since: int) -> None:
    """What fires is what is listed, none earlier and none much later."""
    found = {alert: minute for (alert, about), minute in played.fired.items() if about == environment}
    assert found.keys() <= listed.keys()
    for alert, minute in listed.items():
        if minute + LATE < WATCHED:
            assert minute - 2 <= found[alert] <= minute + LATE, (alert, minute, found[alert])
    assert all(minute >= since for minute in found.values())


@shapes
def test_while_all_is_well(played: Played, shape: Shape) -> None:
    environment = name(shape, dead=False)
    as_listed(played, environment, dict(shape.well), 0)
    pages = {page.name for page in played.pager if page.about == environment}
    assert pages == {alert for alert in shape.well.keys() & CRITICAL if shape.well[alert] + LATE < WATCHED}


@deadly
def test_deaths_page(played: Played, shape: Shape) -> None:
    environment = name(shape, dead=True)
    found = {alert: at for (alert, about), at in played.fired.items() if about == environment and at >= shape.dies}
    for alert, minute in shape.dead.items():
        if shape.dies + minute + LATE < WATCHED:
            assert minute - 2 <= found[alert] - shape.dies <= minute + LATE, (alert, minute, found[alert])
    told = [page.minute for page in played.pager if page.about == environment and page.minute >= shape.dies]
    first = shape.dies + min(minute for alert, minute in shape.dead.items() if alert in CRITICAL)
    assert first - 2 <= told[0] <= first + LATE
