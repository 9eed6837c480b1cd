"""Exporter: whether the numbers are fresh, what they cost, and how the API and the process do."""

from grafana import dashboard
from grafana.boards.exporter_health import api, process, refresh, tiles
from grafana.layout import Section
from grafana.panels import Json
from grafana.thresholds import Steps


def build(steps: Steps) -> Json:
    """The Exporter dashboard."""
    return dashboard.dashboard(
        dashboard.EXPORTER,
        "Qoder Work / Exporter",
        "Can the numbers be trusted, and what do they cost? Freshness, refreshes, API requests, history, process.",
        [
            Section("", [tiles.tiles(steps)]),
            refresh.freshness(steps),
            refresh.cost(),
            api.section(steps),
            refresh.history(),
            process.section(),
        ],
    )
