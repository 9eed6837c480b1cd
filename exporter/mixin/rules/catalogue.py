"""All rules together."""

from collections.abc import Iterator, Sequence

from exporter.mixin.rules import api, collection, counts, exporters, recordings, waiting, workers
from exporter.mixin.rules.rule import Alert, Group, Recording
from exporter.mixin.rules.scope import scoped
from exporter.overrides import Override
from exporter.thresholds import Thresholds


def groups(thresholds: Thresholds, overrides: Sequence[Override] = ()) -> tuple[Group, ...]:
    """Every group of rules.

    Args:
        thresholds: The thresholds of most environments.
        overrides: Those of some environments.
    """
    return (
        # Windows of days change slowly and are expensive to evaluate.
        Group("qoder-work-objective", tuple(scoped(recordings.objective, thresholds, overrides)), interval=60),
        # In one group, so that all alerts judge by the same moment's levels.
        Group("qoder-work", (*_levels(thresholds, overrides), *alerts(thresholds, overrides))),
    )


def _levels(thresholds: Thresholds, overrides: Sequence[Override]) -> Iterator[Recording]:
    yield recordings.known(thresholds)
    yield from recordings.levels(thresholds)
    yield from scoped(recordings.signs_of_life, thresholds, overrides)
    yield from scoped(recordings.scaling, thresholds, overrides)


def alerts(thresholds: Thresholds, overrides: Sequence[Override] = ()) -> tuple[Alert, ...]:
    """Every alert, effects before their causes.

    Prometheus evaluates a group in its order and tells Alertmanager at once. When an incident ends, what was silenced
    must have ended before what silences it, or it would be notified for a moment.
    """
    of_environments = (alert for source in (waiting, workers) for alert in scoped(source.alerts, thresholds, overrides))
    of_the_rest = (alert for source in (counts, api, collection, exporters) for alert in source.alerts(thresholds))
    return (*of_environments, *of_the_rest)


def recorded(thresholds: Thresholds) -> tuple[Recording, ...]:
    """Every recording rule."""
    return tuple(rule for group in groups(thresholds) for rule in group.rules if isinstance(rule, Recording))
