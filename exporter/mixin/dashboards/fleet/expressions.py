"""What the Fleet dashboard asks of every environment."""

from exporter.metrics.table import (
    HEARTBEAT_LAG,
    MAX_HEARTBEAT_LAG,
    OLDEST_AGE,
    QUEUE_WAIT,
    SNAPSHOT_TIMESTAMP,
    WORKERS_POLLING,
    MetricSpec,
)
from exporter.mixin.dashboards.queries import increase, items, per_environment, work
from exporter.mixin.labels import BY_ENVIRONMENT
from exporter.mixin.promql import le


def worst(spec: MetricSpec, *matchers: str) -> str:
    """The largest value each environment has in any exporter."""
    return per_environment(work(spec, *matchers))


def oldest(state: str) -> str:
    """How long the oldest item of each environment has been in this state."""
    return worst(OLDEST_AGE, f'state="{state}"')


def in_state(state: str) -> str:
    """How many items of each environment are in this state."""
    return per_environment(items(f'state="{state}"'))


LAG = worst(MAX_HEARTBEAT_LAG)
ON = f"on ({BY_ENVIRONMENT})"
TAKEN = per_environment(increase(QUEUE_WAIT, suffix="_count", window="10m"))
"""How many items of each environment were acknowledged in ten minutes."""


def unserved(beating_within: float) -> str:
    """How long the oldest queued item has waited without polls, heartbeats or acknowledgements."""
    beating = worst_bucket(beating_within)
    return (
        f"({oldest('queued')} and {ON} {worst(WORKERS_POLLING)} == 0 unless {ON} {beating} > 0 unless {ON} {TAKEN} > 0)"
    )


def worst_bucket(bound: float) -> str:
    """How many items of each environment have a heartbeat that is younger."""
    return per_environment(work(HEARTBEAT_LAG, le(bound), suffix="_bucket"))


DATA_AGE = f"time() - {worst(SNAPSHOT_TIMESTAMP)}"
