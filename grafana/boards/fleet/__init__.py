"""Fleet: every environment at a glance, the worst first."""

from grafana import dashboard
from grafana.boards.fleet import environments, history, tiles
from grafana.layout import Section
from grafana.panels import Json
from grafana.thresholds import Steps


def build(steps: Steps) -> Json:
    """The Fleet dashboard."""
    return dashboard.dashboard(
        dashboard.FLEET,
        "Qoder Work / Fleet",
        "Which environment has a backlog, a dead worker or a stuck item? Every environment, the worst first.",
        [Section("", [tiles.tiles(steps), [environments.environments(steps)]]), history.section(steps)],
    )
