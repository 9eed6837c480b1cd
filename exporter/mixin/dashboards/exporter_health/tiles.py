"""The top of the Exporter dashboard: how it is now."""

from exporter.metrics.table import (
    BUILD_INFO,
    DISCOVERY_UP,
    ENVIRONMENTS,
    HISTORY_COMPLETE,
    RELOAD_SUCCESSFUL,
    SNAPSHOT_TIMESTAMP,
    UP,
)
from exporter.mixin.dashboards.panel import Panel, Query, Text
from exporter.mixin.dashboards.queries import per_environment, target, work
from exporter.mixin.dashboards.shared import NO_EXPORTER
from exporter.mixin.dashboards.steps import ANY, Step, Steps
from exporter.mixin.dashboards.visualizations import stat
from exporter.mixin.palette import CRITICAL, OK, SKY_BLUE, WARNING


def tiles(steps: Steps) -> list[Panel]:
    """The numbers of now."""
    return [*_watched(), *_known(steps)]


def _watched() -> list[Panel]:
    """Who watches what."""
    # A target that is down exposes nothing: it is known by what it exposed in the range.
    known = f"last_over_time({target(BUILD_INFO.name)}[$__range])"
    accounts = f"max by (account) ({target(ENVIRONMENTS.name)})"
    return [
        stat(
            Text(
                "Exporters up",
                "Share of the exporters seen in the range shown that Prometheus can scrape now. Worry below 100 %; at "
                "0 nobody watches the queues.",
                NO_EXPORTER,
            ),
            Query(f"avg({target('up')} and on (job, instance) {known})", kind="instant"),
            unit="percentunit",
            steps=(Step(0.001, WARNING), Step(1, OK)),
            base=CRITICAL,
            decimals=0,
            width=3,
        ),
        stat(
            Text(
                "Environments down",
                "Environments that no exporter can read now. Worry at 1: the failed refreshes below have the reason.",
                NO_EXPORTER,
            ),
            Query(f"sum(1 - {per_environment(work(UP))})", kind="instant"),
            unit="short",
            steps=ANY,
            decimals=0,
            width=3,
        ),
        stat(
            Text(
                "Environments watched",
                "Environments of all accounts. Worry at an unplanned drop: an archived environment, a "
                "changed pattern, or a token of another account.",
                NO_EXPORTER,
            ),
            Query(f"sum({accounts})", kind="instant"),
            unit="short",
            colour=SKY_BLUE,
            decimals=0,
            width=3,
        ),
        stat(
            Text(
                "Discovery",
                "Whether the last discovery of an account's environments succeeded. Worry when it fails: known "
                "environments are still watched, new ones are not.",
                "Not in use",
            ),
            Query(f"min(max by (account) ({target(DISCOVERY_UP.name)}))", kind="instant"),
            unit="none",
            mappings={1: ("OK", OK), 0: ("Failing", WARNING)},
            width=3,
        ),
    ]


def _known(steps: Steps) -> list[Panel]:
    """By which configuration and program, and how current and complete the data are."""
    return [
        stat(
            Text(
                "Configuration",
                "Whether the last reload of the configuration succeeded. Worry when refused: the exporter keeps "
                "running with the old one, and would not start with the new one.",
                "No configuration file",
            ),
            Query(f"min({target(RELOAD_SUCCESSFUL.name)})", kind="instant"),
            unit="none",
            mappings={1: ("Loaded", OK), 0: ("Refused", WARNING)},
            width=3,
        ),
        stat(
            Text(
                "Oldest data",
                "Age of the data of the environment read longest ago. Worry at yellow: refreshes do not finish.",
                "No environment read yet",
            ),
            Query(f"max(time() - {per_environment(work(SNAPSHOT_TIMESTAMP))})", kind="instant"),
            unit="s",
            steps=steps.snapshot_age,
            width=3,
        ),
        stat(
            Text(
                "Histories incomplete",
                "Environments whose work list is still being read for the first time. Until it ends, the counts and "
                "ages that need it are withheld. Worry when it lasts for hours.",
                NO_EXPORTER,
            ),
            Query(f"sum(1 - {per_environment(work(HISTORY_COMPLETE))})", kind="instant"),
            unit="short",
            steps=(Step(1, WARNING),),
            decimals=0,
            width=3,
        ),
        stat(
            Text(
                "Versions",
                "The exporter's version and how many instances run it. Worry when two versions persist: a "
                "roll-out that stopped half-way.",
                NO_EXPORTER,
            ),
            Query(f"count by (version) ({target(BUILD_INFO.name)})", "{{version}}", "instant"),
            unit="short",
            colour=SKY_BLUE,
            names=True,
            decimals=0,
            width=3,
        ),
    ]
