"""Panels and texts that several dashboards have in common."""

from exporter.metrics.table import REFRESH_FAILURES
from exporter.mixin.dashboards.panel import Panel, Query, Text
from exporter.mixin.dashboards.queries import items, per_environment, rate
from exporter.mixin.dashboards.visualizations import timeseries
from exporter.mixin.palette import CRITICAL, OK, REASONS, STATES

NO_EXPORTER = "No exporter found"
NO_DATA = "No data: is the environment down?"

UP_OR_DOWN = {1: ("Up", OK), 0: ("Down", CRITICAL)}
"""Words and colours of every 1-or-0 series about success."""

PER_MINUTE = 60


def live_items() -> Panel:
    """The live items of the selected environments, stacked by state."""
    live = items('state!="stopped"')
    return timeseries(
        Text(
            "Live items by state",
            "All items that have not stopped. Worry when queued grows while active stays flat: the workers "
            "are the limit. Or when starting or stopping grow: items pile up in transient states.",
            NO_DATA,
        ),
        [Query(f"sum by (state) ({live})", "{{state}}")],
        unit="short",
        colours=STATES,
        stacked=True,
        decimals=0,
        axis="items",
    )


def failed_refreshes() -> Panel:
    """Why environments could not be read; only reasons that have occurred."""
    failures = per_environment(rate(REFRESH_FAILURES), "reason")
    return timeseries(
        Text(
            "Failed refreshes per minute, by reason",
            "Why environments could not be read. auth: the token; permission, not_found, "
            "not_self_hosted: the environment or the account; the others: the API or the network. "
            "Worry when bars follow each other.",
            "No refresh has failed",
        ),
        [Query(f"{PER_MINUTE} * sum by (reason) ({failures}) > 0", "{{reason}}")],
        unit="short",
        colours=REASONS,
        bars=True,
        axis="refreshes per minute",
    )
