"""Fleet: every environment at a glance, the worst first."""

from exporter.mixin.dashboards import frame
from exporter.mixin.dashboards.fleet import environments, history, tiles
from exporter.mixin.dashboards.layout import Section
from exporter.mixin.dashboards.panel import Json
from exporter.mixin.dashboards.steps import Steps


def build(steps: Steps) -> Json:
    """The Fleet dashboard."""
    return frame.dashboard(
        frame.FLEET,
        "Qoder Work / Fleet",
        "Which environment has a backlog, a dead worker or a stuck item? Every environment, the worst first.",
        [Section("", [tiles.tiles(steps), [environments.environments(steps)]]), history.section(steps)],
    )
