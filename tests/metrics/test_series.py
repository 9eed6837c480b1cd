"""How many series metadata labels can make: the figures of the README."""

import re
from pathlib import Path

import pytest

from exporter.metrics.families import families
from exporter.tracking.view import FleetView
from tests.metrics.views import environment, fleet, queue, snapshot

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def series(view: FleetView) -> int:
    """How many series an environment has."""
    found = [sample for family in families(view) for sample in family.samples]
    return sum(sample.name.startswith("qoder_work_") for sample in found)


def documented(pattern: str) -> int:
    """The number that the README gives there."""
    (number,) = re.findall(pattern, README, re.DOTALL)
    return int(number.replace(",", ""))


@pytest.mark.parametrize("keys", [1, 2, 3])
def test_the_readme_says_how_many_series_metadata_labels_can_make(keys: int) -> None:
    """At the bound, with all states there can be: five known ones, five unknown ones, and other."""
    limit = 50
    combinations = limit + 2 if keys == 1 else (limit + 1) * keys + 1
    states = [f"state {number}" for number in range(11)]
    counts = {(state, tuple(f"{number}" for _ in range(keys))): 1 for state in states for number in range(combinations)}
    names = tuple(f"key{number}" for number in range(keys))
    view = fleet(environment(snapshot=snapshot(queue=queue(counts=counts))), keys=names)
    items = series(view) - series(fleet()) + 5
    assert items == documented(rf"([\d,]+) (?:series )?with {('one key', 'two', 'three')[keys - 1]},")
