"""Environment: one environment's queue, workers, flow and objective in depth."""

from exporter.mixin.dashboards import frame
from exporter.mixin.dashboards.environment import data, flow, objective, queue, tiles, workers
from exporter.mixin.dashboards.layout import Section
from exporter.mixin.dashboards.panel import Json
from exporter.mixin.dashboards.steps import Steps


def build(steps: Steps) -> Json:
    """The Environment dashboard."""
    return frame.dashboard(
        frame.ENVIRONMENT,
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
