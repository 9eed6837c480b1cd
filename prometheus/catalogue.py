"""All rules together."""

from prometheus import collection, exporters, recordings, waiting, workers
from prometheus.model import Alert, Group, Recording
from prometheus.thresholds import Thresholds


def groups(thresholds: Thresholds) -> tuple[Group, ...]:
    """Every group of rules, recording rules first."""
    return (
        *recordings.groups(thresholds),
        waiting.group(thresholds),
        workers.group(thresholds),
        collection.group(thresholds),
        exporters.group(thresholds),
    )


def alerts(thresholds: Thresholds) -> tuple[Alert, ...]:
    """Every alert."""
    return tuple(rule for group in groups(thresholds) for rule in group.rules if isinstance(rule, Alert))


def recorded(thresholds: Thresholds) -> tuple[Recording, ...]:
    """Every recording rule."""
    return tuple(rule for group in groups(thresholds) for rule in group.rules if isinstance(rule, Recording))
