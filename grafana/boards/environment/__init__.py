"""Environment: one environment's queue, workers, flow and objective in depth."""

from grafana import dashboard
from grafana.boards.environment import data, flow, objective, queue, tiles, workers
from grafana.layout import Section
from grafana.panels import Json
from grafana.thresholds import Steps


def build(steps: Steps) -> Json:
    """The Environment dashboard."""
    return dashboard.dashboard(
        dashboard.ENVIRONMENT,
        "Qoder Work / Environment",
        "One environment: what waits and for how long, how its workers do, what flows through, and whether the "
        "objective is met.",
        [
            Section("", [tiles.tiles(steps)]),
            queue.section(steps),
            workers.section(steps),
            flow.section(steps),
            objective.section(steps),
            data.section(steps),
        ],
    )
