"""What the Fleet dashboard asks of every environment."""

from exporter.metrics.table import MAX_HEARTBEAT_LAG, OLDEST_AGE, SNAPSHOT_TIMESTAMP, MetricSpec
from exporter.mixin.dashboards.queries import items, per_environment, work


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
DATA_AGE = f"time() - {worst(SNAPSHOT_TIMESTAMP)}"
