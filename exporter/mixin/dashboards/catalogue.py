"""All dashboards together."""

from exporter.mixin.dashboards import environment, exporter_health, fleet
from exporter.mixin.dashboards.frame import runbooks_links
from exporter.mixin.dashboards.panel import Json
from exporter.mixin.dashboards.steps import Steps
from exporter.mixin.site import Site
from exporter.thresholds import Thresholds


def dashboards(thresholds: Thresholds, site: Site) -> list[Json]:
    """Every dashboard, coloured by these thresholds, with a link to the runbooks of this site."""
    steps = Steps(thresholds)
    boards = [board.build(steps) for board in (fleet, environment, exporter_health)]
    return [{**board, "links": board["links"] + runbooks_links(site)} for board in boards]
