"""Exporter: whether the numbers are fresh, what they cost, and how the API and the process do."""

from exporter.mixin.dashboards import frame
from exporter.mixin.dashboards.exporter_health import api, process, refresh, tiles, trust
from exporter.mixin.dashboards.layout import Section
from exporter.mixin.dashboards.panel import Json
from exporter.mixin.dashboards.steps import Steps


def build(steps: Steps) -> Json:
    """The Exporter dashboard."""
    return frame.dashboard(
        frame.EXPORTER,
        "Qoder Work / Exporter",
        "Can the numbers be trusted, and what do they cost? Freshness, refreshes, API requests, history, process.",
        [
            Section("", [tiles.tiles(steps)]),
            refresh.freshness(steps),
            refresh.cost(),
            api.section(steps),
            refresh.history(),
            trust.section(),
            process.section(),
        ],
    )
