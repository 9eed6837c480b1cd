"""The example of thresholds for some environments: work may wait for hours there, and dead workers page as ever."""

import re
from pathlib import Path

import pytest
import yaml

from exporter.mixin.rules.document import rules_file
from exporter.mixin.site import Site
from exporter.overrides import decode_overrides
from exporter.thresholds import Thresholds, decode
from tests.rules.evaluating import firings
from tests.rules.places import ALERTS_PAGE
from tests.rules.shapes import SHAPES
from tests.rules.test_shapes import CRITICAL

pytestmark = pytest.mark.program("promtool")
SHOWN = dict(re.findall(r"```yaml\n# ((?:environment-)?thresholds\.yml)\n(.*?)```", ALERTS_PAGE.read_text(), re.DOTALL))


def test_the_examples_can_be_used() -> None:
    usual = yaml.safe_load(SHOWN["thresholds.yml"])
    assert decode(usual) != Thresholds()
    assert len(decode_overrides(yaml.safe_load(SHOWN["environment-thresholds.yml"]), usual)) == 2


def fired(name: str, shape: str, dies: int | None, folder: Path) -> dict[str, int]:
    """When each alert fires first in an environment of this name, by rules with the example's thresholds."""
    rules = folder / "own.rules.yml"
    overrides = decode_overrides(yaml.safe_load(SHOWN["environment-thresholds.yml"]), {})
    rules.write_text(rules_file(Thresholds(), Site(), overrides))
    queue = SHAPES[shape].queue()
    queue.name = name
    queue.dies = 60 * dies if dies is not None else queue.dies
    values = queue.play(SHAPES[shape].minutes)
    counts = {series: row for series, row in values.items() if series.startswith("qoder_work_queue_wait_seconds_count")}
    # Nothing waits for as long as this environment's objective allows.
    values |= {
        series.replace("_count{", "_bucket{").replace("}", ', le="28800.0"}'): row for series, row in counts.items()
    }
    found = firings(values, SHAPES[shape].minutes, folder, rules)
    return {alert: firing.first - (dies or 0) for (alert, _), firing in found.items() if firing.first >= (dies or 0)}


@pytest.mark.parametrize("shape", ["nightly", "long-waiting"])
def test_waiting_for_hours_is_nobodys_business_there(shape: str, tmp_path: Path) -> None:
    assert SHAPES[shape].well, "elsewhere it is somebody's"
    assert fired("nightly-1", shape, None, tmp_path) == {}


@pytest.mark.parametrize("shape", ["submitted"])
def test_dead_workers_page_after_the_usual_time(shape: str, tmp_path: Path) -> None:
    alerts = fired("nightly-1", shape, SHAPES[shape].dies, tmp_path)
    usual = {name: minute for name, minute in SHAPES[shape].dead.items() if name in CRITICAL}
    assert alerts["QoderWorkNoWorkersPolling"] == usual["QoderWorkNoWorkersPolling"]
    assert alerts["QoderWorkHeartbeatLost"] == usual["QoderWorkHeartbeatLost"]


@pytest.mark.parametrize("shape", ["submitted"])
def test_other_environments_are_judged_as_usual(shape: str, tmp_path: Path) -> None:
    assert fired("gpu", shape, None, tmp_path) == SHAPES[shape].well
