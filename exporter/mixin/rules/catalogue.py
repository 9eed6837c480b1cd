"""All rules together."""

from exporter.mixin.rules import api, collection, exporters, recordings, waiting, workers
from exporter.mixin.rules.rule import Alert, Group, Recording
from exporter.thresholds import Thresholds


def groups(thresholds: Thresholds) -> tuple[Group, ...]:
    """Every group of rules."""
    return (
        # Windows of days change slowly and are dear to read.
        Group("qoder-work-objective", tuple(recordings.objective(thresholds)), interval=60),
        # In one group, so that all alerts judge by the same moment's levels.
        Group("qoder-work", (*recordings.levels(thresholds), *alerts(thresholds))),
    )


def alerts(thresholds: Thresholds) -> tuple[Alert, ...]:
    """Every alert, effects before their causes.

    Prometheus evaluates a group in its order and tells Alertmanager at once. When an incident ends, what was silenced
    must have ended before what silences it, or it would be heard for a moment.
    """
    sources = (waiting, workers, api, collection, exporters)
    return tuple(alert for source in sources for alert in source.alerts(thresholds))


def recorded(thresholds: Thresholds) -> tuple[Recording, ...]:
    """Every recording rule."""
    return tuple(rule for group in groups(thresholds) for rule in group.rules if isinstance(rule, Recording))
