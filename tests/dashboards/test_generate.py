import pytest

from exporter.mixin.dashboards.catalogue import dashboards
from exporter.mixin.dashboards.layout import Section, place
from exporter.mixin.dashboards.panel import Panel
from exporter.mixin.site import Site
from exporter.thresholds import Thresholds


def test_generating_twice_gives_the_same() -> None:
    assert dashboards(Thresholds(), Site()) == dashboards(Thresholds(), Site())


def panel(width: int, height: int) -> Panel:
    return Panel(width=width, height=height, body={"title": "Example", "type": "stat"})


def test_a_line_with_a_hole_is_refused() -> None:
    with pytest.raises(ValueError, match="'Example' is not 24 columns wide"):
        place([Section("", [[panel(12, 4), panel(11, 4)]])])


def test_a_ragged_line_is_refused() -> None:
    with pytest.raises(ValueError, match="not equally high"):
        place([Section("", [[panel(12, 4), panel(12, 5)]])])
