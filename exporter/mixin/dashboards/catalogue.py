"""All dashboards together."""

from exporter.mixin.dashboards import environment, exporter_health, fleet
from exporter.mixin.dashboards.panel import Json
from exporter.mixin.dashboards.steps import Steps
from exporter.thresholds import Thresholds


def dashboards(thresholds: Thresholds) -> list[Json]:
    """Every dashboard, coloured by these thresholds."""
    steps = Steps(thresholds)
    return [board.build(steps) for board in (fleet, environment, exporter_health)]
